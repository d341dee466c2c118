//! The command line as types. Everything in here is seen by users: doc comments are the text of `--help`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use globset::Glob;
use regex::{Regex, RegexBuilder};

use super::check::CheckArguments;
use super::compare::CompareArguments;
use super::db::DbArguments;
use super::export::ExportArguments;
use super::os::OsArguments;
use super::plan::PlanArguments;
use super::settings::{default_jobs, default_jobs_for_commands};
use super::shard::Shard;
use super::static_analysis::StaticArguments;
use super::trace::TraceArguments;
use crate::engine::docker::Staging;
use crate::explore::{Details, Reasons, Settings, Strategy};
use crate::store::Freshness;
use crate::trial::Item;

/// Finds out, by experiment, which Linux system calls an application really needs.
///
/// Loupe runs an app again and again, in Docker or as a process of this machine, each time with one system call stubbed (it fails
/// with ENOSYS) or faked (it does nothing and reports success), and sees whether the app's workload still succeeds.
#[derive(Debug, Parser)]
#[command(
    name = "loupe",
    version,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    after_help = "Examples:
  loupe doctor                 is everything there that Loupe needs?
  loupe batch apps/            measure every app in the folder apps/
  loupe run apps/nginx         measure one app
  loupe run -- ls /            measure any command, without Docker
  loupe trace -- ls /          only see which calls it makes
  loupe show nginx             its verdicts with their reasons
  loupe compare old/ results/  what changed since then
  loupe plan --os kerla        what an OS has to implement next

Exit codes:
  0    done
  1    a negative answer: an app that could not be measured or does not run on an OS, a result that got worse
  2    a mistake in the command line or in an app.yaml
  3    the environment is not usable: no engine, kernel too old
  4    finished, but something stayed inconclusive
  70   a bug in Loupe
  130  interrupted; the same command resumes"
)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) verb: Verb,
}

/// What stands above the options that every verb takes.
const GLOBAL: &str = "Options of every command";

/// What every verb takes.
#[derive(Debug, Args)]
pub(super) struct Global {
    /// Print results and errors, but no progress
    #[arg(long, short, global = true, help_heading = GLOBAL)]
    pub(super) quiet: bool,
    /// Print a log to standard error; twice for more
    #[arg(long, short, global = true, help_heading = GLOBAL, action = ArgAction::Count, conflicts_with = "quiet")]
    pub(super) verbose: u8,
    /// When to use colour; auto: on a terminal, unless `NO_COLOR` is set
    #[arg(long, global = true, help_heading = GLOBAL, value_enum, value_name = "WHEN", default_value_t = ColorChoice::Auto)]
    pub(super) color: ColorChoice,
}

/// When to use colour. (Comments on the values would make every help text much longer.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ColorChoice {
    Auto,
    Always,
    Never,
}

/// How data is printed: for people or for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Text,
    Json,
}

/// How tables are printed: for people, for programs, or for spreadsheets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum DataFormat {
    Text,
    Json,
    Csv,
}

/// How a campaign gets to its joint configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum StrategyChoice {
    Exhaustive,
    Joint,
}

/// Who makes the containers in which single items are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ContainersChoice {
    Nested,
    Engine,
}

/// Which argument features and pseudo-files are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum DetailsChoice {
    None,
    Required,
    All,
}

/// Of which stubs and fakes the reasons are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ReasonsChoice {
    None,
    Together,
    Each,
}

/// What is to be done.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    Batch(BatchArguments),
    Run(RunArguments),
    Trace(TraceArguments),
    Show(ShowArguments),
    Compare(CompareArguments),
    Export(ExportArguments),
    Static(StaticArguments),
    Plan(PlanArguments),
    Check(CheckArguments),
    Os(OsArguments),
    Db(DbArguments),
    Doctor(DoctorArguments),
    Clean(CleanArguments),
    Completions(CompletionsArguments),
}

/// Measure every app in a folder
///
/// Each sub-folder with a Dockerfile is an app; its app.yaml says how it is exercised and what counts as success. Every
/// outcome is stored as it comes: after Ctrl-C or a crash the same command goes on where it was. Apps whose results still
/// stand are not measured again.
///
/// The closing table goes to standard output, progress to standard error.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  loupe batch apps/                         measure every app in apps/
  loupe batch apps/ --only 'nginx*'         only those whose name matches
  loupe batch apps/ --variants              with every release that an app.yaml lists
  loupe batch apps/ --shard 2/3             on the second of three machines
  loupe batch apps/ --format json | jq .    every event as a line of JSON")]
