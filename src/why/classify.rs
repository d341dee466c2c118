//! From what followed the answers to one class. Pure.

use serde::Serialize;

use super::{Answered, alternatives, logged};
use crate::trial::{Item, NextCall};

/// What an app does with the answer of a stub or fake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// It goes on as if nothing had happened.
    Ignored,
    /// It makes another call in place of the treated one.
    Fallback,
    /// It asked for something, and goes on with something else.
    DefaultValue,
    /// It leaves out what it would have done with the result.
    SwitchedOff,
    /// It goes on in another way, and what that means is not known.
    Changed,
    /// The item was never treated, so that its pass proves nothing.
    Unexercised,
    /// No watched run shows what came next.
    NotFollowed,
}

impl Class {
    /// Every class.
    pub const ALL: [Self; 7] = [
        Self::Ignored,
        Self::Fallback,
        Self::DefaultValue,
        Self::SwitchedOff,
        Self::Changed,
        Self::Unexercised,
        Self::NotFollowed,
    ];

    /// The class in words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Ignored => "ignored",
            Self::Fallback => "fallback",
            Self::DefaultValue => "default value",
            Self::SwitchedOff => "feature switched off",
            Self::Changed => "changed",
            Self::Unexercised => "unexercised",
            Self::NotFollowed => "not followed",
        }
    }
}

impl std::fmt::Display for Class {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.pad(self.words())
    }
}

/// What a single answer shows, the most telling last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Shown {
    /// Nothing: there was nothing to hold it against, or the thread does something else every time.
    Nothing,
    /// The same calls, perhaps with a message in between.
    Same { message: bool },
    /// Other calls came in between.
    Other,
    /// Calls were left out.
    LeftOut,
    /// Another call stands in.
    StandsIn,
}

/// The class that follows from all answers together.
pub(super) fn class(item: Item, answers: &[Answered], logged: bool, unexercised: bool) -> Class {
    if unexercised {
        return Class::Unexercised;
    }
    let shown = answers.iter().map(shown).max().unwrap_or(Shown::Nothing);
    let asks = alternatives::asks(item);
    match shown {
        Shown::StandsIn => Class::Fallback,
        Shown::LeftOut | Shown::Other if asks => Class::DefaultValue,
        Shown::LeftOut => Class::SwitchedOff,
        Shown::Other => Class::Changed,
        Shown::Same { message } if asks && (message || logged) => Class::DefaultValue,
        Shown::Same { .. } => Class::Ignored,
        Shown::Nothing if asks && logged => Class::DefaultValue,
        Shown::Nothing if answers.iter().any(|answer| answer.compared) => Class::Changed,
        Shown::Nothing => Class::NotFollowed,
    }
}

fn shown(answer: &Answered) -> Shown {
    if !answer.fallbacks.is_empty() {
        return Shown::StandsIn;
    }
    if !answer.compared || !answer.meets {
        return Shown::Nothing;
    }
    let inserted = answer.inserted_calls();
    let message = inserted.iter().any(writes_a_log);
    match (answer.skipped.is_empty(), inserted.is_empty()) {
        (false, _) => Shown::LeftOut,
        (true, true) => Shown::Same { message: false },
        // Whoever writes a message asks for the time, its own number, or the zone's file before.
        (true, false) if message && inserted.last().is_some_and(writes_a_log) => Shown::Same { message: true },
        (true, false) => Shown::Other,
    }
}

/// Whether the call writes to where messages go.
pub(super) fn writes_a_log(next: &NextCall) -> bool {
    next.written.as_ref().is_some_and(|written| logged::is_a_log(&written.to))
}
