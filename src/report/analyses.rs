//! What reading an app would have told, beside what running it told: calls that an analysis of the sources and of the binary
//! reports, calls that were used, calls that are required. Pure.
//!
//! Means are over the apps that have the number in question, and the number of those stands beside each mean: published data have
//! analyses of some apps only. A second set of means is over the apps that have all of the numbers compared.

mod svg;

use std::collections::BTreeMap;

use serde::Serialize;

pub use svg::analyses_svg;

use super::csv_line;
use super::table::{Align, Table};
use crate::explore::Verdict;
use crate::store::{Analysis, Entry};

/// The numbers of one app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct AnalysisRow {
    /// The app.
    pub app: String,
    /// The folder of the measurement that stands for it.
    pub folder: String,
    /// Calls that an analysis of the sources reports.
    pub static_source: Option<usize>,
    /// Calls that an analysis of the binary reports.
    pub static_binary: Option<usize>,
    /// Calls that were used.
    pub used: usize,
    /// Calls that are required; those that stayed open are not among them.
    pub required: usize,
    /// Calls that were used and that the analysis of the binary does not report.
    pub missed_by_binary: Option<usize>,
    /// Calls that were used and that the analysis of the sources does not report.
    pub missed_by_source: Option<usize>,
}

impl AnalysisRow {
    fn new(entry: &Entry) -> Self {
        let table = |analysis| entry.analyses.get(&analysis);
        let size = |analysis| table(analysis).map(BTreeMap::len);
        let missed = |analysis| table(analysis).map(|table| entry.used().filter(|(call, _)| !table.contains_key(call)).count());
        Self {
            app: entry.app.clone(),
            folder: entry.folder.clone(),
            static_source: size(Analysis::Source),
            static_binary: size(Analysis::Binary),
            used: entry.used().count(),
            required: entry.with_verdict(Verdict::Required).count(),
            missed_by_binary: missed(Analysis::Binary),
            missed_by_source: missed(Analysis::Source),
        }
    }

    /// The four numbers in the order of [`SERIES`].
    fn numbers(&self) -> [Option<usize>; 4] {
        [self.static_source, self.static_binary, Some(self.used), Some(self.required)]
    }
}

/// The names of the four numbers.
const SERIES: [&str; 4] = ["static source", "static binary", "used", "required"];

/// A mean and how many apps it is over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Mean {
    /// The mean number of calls; `None` over no apps.
    pub mean: Option<f64>,
    /// Over how many apps.
    pub apps: usize,
}

impl Mean {
    fn of(numbers: impl Iterator<Item = usize>) -> Self {
        let (mut sum, mut apps) = (0_usize, 0_usize);
        for number in numbers {
            sum += number;
            apps += 1;
        }
        #[expect(clippy::cast_precision_loss, reason = "a mean of small numbers")]
        let mean = (apps > 0).then(|| sum as f64 / apps as f64);
        Self { mean, apps }
    }

    fn text(self) -> String {
        self.mean.map_or_else(String::new, |mean| format!("{mean:.1}"))
    }
}

/// The comparison of several apps.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct AnalysisComparison {
    /// In order of names.
    pub apps: Vec<AnalysisRow>,
    /// Mean number of calls by kind, each over the apps that have it: static source, static binary, used, required.
    pub means: [Mean; 4],
    /// The same over the apps that have a static analysis of the binary.
    pub means_with_binary: [Mean; 4],
    /// The same over the apps that have both static analyses.
    pub means_with_both: [Mean; 4],
    /// Apps whose analysis of the binary reports no call at all, which says more of the analysis than of the app. They count in the
    /// means, as the numbers are what was published or stored.
    pub empty_binary: Vec<String>,
    /// Mean number of calls that analyses of binaries report without those.
    pub mean_of_other_binaries: Mean,
}

impl AnalysisComparison {
    /// Compares these measurements, one for each app.
    #[must_use]
    pub fn new(chosen: &BTreeMap<&str, &Entry>) -> Self {
        Self::of(chosen.values().map(|entry| AnalysisRow::new(entry)).collect())
    }

    fn of(apps: Vec<AnalysisRow>) -> Self {
        let means = |accept: &dyn Fn(&AnalysisRow) -> bool| {
            let accepted: Vec<_> = apps.iter().filter(|row| accept(row)).map(AnalysisRow::numbers).collect();
            [0, 1, 2, 3].map(|series| Mean::of(accepted.iter().filter_map(|numbers| numbers[series])))
        };
        let means_of_all = means(&|_| true);
        let means_with_binary = means(&|row| row.static_binary.is_some());
        let means_with_both = means(&|row| row.static_binary.is_some() && row.static_source.is_some());
        let empty = |row: &&AnalysisRow| row.static_binary == Some(0);
        let empty_binary = apps.iter().filter(empty).map(|row| row.app.clone()).collect();
        let others = apps.iter().filter_map(|row| row.static_binary).filter(|calls| *calls > 0);
        let mean_of_other_binaries = Mean::of(others);
        Self { means: means_of_all, means_with_binary, means_with_both, empty_binary, mean_of_other_binaries, apps }
    }
}

fn number(number: Option<usize>) -> String {
    number.map_or_else(String::new, |number| number.to_string())
}

