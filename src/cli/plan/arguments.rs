//! The arguments of `loupe plan`. Doc comments are the text of `--help`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use globset::Glob;

use super::super::arguments::at_least_one;
use super::super::settings::default_jobs;
use crate::syscalls::Sysno;

/// How a plan is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in super::super) enum PlanFormat {
    Text,
    Json,
    Csv,
    Markdown,
}

/// What decides which app comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in super::super) enum ObjectiveChoice {
    NextApp,
    Value,
    Budget,
}

/// Plan what an OS has to implement next, so that each step makes more apps run
///
/// The plan is greedy: the next app is the one for which the fewest system calls are missing. Each step lists what to implement,
/// what may fail with ENOSYS (stub) or do nothing and report success (fake), and which apps run then. Step 0 is what runs
/// already, and what that needs. Apps without verdicts are listed as unknown, and never as running.
///
/// With --verify, every step is tried out: its apps are run here under just what the OS would have after the step, and before it.
/// What is refuted corrects the plan, which is then verified again, until it holds.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  loupe plan --os kerla                               all apps with results, by name
  loupe plan --os kerla --apps redis,nginx            these, ties in this order
  loupe plan --os my.syscalls --app-list apps.txt     an OS and apps of your own
  loupe plan --os osv --objective budget --budget 10  as many apps as 10 calls can bring
  loupe plan --os osv --unlock mongodb                the way to one app
  loupe plan --os osv --what-if epoll_create1,accept4 what these calls would bring
  loupe plan --os kerla --verify                      every step proved by running it")]
pub(in super::super) struct PlanArguments {
    /// Name of a built-in profile (see `loupe os list`), or a file with one system call a line
    #[arg(long, value_name = "PROFILE")]
    pub(super) os: String,
    /// Only these apps; ties go to the one named first
    #[arg(long, value_name = "APP,…", value_delimiter = ',', conflicts_with = "app_list")]
    pub(super) apps: Vec<String>,
    /// Only the apps in this file, one a line, with `#` before comments; ties go to the one named first
    #[arg(long, value_name = "FILE")]
    pub(super) app_list: Option<PathBuf>,
    /// Also apps whose results prove little: servers without a client, and imported apps that require nothing
    #[arg(long)]
    pub(super) include_weak: bool,
    /// Only workloads whose name matches; an app that has several runs when all of them do
    #[arg(long, value_name = "GLOB")]
    pub(super) workloads: Option<Glob>,
    /// The folder of the results [default: `LOUPE_RESULTS` of the environment, or results]
    #[arg(long, value_name = "DIR")]
    pub(super) results: Option<PathBuf>,
    /// Which app comes next: that with the fewest (or cheapest) missing calls, or that whose calls bring the most for their cost; or
    /// only as many apps as can be had for a budget
    #[arg(long, value_enum, default_value_t = ObjectiveChoice::NextApp)]
    pub(super) objective: ObjectiveChoice,
    /// What the calls to implement may cost together: their number, if no weights say otherwise
    #[arg(long, value_name = "N", required_if_eq("objective", "budget"))]
    pub(super) budget: Option<u64>,
    /// A YAML file with what apps are worth and what calls cost: `apps: {nginx: {popularity: 30}}`, `calls: {mmap: {cost: 5}}`
    #[arg(long, value_name = "FILE")]
    pub(super) weights: Option<PathBuf>,
    /// Show the shortest way to this app
    #[arg(long, value_name = "APP", conflicts_with_all = ["what_if", "verify", "budget"])]
    pub(super) unlock: Option<String>,
    /// Show what implementing these calls would bring
    #[arg(long, value_name = "CALL,…", value_delimiter = ',', conflicts_with_all = ["verify", "budget"])]
    pub(super) what_if: Vec<Sysno>,
    /// Run every step, and correct the plan until it holds. Exits with 1 if it does not
    #[arg(long)]
    pub(super) verify: bool,
    #[command(flatten)]
    pub(super) running: Running,
    /// Write the plan to DIR/OS.md and DIR/OS.json as well
    #[arg(long, value_name = "DIR")]
    pub(super) output: Option<PathBuf>,
    /// How the plan is printed
    #[arg(long, value_enum, default_value_t = PlanFormat::Text)]
    pub(super) format: PlanFormat,
}

/// How apps are run under what an OS has.
#[derive(Debug, Clone, Args)]
pub(in super::super) struct Running {
    /// The folder that holds the apps' folders
    #[arg(long, value_name = "DIR", default_value = "apps")]
    pub(in super::super) apps_dir: PathBuf,
    /// Runs that have to pass before an app counts as running
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = at_least_one::<u32>)]
    pub(in super::super) runs: u32,
    /// Runs at the same time [default: 6 per core]
    #[arg(long, short, value_name = "N", value_parser = at_least_one::<usize>)]
    jobs: Option<usize>,
}

impl Running {
    /// Runs at the same time.
    pub(in super::super) fn jobs(&self) -> usize {
        self.jobs.unwrap_or_else(default_jobs)
    }
}
