//! Why what can be avoided can be, as text. What the classes mean is said in [`crate::why`].

use super::table::{Align, Table};
use super::{counted, fallbacks};
use crate::explore::Verdict;
use crate::store::Finished;
use crate::trial::{Item, NextCall, Treatment};
use crate::why::{Answered, Class, Reason};

/// Characters of a line of an app's output that are shown.
const LINE: usize = 200;

/// Whether the app was seen to use the item, be it only while others were avoided.
#[must_use]
pub fn is_known(finished: &Finished, item: Item) -> bool {
    match item {
        _ if finished.fallbacks.as_ref().is_some_and(|table| table.rows().any(|(_, used)| used == item)) => true,
        Item::Call(call) => finished.verdicts.contains_key(&call),
        Item::Feature(feature) => finished.features.contains_key(&feature),
        Item::File(file) => finished.pseudo_files.contains_key(&file),
    }
}

/// One item of one app and workload with all evidence.
#[must_use]
pub fn why_text(name: &str, finished: &Finished, item: Item, reasons: &[Reason]) -> String {
    let in_place_of = finished.fallbacks.as_ref().map(|table| fallbacks::in_place_of(table, item)).unwrap_or_default();
    if !in_place_of.is_empty() {
        return format!("{name}: {item}: in no trace; made only when {}\n", in_place_of.join(", or "));
    }
    if !is_known(finished, item) {
        return format!("{name}: `{item}` is not used\n");
    }
    let verdict = match item {
        Item::Call(call) => finished.verdicts.get(&call).and_then(|row| row.verdict),
        Item::Feature(feature) => finished.features.get(&feature).and_then(|row| row.verdict),
        Item::File(file) => finished.pseudo_files.get(&file).and_then(|row| row.verdict),
    };
    let mut text = format!("{name}: {item}: {}\n", verdict.map_or("no verdict", Verdict::name));
    if reasons.is_empty() {
        text.push_str("  it cannot be avoided, or it was not tried: there is nothing to explain\n");
    }
    for reason in reasons {
        text.push_str(&format!("\n  {}: {}\n", past(reason.treatment), headline(reason)));
        if !reason.in_place.is_empty() {
            text.push_str(&format!("    made only then: {}\n", fallbacks::named(&reason.in_place.iter().copied().collect())));
        }
        for line in &reason.degraded {
            text.push_str(&format!("    worse than without: {line}\n"));
        }
        for line in &reason.logged {
            text.push_str(&format!("    new in its output: {}\n", shortened(line)));
        }
        for (index, answer) in reason.answers.iter().enumerate() {
            text.push_str(&answer_text(index + 1, reason, answer));
        }
    }
    text
}

/// Everything that can be avoided, one line each.
#[must_use]
pub fn whys_text(name: &str, reasons: &[Reason]) -> String {
    let mut table = Table::new(&[
        ("item", Align::Left),
        ("treatment", Align::Left),
        ("why it passes", Align::Left),
        ("evidence", Align::Left),
    ]);
    for reason in reasons {
        table.row([reason.item.to_string(), reason.treatment.to_string(), reason.class.to_string(), evidence(reason)]);
    }
    let of = |class: Class| reasons.iter().filter(|reason| reason.class == class).count();
    let counts: Vec<_> =
        Class::ALL.into_iter().filter(|class| of(*class) > 0).map(|class| format!("{} {class}", of(class))).collect();
    let mut text = table.render();
    text.push_str(&format!("\n{name}: {} that pass: {}\n", counted(reasons.len(), "treatment"), counts.join(", ")));
    let together = reasons.iter().filter_map(|reason| reason.together_with).max();
    if together.is_some_and(|others| others > 0) {
        text.push_str(
            "what follows an answer was seen while everything avoidable was avoided; `--reasons each` looks at each by itself\n",
        );
    }
    if reasons.iter().all(|reason| reason.together_with.is_none()) && !reasons.is_empty() {
        text.push_str(&format!("no run of {name} with every call watched is stored; `loupe run --fresh` makes one\n"));
    }
    text
}

fn past(treatment: Treatment) -> &'static str {
    match treatment {
        Treatment::Stub => "stubbed",
        Treatment::Fake => "faked",
    }
}

fn headline(reason: &Reason) -> String {
    let hits = match reason.hits {
        0 => String::new(),
        hits => format!(", {} in its own trials", counted(usize::try_from(hits).unwrap_or(usize::MAX), "hit")),
    };
    let watched = match reason.together_with {
        None => "; no watched run has it".to_owned(),
        Some(_) if reason.answers.is_empty() => "; not made in the watched run, in which others were avoided, too".to_owned(),
        Some(0) => "; watched by itself".to_owned(),
        Some(others) => format!("; watched together with {others} others that were avoided"),
    };
    let failed = if reason.together_with.is_some() && !reason.passed { ", in a run that did not pass" } else { "" };
    format!("{}{hits}{watched}{failed}", reason.class)
}

