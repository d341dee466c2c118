//! Which calls have to be there for an app to run that fails under an intervention. Pure, and without memory: it asks for one run
//! after the other by going through the evidence from the beginning each time.
//!
//! The smallest set is looked for by halving (as `QuickXplain` does, U. Junker, AAAI 2004), which takes a number of runs in the order of
//! the size of the answer times the logarithm of the number of candidates.

use std::collections::BTreeMap;

use super::super::check::Absent;
use super::{Evidence, calls};
use crate::syscalls::Sysno;
use crate::trial::{Intervention, Item, Treatment};

/// What a diagnosis comes to.
pub(super) enum Diagnosis {
    /// It needs this run.
    Run(Intervention),
    /// These calls are what is lacking: to be implemented (`None`), or treated otherwise.
    Found(BTreeMap<Sysno, Option<Treatment>>),
    /// Nothing that could be implemented makes the app run.
    Nothing(String),
    /// A run said nothing, so nothing follows.
    Inconclusive(String),
}

/// Why the search stops for now.
enum Pause {
    Run(Intervention),
    Inconclusive(String),
}

/// Looks for what an app lacks that failed under `intervention`. `known` tells what was seen under others.
pub(super) fn diagnose<'e>(intervention: &Intervention, known: impl Fn(&Intervention) -> Option<&'e Evidence>) -> Diagnosis {
    let search = Search { intervention, known };
    match search.lacking() {
        Ok(Some(lacking)) => Diagnosis::Found(lacking),
        Ok(None) => Diagnosis::Nothing("it fails even with every missing call implemented that it made".to_owned()),
        Err(Pause::Run(candidate)) => Diagnosis::Run(candidate),
        Err(Pause::Inconclusive(reason)) => Diagnosis::Inconclusive(reason),
    }
}

struct Search<'i, K> {
    intervention: &'i Intervention,
    known: K,
}

impl<'e, K: Fn(&Intervention) -> Option<&'e Evidence>> Search<'_, K> {
    /// The intervention without these calls.
    fn with(&self, implemented: &[Sysno]) -> Intervention {
        let rest = self.intervention.iter().filter(|(item, _)| item.call().is_none_or(|call| !implemented.contains(&call)));
        rest.collect()
    }

    /// Whether the app runs under a candidate, with the missing calls that it made.
    fn try_out(&self, candidate: Intervention) -> Result<(bool, &'e [Absent]), Pause> {
        match (self.known)(&candidate) {
            None => Err(Pause::Run(candidate)),
            Some(Evidence::Passed { absent, .. }) => Ok((true, absent)),
            Some(Evidence::Failed { absent, .. }) => Ok((false, absent)),
            Some(Evidence::Inconclusive { reason }) => Err(Pause::Inconclusive(reason.clone())),
        }
    }

    fn runs_with(&self, implemented: &[Sysno]) -> Result<bool, Pause> {
        self.try_out(self.with(implemented)).map(|(runs, _)| runs)
    }

    fn lacking(&self) -> Result<Option<BTreeMap<Sysno, Option<Treatment>>>, Pause> {
        let Some(enough) = self.enough()? else { return Ok(None) };
        let minimal = self.minimal(&[], &enough, false)?;
        let mut lacking = BTreeMap::new();
        for call in &minimal {
            lacking.insert(*call, self.other_treatment(*call, &minimal)?);
        }
        Ok(Some(lacking))
    }

    /// Calls with which the app runs: those that its results do not allow to be missing, and if these are not enough, all that it
    /// makes, as implementing some brings others to light.
    fn enough(&self) -> Result<Option<Vec<Sysno>>, Pause> {
        let mut implemented: Vec<Sysno> = Vec::new();
        let mut all = false;
        loop {
            let (runs, absent) = self.try_out(self.with(&implemented))?;
            if runs {
                return Ok(Some(implemented));
            }
            let more: Vec<_> = {
                let wanted = |absent: &&Absent| all || !absent.is_allowed();
                let wanted: Vec<_> = absent.iter().filter(wanted).cloned().collect();
                calls(&wanted).into_iter().filter(|call| !implemented.contains(call)).collect()
            };
            match (more.is_empty(), all) {
                (true, true) => return Ok(None),
                (true, false) => all = true,
                (false, _) => implemented.extend(more),
            }
        }
    }

    /// The smallest part of `candidates` with which, and with `given`, the app runs. It is known to run with all of them; `changed` says
    /// that `given` has grown since it was known not to run with it alone.
    fn minimal(&self, given: &[Sysno], candidates: &[Sysno], changed: bool) -> Result<Vec<Sysno>, Pause> {
        if changed && self.runs_with(given)? {
            return Ok(Vec::new());
        }
        if candidates.len() <= 1 {
            return Ok(candidates.to_vec());
        }
        let (left, right) = candidates.split_at(candidates.len() / 2);
        let of_right = self.minimal(&[given, left].concat(), right, true)?;
        let mut of_both = self.minimal(&[given, &of_right].concat(), left, !of_right.is_empty())?;
        of_both.extend(of_right);
        Ok(of_both)
    }

    /// Whether the other treatment of `call` does as well as implementing it, together with the rest of what is lacking.
    fn other_treatment(&self, call: Sysno, lacking: &[Sysno]) -> Result<Option<Treatment>, Pause> {
        let Some(before) = self.intervention.get(Item::Call(call)) else { return Ok(None) };
        let candidate = self.with(lacking).with(call, before.other());
        let (runs, absent) = self.try_out(candidate)?;
        // A pass in which the call was not made proves nothing about it.
        let made = absent.iter().any(|absent| absent.call == call);
        Ok((runs && made).then_some(before.other()))
    }
}
