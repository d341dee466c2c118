//! Argument features and pseudo-files in plans: calls that are there in part, and what is missing of them. Pure.
//!
//! A call that a step implements is there from then on with the features that the apps of the step need, if all of them tell. An
//! app that comes later may need more of it, and then its step extends the call. Extending costs nothing in the choice of the next
//! app: plans count calls.

use std::collections::{BTreeMap, BTreeSet};

use super::{Extension, FeatureNeeds, Step};
use crate::support::facts::{AppFacts, Need};
use crate::support::profile::Profile;
use crate::support::set::CallSet;
use crate::syscalls::Sysno;
use crate::syscalls::features::{self, Feature};
use crate::syscalls::paths::PseudoFile;
use crate::trial::Treatment;

/// What is there of calls that are not there in full, and which pseudo-files are.
#[derive(Debug)]
pub(super) struct Details<'a> {
    os: &'a Profile,
    /// The features that are there, of each call that is there in part.
    partial: BTreeMap<Sysno, BTreeSet<Feature>>,
    /// The pseudo-files that some step has listed.
    listed: BTreeSet<PseudoFile>,
}

impl<'a> Details<'a> {
    pub(super) fn new(os: &'a Profile) -> Self {
        Self { os, partial: os.partial.clone(), listed: BTreeSet::new() }
    }

    /// What has to be added to calls that are there in part before the app runs.
    pub(super) fn extensions(&self, app: &AppFacts) -> Vec<Extension> {
        let needed = self.partial.iter().filter(|(call, _)| app.need(**call).is_some_and(Need::is_required));
        let extension = |(call, there): (&Sysno, &BTreeSet<Feature>)| match app.features_of(*call) {
            None => Some(Extension { call: *call, features: None }),
            Some((required, _)) => {
                let missing: Vec<_> = required.into_iter().filter(|feature| !there.contains(feature)).collect();
                (!missing.is_empty()).then_some(Extension { call: *call, features: Some(missing) })
            }
        };
        needed.filter_map(extension).collect()
    }

    /// The pseudo-files that the app needs and that are neither in the profile nor listed by a step.
    fn new_files(&self, app: &AppFacts) -> Vec<PseudoFile> {
        let there = |file: &PseudoFile| self.os.files.as_ref().is_some_and(|files| files.contains(file));
        app.required_files().filter(|file| !there(file) && !self.listed.contains(file)).collect()
    }

    /// Whether the app needs no extension, and no pseudo-file that the OS is known to lack.
    pub(super) fn adds_nothing(&self, app: &AppFacts) -> bool {
        self.extensions(app).is_empty() && (self.os.files.is_none() || self.new_files(app).is_empty())
    }

    /// Adds to `step` the pseudo-files that the app uses in place of the calls `avoided`.
    pub(super) fn take_fallbacks(&mut self, app: &AppFacts, avoided: CallSet, step: &mut Step) {
        for call in avoided.iter() {
            let treatments =
                Treatment::ALL.into_iter().filter(|treatment| app.need(call).is_some_and(|need| need.accepts(*treatment)));
            for file in treatments.flat_map(|treatment| app.files_in_place_of(call, treatment)) {
                let there = self.os.files.as_ref().is_some_and(|files| files.contains(&file));
                if !there && self.listed.insert(file) {
                    step.files.push(file);
                }
            }
        }
        step.files.sort_unstable();
    }

    /// Adds to `step` what the app needs beside the calls `implemented` for it.
    pub(super) fn take(&mut self, app: &AppFacts, implemented: CallSet, step: &mut Step) {
        for extension in self.extensions(app) {
            match &extension.features {
                // Nobody knows how much of the call is needed, so from now on it is there in full.
                None => drop(self.partial.remove(&extension.call)),
                Some(features) => self.partial.entry(extension.call).or_default().extend(features),
            }
            step.extend.push(extension);
        }
        for call in implemented.iter() {
            let known = app.features_of(call).filter(|_| features::dimensions(call).next().is_some());
            if let Some((required, others)) = known {
                self.partial.insert(call, required.iter().copied().collect());
                step.only.insert(call, FeatureNeeds { required, others });
            }
        }
        for file in self.new_files(app) {
            self.listed.insert(file);
            step.files.push(file);
        }
        step.files.sort_unstable();
    }
}
