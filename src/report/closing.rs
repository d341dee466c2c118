//! What a batch says when it is over: one table of what was measured, and the reasons of what was not. Pure.

use std::fmt::Write as _;

use super::table::{Align, Table};
use super::{counted, duration};
use crate::campaign::{CampaignEnd, CampaignName, Totals};

/// The closing words of a batch whose campaigns ended so; empty for an empty batch.
#[must_use]
pub fn closing(ends: &[(CampaignName, CampaignEnd)]) -> String {
    let mut table = Table::new(&[
        ("app/workload", Align::Left),
        ("used", Align::Right),
        ("required", Align::Right),
        ("stub", Align::Right),
        ("fake", Align::Right),
        ("any", Align::Right),
        ("joint", Align::Left),
        ("trials", Align::Right),
        ("time", Align::Right),
    ]);
    let mut below = String::new();
    for (name, end) in ends {
        match end {
            CampaignEnd::Measured(totals) => table.row(row(name, totals, duration(totals.milliseconds))),
            CampaignEnd::UpToDate(totals) => table.row(row(name, totals, "up to date".to_owned())),
            CampaignEnd::Incomplete { .. }
            | CampaignEnd::Refused { .. }
            | CampaignEnd::Failed { .. }
            | CampaignEnd::Interrupted => {}
        }
        below.push_str(&remarks(name, end));
    }
    let mut text = if table.is_empty() { String::new() } else { table.render() };
    if !text.is_empty() && !below.is_empty() {
        text.push('\n');
    }
    text + &below
}

fn row(name: &CampaignName, totals: &Totals, time: String) -> Vec<String> {
    let numbers = [totals.used, totals.required, totals.stub, totals.fake, totals.any].map(|number| number.to_string());
    let caveat = totals.caveat.map(|caveat| format!(" ({})", caveat.name())).unwrap_or_default();
    let mut row = vec![format!("{name}{caveat}")];
    row.extend(numbers);
    row.extend([joint(totals), totals.trials.to_string(), time]);
    row
}

fn joint(totals: &Totals) -> String {
    format!("avoided {} ({}/{})", totals.joint_avoided, totals.joint_verified, totals.joint_of)
}

/// The counts of one campaign in one line.
#[must_use]
pub fn counts(totals: &Totals) -> String {
    format!(
        "{} used: {} required, {} stub, {} fake, {} any; joint {}",
        totals.used,
        totals.required,
        totals.stub,
        totals.fake,
        totals.any,
        joint(totals)
    )
}

/// What has to be said of a campaign besides its counts.
fn remarks(name: &CampaignName, end: &CampaignEnd) -> String {
    match end {
        CampaignEnd::Measured(totals) | CampaignEnd::UpToDate(totals) => {
            let mut text = String::new();
            if let Some(caveat) = totals.caveat {
                let _ = writeln!(text, "note: {name}: {caveat}");
            }
            if totals.unstable > 0 {
                let calls = counted(totals.unstable, "call");
                let _ =
                    writeln!(text, "note: {name}: runs of the same trial disagreed for {calls}; `loupe show {name}` names them");
            }
            if let Some(number @ 1..) = totals.fallbacks {
                let items = super::counted_as(number, "call or pseudo-file", "calls and pseudo-files");
                let _ = writeln!(
                    text,
                    "note: {name}: the joint configuration uses {items} that no trace shows; `loupe show {name}` names them"
                );
            }
            if totals.degraded > 0 {
                let calls = counted(totals.degraded, "call");
                let _ = writeln!(
                    text,
                    "note: {name}: without {calls} it passes, but at another cost or speed; `loupe show {name}` says which"
                );
            }
            if totals.taken_over > 0 {
                let verdicts = counted(totals.taken_over, "verdict");
                let _ = writeln!(
                    text,
                    "note: {name}: {verdicts} of an earlier image taken over after group trials; `--fresh` finds them anew"
                );
            }
            if totals.inferred > 0 {
                let verdicts = counted(totals.inferred, "verdict");
                let _ = writeln!(
                    text,
                    "note: {name}: {verdicts} inferred from what works together; `--strategy exhaustive` tries each call alone"
                );
            }
            if totals.unexercised > 0 {
                let calls = counted(totals.unexercised, "call");
                let _ = writeln!(
                    text,
                    "note: {name}: {calls} not made again while treated, so not taken for avoidable; `loupe show {name}` names them"
                );
            }
            text
        }
        CampaignEnd::Incomplete { reasons } => list(&format!("incomplete: {name}"), reasons),
        CampaignEnd::Refused { reasons, inconclusive: false } => list(&format!("refused: {name}"), reasons),
        CampaignEnd::Refused { reasons, inconclusive: true } => {
            list(&format!("refused: {name}, for reasons outside the app: try again"), reasons)
        }
        CampaignEnd::Failed { message, .. } => list(&format!("failed: {name}"), std::slice::from_ref(message)),
        CampaignEnd::Interrupted => format!("interrupted: {name}; the same command resumes it\n"),
    }
}

fn list(title: &str, reasons: &[String]) -> String {
    let lines = reasons.iter().flat_map(|reason| reason.lines());
    lines.fold(format!("{title}\n"), |text, line| format!("{text}  {line}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(app: &str, workload: &str) -> CampaignName {
        CampaignName { app: app.to_owned(), workload: workload.to_owned() }
    }

    fn totals() -> Totals {
        Totals {
            used: 44,
            required: 20,
            stub: 3,
            fake: 1,
            any: 20,
            joint_avoided: 22,
            joint_verified: 3,
            joint_of: 3,
            trials: 106,
            run: 106,
            milliseconds: 45_100,
            ..Totals::default()
        }
    }

    #[test]
    fn measured_apps_stand_in_the_table_and_the_others_below_with_their_reasons() {
        let ends = [
            (name("nginx", "wrk"), CampaignEnd::Measured(totals())),
            (
                name("sort", "default"),
                CampaignEnd::UpToDate(Totals { used: 9, any: 9, unstable: 1, unexercised: 2, fallbacks: Some(3), ..totals() }),
            ),
            (
                name("web", "default"),
                CampaignEnd::Refused { reasons: vec!["baseline run 1: exit code 1, expected 0".to_owned()], inconclusive: false },
            ),
            (
                name("fio", "verify"),
                CampaignEnd::Refused { reasons: vec!["control run: engine trouble: x".to_owned()], inconclusive: true },
            ),
            (
                name("bad", "default"),
                CampaignEnd::Failed { message: "cannot make the image\nhint: see above".to_owned(), environment: false },
            ),
            (name("half", "default"), CampaignEnd::Incomplete { reasons: vec!["stub=futex: engine trouble".to_owned()] }),
            (name("late", "default"), CampaignEnd::Interrupted),
        ];
        insta::assert_snapshot!(closing(&ends));
    }

    #[test]
    fn without_anything_measured_there_is_no_table() {
        assert_eq!(closing(&[]), "");
        let interrupted = [(name("a", "b"), CampaignEnd::Interrupted)];
        assert_eq!(closing(&interrupted), "interrupted: a/b; the same command resumes it\n");
    }
}