fn answer_text(number: usize, reason: &Reason, answer: &Answered) -> String {
    let result = match (reason.item, reason.treatment) {
        (Item::Call(_) | Item::Feature(_), Treatment::Stub) => "-1 ENOSYS",
        (Item::File(_), Treatment::Stub) => "-1 ENOENT",
        (Item::Call(_) | Item::Feature(_), Treatment::Fake) => "0",
        (Item::File(_), Treatment::Fake) => "(an empty file)",
    };
    let mut text = format!("    answer {number}, to `{}`: {} = {result}\n", answer.process, answer.made);
    for (index, next) in answer.next.iter().enumerate() {
        let mark = match () {
            () if answer.says.contains(&index) => "says",
            () if index < answer.looking => "looks",
            () if answer.fallbacks.contains(&next.call) && answer.inserted_range().contains(&index) => "instead",
            () if !answer.compared || !answer.meets => "then",
            () if answer.inserted_range().contains(&index) => "new",
            () if index < answer.inserted_range().end + answer.common => "as usual",
            () => "then",
        };
        text.push_str(&format!("      {mark:<8}  {}\n", next_text(next)));
    }
    if answer.next.is_empty() {
        text.push_str("      then nothing more of this thread\n");
    }
    if !answer.skipped.is_empty() {
        let names: Vec<_> = answer.skipped.iter().map(|call| call.name()).collect();
        text.push_str(&format!("      left out  {}\n", names.join(", ")));
    }
    text
}

fn next_text(next: &NextCall) -> String {
    let answer = match next.treatment {
        Some(Treatment::Stub) => " (stubbed, too)",
        Some(Treatment::Fake) => " (faked, too)",
        None => "",
    };
    match &next.written {
        // Its text is better read whole than as the argument of a call.
        Some(written) => format!("{} to {}: {}{answer}", next.call, written.to, shortened(written.text.trim_end())),
        None => format!("{}{answer}", next.made),
    }
}

/// The one thing that tells most.
fn evidence(reason: &Reason) -> String {
    let fallback = reason.answers.iter().flat_map(|answer| &answer.fallbacks).next();
    let mut inserted = reason.answers.iter().filter(|answer| answer.meets).flat_map(Answered::inserted_calls);
    let message = inserted.find_map(|next| next.written.as_ref());
    let skipped = reason.answers.iter().map(|answer| &answer.skipped).find(|skipped| !skipped.is_empty());
    match reason.class {
        Class::Fallback => fallback.map(|call| format!("{call} in its place")).unwrap_or_default(),
        Class::SwitchedOff => skipped
            .map(|calls| format!("left out: {}", calls.iter().map(|call| call.name()).collect::<Vec<_>>().join(", ")))
            .unwrap_or_default(),
        Class::NotFollowed if reason.together_with.is_some() => "not made in the watched run".to_owned(),
        Class::DefaultValue | Class::Changed | Class::Ignored | Class::Unexercised | Class::NotFollowed => {
            let line = reason.logged.first().cloned().or_else(|| message.map(|written| written.text.trim_end().to_owned()));
            line.map(|line| format!("says: {}", shortened(&line))).unwrap_or_default()
        }
    }
}

/// One line of bearable length.
fn shortened(text: &str) -> String {
    let line: String = text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect();
    if line.chars().count() <= LINE { line } else { line.chars().take(LINE - 1).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::Written;

    fn next(name: &str, treatment: Option<Treatment>, written: Option<&str>) -> NextCall {
        let written = written.map(|text| Written { to: "stdout".to_owned(), text: text.to_owned() });
        NextCall { call: name.parse().unwrap(), treatment, made: format!("{name}(3, \"x\")"), written }
    }

    fn answer(next: Vec<NextCall>, inserted: usize, skipped: &[&str], fallbacks: &[&str]) -> Answered {
        let calls = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect();
        Answered {
            process: "redis-server".to_owned(),
            made: "prlimit64(0, RLIMIT_NOFILE, NULL, 0x7ffd)".to_owned(),
            next,
            looking: 0,
            inserted,
            common: 1,
            says: Vec::new(),
            skipped: calls(skipped),
            fallbacks: calls(fallbacks),
            compared: true,
            meets: true,
        }
    }

    fn reason(class: Class, answers: Vec<Answered>) -> Reason {
        Reason {
            item: "prlimit64".parse().unwrap(),
            treatment: Treatment::Stub,
            class,
            hits: 2,
            together_with: Some(26),
            passed: true,
            answers,
            logged: vec!["9:M # Unable to obtain the current NOFILE limit, assuming 1024".to_owned()],
            degraded: vec!["open files ×14".to_owned()],
            in_place: vec!["getrlimit".parse().unwrap()],
        }
    }

    #[test]
    fn each_call_after_an_answer_is_told_as_new_or_usual() {
        let after = vec![
            next("getpid", Some(Treatment::Stub), None),
            next("write", None, Some("9:M # Unable to obtain\n")),
            next("openat", None, None),
        ];
        let answers =
            vec![answer(after, 2, &["prlimit64"], &[]), answer(vec![next("getrlimit", None, None)], 1, &[], &["getrlimit"])];
        let reason = reason(Class::DefaultValue, answers);
        let mut text = format!("{}\n", headline(&reason));
        for (index, answer) in reason.answers.iter().enumerate() {
            text.push_str(&answer_text(index + 1, &reason, answer));
        }
        insta::assert_snapshot!(text);
    }

    #[test]
    fn the_list_has_the_one_thing_that_tells_most() {
        let left_out = reason(Class::SwitchedOff, vec![answer(Vec::new(), 0, &["bind", "listen"], &[])]);
        let fallback = reason(Class::Fallback, vec![answer(vec![next("getrlimit", None, None)], 1, &[], &["getrlimit"])]);
        insta::assert_snapshot!(whys_text("redis/w", &[left_out, fallback, reason(Class::DefaultValue, Vec::new())]));
    }
}