/// The comparison as a table.
#[must_use]
pub fn analyses_text(comparison: &AnalysisComparison) -> String {
    let mut table = Table::new(&[
        ("app/workload", Align::Left),
        ("static source", Align::Right),
        ("static binary", Align::Right),
        ("used", Align::Right),
        ("required", Align::Right),
        ("missed by binary", Align::Right),
    ]);
    for row in &comparison.apps {
        let mut cells = vec![format!("{}/{}", row.app, row.folder)];
        cells.extend(row.numbers().map(number));
        cells.push(number(row.missed_by_binary.filter(|missed| *missed > 0)));
        table.row(cells);
    }
    let mut means = Table::new(&[
        ("mean number of calls", Align::Left),
        ("static source", Align::Right),
        ("static binary", Align::Right),
        ("used", Align::Right),
        ("required", Align::Right),
    ]);
    let [_, with_binary, ..] = comparison.means_with_binary;
    let [with_both, ..] = comparison.means_with_both;
    let sets = [
        (format!("of {} apps", comparison.apps.len()), &comparison.means),
        (format!("of the {} with an analysis of the binary", with_binary.apps), &comparison.means_with_binary),
        (format!("of the {} with both analyses", with_both.apps), &comparison.means_with_both),
    ];
    for (index, (name, set)) in sets.iter().enumerate() {
        if index == 0 || set[3].apps > 0 {
            let of_fewer = |mean: &Mean| {
                let over = if mean.apps != set[3].apps && mean.apps > 0 { format!(" (of {})", mean.apps) } else { String::new() };
                format!("{}{over}", mean.text())
            };
            means.row([name.clone()].into_iter().chain(set.iter().map(of_fewer)));
        }
    }
    format!("{}\n{}{}", table.render(), means.render(), doubts(comparison))
}

/// What is wrong with the analyses themselves.
fn doubts(comparison: &AnalysisComparison) -> String {
    let mut text = String::new();
    let missing = comparison.apps.iter().filter(|row| row.missed_by_binary.is_some_and(|missed| missed > 0)).count();
    if missing > 0 {
        let of = comparison.means_with_binary[1].apps;
        text.push_str(&format!("\nanalyses of binaries that miss calls which were used: {missing} of {of}\n"));
    }
    if !comparison.empty_binary.is_empty() {
        text.push_str(&format!(
            "analyses of binaries that report no call at all: {} ({}); without them the mean is {}\n",
            comparison.empty_binary.len(),
            comparison.empty_binary.join(", "),
            comparison.mean_of_other_binaries.text()
        ));
    }
    text
}

/// The comparison as a table of Markdown, means first.
#[must_use]
pub fn analyses_markdown(comparison: &AnalysisComparison) -> String {
    let line = |name: &str, cells: [String; 4]| format!("| {} | {} |\n", name.replace('|', "\\|"), cells.join(" | "));
    let mut text = line("app/workload", SERIES.map(str::to_owned));
    text.push_str("|---|---:|---:|---:|---:|\n");
    text.push_str(&line(&format!("**mean of {} apps**", comparison.apps.len()), comparison.means.map(Mean::text)));
    for row in &comparison.apps {
        text.push_str(&line(&format!("{}/{}", row.app, row.folder), row.numbers().map(number)));
    }
    text.push_str(&doubts(comparison));
    text
}

/// The comparison as CSV, a line for each app.
#[must_use]
pub fn analyses_csv(comparison: &AnalysisComparison) -> String {
    let mut text = "app,workload,static-source,static-binary,used,required,missed-by-binary,missed-by-source\n".to_owned();
    for row in &comparison.apps {
        let mut cells = vec![row.app.clone(), row.folder.clone()];
        cells.extend(row.numbers().map(number));
        cells.extend([row.missed_by_binary, row.missed_by_source].map(number));
        text.push_str(&csv_line(&cells));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// App, calls of the source, of the binary, used, required.
    fn row(app: &str, source: Option<usize>, binary: Option<usize>, used: usize, required: usize) -> AnalysisRow {
        AnalysisRow {
            app: app.to_owned(),
            folder: "w".to_owned(),
            static_source: source,
            static_binary: binary,
            used,
            required,
            missed_by_binary: binary.map(|binary| used.saturating_sub(binary)),
            missed_by_source: source.map(|source| used.saturating_sub(source)),
        }
    }

    fn comparison() -> AnalysisComparison {
        let apps = [row("a", Some(60), Some(90), 40, 20), row("b", None, Some(0), 21, 10), row("c & <d>", None, None, 10, 0)];
        AnalysisComparison::of(apps.to_vec())
    }

    #[test]
    fn means_are_over_the_apps_that_have_the_number() {
        insta::assert_snapshot!(analyses_text(&comparison()), @r"
        app/workload  static source  static binary  used  required  missed by binary
        a/w                      60             90    40        20
        b/w                                      0    21        10                21
        c & <d>/w                                     10         0

        mean number of calls                     static source  static binary  used  required
        of 3 apps                                  60.0 (of 1)    45.0 (of 2)  23.7      10.0
        of the 2 with an analysis of the binary    60.0 (of 1)           45.0  30.5      15.0
        of the 1 with both analyses                       60.0           90.0  40.0      20.0

        analyses of binaries that miss calls which were used: 1 of 2
        analyses of binaries that report no call at all: 1 (b); without them the mean is 90.0
        ");
    }

    #[test]
    fn bars_are_there_for_every_number_and_names_are_escaped() {
        let svg = analyses_svg(&comparison());
        assert_eq!(svg.matches("<title>").count(), 4 + 4 + 3 + 2);
        assert!(svg.contains("c &amp; &lt;d&gt;, used: 10</title>"), "{svg}");
        assert!(svg.contains("mean of 3 apps, used: 23.7</title>"), "{svg}");
        // The axis ends at 100, and the widest bar is nine tenths of it.
        assert!(svg.contains("width=\"648.0\""), "{svg}");
        assert!(!svg.contains("NaN"));
    }

    #[test]
    fn nothing_to_compare_is_no_division_by_zero() {
        let none = AnalysisComparison::of(Vec::new());
        assert!(!analyses_svg(&none).contains("NaN"));
        assert_eq!(none.means[2], Mean { mean: None, apps: 0 });
    }
}
