//! One app's verdicts that were imported: there are no trials to give reasons. Pure.

use super::table::{Align, Table};
use crate::explore::Verdict;
use crate::store::{Caveat, Imported, Provenance};

/// Where it comes from, in one line.
#[must_use]
pub fn provenance_text(provenance: &Provenance) -> String {
    let date = provenance.date.map(|date| format!(", as of {date}")).unwrap_or_default();
    let source = provenance.source.as_ref().map(|source| format!(" ({source})")).unwrap_or_default();
    format!("imported from {}{date}{source}", provenance.dynamic.path)
}

/// The table of the calls that were used.
pub(super) fn imported_text(name: &str, imported: &Imported) -> String {
    let mut table =
        Table::new(&[("syscall", Align::Left), ("verdict", Align::Left), ("stubbed", Align::Left), ("faked", Align::Left)]);
    let mut counts = [0_usize; 4];
    for (call, row) in imported.verdicts.iter().filter(|(_, row)| row.used) {
        let works = |yes: bool| if yes { "works" } else { "fails" }.to_owned();
        let verdict = row.verdict.map_or("", Verdict::name).to_owned();
        for (count, verdict) in counts.iter_mut().zip(Verdict::ALL) {
            *count += usize::from(row.verdict == Some(*verdict));
        }
        table.row([call.to_string(), verdict, works(row.stub), works(row.fake)]);
    }
    let [required, stub, fake, any] = counts;
    let used = counts.iter().sum::<usize>();
    format!(
        "{}\n{name}: {used} calls used, {required} required, {stub} stub only, {fake} fake only, {any} any\n\
         {}: no trials, and nothing was verified together\n{}",
        table.render(),
        provenance_text(&imported.provenance),
        Caveat::of_imported(&imported.verdicts).map(|caveat| format!("{caveat}\n")).unwrap_or_default()
    )
}
