//! The vocabulary of one trial: what is asked for ([`TrialRequest`]), what is seen ([`Observation`]), what it means
//! ([`Outcome`]), and how host and shim say it to each other ([`wire`]).
//!
//! Between the spec, which says what success is, and everything that plans, runs, or stores trials. Pure: data and the
//! functions that judge it; it starts nothing and reads no clock.

mod aftermath;
mod calls;
mod files;
mod item;
#[cfg(feature = "cli")]
mod judge;
#[cfg(feature = "cli")]
mod last_words;
mod measures;
mod observation;
#[cfg(feature = "cli")]
mod outcome;
pub mod text;
mod trace;
pub mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

pub use aftermath::{Aftermath, CALLS_AFTER, NextCall, Written, answers_followed};
pub use calls::{ANSWERS_BEFORE, COSTLY_NEW_USES, CallLog, CallStatistics, ForeignCall, NewUse, SAMPLES_PER_CALL};
pub use files::{BadFileState, ContentDigest, DIGEST_LIMIT, FileChanges, FileKind, FileState, LookAtFiles, MOST_FILES};
pub use item::{Item, UnknownItem};
#[cfg(feature = "cli")]
pub use judge::{is_doubtful, judge, measures, settle};
#[cfg(feature = "cli")]
pub use last_words::LastWords;
pub use measures::{Degradation, Measure, Measures};
pub use observation::{AppEnd, CheckEnd, ClientEnd, Death, Ending, Left, Observation, Output, Timings, Trouble};
#[cfg(feature = "cli")]
pub use outcome::{FailCause, InconclusiveCause, Outcome};
pub use trace::{Observe, ObservedCall, Trace};

/// What is done to an item instead of running it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "cli", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "lowercase"))]
pub enum Treatment {
    /// The kernel never runs the call; it returns `-ENOSYS`.
    Stub,
    /// The kernel never runs the call; it returns 0, as if it had succeeded.
    Fake,
}

impl Treatment {
    /// Both treatments, in the order in which they are tried and printed.
    pub const ALL: [Self; 2] = [Self::Stub, Self::Fake];

    /// The one name this treatment has in every file and message.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stub => "stub",
            Self::Fake => "fake",
        }
    }

    /// The other treatment.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Stub => Self::Fake,
            Self::Fake => Self::Stub,
        }
    }
}

impl fmt::Display for Treatment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// What one trial does to the app: which items are treated, and how. Empty means baseline.
///
/// Where several items meet in one call, the coarsest decides: a treated call, then a treated feature of it, then a pseudo-file; and
/// of features, one that is stubbed before one that is faked.
///
/// Its text form, `stub=a,b;fake=c`, is canonical (items in order) and serves as a key; the empty one is `none`.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Intervention(BTreeMap<Item, Treatment>);

impl Intervention {
    /// Nothing is treated: the baseline.
    #[must_use]
    pub const fn none() -> Self {
        Self(BTreeMap::new())
    }

    /// A single treated item.
    #[must_use]
    pub fn single(item: impl Into<Item>, treatment: Treatment) -> Self {
        Self(BTreeMap::from([(item.into(), treatment)]))
    }

    /// The treatment of `item`, if it is treated itself.
    #[must_use]
    pub fn get(&self, item: impl Into<Item>) -> Option<Treatment> {
        self.0.get(&item.into()).copied()
    }

    /// Treats `item`, replacing what was said of it before.
    pub fn insert(&mut self, item: impl Into<Item>, treatment: Treatment) {
        self.0.insert(item.into(), treatment);
    }

    /// This intervention with `item` treated as well.
    #[must_use]
    pub fn with(mut self, item: impl Into<Item>, treatment: Treatment) -> Self {
        self.insert(item, treatment);
        self
    }

    /// The treated items in order.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (Item, Treatment)> + '_ {
        self.0.iter().map(|(item, treatment)| (*item, *treatment))
    }

    /// The items treated in one way, in order.
    pub fn treated(&self, treatment: Treatment) -> impl Iterator<Item = Item> + '_ {
        self.iter().filter(move |(_, candidate)| *candidate == treatment).map(|(item, _)| item)
    }

    /// The only treated item, if there is just one.
    #[must_use]
    pub fn only(&self) -> Option<(Item, Treatment)> {
        self.iter().next().filter(|_| self.len() == 1)
    }

    /// Number of treated items.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether this is the baseline.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T: Into<Item>> FromIterator<(T, Treatment)> for Intervention {
    fn from_iter<I: IntoIterator<Item = (T, Treatment)>>(items: I) -> Self {
        Self(items.into_iter().map(|(item, treatment)| (item.into(), treatment)).collect())
    }
}

impl fmt::Display for Intervention {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return formatter.write_str("none");
        }
        let mut separator = "";
        for treatment in Treatment::ALL {
            let names: Vec<_> = self.treated(treatment).map(|item| item.to_string()).collect();
            if !names.is_empty() {
                write!(formatter, "{separator}{treatment}={}", names.join(","))?;
                separator = ";";
            }
        }
        Ok(())
    }
}

/// A text that is not the canonical form of an [`Intervention`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadIntervention(String);

