//! The arguments of `loupe compare`. Doc comments are the text of `--help`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use globset::Glob;

/// How a comparison is printed: for people, for programs, or for a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in super::super) enum ComparisonFormat {
    Text,
    Json,
    Markdown,
    Csv,
}

/// Say what changed between two results
///
/// Two releases of an app, two dates, or two whole databases: which calls, argument features and pseudo-files became required or
/// avoidable, which are newly used or no longer used, and what the joint configuration does differently, with the evidence of both
/// sides.
///
/// Worse is what became required, what is newly used and required, and an app that can no longer be measured. In doubt is a change
/// for the worse whose verdict is unstable, unproven, inferred or inconclusive, and an app without results on the second side.
///
/// With --analysis, say instead how many calls static analyses of the sources and of the binary report of each app, beside those it
/// used and those it requires.
///
/// Exits with 1 if anything got worse, with 4 if something is in doubt and nothing worse, otherwise with 0.
#[derive(Debug, Args)]
#[command(
    override_usage = "loupe compare [OPTIONS] <BEFORE> <AFTER>
       loupe compare --analysis [OPTIONS] [APP]...",
    after_help = "Examples:
  loupe compare nginx@bullseye nginx@trixie two releases in the same results
  loupe compare redis old/redis             the results of today, and a copy of those before
  loupe compare last-night tonight          two folders of results, each app with itself
  loupe compare last-night nginx/wrk        one workload with what a folder of results has of it
  loupe compare A B --format markdown       as a report
  loupe compare --analysis                  what reading each app would have told
  loupe compare --analysis nginx redis --svg bars.svg"
)]
pub(in super::super) struct CompareArguments {
    /// The two sides, each of them APP, APP/WORKLOAD, or a folder of results, as a whole or of one app or workload; with --analysis
    /// any number of APP and APP/WORKLOAD, or none for all apps
    #[arg(value_name = "SIDE")]
    pub(super) sides: Vec<String>,
    /// Compare what static analyses report with what was used and required
    #[arg(long)]
    pub(super) analysis: bool,
    /// With --analysis: only workloads whose name matches this pattern; may be given several times
    #[arg(long, value_name = "GLOB")]
    pub(super) workload: Vec<Glob>,
    /// With --analysis: also draw bars into this file
    #[arg(long, value_name = "FILE")]
    pub(super) svg: Option<PathBuf>,
    /// The folder of the results for sides that are names [default: `LOUPE_RESULTS` of the environment, or results]
    #[arg(long, value_name = "DIR")]
    pub(super) results: Option<PathBuf>,
    /// How the comparison is printed; csv with --analysis only
    #[arg(long, value_enum, default_value_t = ComparisonFormat::Text)]
    pub(super) format: ComparisonFormat,
}
