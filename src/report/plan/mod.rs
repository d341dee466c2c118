//! Support plans as text, JSON, CSV and Markdown, and the answers to questions about them. Pure.
//!
//! Whoever reads the text is to be able to start coding: it says of every call what it is needed for.

mod json;
mod question;
mod tables;
mod text;

pub use json::{PlanJson, plan_json};
pub use question::{UnlockJson, WhatIfJson, unlock_json, unlock_text, what_if_json, what_if_text};
pub use tables::{plan_csv, plan_markdown};
pub use text::plan_text;
pub(super) use text::wrapped;

use crate::support::{Correction, StepState};

/// What running the apps of a plan showed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Checked {
    /// How each app stands, with its step.
    pub states: Vec<(usize, String, StepState)>,
    /// What the plan was corrected by, in order.
    pub corrections: Vec<Correction>,
}

impl Checked {
    /// The apps of a step, each with its state.
    fn of(&self, step: usize) -> impl Iterator<Item = (&str, &StepState)> {
        self.states.iter().filter(move |(number, _, _)| *number == step).map(|(_, app, state)| (app.as_str(), state))
    }

    /// One word for a step, whose worst app decides: `verified`, `unverified` or `refuted`; nothing for a step without apps.
    fn word(&self, step: usize) -> &'static str {
        let mut word = if self.of(step).next().is_some() { "verified" } else { "" };
        for (_, state) in self.of(step) {
            match state {
                StepState::Refuted(_) => return "refuted",
                StepState::Unverified(_) => word = "unverified",
                StepState::Verified => {}
            }
        }
        word
    }
}

/// What a state is called, with its reason.
fn state_words(state: &StepState) -> (&'static str, Option<&str>) {
    match state {
        StepState::Verified => ("verified", None),
        StepState::Unverified(why) => ("unverified", Some(why)),
        StepState::Refuted(why) => ("refuted", Some(why)),
    }
}

/// A list in words: `a`, `a and b`, `a, b and 3 others`.
fn listed(names: &[String], at_most: usize) -> String {
    match names {
        [] => "none".to_owned(),
        [only] => only.clone(),
        [first @ .., last] if names.len() <= at_most => format!("{} and {last}", first.join(", ")),
        _ => format!("{} and {} others", names[..at_most - 1].join(", "), names.len() + 1 - at_most),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_cut_where_they_get_long() {
        let names: Vec<_> = ["a", "b", "c", "d", "e"].map(str::to_owned).into();
        let shown = [0, 1, 2, 3, 5].map(|count| listed(&names[..count], 3));
        assert_eq!(shown, ["none", "a", "a and b", "a, b and c", "a, b and 3 others"]);
    }
}