impl fmt::Display for BadIntervention {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{}` is not an intervention such as `stub=a,b;fake=c`", self.0)
    }
}

impl std::error::Error for BadIntervention {}

impl FromStr for Intervention {
    type Err = BadIntervention;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || BadIntervention(text.to_owned());
        if text == "none" {
            return Ok(Self::none());
        }
        let mut intervention = Self::none();
        for part in text.split(';') {
            let (treatment, names) = part.split_once('=').ok_or_else(bad)?;
            let treatment = Treatment::ALL.into_iter().find(|candidate| candidate.name() == treatment).ok_or_else(bad)?;
            for name in names.split(',') {
                let item = Item::recorded(name).map_err(|_| bad())?;
                if intervention.0.insert(item, treatment).is_some() {
                    return Err(bad());
                }
            }
        }
        Ok(intervention)
    }
}

#[cfg(feature = "cli")]
impl serde::Serialize for Intervention {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "cli")]
impl<'de> serde::Deserialize<'de> for Intervention {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// What the supervisor watches during a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "cli", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
pub enum Watch {
    /// Every call is notified, recorded and continued: the super-strace.
    Everything,
    /// Only what is treated is notified, answered, and counted.
    Treated,
    /// What is treated is answered by the filter itself, as far as a filter can decide it, and cannot be counted; for calls too hot
    /// to notify.
    Nothing,
}

impl Watch {
    /// The one name this has in every file and message.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Everything => "everything",
            Self::Treated => "treated",
            Self::Nothing => "nothing",
        }
    }
}

/// Why a trial is run; decides nothing, but says in the evidence what a trial was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "cli", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
pub enum Purpose {
    /// The unfiltered run that records every call.
    Trace,
    /// The empty intervention, which has to pass.
    Baseline,
    /// Everything the app was seen to use is stubbed at once, which has to fail.
    Control,
    /// One item treated in one way.
    Single,
    /// A pass that looked slow, or the baseline, once more and alone.
    Quiet,
    /// A group of calls, on the way to the joint configuration.
    Search,
    /// The joint configuration itself.
    Joint,
    /// The joint configuration with other treatments that work as well, in groups.
    Others,
    /// A configuration that passes once more, with every call watched: what does the app do with the answers?
    Reasons,
    /// One treatment or a few, to find out which of them makes the app use something that no trace saw; or none, to see whether it
    /// does so anyway.
    Fallback,
}

/// How much time and quiet a run is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "cli", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
pub enum Care {
    /// A first look: a failure at its short deadline does not count by itself.
    #[default]
    Usual,
    /// A long deadline.
    Patient,
    /// A long deadline, and no other trial of the campaign runs meanwhile.
    Alone,
}

/// When a trial is ended although it is not done, and what it may take until then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    /// The port has to listen within this time of the app's first instruction.
    pub ready: Duration,
    /// The workload has to be done within this time of the port's listening, or of the app's first instruction where no port is
    /// waited for.
    pub work: Duration,
    /// Everything has to be done within this time of the app's first instruction.
    pub total: Duration,
    /// The app may take this much processor time. What spins is found out sooner by it, and no load of the machine counts.
    pub processor: Option<Duration>,
    /// An app that had this much processor time and is not done is not late for want of a processor.
    pub ample: Option<Duration>,
    /// So many treated calls are answered at once, and more of them slowly: an app that makes many times more than it ever does when it
    /// works does nothing but try again, and what it would take is taken from the trials beside it.
    pub prompt_answers: Option<u64>,
    /// Where the app has more files open than these in the end, stock is taken when their number has stopped changing. `None` where
    /// nobody compares it.
    pub settle_above: Option<u64>,
}

impl Deadline {
    /// Everything has to be done within `limit`, and processor time does not matter.
    #[must_use]
    pub const fn within(limit: Duration) -> Self {
        Self { ready: limit, work: limit, total: limit, processor: None, ample: None, prompt_answers: None, settle_above: None }
    }
}

/// Identifies a trial within one run of a campaign. Not stable across runs: see [`TrialRequest::key`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrialId(pub u32);

/// One run that the planner asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrialRequest {
    /// Names the request when its outcome is recorded.
    pub id: TrialId,
    /// Why it is run.
    pub purpose: Purpose,
    /// What is watched.
    pub watch: Watch,
    /// What is treated.
    pub intervention: Intervention,
    /// The how-manieth run of the same intervention and watch this is, from 0.
    pub replica: u32,
    /// How much time and quiet it is given.
    pub care: Care,
    /// Everything that the traces saw, where the use of anything else is to be noted. Noting costs some microseconds per new call.
    pub traced: Option<Arc<BTreeSet<Item>>>,
}

impl TrialRequest {
    /// A name of the trial that is the same in every run of the same campaign; stored outcomes are found again by it.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}|{}|{}", self.watch.name(), self.intervention, self.replica)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(name: &str) -> crate::syscalls::Sysno {
        name.parse().unwrap()
    }

    #[test]
    fn intervention_text_is_canonical_and_round_trips() {
        let intervention = Intervention::none()
            .with(call("write"), Treatment::Stub)
            .with(call("brk"), Treatment::Fake)
            .with(call("access"), Treatment::Stub);
        let text = intervention.to_string();
        assert_eq!(text, "stub=access,write;fake=brk");
        assert_eq!(text.parse::<Intervention>().unwrap(), intervention);
        assert_eq!("none".parse::<Intervention>().unwrap(), Intervention::none());
        let text = "stub=brk,mmap(MAP_POPULATE),/proc/self/maps;fake=ioctl(TCGETS)";
        assert_eq!(text.parse::<Intervention>().unwrap().to_string(), text);
    }

    #[test]
    fn a_call_treated_twice_is_refused() {
        assert!("stub=read;fake=read".parse::<Intervention>().is_err());
        assert!("stub=".parse::<Intervention>().is_err());
        assert!("drop=read".parse::<Intervention>().is_err());
    }
}
