//! The end of a batch: one line per campaign, and below it what went wrong.

use super::table::{Align, Table};
use crate::campaign::{CampaignEnd, CampaignName};

/// Milliseconds as people read them.
#[must_use]
pub fn seconds(milliseconds: u64) -> String {
    match milliseconds / 1000 {
        0..60 => format!("{}.{} s", milliseconds / 1000, milliseconds % 1000 / 100),
        total => format!("{} min {:02} s", total / 60, total % 60),
    }
}

/// The closing table of a batch, and the reasons of campaigns without results.
#[must_use]
pub fn batch_table(ends: &[(CampaignName, CampaignEnd)]) -> String {
    let mut table = Table::new(&[
        ("app/workload", Align::Left),
        ("used", Align::Right),
        ("required", Align::Right),
        ("stub", Align::Right),
        ("fake", Align::Right),
        ("any", Align::Right),
        ("avoided together", Align::Left),
        ("trials", Align::Right),
        ("time", Align::Right),
    ]);
    let mut notes = String::new();
    for (name, end) in ends {
        let mut note = |heading: &str, reasons: &[String]| {
            notes.push_str(&format!("\n{name}: {heading}\n"));
            for reason in reasons {
                notes.push_str(&format!("  - {}\n", reason.replace('\n', "\n    ")));
            }
        };
        match end {
            CampaignEnd::Measured(totals) | CampaignEnd::UpToDate(totals) => {
                let time =
                    if matches!(end, CampaignEnd::UpToDate(_)) { "up to date".to_owned() } else { seconds(totals.milliseconds) };
                let numbers = [totals.used, totals.required, totals.stub, totals.fake, totals.any].map(|count| count.to_string());
                let joint = format!("{} ({} of {} runs passed)", totals.joint_avoided, totals.joint_verified, totals.joint_of);
                table.row([name.to_string()].into_iter().chain(numbers).chain([joint, totals.trials.to_string(), time]));
                if totals.unstable > 0 {
                    let reason =
                        format!("{} whose runs disagreed; `loupe show {}` says more", counted(totals.unstable, "call"), name.app);
                    note("unstable", &[reason]);
                }
                if totals.unexercised > 0 {
                    let reason = format!(
                        "{} not made again while treated, so nothing is known of it; counted as not avoidable. `loupe show {}` says more",
                        counted(totals.unexercised, "call"),
                        name.app
                    );
                    note("unproven", &[reason]);
                }
            }
            CampaignEnd::Refused { reasons, .. } => {
                table.row(without_numbers(name, "refused"));
                note(
                    "refused, because the app does not do its job even without any treatment, or the workload proves nothing",
                    reasons,
                );
            }
            CampaignEnd::Incomplete { reasons } => {
                table.row(without_numbers(name, "incomplete"));
                note("incomplete; run the same command again to try what stayed inconclusive", reasons);
            }
            CampaignEnd::Failed { message } => {
                table.row(without_numbers(name, "failed"));
                note("failed", std::slice::from_ref(message));
            }
            CampaignEnd::Interrupted => table.row(without_numbers(name, "interrupted")),
        }
    }
    let mut text = table.render();
    text.push_str(&notes);
    text
}

/// The row of a campaign without results: how it ended stands in the last column.
fn without_numbers(name: &CampaignName, end: &str) -> Vec<String> {
    let mut cells = vec![String::new(); 9];
    cells[0] = name.to_string();
    end.clone_into(&mut cells[8]);
    cells
}

/// A number with its noun.
#[must_use]
pub fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::Totals;

    #[test]
    fn every_end_is_told() {
        let name = |app: &str| CampaignName { app: app.to_owned(), workload: "default".to_owned() };
        let totals = Totals {
            used: 48,
            required: 20,
            stub: 2,
            fake: 3,
            any: 23,
            joint_avoided: 27,
            joint_verified: 3,
            joint_of: 3,
            trials: 140,
            run: 140,
            milliseconds: 31_415,
            ..Totals::default()
        };
        let ends = [
            (name("measured"), CampaignEnd::Measured(totals.clone())),
            (name("known"), CampaignEnd::UpToDate(Totals { unstable: 1, unexercised: 2, ..totals })),
            (
                name("broken"),
                CampaignEnd::Refused { reasons: vec!["baseline run 1: exit code 3, expected 0".into()], inconclusive: false },
            ),
            (name("shaky"), CampaignEnd::Incomplete { reasons: vec!["`read` stubbed".into()] }),
            (name("unbuilt"), CampaignEnd::Failed { message: "cannot make the image\nhint: look".into() }),
            (name("late"), CampaignEnd::Interrupted),
        ];
        insta::assert_snapshot!(batch_table(&ends));
    }

    #[test]
    fn durations_are_readable() {
        assert_eq!([0, 950, 59_999, 60_000, 3_725_000].map(seconds), ["0.0 s", "0.9 s", "59.9 s", "1 min 00 s", "62 min 05 s"]);
    }
}
