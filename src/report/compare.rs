//! What changed between two results, as text and as Markdown. What counts as worse is decided in [`crate::diff`].

use crate::diff::{
    Change, Compared, Comparison, Difference, ItemChange, ItemSide, JointChange, Severity, Totals, TreatmentEvidence,
};

/// Digests are shown up to here: enough to tell them apart.
const DIGEST_LENGTH: usize = 19;

/// Everything as text. `before` and `after` say where both sides come from.
#[must_use]
pub fn compare_text(before: &str, after: &str, compared: &[Compared]) -> String {
    let mut text = format!("before: {before}\nafter:  {after}\n");
    let (short, other): (Vec<_>, Vec<_>) = compared.iter().partition(|one| in_a_word(one, compared.len() == 1).is_some());
    for compared in other {
        text.push_str(&format!("\n{}: {}\n", name(compared), headline(compared)));
        match &compared.comparison {
            Comparison::Compared(difference) => text.push_str(&difference_text(difference)),
            Comparison::NoLongerMeasurable { reasons }
            | Comparison::NowMeasurable { reasons }
            | Comparison::StillRefused { reasons } => {
                for reason in reasons {
                    text.push_str(&format!("  - {reason}\n"));
                }
            }
            Comparison::Missing | Comparison::New => {}
        }
    }
    for (word, names) in by_word(&short, compared.len() == 1) {
        text.push_str(&format!("\n{word}: {}\n", names.join(", ")));
    }
    text.push_str(&format!("\n{}\n", closing(compared)));
    text
}

/// The same as Markdown, to be put into a report or an issue.
#[must_use]
pub fn compare_markdown(before: &str, after: &str, compared: &[Compared]) -> String {
    let mut text = format!("# {} → {}\n\n{}\n", escaped(before), escaped(after), escaped(&closing(compared)));
    let (short, other): (Vec<_>, Vec<_>) = compared.iter().partition(|one| in_a_word(one, compared.len() == 1).is_some());
    for compared in other {
        text.push_str(&format!("\n## {}\n\n{}\n", escaped(&name(compared)), escaped(&headline(compared))));
        match &compared.comparison {
            Comparison::Compared(difference) => text.push_str(&difference_markdown(difference)),
            Comparison::NoLongerMeasurable { reasons }
            | Comparison::NowMeasurable { reasons }
            | Comparison::StillRefused { reasons } => {
                text.push('\n');
                for reason in reasons {
                    text.push_str(&format!("- {}\n", escaped(reason)));
                }
            }
            Comparison::Missing | Comparison::New => {}
        }
    }
    for (word, names) in by_word(&short, compared.len() == 1) {
        let names: Vec<_> = names.iter().map(|name| escaped(name)).collect();
        text.push_str(&format!("\n- {word}: {}\n", names.join(", ")));
    }
    text
}

/// The word for what needs no section of its own. Of a whole database, conditions alone are no change: the kernel differs everywhere.
fn in_a_word(compared: &Compared, alone: bool) -> Option<&'static str> {
    match &compared.comparison {
        Comparison::Compared(difference) if difference.is_empty() && (!alone || difference.conditions.is_empty()) => {
            Some("unchanged")
        }
        Comparison::Missing if !alone => Some("in doubt, as only the first side has results"),
        Comparison::New if !alone => Some("only the second side has results"),
        _ => None,
    }
}

