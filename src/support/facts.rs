//! What is known of one app: which calls, argument features and pseudo-files it uses, and which of them it can do without. Pure.
//!
//! The facts are whatever the database holds, measured or imported; what follows from them for an OS is [`Need`].

use std::collections::{BTreeMap, BTreeSet};

use super::set::CallSet;
use crate::explore::{FallbackTable, Plan};
use crate::syscalls::Sysno;
use crate::syscalls::features::Feature;
use crate::syscalls::paths::PseudoFile;
use crate::trial::{Item, Treatment};

/// What an app that uses a call, a feature or a pseudo-file needs of an OS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// It has to be there.
    Implement,
    /// It may be stubbed, faked, or either.
    Avoid {
        /// The app accepts a stub.
        stub: bool,
        /// The app accepts a fake.
        fake: bool,
        /// What it is best given, if the others let it.
        best: Treatment,
    },
}

impl Need {
    /// From what single treatments did and what the joint configuration, which was verified, does.
    fn new(stub: bool, fake: bool, joint: Option<Plan>) -> Self {
        let best = match joint {
            Some(Plan::Stub) => Treatment::Stub,
            Some(Plan::Fake) => Treatment::Fake,
            // A stub claims less than a fake.
            None if stub => Treatment::Stub,
            None if fake => Treatment::Fake,
            Some(Plan::Implement) | None => return Self::Implement,
        };
        Self::Avoid { stub: stub || best == Treatment::Stub, fake: fake || best == Treatment::Fake, best }
    }

    /// The same where a stub, or a fake, is not accepted, as its fallback is not there.
    pub(super) fn restricted(self, stub_is: bool, fake_is: bool) -> Self {
        let (stub, fake) = (self.accepts(Treatment::Stub) && stub_is, self.accepts(Treatment::Fake) && fake_is);
        let best = match (self, stub, fake) {
            (Self::Implement, _, _) | (_, false, false) => return Self::Implement,
            (Self::Avoid { best, .. }, true, true) => best,
            (_, true, false) => Treatment::Stub,
            (_, false, true) => Treatment::Fake,
        };
        Self::Avoid { stub, fake, best }
    }

    /// Whether it has to be there.
    #[must_use]
    pub const fn is_required(self) -> bool {
        matches!(self, Self::Implement)
    }

    /// Whether the app accepts `treatment`.
    #[must_use]
    pub const fn accepts(self, treatment: Treatment) -> bool {
        match (self, treatment) {
            (Self::Implement, _) => false,
            (Self::Avoid { stub, .. }, Treatment::Stub) => stub,
            (Self::Avoid { fake, .. }, Treatment::Fake) => fake,
        }
    }
}

/// What is known of a call that an app uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallFacts {
    /// Whether the app works with it stubbed, as far as anybody tried.
    pub stub: bool,
    /// Whether it works with it faked.
    pub fake: bool,
    /// What the joint configuration does about it; `None` where none was verified.
    pub joint: Option<Plan>,
}

impl CallFacts {
    /// What follows for an OS.
    #[must_use]
    pub fn need(self) -> Need {
        Need::new(self.stub, self.fake, self.joint)
    }
}

/// What is known of an argument feature or a pseudo-file that an app uses; `None` where it was not tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DetailFacts {
    /// Whether the app works with it stubbed.
    pub stub: Option<bool>,
    /// Whether it works with it faked.
    pub fake: Option<bool>,
    /// What the joint configuration of calls and details does about it; `None` where none was verified.
    pub joint: Option<Plan>,
}

impl DetailFacts {
    /// What follows for an OS. What was not tried has to be there.
    #[must_use]
    pub fn need(self) -> Need {
        Need::new(self.stub == Some(true), self.fake == Some(true), self.joint)
    }

    /// Whether nobody tried to do without it.
    #[must_use]
    pub const fn untried(self) -> bool {
        self.stub.is_none() && self.fake.is_none()
    }
}

/// What is known of one app.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AppFacts {
    /// Its name, as the user gives it.
    pub name: String,
    /// The calls it uses.
    pub calls: BTreeMap<Sysno, CallFacts>,
    /// The argument features it uses; `None` if nobody looked at them.
    pub features: Option<BTreeMap<Feature, DetailFacts>>,
    /// The pseudo-files it uses; `None` if nobody looked at them.
    pub files: Option<BTreeMap<PseudoFile, DetailFacts>>,
    /// What it uses only while something is stubbed or faked; `None` if nobody looked.
    pub fallbacks: Option<FallbackTable>,
}