pub(super) struct BatchArguments {
    /// The folder that holds the apps' folders; Dockerfiles/ and workloads/ are looked for beside it
    #[arg(value_name = "APPS_DIR")]
    pub(super) apps: PathBuf,
    /// Only apps whose name matches this pattern; may be given several times
    #[arg(long, value_name = "GLOB")]
    pub(super) only: Vec<Glob>,
    /// Also the variants of each app, such as other releases; `--only` may name them as APP@VARIANT
    #[arg(long)]
    pub(super) variants: bool,
    /// Only the K-th of N parts, by position in name order among the chosen apps: for N machines
    #[arg(long, value_name = "K/N")]
    pub(super) shard: Option<Shard>,
    #[command(flatten)]
    pub(super) measuring: Measuring,
}

/// Measure one app: a folder, an image, or any command of this machine
///
/// With a folder, the same as `batch`, for one app. Dockerfiles/ and workloads/ are looked for beside the folder that holds
/// the app's folder.
///
/// With a command behind `--`, that command is run on this machine, without Docker: each time in namespaces of its own, with
/// every file system under an overlay that is thrown away, so that nothing it writes stays. It succeeds if it ends with exit
/// code 0, prints what it prints when nothing is done to it, and leaves the files that it leaves then, as far as that is the same in
/// every run. The verdicts are printed, and stored only with --results.
///
/// With --image, an image of the local engine is measured as an app whose folder has nothing but a Dockerfile: a server if it
/// exposes a TCP port, a command that runs to completion otherwise.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  loupe run apps/nginx                      measure nginx with each of its workloads
  loupe run apps/nginx --variant trixie     of another release; results are those of nginx@trixie
  loupe run apps/nginx --fresh              once more from the beginning
  loupe run apps/nginx --results /tmp/try   leave the results database alone
  loupe run -- ls /                         any command, in seconds and without Docker
  loupe run --input words.txt -- sort       with an input
  loupe run --image debian:bookworm-slim -- ls /")]
pub(super) struct RunArguments {
    /// The app's folder, with its Dockerfile; with a variant behind an `@`, as in apps/nginx@trixie, that variant
    #[arg(value_name = "APP_DIR", required_unless_present_any = ["image", "command"], conflicts_with_all = ["image", "command"])]
    pub(super) app: Option<PathBuf>,
    /// The variant of the app, as its app.yaml names it
    #[arg(long, value_name = "NAME", requires = "app")]
    pub(super) variant: Option<String>,
    #[command(flatten)]
    pub(super) subject: SubjectArguments,
    #[command(flatten)]
    pub(super) success: SuccessArguments,
    /// What the results are stored as, with --results: APP or APP/WORKLOAD [default: the program's or image's name]
    #[arg(long, value_name = "NAME", requires = "results", conflicts_with = "app")]
    pub(super) name: Option<String>,
    #[command(flatten)]
    pub(super) measuring: Measuring,
}

/// What stands above the options that go with a command or an image.
pub(super) const COMMANDS: &str = "Commands and images";

/// A command of this machine, or an image of the engine.
#[derive(Debug, Clone, Args)]
pub(super) struct SubjectArguments {
    /// The command and its arguments; with --image, in place of the image's ENTRYPOINT and CMD
    #[arg(last = true, value_name = "COMMAND")]
    pub(super) command: Vec<String>,
    /// An image of the local engine, pulled if it is not there
    #[arg(long, value_name = "IMAGE", help_heading = COMMANDS)]
    pub(super) image: Option<String>,
    /// What the command reads from its standard input, in every run; `-` for all of Loupe's own [default: nothing]
    #[arg(long, value_name = "FILE", help_heading = COMMANDS, conflicts_with_all = ["image", "app"])]
    pub(super) input: Option<PathBuf>,
    /// Let the command use this machine's network, instead of one of its own that has nothing but loopback
    #[arg(long, help_heading = COMMANDS, conflicts_with_all = ["image", "app"])]
    pub(super) network: bool,
    /// Run the command on the bare machine, where what it writes stays; for where the kernel allows no namespaces
    #[arg(long, help_heading = COMMANDS, conflicts_with_all = ["image", "app"])]
    pub(super) no_isolation: bool,
    /// Wait for every process that the command leaves when its main process ends, instead of ending it after a moment
    #[arg(long, help_heading = COMMANDS, conflicts_with = "app")]
    pub(super) wait_for_children: bool,
}