/// The names that have the same word, the one that matters most first.
fn by_word(short: &[&Compared], alone: bool) -> Vec<(&'static str, Vec<String>)> {
    let mut words: Vec<(&'static str, Severity, Vec<String>)> = Vec::new();
    for compared in short {
        let Some(word) = in_a_word(compared, alone) else { continue };
        match words.iter_mut().find(|(known, ..)| *known == word) {
            Some((_, _, names)) => names.push(name(compared)),
            None => words.push((word, compared.severity(), vec![name(compared)])),
        }
    }
    words.sort_by_key(|(_, severity, _)| std::cmp::Reverse(*severity));
    words.into_iter().map(|(word, _, names)| (word, names)).collect()
}

fn name(compared: &Compared) -> String {
    if compared.before == compared.after { compared.before.clone() } else { format!("{} -> {}", compared.before, compared.after) }
}

fn headline(compared: &Compared) -> String {
    match &compared.comparison {
        Comparison::Compared(difference) if difference.is_empty() => "no verdict changed".to_owned(),
        Comparison::Compared(difference) => {
            let with = |severity: Severity| difference.items.iter().filter(|change| change.severity == severity).count();
            let counts = [
                (with(Severity::Worse), "worse"),
                (with(Severity::Doubtful), "in doubt"),
                (with(Severity::Better), "better"),
                (with(Severity::Neutral) + difference.joint.len(), "other"),
            ];
            let words: Vec<_> =
                counts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
            words.join(", ")
        }
        Comparison::NoLongerMeasurable { .. } => "worse: it can no longer be measured".to_owned(),
        Comparison::NowMeasurable { .. } => "better: it can be measured now; before, it was refused".to_owned(),
        Comparison::StillRefused { .. } => "refused on both sides".to_owned(),
        Comparison::Missing => "in doubt: no results on the second side".to_owned(),
        Comparison::New => "no results on the first side".to_owned(),
    }
}

/// The one line that says how it is as a whole.
fn closing(compared: &[Compared]) -> String {
    let names = |severity: Severity| -> Vec<String> {
        compared.iter().filter(|compared| compared.severity() == severity).map(name).collect()
    };
    let (worse, doubtful) = (names(Severity::Worse), names(Severity::Doubtful));
    match (worse.is_empty(), doubtful.is_empty()) {
        (false, _) => format!("worse: {}", worse.join(", ")),
        (true, false) => format!("nothing is certainly worse; in doubt: {}", doubtful.join(", ")),
        (true, true) => "nothing is worse".to_owned(),
    }
}

fn difference_text(difference: &Difference) -> String {
    let mut text = String::new();
    for condition in &difference.conditions {
        text.push_str(&format!("  {}: {} -> {}\n", condition.what, shortened(&condition.before), shortened(&condition.after)));
    }
    if let Some(caution) = caution(difference) {
        text.push_str(&format!("  {caution}\n"));
    }
    text.push_str(&format!("  {}\n", totals(&difference.totals_before, &difference.totals_after)));
    for change in Change::ALL {
        let items: Vec<_> = difference.items.iter().filter(|item| item.change == change).collect();
        if items.is_empty() {
            continue;
        }
        text.push_str(&format!("\n  {change}\n"));
        for item in items {
            text.push_str(&item_text(item));
        }
    }
    if !difference.joint.is_empty() {
        text.push_str("\n  different in the joint configuration\n");
        for change in &difference.joint {
            text.push_str(&format!("    {}\n", joint_words(change)));
        }
    }
    if let Some(why) = &difference.details_left_out {
        text.push_str(&format!("\n  argument features and pseudo-files are not compared: {why}\n"));
    }
    text
}

fn item_text(change: &ItemChange) -> String {
    let doubt = if change.severity == Severity::Doubtful { "  (in doubt)" } else { "" };
    // What is no longer or newly seen, and was never tried, has no more to tell.
    if matches!(change.change, Change::NewlySeen | Change::NoLongerTried) {
        return format!("    {}{doubt}\n", change.item);
    }
    let mut text = format!("    {}{doubt}\n", change.item);
    for (label, side) in [("before", &change.before), ("after ", &change.after)] {
        if let Some(side) = side {
            text.push_str(&format!("      {label}  {}\n", side_words(side)));
        }
    }
    text
}

/// A verdict with what it rests on.
fn side_words(side: &ItemSide) -> String {
    let verdict = match (side.verdict, side.tried) {
        (Some(verdict), _) => verdict.name(),
        (None, true) => "inconclusive",
        (None, false) => return "not tried".to_owned(),
    };
    let remark = side.remark.map(|remark| format!(" ({})", remark.name())).unwrap_or_default();
    let calls = side.calls.map(|calls| format!(", seen {} ", times(calls))).unwrap_or_default();
    let calls = calls.trim_end();
    if side.stub.is_empty() && side.fake.is_empty() {
        return format!("{verdict}{remark}{calls}; no trials of it are stored");
    }
    format!("{verdict}{remark}{calls}; stubbed: {}; faked: {}", evidence_words(&side.stub), evidence_words(&side.fake))
}

fn times(count: u64) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

fn evidence_words(evidence: &TreatmentEvidence) -> String {
    if evidence.is_empty() {
        return "not tried".to_owned();
    }
    let runs = evidence.passes + evidence.fails + evidence.inconclusive;
    let degraded = if evidence.degraded.is_empty() { String::new() } else { format!(", but {}", evidence.degraded.join(", ")) };
    let hits = if evidence.hits == 1 { "1 hit".to_owned() } else { format!("{} hits", evidence.hits) };
    let cause = evidence.cause.as_deref().map(one_line).unwrap_or_default();
    if evidence.passes == runs {
        return format!("passes {} of {runs} ({hits}){degraded}", evidence.passes);
    }
    if evidence.passes == 0 {
        return format!("fails {} of {runs}: {cause}", evidence.fails);
    }
    format!("passes {} of {runs} ({hits}){degraded}, else: {cause}", evidence.passes)
}

fn joint_words(change: &JointChange) -> String {
    let reason = change.reason.as_deref().map(|reason| format!(": {}", one_line(reason))).unwrap_or_default();
    format!("{}: {} -> {}{reason}", change.item, change.before, change.after)
}

fn totals(before: &Totals, after: &Totals) -> String {
    let pair = |before: u32, after: u32, word: &str| {
        if before == after { format!("{after} {word}") } else { format!("{before} -> {after} {word}") }
    };
    let (first, second) = (before.verdicts, after.verdicts);
    let avoided = |totals: &Totals| totals.avoided_together.map(|items| u32::try_from(items).unwrap_or(u32::MAX));
    let avoided = avoided(before).zip(avoided(after)).map(|(before, after)| pair(before, after, "items avoided at once"));
    let mut parts = vec![
        pair(before.used, after.used, "calls used"),
        pair(first.required, second.required, "required"),
        pair(first.stub, second.stub, "stub only"),
        pair(first.fake, second.fake, "fake only"),
        pair(first.any, second.any, "any"),
    ];
    parts.extend(avoided);
    parts.join(", ")
}

/// What takes away from the comparison as a whole.
fn caution(difference: &Difference) -> Option<&'static str> {
    let differs = |what: &str| difference.conditions.iter().any(|condition| condition.what == what);
    if differs("architecture") {
        Some("the architectures differ: each has calls that the other has not")
    } else if differs("spec") {
        Some(
            "the specs differ: in build arguments, as those of variants do, or in the workload, whose doing a change may be, too",
        )
    } else if differs("origin") {
        Some("one side was measured here, the other elsewhere: by other means, and with another workload")
    } else if difference.conditions.iter().any(|condition| condition.what.starts_with("setting ")) {
        Some("one side was measured more thoroughly than the other")
    } else {
        None
    }
}

