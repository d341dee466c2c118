//! The arguments of `loupe db`. Doc comments are the text of `--help`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::super::arguments::DataFormat;
use super::super::database::DatabaseArguments;
use crate::store::Date;
use crate::syscalls::Sysno;

/// Look at all results, and exchange them with other databases
///
/// The database is the folder of the results: what was measured, and what was imported, which both have verdicts, and are told
/// apart by where they come from.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  loupe db import loupedb/ --date 2023-08-14    take the measurements of a loupedb tree over
  loupe db list                                 what there is, measured and imported
  loupe db stats                                how many apps use and require each call, and what to implement first
  loupe db why futex                            which apps require it, and what that rests on
  loupe db export --format sqlite --output loupe.sqlite
                                                everything in one file that answers questions in SQL")]
pub(in super::super) struct DbArguments {
    #[command(subcommand)]
    pub(super) what: DbVerb,
}

/// What is done with the database.
#[derive(Debug, Subcommand)]
pub(super) enum DbVerb {
    Import(ImportArguments),
    Export(ExportArguments),
    List(ListArguments),
    Stats(StatsArguments),
    Why(WhyArguments),
}

/// Take the measurements of a loupedb tree over
///
/// The tree has `APP/WORKLOAD/VARIANT/data/dyn.csv`, and static analyses beside it. Each becomes a result that every command
/// reads, with its provenance in the place of trials. Nothing is imported unless all of it can be: every problem is told with file
/// and line. Importing the same again changes nothing; another state of the same database finds its place with its --date.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  loupe db import loupedb/                      into the folder of the results
  loupe db import loupedb/ --results published --date 2023-08-14 --source 'Loupe, ASPLOS 2024, CC BY 4.0'")]
pub(super) struct ImportArguments {
    /// The folder that holds the apps' folders
    #[arg(value_name = "DIR")]
    pub(super) directory: PathBuf,
    /// The folder of the results [default: `LOUPE_RESULTS` of the environment, or results]
    #[arg(long, value_name = "DIR")]
    pub(super) results: Option<PathBuf>,
    /// The day of the state that is imported; recorded, and decides which of several measurements stands for an app
    #[arg(long, value_name = "YEAR-MONTH-DAY")]
    pub(super) date: Option<Date>,
    /// Whose data it is, and under which licence; recorded
    #[arg(long, value_name = "TEXT")]
    pub(super) source: Option<String>,
    /// How the counts are printed
    #[arg(long, value_enum, default_value_t = super::super::arguments::Format::Text)]
    pub(super) format: super::super::arguments::Format,
}

/// Print what there is: every app and workload, measured and imported
///
/// The line that stands for its app, where a command needs one of several, has a `*`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  loupe db list
  loupe db list --only 'npb-*' --format csv
  loupe db list --workload 'benchmark-*'        only benchmarks of imported data")]
pub(super) struct ListArguments {
    #[command(flatten)]
    pub(super) database: DatabaseArguments,
    /// How the list is printed
    #[arg(long, value_enum, default_value_t = DataFormat::Text)]
    pub(super) format: DataFormat,
}

/// In which form results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ExportFormat {
    Loupedb,
    Csv,
    Json,
    Sqlite,
}

/// Write all results in a form that others read
///
/// loupedb is a folder of tables of numbers, as published with the paper on Loupe: what was imported comes out byte for byte as it
/// went in. csv is one table, json one document. sqlite is one file with tables, trials included, and views that answer the usual
/// questions; `--questions` prints some of them.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  loupe db export --format csv > results.csv
  loupe db export --format loupedb --output exported/
  loupe db export --format sqlite --output loupe.sqlite
  loupe db export --format sqlite --questions   questions for it, in SQL")]
pub(super) struct ExportArguments {
    #[command(flatten)]
    pub(super) database: DatabaseArguments,
    /// In which form
    #[arg(long, value_enum)]
    pub(super) format: ExportFormat,
    /// Where to: a folder that does not exist yet for loupedb, otherwise a file; csv and json go to standard output without it
    #[arg(long, value_name = "PATH")]
    pub(super) output: Option<PathBuf>,
    /// Print questions that the SQLite file answers, and write nothing
    #[arg(long, conflicts_with = "output")]
    pub(super) questions: bool,
}

/// What the statistics are about, where one table is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum StatsTable {
    Calls,
    Coverage,
}

/// Print how many apps use, require, can stub and can fake each call, and what to implement first
///
/// One measurement stands for each app: `loupe db list` marks it. The coverage curve tells how many apps run once the first calls
/// are implemented, in the best order that was found, with everything else stubbed or faked, and without any stub.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  loupe db stats
  loupe db stats --workload 'benchmark-*'       only benchmarks of imported data
  loupe db stats --format csv --of coverage     both coverage curves, for a plot")]
pub(super) struct StatsArguments {
    #[command(flatten)]
    pub(super) database: DatabaseArguments,
    /// Which table CSV has: that of the calls, or the coverage curves
    #[arg(long, value_enum, value_name = "TABLE", default_value_t = StatsTable::Calls)]
    pub(super) of: StatsTable,
    /// How the statistics are printed
    #[arg(long, value_enum, default_value_t = DataFormat::Text)]
    pub(super) format: DataFormat,
}

/// Print which apps require a call, and what that rests on
///
/// For measured apps: what became of the app with the call stubbed and faked, and the last lines it wrote. For imported ones: where
/// the verdict comes from.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  loupe db why futex
  loupe db why ioctl --all                      with the evidence of apps that can do without it
  loupe db why sendfile --only nginx --format json")]
pub(super) struct WhyArguments {
    /// The call
    #[arg(value_name = "CALL")]
    pub(super) call: Sysno,
    /// Show the evidence of every app that makes the call, not only of those that require it
    #[arg(long)]
    pub(super) all: bool,
    #[command(flatten)]
    pub(super) database: DatabaseArguments,
    /// How the answer is printed
    #[arg(long, value_enum, default_value_t = DataFormat::Text)]
    pub(super) format: DataFormat,
}
