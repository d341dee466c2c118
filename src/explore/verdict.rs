//! What the trials of one call mean. Pure; holds the one table of names of each enum that is written to a file.
//!
//! Replicas are merged per treatment first (did stub work? did fake work?), and the verdict is derived from those two
//! answers alone. Merging finished verdicts instead would turn "fake only" and "both" into "required".

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::trial::Treatment;

/// A word that is not in the table of names of the type it was read as.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{word}` is not a {kind} (one of {known})")]
pub struct UnknownName {
    kind: &'static str,
    word: String,
    known: String,
}

/// Gives an enum its names: `ALL`, `name`, `Display`, `FromStr`, and serde through the same names.
macro_rules! names {
    ($type:ident, $kind:literal, { $($variant:ident => $name:literal),+ $(,)? }) => {
        impl $type {
            /// Every value, in the order in which they are printed.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The one name this has in every file and message.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(self.name())
            }
        }

        impl FromStr for $type {
            type Err = UnknownName;

            fn from_str(word: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|candidate| candidate.name() == word).ok_or_else(|| UnknownName {
                    kind: $kind,
                    word: word.to_owned(),
                    known: Self::ALL.iter().map(|candidate| candidate.name()).collect::<Vec<_>>().join(", "),
                })
            }
        }

        impl Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                word.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

/// What an OS has to do about one call, as far as this app and workload tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Neither treatment works: the call has to be implemented.
    Required,
    /// Only stubbing works.
    Stub,
    /// Only faking works.
    Fake,
    /// Both work.
    Any,
}

names!(Verdict, "verdict", { Required => "required", Stub => "stub", Fake => "fake", Any => "any" });

impl Verdict {
    /// The verdict that follows from what each treatment alone did.
    #[must_use]
    pub const fn from_treatments(stub_works: bool, fake_works: bool) -> Self {
        match (stub_works, fake_works) {
            (false, false) => Self::Required,
            (true, false) => Self::Stub,
            (false, true) => Self::Fake,
            (true, true) => Self::Any,
        }
    }

    /// The treatments that work, in the order in which the joint configuration tries them: stub before fake, since a stub
    /// claims less.
    #[must_use]
    pub const fn treatments(self) -> &'static [Treatment] {
        match self {
            Self::Required => &[],
            Self::Stub => &[Treatment::Stub],
            Self::Fake => &[Treatment::Fake],
            Self::Any => &Treatment::ALL,
        }
    }
}

/// What the joint configuration does about one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Plan {
    /// The kernel runs it.
    Implement,
    /// It is stubbed.
    Stub,
    /// It is faked.
    Fake,
}

names!(Plan, "plan", { Implement => "implement", Stub => "stub", Fake => "fake" });

impl From<Option<Treatment>> for Plan {
    fn from(treatment: Option<Treatment>) -> Self {
        match treatment {
            None => Self::Implement,
            Some(Treatment::Stub) => Self::Stub,
            Some(Treatment::Fake) => Self::Fake,
        }
    }
}

/// What the trials of one call under one treatment say.
///
/// `runs` are the runs that count, which is not always all that were made: inconclusive ones never count, and where some
/// runs hit the treated call, those that did not are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "kebab-case")]
pub enum TreatmentResult {
    /// The app does without the call.
    Works {
        /// Runs that passed.
        passes: u32,
        /// Runs that count.
        runs: u32,
    },
    /// It does not.
    Fails {
        /// Runs that passed nevertheless.
        passes: u32,
        /// Runs that count.
        runs: u32,
    },
    /// The call was never made while it was treated, so that a pass proves nothing.
    Unexercised {
        /// Runs that ended, one way or the other, without a hit.
        runs: u32,
    },
    /// It was not tried, and nothing is known.
    Untried,
    /// It was not tried alone; this is what the joint configuration, which was verified, does or does not do.
    Inferred {
        /// Whether it is part of the joint configuration.
        works: bool,
        /// Whether the call was tried in a group at all, or is assumed to be required as other apps require it.
        tried: bool,
    },
    /// Nothing was learnt: trouble outside the app, each time.
    Inconclusive {
        /// Runs that said nothing.
        runs: u32,
    },
}