fn difference_markdown(difference: &Difference) -> String {
    let mut text = String::new();
    if !difference.conditions.is_empty() {
        text.push_str("\n| condition | before | after |\n|---|---|---|\n");
        for condition in &difference.conditions {
            let cell = |value: &str| escaped(&shortened(value));
            text.push_str(&format!(
                "| {} | {} | {} |\n",
                escaped(&condition.what),
                cell(&condition.before),
                cell(&condition.after)
            ));
        }
    }
    if let Some(caution) = caution(difference) {
        text.push_str(&format!("\n{}\n", escaped(caution)));
    }
    text.push_str(&format!("\n{}\n", escaped(&totals(&difference.totals_before, &difference.totals_after))));
    if !difference.items.is_empty() {
        text.push_str("\n| item | change | before | after |\n|---|---|---|---|\n");
        for change in &difference.items {
            let doubt = if change.severity == Severity::Doubtful { " (in doubt)" } else { "" };
            let side = |side: &Option<ItemSide>| side.as_ref().map_or_else(|| "not used".to_owned(), side_words);
            text.push_str(&format!(
                "| `{}` | {}{doubt} | {} | {} |\n",
                change.item,
                change.change,
                escaped(&side(&change.before)),
                escaped(&side(&change.after))
            ));
        }
    }
    if !difference.joint.is_empty() {
        text.push_str("\nDifferent in the joint configuration:\n\n");
        for change in &difference.joint {
            text.push_str(&format!("- {}\n", escaped(&joint_words(change))));
        }
    }
    if let Some(why) = &difference.details_left_out {
        text.push_str(&format!("\nArgument features and pseudo-files are not compared: {}\n", escaped(why)));
    }
    text
}

/// Text that Markdown leaves as it is, also in a cell of a table.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        match character {
            '\\' | '|' | '*' | '_' | '`' | '<' | '[' | '#' => {
                escaped.push('\\');
                escaped.push(character);
            }
            '\n' => escaped.push(' '),
            other => escaped.push(other),
        }
    }
    escaped
}

