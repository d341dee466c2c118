//! What can be asked on the command line.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Find out, by experiment, which Linux system calls an application really needs.
#[derive(Debug, Parser)]
#[command(
    name = "loupe",
    version,
    max_term_width = 110,
    after_help = "Example:\n  loupe batch apps/          measure every app in apps/\n  loupe show nginx           the verdicts with their reasons\n\nExit codes: 0 done; 1 a negative answer (a baseline fails); 2 wrong usage or spec; 3 environment not usable;\n4 something stayed inconclusive; 70 a bug; 130 interrupted, state saved."
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) verb: Verb,
    /// Print nothing but data and errors.
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Measure every app of a folder.
    #[command(
        after_help = "Example:\n  loupe batch apps/ --only 'ng*' --jobs 4\n\nAn app is a sub-folder with a Dockerfile; app.yaml beside it says how it is exercised. Shared workloads are looked for\nin workloads/ and client images in Dockerfiles/, both beside the apps folder. What is finished is stored at once: the\nsame command continues where an interrupted one stopped."
    )]
    Batch(BatchArguments),
    /// Measure one app.
    #[command(after_help = "Example:\n  loupe run apps/redis --fresh")]
    Run(RunArguments),
    /// Print an app's verdicts with their reasons.
    #[command(after_help = "Example:\n  loupe show nginx\n  loupe show nginx/wrk --format json")]
    Show(ShowArguments),
    /// Check that this machine can measure, and say what to do if not.
    #[command(after_help = "Example:\n  loupe doctor")]
    Doctor(DoctorArguments),
    /// Remove every container and volume that Loupe left on the engine.
    #[command(after_help = "Example:\n  loupe clean --images")]
    Clean(CleanArguments),
    /// Print a completion script for a shell.
    #[command(after_help = "Example:\n  loupe completions bash > /etc/bash_completion.d/loupe")]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// How data is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// For programs; events as one JSON object per line.
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct BatchArguments {
    /// The folder of apps.
    pub(crate) apps: PathBuf,
    /// Only apps whose name matches this pattern; can be repeated.
    #[arg(long, value_name = "GLOB")]
    pub(crate) only: Vec<String>,
    /// Only the K-th of N parts of the apps, for sweeps on several machines.
    #[arg(long, value_name = "K/N")]
    pub(crate) shard: Option<Shard>,
    #[command(flatten)]
    pub(crate) measure: MeasureArguments,
}

#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    /// The app's folder.
    pub(crate) app: PathBuf,
    #[command(flatten)]
    pub(crate) measure: MeasureArguments,
}

#[derive(Debug, Args)]
pub(crate) struct MeasureArguments {
    /// Trials at a time [default: twice the processors].
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) jobs: Option<u16>,
    /// The folder of the results database.
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub(crate) results: PathBuf,
    /// Start over, although an earlier run could be continued or its results still stand.
    #[arg(long)]
    pub(crate) fresh: bool,
    /// Do not count how often a treated call is made: for calls too hot to be counted. A pass then proves less.
    #[arg(long)]
    pub(crate) no_hits: bool,
    /// Runs without any treatment, all of which have to pass.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) baselines: u32,
    /// Runs of the joint configuration, all of which have to pass.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) joint_runs: u32,
    /// How to print what happens and what comes out.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArguments {
    /// APP, or APP/WORKLOAD.
    pub(crate) name: String,
    /// The folder of the results database.
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub(crate) results: PathBuf,
    /// How to print it.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArguments {
    /// How to print it.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct CleanArguments {
    /// Remove the images that Loupe built as well.
    #[arg(long)]
    pub(crate) images: bool,
    /// How to print what was removed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

/// The K-th of N parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shard {
    number: usize,
    of: usize,
}

impl Shard {
    /// Whether the app at this place of the list, in name order, belongs to this part.
    pub(crate) const fn contains(self, index: usize) -> bool {
        index % self.of == self.number - 1
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        match parts {
            Some((number, of)) if 1 <= number && number <= of => Ok(Self { number, of }),
            _ => Err("expected K/N with 1 ≤ K ≤ N, such as 2/8".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn shards_are_disjoint_and_cover_everything() {
        let shards: Vec<Shard> = ["1/3", "2/3", "3/3"].iter().map(|text| text.parse().unwrap()).collect();
        for index in 0..20 {
            assert_eq!(shards.iter().filter(|shard| shard.contains(index)).count(), 1);
        }
        for wrong in ["0/3", "4/3", "1", "1/0", "a/b", "-1/2"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }
}