/// What counts as success of a command.
#[derive(Debug, Clone, Args)]
pub(super) struct SuccessArguments {
    /// The exit code of success
    #[arg(long, value_name = "N", help_heading = COMMANDS, default_value_t = 0, value_parser = clap::value_parser!(i32).range(0..256), conflicts_with = "app")]
    pub(super) exit_code: i32,
    /// What the standard output has to match, instead of being the same as without any intervention; `^` and `$` match at every line
    #[arg(long, value_name = "REGEX", help_heading = COMMANDS, value_parser = pattern, conflicts_with = "app")]
    pub(super) stdout_matches: Option<Regex>,
    /// Don't compare the files that the command writes with those that it writes without any intervention
    #[arg(long, help_heading = COMMANDS, conflicts_with_all = ["image", "app"])]
    pub(super) ignore_files: bool,
    /// When a run is ended, such as 500ms or 10s [default: a multiple of what it takes without any intervention]
    #[arg(long, value_name = "TIME", help_heading = COMMANDS, value_parser = time, conflicts_with = "app")]
    pub(super) timeout: Option<Duration>,
}

/// Print an app's verdicts with their reasons
///
/// One line for each system call that the app was seen to make: whether the workload passed with the call stubbed and with it
/// faked, why not, and what the joint configuration does about it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  loupe show nginx                          every workload of nginx
  loupe show nginx/wrk --format json        one of them, for programs
  loupe show redis --why prlimit64          what redis does when that call fails
  loupe show redis --why                    the same in a word, for everything that can be avoided")]
pub(super) struct ShowArguments {
    /// APP or APP/WORKLOAD
    #[arg(value_name = "NAME")]
    pub(super) name: String,
    /// The folder of the results [default: `LOUPE_RESULTS` of the environment, or results]
    #[arg(long, value_name = "DIR")]
    pub(super) results: Option<PathBuf>,
    /// Why this call, argument feature or pseudo-file can be avoided: what the app does after it was stubbed or faked; without a value,
    /// in a word for everything that can be
    #[arg(long, value_name = "CALL", num_args = 0..=1, default_missing_value = Explained::ALL)]
    pub(super) why: Option<Explained>,
    /// How the verdicts are printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

/// What is to be explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Explained {
    /// Everything that can be avoided.
    All,
    /// One item.
    Item(Item),
}

impl Explained {
    /// No item has this name.
    const ALL: &str = "all";
}

impl std::str::FromStr for Explained {
    type Err = crate::trial::UnknownItem;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == Self::ALL { Ok(Self::All) } else { text.parse().map(Self::Item) }
    }
}