impl TreatmentResult {
    /// Whether the app was seen to do without the call.
    #[must_use]
    pub const fn works(self) -> bool {
        matches!(self, Self::Works { .. } | Self::Inferred { works: true, .. })
    }

    /// Whether runs of the same trial disagreed.
    #[must_use]
    pub const fn unstable(self) -> bool {
        match self {
            Self::Works { passes, runs } | Self::Fails { passes, runs } => 0 < passes && passes < runs,
            Self::Unexercised { .. } | Self::Untried | Self::Inferred { .. } | Self::Inconclusive { .. } => false,
        }
    }

    /// Whether nothing was learnt.
    #[must_use]
    pub const fn inconclusive(self) -> bool {
        matches!(self, Self::Inconclusive { .. })
    }
}

impl fmt::Display for TreatmentResult {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Works { passes, runs } if self.unstable() => write!(formatter, "works, unstable ({passes} of {runs} passed)"),
            Self::Works { .. } => formatter.write_str("works"),
            Self::Fails { passes, runs } if self.unstable() => write!(formatter, "fails, unstable ({passes} of {runs} passed)"),
            Self::Fails { .. } => formatter.write_str("fails"),
            Self::Unexercised { runs } => write!(formatter, "not exercised in {runs} runs"),
            Self::Untried => formatter.write_str("not tried"),
            Self::Inferred { works: true, .. } => formatter.write_str("inferred: works together with the others"),
            Self::Inferred { works: false, tried: true } => formatter.write_str("inferred: not part of what works together"),
            Self::Inferred { works: false, tried: false } => {
                formatter.write_str("assumed: not tried, as other apps need the call")
            }
            Self::Inconclusive { runs } => write!(formatter, "inconclusive in {runs} runs"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_and_plans_round_trip_through_text_and_json() {
        for verdict in Verdict::ALL {
            assert_eq!(verdict.to_string().parse::<Verdict>().as_ref(), Ok(verdict));
            let json = serde_json::to_string(verdict).unwrap();
            assert_eq!(json, format!("\"{verdict}\""));
            assert_eq!(serde_json::from_str::<Verdict>(&json).unwrap(), *verdict);
        }
        for plan in Plan::ALL {
            assert_eq!(plan.to_string().parse::<Plan>().as_ref(), Ok(plan));
            assert_eq!(serde_json::from_str::<Plan>(&serde_json::to_string(plan).unwrap()).unwrap(), *plan);
        }
    }

    #[test]
    fn names_are_those_of_the_published_format() {
        let names = |all: &[Verdict]| all.iter().map(|verdict| verdict.name()).collect::<Vec<_>>();
        assert_eq!(names(Verdict::ALL), ["required", "stub", "fake", "any"]);
        assert_eq!(Plan::ALL.iter().map(|plan| plan.name()).collect::<Vec<_>>(), ["implement", "stub", "fake"]);
        assert_eq!(
            "stubs".parse::<Verdict>().unwrap_err().to_string(),
            "`stubs` is not a verdict (one of required, stub, fake, any)"
        );
    }

    #[test]
    fn stub_only_and_fake_only_are_not_swapped() {
        assert_eq!(Verdict::from_treatments(true, false).treatments(), [Treatment::Stub]);
        assert_eq!(Verdict::from_treatments(false, true).treatments(), [Treatment::Fake]);
        assert_eq!(Plan::from(Some(Treatment::Stub)).name(), Treatment::Stub.name());
        assert_eq!(Plan::from(Some(Treatment::Fake)).name(), Treatment::Fake.name());
    }

    #[test]
    fn only_disagreeing_runs_are_unstable() {
        assert!(TreatmentResult::Works { passes: 3, runs: 4 }.unstable());
        assert!(!TreatmentResult::Works { passes: 1, runs: 1 }.unstable());
        assert!(TreatmentResult::Fails { passes: 2, runs: 5 }.unstable());
        assert!(!TreatmentResult::Fails { passes: 0, runs: 2 }.unstable());
    }
}
