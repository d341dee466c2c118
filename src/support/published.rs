//! Plans by the rules of published ones, so that these can be held against each other cell by cell. Pure; for tests.
//!
//! The published plans (slides of FOSDEM 2023 on the state of 2022-05-16, supplement of the ASPLOS 2024 paper on the state of
//! 2023-08-14) follow rules of their own, all of which differ from those of [`plan`](super::plan()) on purpose:
//!
//! - an app that needs nothing new joins the *next* step that is printed, and not the one after which it runs;
//! - what the apps of step 0 need stubbed or faked is neither listed nor remembered;
//! - stubs and fakes are remembered apart, and apps that contradict each other go unnoticed ([`Reading::older`] leaves a fake out
//!   where the call was stubbed before, which hides some of them);
//! - the columns of calls that accept only one treatment were read the wrong way round ([`Reading::swapped`]);
//! - apps of which nothing was known counted as supported from the beginning; here they have to be asked for by giving facts
//!   without any call.

use super::facts::{AppFacts, Needs};
use super::fallbacks::Fallbacks;
use super::frontier::Frontier;
use super::objective::{Costs, Weights};
use super::profile::Profile;
use super::set::CallSet;
use crate::syscalls::Sysno;

/// How the verdicts are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reading {
    /// Whether calls that accept only a stub are taken to accept only a fake, and the other way round.
    pub swapped: bool,
    /// The rule of the slides: a call that was stubbed is not listed as faked.
    pub older: bool,
}

/// A row of a published plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Row {
    /// The calls to implement, in name order, as in the other columns.
    pub implement: Vec<Sysno>,
    /// The calls to stub.
    pub stub: Vec<Sysno>,
    /// The calls to fake.
    pub fake: Vec<Sysno>,
    /// The apps, in the order in which they were chosen.
    pub apps: Vec<String>,
}

/// The plan for `apps`, whose order decides ties, as it would have been published. The first row is step 0.
#[must_use]
pub fn rows(os: &Profile, apps: &[AppFacts], reading: Reading) -> Vec<Row> {
    let needs: Vec<_> = apps.iter().map(|app| read(&Needs::of(app), reading)).collect();
    let mut frontier =
        Frontier::new(needs, vec![Fallbacks::default(); apps.len()], os.calls(), Costs::new(&Weights::default()), false);
    let mut rows = vec![Row::default()];
    let (mut stubbed, mut faked) = (CallSet::EMPTY, CallSet::EMPTY);
    let mut waiting = Vec::new();
    while let Some((app, cost)) = frontier.cheapest(&CallSet::all()) {
        let name = apps[app].name.clone();
        let needs = *frontier.needs(app);
        let missing = frontier.take(app);
        if rows.len() == 1 && cost == 0 {
            rows[0].apps.push(name);
            continue;
        }
        let stub = needs.stub.without(frontier.have).without(stubbed);
        let fake = needs.fake.without(needs.stub).without(frontier.have).without(faked);
        stubbed = stubbed.union(stub);
        let fake = if reading.older { fake.without(stubbed) } else { fake };
        faked = faked.union(fake);
        waiting.push(name);
        if !(missing.is_empty() && stub.is_empty() && fake.is_empty()) {
            let calls = |set: CallSet| set.iter().collect();
            let apps = std::mem::take(&mut waiting);
            rows.push(Row { implement: calls(missing), stub: calls(stub), fake: calls(fake), apps });
        }
    }
    if !waiting.is_empty() {
        rows.push(Row { apps: waiting, ..Row::default() });
    }
    rows
}

fn read(needs: &Needs, reading: Reading) -> Needs {
    if reading.swapped { Needs { required: needs.required, stub: needs.fake, fake: needs.stub } } else { *needs }
}