/// A digest as far as it tells anything; anything else as it is.
fn shortened(value: &str) -> String {
    let is_digest = value.starts_with("sha256:") || (value.len() == 64 && value.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if is_digest { value.chars().take(DIGEST_LENGTH).collect() } else { value.to_owned() }
}

/// A cause on one line of bearable length; the whole stands in `trials.jsonl`.
fn one_line(text: &str) -> String {
    const LIMIT: usize = 90;
    let line = text.replace('\n', "\\n");
    if line.chars().count() <= LIMIT { line } else { line.chars().take(LIMIT - 1).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::{Condition, Remark};
    use crate::explore::{Plan, Verdict};
    use crate::store::Counts;

    fn evidence(passes: u32, fails: u32, cause: Option<&str>) -> TreatmentEvidence {
        TreatmentEvidence {
            passes,
            fails,
            hits: u64::from(passes) * 12,
            cause: cause.map(str::to_owned),
            ..TreatmentEvidence::default()
        }
    }

    fn side(verdict: Verdict, stub: TreatmentEvidence, fake: TreatmentEvidence) -> ItemSide {
        ItemSide {
            verdict: Some(verdict),
            tried: true,
            remark: (verdict == Verdict::Stub).then_some(Remark::Unstable),
            calls: Some(3),
            joint: Some(Plan::Stub),
            stub,
            fake,
        }
    }

    fn sample() -> Vec<Compared> {
        let totals = |required: u32| Totals {
            used: 31,
            verdicts: Counts { required, any: 31 - required, ..Counts::default() },
            avoided_together: Some(9),
        };
        let fails = || evidence(0, 2, Some("client: exit code 1,\nexpected | 0"));
        let required = ItemChange {
            item: "sendfile".parse().unwrap(),
            change: Change::BecameRequired,
            severity: Severity::Worse,
            before: Some(side(Verdict::Any, evidence(1, 0, None), evidence(1, 0, None))),
            after: Some(side(Verdict::Required, fails(), fails())),
        };
        let gone = ItemChange {
            item: "ioctl(FIOASYNC)".parse().unwrap(),
            change: Change::NoLongerUsed,
            severity: Severity::Neutral,
            before: Some(side(Verdict::Stub, evidence(2, 1, Some("not done after 5.0 s")), TreatmentEvidence::default())),
            after: None,
        };
        let condition = |what: &str, before: &str, after: &str| Condition {
            what: what.to_owned(),
            before: before.to_owned(),
            after: after.to_owned(),
        };
        let difference = Difference {
            conditions: vec![
                condition("image", "sha256:0123456789abcdef0123456789abcdef", "sha256:f123456789abcdef0123456789abcdef"),
                condition("kernel", "6.1.0", "6.18.0"),
            ],
            totals_before: totals(13),
            totals_after: totals(14),
            items: vec![required, gone],
            joint: vec![JointChange {
                item: "brk".parse().unwrap(),
                before: Plan::Stub,
                after: Plan::Implement,
                reason: Some("exit code 1, expected 0".to_owned()),
            }],
            details_left_out: None,
        };
        let compared =
            |app: &str, comparison| Compared { before: format!("{app}@1/wrk"), after: format!("{app}@2/wrk"), comparison };
        let none = Difference { conditions: Vec::new(), items: Vec::new(), joint: Vec::new(), ..difference.clone() };
        vec![
            compared("nginx", Comparison::Compared(Box::new(difference))),
            compared("redis", Comparison::Compared(Box::new(none))),
            compared("fio", Comparison::NoLongerMeasurable { reasons: vec!["baseline run 1: exit code 1".to_owned()] }),
            compared("sqlite", Comparison::Missing),
        ]
    }

    #[test]
    fn text_has_the_worst_first_and_the_evidence_of_both_sides() {
        insta::assert_snapshot!(compare_text("results", "tonight", &sample()));
    }

    #[test]
    fn markdown_says_the_same_in_tables() {
        insta::assert_snapshot!(compare_markdown("results", "tonight", &sample()));
    }

    #[test]
    fn what_did_not_change_is_told_in_a_word() {
        let same = &sample()[1..2];
        assert_eq!(
            compare_text("a", "b", same),
            "before: a\nafter:  b\n\nunchanged: redis@1/wrk -> redis@2/wrk\n\nnothing is worse\n"
        );
    }
}