/// How apps are measured.
#[derive(Debug, Clone, Args)]
pub(super) struct Measuring {
    /// Trials that run at the same time, with `--strategy joint` a sixth of them [default: 6 per core; for commands 8 per core, or 1
    /// without isolation. Later versions may change it]
    #[arg(long, short, value_name = "N", value_parser = at_least_one::<usize>)]
    jobs: Option<usize>,
    /// The folder of the results [default: `LOUPE_RESULTS` of the environment, or results]
    #[arg(long, value_name = "DIR")]
    pub(super) results: Option<PathBuf>,
    /// Start over, even where an earlier run can be resumed or its results still stand
    #[arg(long)]
    fresh: bool,
    /// Verify the results with a few group trials even if nothing changed, as is done when only the image did
    #[arg(long, conflicts_with = "fresh")]
    recheck: bool,
    /// Each call's stub and fake alone and then everything at once, or straight for everything at once, which takes
    /// about a third of the trials and leaves the verdicts of single calls inferred
    #[arg(long, value_enum, default_value_t = StrategyChoice::Exhaustive)]
    strategy: StrategyChoice,
    /// Try argument features (of calls that have to be implemented, or of all calls) and pseudo-files as well, or only calls
    #[arg(long, value_enum, value_name = "WHICH", default_value_t = DetailsChoice::Required)]
    features: DetailsChoice,
    /// Watch what the app does after its calls were stubbed or faked: all of them together, in one or two more runs, or each stub and
    /// fake that works in a run of its own as well, or not at all
    #[arg(long, value_enum, value_name = "WHICH", default_value_t = ReasonsChoice::Together)]
    reasons: ReasonsChoice,
    /// How single items are tried: in containers that the shim makes inside of the engine's, in milliseconds each, or in the engine's
    /// own like everything else
    #[arg(long, value_enum, value_name = "HOW", default_value_t = ContainersChoice::Nested)]
    containers: ContainersChoice,
    /// Don't count how often a stubbed or faked call was made: for calls too hot for that
    #[arg(long)]
    no_hits: bool,
    /// Runs without any intervention, all of which have to pass
    #[arg(long, value_name = "N", default_value_t = Settings::default().baselines, value_parser = at_least_one::<u32>)]
    baselines: u32,
    /// Runs of everything avoidable avoided at once, all of which have to pass
    #[arg(long, value_name = "N", default_value_t = Settings::default().joint_runs, value_parser = at_least_one::<u32>)]
    joint_runs: u32,
    /// How events and the closing table are printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

impl Measuring {
    /// Trials that run at the same time.
    pub(super) fn jobs(&self) -> usize {
        self.jobs.unwrap_or_else(default_jobs)
    }

    /// The same for commands of this machine. Those that are not kept apart take turns, or each would meet what others write.
    pub(super) fn jobs_for_commands(&self, isolated: bool) -> usize {
        self.jobs.unwrap_or_else(|| if isolated { default_jobs_for_commands() } else { 1 })
    }

    /// Who makes the containers of trials.
    pub(super) fn staging(&self) -> Staging {
        match self.containers {
            ContainersChoice::Nested => Staging::Stages,
            ContainersChoice::Engine => Staging::Engine,
        }
    }

    /// What earlier results are good for.
    pub(super) fn freshness(&self) -> Freshness {
        match (self.fresh, self.recheck) {
            (true, _) => Freshness::Fresh,
            (false, true) => Freshness::Recheck,
            (false, false) => Freshness::Resume,
        }
    }

