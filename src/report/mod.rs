//! A view of what was measured -> text and JSON. Pure: nothing here prints, reads files or knows of a terminal.
//!
//! Last stage before the command line. It decides nothing: every number comes from the store or from a campaign's end.

mod analyses;
mod binary;
mod check;
mod closing;
mod compare;
mod coverage;
mod database;
mod evidence;
mod fallbacks;
mod imported;
mod plan;
mod profiles;
mod source;
mod statistics;
mod table;
mod trace;
mod verdicts;
mod why;

pub use analyses::{AnalysisComparison, AnalysisRow, Mean, analyses_csv, analyses_markdown, analyses_svg, analyses_text};
pub use binary::{BinaryJson, Missed, Why, binary_text, missed, way_text};
pub use check::{Answer, Check, CheckJson};
pub use closing::{closing, counts};
pub use compare::{compare_markdown, compare_text};
pub use coverage::{Coverage, CoverageStep};
pub use database::{ListLine, import_text, list_csv, list_lines, list_text};
pub use evidence::{CallAnswer, CallEvidence, TrialEvidence, answer_csv, answer_text};
pub use imported::provenance_text;
pub use plan::{
    Checked, PlanJson, UnlockJson, WhatIfJson, plan_csv, plan_json, plan_markdown, plan_text, unlock_json, unlock_text,
    what_if_json, what_if_text,
};
pub use profiles::{ListedJson, ProfileJson, profile_json, profile_text, profiles_json, profiles_text};
pub use source::{SourceJson, source_text};
pub use statistics::{CallCounts, CallStatistics, Statistics, Together, coverage_csv, statistics_csv, statistics_text};
pub use table::{Align, Table};
pub use trace::{TraceJson, missing_in_trace, observed_closing, observed_text, watched_text};
pub use verdicts::{show_json, show_text};
pub use why::{is_known, why_text, whys_text};

/// The call that makes a ring of `io_uring(7)`.
const RING_CALL: &str = "io_uring_setup";

/// What is said of an app that makes such rings.
fn rings() -> String {
    format!("`{RING_CALL}` was called: what the kernel does through such a ring is no call, and is not seen")
}

/// A time that somebody waited, from `milliseconds`: as precise as one cares for such a time.
#[must_use]
pub fn duration(milliseconds: u64) -> String {
    let seconds = milliseconds.div_ceil(1000);
    match (milliseconds, seconds) {
        (0..9_950, _) => format!("{}.{} s", (milliseconds + 50) / 1000, (milliseconds + 50) % 1000 / 100),
        (_, 0..60) => format!("{seconds} s"),
        (_, 60..3600) => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// `1 trial`, `2 trials`: a number with its regular noun.
#[must_use]
pub fn counted(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// `1 analysis`, `2 analyses`: a number with an irregular noun.
#[must_use]
pub fn counted_as(number: usize, one: &str, more: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { more })
}

/// One line of CSV (RFC 4180): cells are quoted where they have to be.
#[must_use]
pub fn csv_line(cells: &[impl AsRef<str>]) -> String {
    let cell = |cell: &str| {
        if cell.contains([',', '"', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.to_owned() }
    };
    let cells: Vec<_> = cells.iter().map(|text| cell(text.as_ref())).collect();
    format!("{}\n", cells.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_as_precise_as_one_cares_for() {
        let shown = [0, 40, 960, 9_949, 9_950, 59_000, 59_001, 60_000, 3_599_000, 3_600_000, 90_000_000].map(duration);
        assert_eq!(
            shown,
            [
                "0.0 s",
                "0.0 s",
                "1.0 s",
                "9.9 s",
                "10 s",
                "59 s",
                "1 min 00 s",
                "1 min 00 s",
                "59 min 59 s",
                "1 h 00 min",
                "25 h 00 min"
            ]
        );
    }

    #[test]
    fn one_thing_has_no_plural() {
        assert_eq!([0, 1, 2].map(|number| counted(number, "trial")), ["0 trials", "1 trial", "2 trials"]);
    }

    #[test]
    fn cells_of_csv_are_quoted_where_they_have_to_be() {
        assert_eq!(csv_line(&["a", "b,c", "say \"x\"", "two\nlines", ""]), "a,\"b,c\",\"say \"\"x\"\"\",\"two\nlines\",\n");
    }
}