impl AppFacts {
    /// What the app needs of `call`; `None` if it does not use it. A call that it makes only in place of another has to be there.
    #[must_use]
    pub fn need(&self, call: Sysno) -> Option<Need> {
        let of_fallback = || (!self.in_place_of(call).is_empty()).then_some(Need::Implement);
        self.calls.get(&call).map(|facts| facts.need()).or_else(of_fallback)
    }

    /// The calls in whose place the app makes `call`, which no trace shows, where they are stubbed or faked.
    #[must_use]
    pub fn in_place_of(&self, call: Sysno) -> BTreeSet<Sysno> {
        let rows = self.fallbacks.iter().flat_map(FallbackTable::rows).filter(|(_, used)| *used == Item::Call(call));
        rows.filter_map(|(treated, _)| treated?.0.call()).collect()
    }

    /// The calls that the app makes in place of `call`, and in no trace, where that is treated in a way that it accepts.
    #[must_use]
    pub fn used_in_place_of(&self, call: Sysno) -> BTreeSet<Sysno> {
        let accepted = |treatment: &Treatment| self.need(call).is_some_and(|need| need.accepts(*treatment));
        let used = self.fallbacks.iter().flat_map(|table| {
            Treatment::ALL.into_iter().filter(accepted).flat_map(|treatment| table.of(Item::Call(call), treatment))
        });
        used.filter_map(Item::call).collect()
    }

    /// The pseudo-files that the app uses in place of `call` where that is treated in this way.
    pub fn files_in_place_of(&self, call: Sysno, treatment: Treatment) -> impl Iterator<Item = PseudoFile> + '_ {
        let used = self.fallbacks.iter().flat_map(move |table| table.of(Item::Call(call), treatment));
        used.filter_map(|item| if let Item::File(file) = item { Some(file) } else { None })
    }

    /// The features of `call` that have to be there and those that need not; `None` if nobody looked.
    #[must_use]
    pub fn features_of(&self, call: Sysno) -> Option<(Vec<Feature>, Vec<Feature>)> {
        let of_call = self.features.as_ref()?.iter().filter(|(feature, _)| feature.call() == call);
        let (required, others): (Vec<_>, Vec<_>) = of_call.partition(|(_, facts)| facts.need().is_required());
        let features = |rows: Vec<(&Feature, &DetailFacts)>| rows.into_iter().map(|(feature, _)| *feature).collect();
        Some((features(required), features(others)))
    }

    /// The pseudo-files that have to be there.
    pub fn required_files(&self) -> impl Iterator<Item = PseudoFile> + '_ {
        self.files.iter().flatten().filter(|(_, facts)| facts.need().is_required()).map(|(file, _)| *file)
    }

    /// Takes it that the app needs this of `call`, whatever was known before: what a run of the app showed.
    pub fn learn(&mut self, call: Sysno, treatment: Option<Treatment>) {
        let facts = CallFacts {
            stub: treatment == Some(Treatment::Stub),
            fake: treatment == Some(Treatment::Fake),
            joint: Some(Plan::from(treatment)),
        };
        self.calls.insert(call, facts);
    }

    /// Two measurements of one app as one: what either needs is needed, and a treatment has to be accepted by both.
    #[must_use]
    pub fn both(mut self, other: Self) -> Self {
        for (call, theirs) in other.calls {
            let merged = match self.calls.get(&call) {
                None => theirs,
                Some(ours) => CallFacts {
                    stub: ours.stub && theirs.stub,
                    fake: ours.fake && theirs.fake,
                    joint: match (ours.joint, theirs.joint) {
                        (Some(Plan::Implement), _) | (_, Some(Plan::Implement)) => Some(Plan::Implement),
                        // Each was verified with its own; together neither was.
                        (Some(ours), Some(theirs)) => Some(ours).filter(|_| ours == theirs),
                        (one, other) => one.or(other),
                    },
                },
            };
            // A joint treatment that the other measurement does not accept holds no more.
            let joint = merged.joint.filter(|joint| match joint {
                Plan::Implement => true,
                Plan::Stub => merged.stub,
                Plan::Fake => merged.fake,
            });
            self.calls.insert(call, CallFacts { joint, ..merged });
        }
        if let Some(theirs) = other.fallbacks {
            let ours = self.fallbacks.get_or_insert_default();
            for ((item, treatment), uses) in theirs.alone {
                ours.insert(item, treatment, uses);
            }
            ours.together.extend(theirs.together);
        }
        self.features = both_details(self.features, other.features);
        self.files = both_details(self.files, other.files);
        self
    }
}