    /// How thorough to be.
    pub(super) fn settings(&self) -> Settings {
        let strategy = match self.strategy {
            StrategyChoice::Exhaustive => Strategy::Exhaustive,
            StrategyChoice::Joint => Strategy::Joint,
        };
        let details = match self.features {
            DetailsChoice::None => Details::None,
            DetailsChoice::Required => Details::Required,
            DetailsChoice::All => Details::All,
        };
        let reasons = match self.reasons {
            ReasonsChoice::None => Reasons::None,
            ReasonsChoice::Together => Reasons::Together,
            ReasonsChoice::Each => Reasons::Each,
        };
        Settings {
            strategy,
            details,
            reasons,
            baselines: self.baselines,
            joint_runs: self.joint_runs,
            count_hits: !self.no_hits,
            ..Settings::default()
        }
    }
}

/// Check that everything is there that Loupe needs, and say what to do where it isn't
///
/// Looks at the container engine, the kernel, the base image and the disk, and runs one short container under a filter.
/// Exits with 0 if Loupe can work, with 3 if it can't.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  loupe doctor                              before the first batch")]
pub(super) struct DoctorArguments {
    /// The folder of the results, whose disk is looked at [default: `LOUPE_RESULTS` of the environment, or results]
    #[arg(long, value_name = "DIR")]
    pub(super) results: Option<PathBuf>,
    /// How the answer is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

/// Remove the containers and volumes that dead runs of Loupe left
///
/// Runs clean up after themselves, and what a killed run left behind is removed when the next one starts: this is for the
/// last one. What another Loupe works with is left alone. Results are not touched.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  loupe clean                               containers and volumes
  loupe clean --images                      also images; they are built anew when needed
  loupe clean --live                        also what a running Loupe works with")]
pub(super) struct CleanArguments {
    /// Also remove the images that Loupe built
    #[arg(long)]
    pub(super) images: bool,
    /// Also remove the containers of a Loupe that is at work
    #[arg(long)]
    pub(super) live: bool,
    /// How the counts are printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

/// Print a script that teaches a shell to complete Loupe's command line
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  loupe completions bash > ~/.local/share/bash-completion/completions/loupe
  loupe completions zsh > ~/.zfunc/_loupe")]
pub(super) struct CompletionsArguments {
    /// The shell
    #[arg(value_enum)]
    pub(super) shell: clap_complete::Shell,
}

/// A pattern as specs have it.
fn pattern(text: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(text).multi_line(true).build()
}

/// A time as specs have it: a whole number with a unit.
pub(super) fn time(text: &str) -> Result<Duration, &'static str> {
    const WRONG: &str = "has to be a time such as 500ms, 10s or 2m";
    let digits = text.trim_end_matches(|character: char| character.is_ascii_alphabetic());
    let number: u64 = digits.parse().ok().filter(|number| *number > 0).ok_or(WRONG)?;
    match &text[digits.len()..] {
        "ms" => Ok(Duration::from_millis(number)),
        "s" => Ok(Duration::from_secs(number)),
        "m" => Ok(Duration::from_secs(number.saturating_mul(60))),
        _ => Err(WRONG),
    }
}

pub(super) fn at_least_one<N: std::str::FromStr + PartialOrd + From<u8>>(text: &str) -> Result<N, &'static str> {
    text.parse().ok().filter(|number| *number >= N::from(1)).ok_or("has to be a whole number, at least 1")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn measuring(arguments: &[&str]) -> Measuring {
        let arguments = ["loupe", "run", "apps/x"].iter().chain(arguments);
        match Arguments::try_parse_from(arguments).unwrap().verb {
            Verb::Run(run) => run.measuring,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn without_options_a_campaign_is_as_thorough_as_the_planner_says() {
        assert_eq!(measuring(&[]).settings(), Settings::default());
        assert_eq!(measuring(&[]).jobs(), default_jobs());
    }

    #[test]
    fn options_reach_the_settings() {
        let measuring = measuring(&["--baselines", "7", "--joint-runs=2", "--no-hits", "--jobs", "5"]);
        let wanted = Settings { baselines: 7, joint_runs: 2, count_hits: false, ..Settings::default() };
        assert_eq!((measuring.settings(), measuring.jobs()), (wanted, 5));
    }

    #[test]
    fn one_of_folder_image_and_command_is_measured() {
        let parse = |arguments: &[&str]| Arguments::try_parse_from(["loupe", "run"].iter().chain(arguments));
        let accepted: [&[&str]; 5] = [
            &["apps/x"],
            &["--image", "debian:1"],
            &["--", "ls", "-l"],
            &["--image", "debian:1", "--", "ls"],
            &["--timeout", "500ms", "--exit-code=2", "--no-isolation", "--", "ls", "--timeout"],
        ];
        for arguments in accepted {
            assert!(parse(arguments).is_ok(), "{arguments:?}: {}", parse(arguments).unwrap_err());
        }
        let refused: [&[&str]; 8] = [
            &[],
            &["apps/x", "--", "ls"],
            &["apps/x", "--image", "debian:1"],
            &["apps/x", "--exit-code", "1"],
            &["--image", "debian:1", "--no-isolation"],
            &["--timeout", "5", "--", "ls"],
            &["--exit-code", "256", "--", "ls"],
            &["--name", "x", "--", "ls"],
        ];
        for arguments in refused {
            assert!(parse(arguments).is_err(), "{arguments:?}");
        }
    }

    #[test]
    fn times_have_a_unit() {
        assert_eq!(time("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(time("2m"), Ok(Duration::from_secs(120)));
        for wrong in ["", "5", "s", "0s", "1.5s", "-1s", "5 s", "5h3", "99999999999999999999s"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn numbers_below_one_are_refused() {
        for option in ["--jobs=0", "--baselines=0", "--joint-runs=0", "--jobs=-1", "--jobs=many"] {
            assert!(Arguments::try_parse_from(["loupe", "run", "apps/x", option]).is_err(), "{option}");
        }
    }
}