/// Of what only one measurement used, the other says nothing. If nobody looked in one of them, not all is known.
fn both_details<T: Ord>(
    ours: Option<BTreeMap<T, DetailFacts>>,
    theirs: Option<BTreeMap<T, DetailFacts>>,
) -> Option<BTreeMap<T, DetailFacts>> {
    let (mut ours, theirs) = ours.zip(theirs)?;
    for (item, theirs) in theirs {
        let merged = match ours.get(&item) {
            None => theirs,
            Some(ours) => DetailFacts {
                stub: ours.stub.zip(theirs.stub).map(|(ours, theirs)| ours && theirs),
                fake: ours.fake.zip(theirs.fake).map(|(ours, theirs)| ours && theirs),
                joint: [ours.joint, theirs.joint].contains(&Some(Plan::Implement)).then_some(Plan::Implement),
            },
        };
        ours.insert(item, merged);
    }
    Some(ours)
}

/// The calls of an app by what it needs of them, for fast comparison.
#[derive(Debug, Clone, Copy)]
pub(super) struct Needs {
    /// Have to be there.
    pub(super) required: CallSet,
    /// May be stubbed.
    pub(super) stub: CallSet,
    /// May be faked.
    pub(super) fake: CallSet,
}

impl Needs {
    pub(super) fn of(app: &AppFacts) -> Self {
        let set = |wanted: &dyn Fn(Need) -> bool| {
            app.calls.iter().filter(|(_, facts)| wanted(facts.need())).map(|(call, _)| *call).collect::<CallSet>()
        };
        Self {
            required: set(&Need::is_required),
            stub: set(&|need| need.accepts(Treatment::Stub)),
            fake: set(&|need| need.accepts(Treatment::Fake)),
        }
    }

    /// The calls that the app uses and can do without in some way.
    pub(super) fn avoidable(&self) -> CallSet {
        self.stub.union(self.fake)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(stub: bool, fake: bool, joint: Option<Plan>) -> CallFacts {
        CallFacts { stub, fake, joint }
    }

    #[test]
    fn a_joint_configuration_goes_before_single_verdicts() {
        assert_eq!(facts(false, false, None).need(), Need::Implement);
        assert_eq!(facts(true, true, Some(Plan::Implement)).need(), Need::Implement);
        let best = |need| match need {
            Need::Avoid { best, .. } => best,
            Need::Implement => panic!("has to be there"),
        };
        assert_eq!(best(facts(true, true, None).need()), Treatment::Stub);
        assert_eq!(best(facts(true, true, Some(Plan::Fake)).need()), Treatment::Fake);
        assert_eq!(best(facts(false, true, None).need()), Treatment::Fake);
        assert!(facts(true, true, Some(Plan::Fake)).need().accepts(Treatment::Stub), "if another app stands against the fake");
    }

    #[test]
    fn what_was_not_tried_has_to_be_there() {
        let untried = DetailFacts { stub: None, fake: None, joint: None };
        assert!(untried.untried() && untried.need().is_required());
        let faked = DetailFacts { stub: Some(false), fake: Some(true), joint: None };
        assert!(!faked.need().is_required());
        assert!(DetailFacts { joint: Some(Plan::Implement), ..faked }.need().is_required(), "not together with the others");
    }

    #[test]
    fn two_measurements_together_need_what_either_needs() {
        let call = |name: &str| name.parse::<Sysno>().unwrap();
        let app = |rows: &[(&str, CallFacts)]| AppFacts {
            name: "x".to_owned(),
            calls: rows.iter().map(|(name, facts)| (call(name), *facts)).collect(),
            ..AppFacts::default()
        };
        let one = app(&[
            ("read", facts(true, true, Some(Plan::Stub))),
            ("write", facts(true, true, Some(Plan::Stub))),
            ("open", facts(true, false, None)),
        ]);
        let other = app(&[
            ("read", facts(false, true, Some(Plan::Fake))),
            ("write", facts(true, true, Some(Plan::Implement))),
            ("close", facts(false, false, None)),
        ]);
        let both = one.both(other);
        assert!(both.need(call("read")).unwrap().accepts(Treatment::Fake));
        assert!(!both.need(call("read")).unwrap().accepts(Treatment::Stub));
        assert_eq!(both.need(call("write")), Some(Need::Implement));
        assert_eq!(both.need(call("close")), Some(Need::Implement));
        assert!(both.need(call("open")).unwrap().accepts(Treatment::Stub));
        assert_eq!(both.need(call("mmap")), None);
    }
}
