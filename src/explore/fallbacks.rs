//! Which items does an app use only while others are stubbed or faked? Pure.
//!
//! What no run without an intervention used is *new*. Where only what is treated is watched, new calls are noted all the same, with
//! what they carry, as they cost nothing while the app does not make them. So each run of an item alone says by which calls the app
//! makes up for it. New features and pseudo-files of calls that the app makes anyway are seen only where every call is watched: in the
//! runs of the joint configuration and of the other treatments. Each new use there comes with the treated items that were answered
//! shortly before, and these are run alone, with every call watched. So are, in a group, items that were not hit in those runs because
//! the treatment of another one kept the app from using them.
//!
//! A new use may be chance: a call that the app makes now and then. So it counts only if
//!
//! - no run without an intervention shows it; where there is something new, some of them are made in which it would be noted;
//! - every run of the item alone that could show it does, and two do; or one does, and a run with other treatments in which the item was
//!   answered shortly before. Where many items have the same new use, the first few of them are run again and speak for the others.
//!
//! New uses under the joint configuration that no item alone explains are kept as uses of everything together, if every run of the
//! configuration shows them, and two do.
//!
//! Decided here: verdicts that were taken over from another image keep their fallbacks. A campaign of guesses, which tries nothing
//! alone, finds uses of everything together only. Without watched runs (`--reasons none`, `--no-hits`), only new calls are found.

use std::collections::{BTreeMap, BTreeSet};

use super::fallback_table::FallbackTable;
use super::replicas::Runs;
use super::{Explorer, Report, Strategy};
use crate::trial::{Intervention, Item, NewUse, Outcome, Treatment, Watch};

/// Runs without an intervention in which new uses are noted, where an intervention leads to some.
const UNDISTURBED: usize = 2;

/// Of items with the same new use, so many are run again.
const SPEAKERS: usize = 3;

/// Sightings of a new use that other runs of the same item did not show for another item.
const UNSTEADY: usize = 3;

/// How often a group is halved that does not pass.
const HALVINGS: u32 = 2;

/// The number of groups that are watched because their items were not hit: one per treatment, and the halves of each.
pub(super) const GROUPS: usize = 2 * ((1 << (HALVINGS + 1)) - 1);

/// An item with its treatment.
type Single = (Item, Treatment);

/// New uses of one run.
type Uses = BTreeMap<Item, NewUse>;

/// Runs that are missing to tell which fallbacks there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MissingRuns {
    pub(super) watch: Watch,
    pub(super) intervention: Intervention,
    pub(super) runs: u32,
}

/// The answer to the wish for more runs of an intervention.
enum More {
    /// They can be had.
    Missing(u32),
    /// They were asked for, or will be for another reason.
    Awaited,
    /// The intervention does not pass while it is watched.
    Never,
}

/// How many runs of an intervention show a new use, and how many of those that could show it do not.
#[derive(Debug, Clone, Copy, Default)]
struct Votes {
    shown: usize,
    not_shown: usize,
}

/// A configuration of several items that passed, and the new uses that all of its runs show.
struct Group {
    intervention: Intervention,
    watch: Watch,
    hit: BTreeSet<Item>,
    new: Uses,
}

impl Group {
    /// Whether the item was answered shortly before the new use.
    fn leads_to(&self, (item, treatment): Single, used: Item) -> bool {
        let treats = self.intervention.get(item) == Some(treatment);
        treats && self.new.get(&used).is_some_and(|new| new.after.contains(&item))
    }

    /// Whether the item was answered, every call was watched, and the new use does not show.
    fn contradicts(&self, (item, treatment): Single, used: Item) -> bool {
        let answered = self.intervention.get(item) == Some(treatment) && self.hit.contains(&item);
        self.watch == Watch::Everything && answered && !self.new.contains_key(&used)
    }
}

/// What the runs of a campaign say about new uses.
struct Evidence<'a> {
    explorer: &'a Explorer,
    /// New uses in runs without an intervention.
    usual: BTreeSet<Item>,
    groups: Vec<Group>,
    /// The items that work alone, and of which some run noted new uses; with the uses that any of them shows.
    alone: BTreeMap<Single, BTreeSet<Item>>,
    /// Interventions that will be watched in any case.
    awaited: &'a [Intervention],
    missing: Vec<MissingRuns>,
}

impl Explorer {
    /// The fallbacks, as soon as enough runs tell; until then the runs that are missing. `awaited` are about to be watched in any case.
    pub(super) fn fallbacks(&self, awaited: &[Intervention]) -> Result<FallbackTable, Vec<MissingRuns>> {
        let none = Intervention::none();
        let undisturbed = [Watch::Everything, Watch::Treated].map(|watch| self.ledger.runs(watch, &none).reports());
        let noted = undisturbed.into_iter().flatten().filter_map(|report| report.new_uses.as_ref());
        let usual = noted.flat_map(BTreeMap::keys).copied().collect();
        let mut evidence =
            Evidence { explorer: self, usual, groups: Vec::new(), alone: BTreeMap::new(), awaited, missing: Vec::new() };
        evidence.collect();
        evidence.ask_for_undisturbed();
        let mut table = evidence.taken_over();
        evidence.confirm(&mut table);
        if self.settings.strategy == Strategy::Exhaustive {
            evidence.ask_for_leads(&table);
            evidence.ask_for_unseen();
        }
        if evidence.missing.is_empty() && awaited.is_empty() {
            evidence.together(&mut table);
        }
        if evidence.missing.is_empty() && awaited.is_empty() { Ok(table) } else { Err(evidence.missing) }
    }

    /// The watch of runs that are made to find out about fallbacks.
    fn looks_with(&self) -> Watch {
        if self.settings.watches_treatments() { Watch::Everything } else { self.treated() }
    }

    /// The whole configuration that was verified.
    fn whole(&self) -> Intervention {
        let found = self.everything.as_ref().or(self.joint.as_ref());
        found.map(|found| found.configuration.clone()).unwrap_or_default()
    }

    /// Items that every trace uses, that the joint configuration does not avoid, and that it was not seen to use in any watched run; `None`
    /// if there was no such run. A feature of a call that is not made is left out.
    pub(super) fn not_made(&self) -> Option<BTreeSet<Item>> {
        let whole = self.whole();
        let passes = |report: &&Report| matches!(report.outcome, Outcome::Pass);
        let mut watched = self.ledger.runs(Watch::Everything, &whole).reports().filter(passes).peekable();
        if whole.is_empty() || watched.peek().is_none() {
            let before = self.knowledge.before.as_ref()?.not_made.as_ref()?;
            let still = |item: &&Item| self.used.contains(item) && whole.get(**item).is_none();
            return Some(before.iter().filter(still).copied().collect());
        }
        let seen: BTreeSet<Item> = watched.flat_map(|report| &report.seen).copied().collect();
        let traces: Vec<_> = self.ledger.runs(Watch::Everything, &Intervention::none()).reports().filter(passes).collect();
        let is_steady = |item: &Item| traces.iter().all(|trace| trace.seen.contains(item));
        let is_made = |item: &Item| match item {
            Item::Feature(feature) => seen.contains(&Item::Call(feature.call())) && whole.get(feature.call()).is_none(),
            Item::Call(_) | Item::File(_) => true,
        };
        let not_made = |item: &&Item| whole.get(**item).is_none() && !seen.contains(item) && is_steady(item) && is_made(item);
        Some(self.used.iter().filter(not_made).copied().collect())
    }
}

impl Evidence<'_> {
    /// New uses of each run under the watch that passed and noted them, without those that undisturbed runs have as well.
    fn noted(&self, watch: Watch, intervention: &Intervention) -> Vec<Uses> {
        let passed = |report: &&Report| matches!(report.outcome, Outcome::Pass);
        let noted = self.explorer.ledger.runs(watch, intervention).reports().filter(passed);
        let noted = noted.filter_map(|report| report.new_uses.clone());
        noted.map(|uses| uses.into_iter().filter(|(item, _)| !self.usual.contains(item)).collect()).collect()
    }

    /// Reads the ledger.
    fn collect(&mut self) {
        let explorer = self.explorer;
        for watch in [Watch::Everything, explorer.treated()] {
            for intervention in explorer.ledger.passed(watch).filter(|intervention| intervention.len() > 1) {
                let mut runs = self.noted(watch, intervention).into_iter();
                let Some(mut new) = runs.next() else { continue };
                runs.for_each(|other| new.retain(|item, _| other.contains_key(item)));
                let reports = explorer.ledger.runs(watch, intervention).reports();
                let hit = reports.flat_map(|report| report.seen.iter().copied()).collect();
                self.groups.push(Group { intervention: intervention.clone(), watch, hit, new });
            }
        }
        if explorer.settings.strategy == Strategy::Joint {
            return;
        }
        for (&(item, treatment), _) in explorer.singles.iter().filter(|(_, result)| result.works()) {
            let runs = self.runs_alone((item, treatment));
            if !runs.is_empty() {
                let used = runs.into_iter().flat_map(|(_, uses)| uses.into_keys()).collect();
                self.alone.insert((item, treatment), used);
            }
        }
    }

    /// The runs of an item alone that noted new uses, with their watch.
    fn runs_alone(&self, (item, treatment): Single) -> Vec<(Watch, Uses)> {
        self.runs_of(&Intervention::single(item, treatment))
    }

    fn runs_of(&self, intervention: &Intervention) -> Vec<(Watch, Uses)> {
        let watches = [Watch::Everything, self.explorer.treated()];
        watches.into_iter().flat_map(|watch| self.noted(watch, intervention).into_iter().map(move |uses| (watch, uses))).collect()
    }

    /// What these runs say of a new use.
    fn votes(runs: &[(Watch, Uses)], used: Item) -> Votes {
        let mut votes = Votes::default();
        for (watch, uses) in runs {
            let could_show = *watch == Watch::Everything
                || match used {
                    Item::Call(_) => true,
                    Item::Feature(feature) => uses.contains_key(&Item::Call(feature.call())),
                    Item::File(_) => false,
                };
            if uses.contains_key(&used) {
                votes.shown += 1;
            } else if could_show {
                votes.not_shown += 1;
            }
        }
        votes
    }

    /// Whether more runs of the intervention can be had.
    fn more(&self, watch: Watch, intervention: &Intervention, wanted: usize) -> More {
        let settings = &self.explorer.settings;
        let runs: &Runs = self.explorer.ledger.runs(watch, intervention);
        let all = super::count(runs.reports().count());
        let most = settings.single_runs_limit + settings.inconclusive_limit + super::count(wanted);
        let fails = match watch {
            Watch::Everything => runs.fails() > 0,
            // The next run would not note anything.
            Watch::Treated | Watch::Nothing => runs.reports().any(Report::was_costly),
        };
        if runs.pending() || self.awaited.contains(intervention) {
            More::Awaited
        } else if fails || all >= most {
            More::Never
        } else {
            More::Missing(super::count(wanted.saturating_sub(self.noted(watch, intervention).len())).max(1))
        }
    }

    /// Asks for one more run of the intervention; `false` if there can be none.
    fn ask(&mut self, intervention: &Intervention) -> bool {
        let watch = self.explorer.looks_with();
        let wanted = self.noted(watch, intervention).len() + 1;
        self.ask_with(watch, intervention, wanted)
    }

    fn ask_with(&mut self, watch: Watch, intervention: &Intervention, wanted: usize) -> bool {
        match self.more(watch, intervention, wanted) {
            More::Missing(runs) => {
                let missing = MissingRuns { watch, intervention: intervention.clone(), runs };
                if !self.missing.contains(&missing) {
                    self.missing.push(missing);
                }
                true
            }
            More::Awaited => true,
            More::Never => false,
        }
    }

    /// Asks for runs without an intervention that note new uses, if there is any that they may show as well.
    fn ask_for_undisturbed(&mut self) {
        let in_groups = self.groups.iter().any(|group| !group.new.is_empty());
        let alone = self.alone.values().any(|used| !used.is_empty());
        let noted = self.explorer.ledger.runs(Watch::Treated, &Intervention::none()).reports();
        let noted = noted.filter(|report| report.new_uses.is_some()).count();
        if (in_groups || alone) && noted < UNDISTURBED {
            self.ask_with(Watch::Treated, &Intervention::none(), UNDISTURBED);
        }
    }

    /// Fallbacks of verdicts that were taken over from another image.
    fn taken_over(&self) -> FallbackTable {
        let mut table = FallbackTable::default();
        let before = self.explorer.knowledge.before.as_ref().and_then(|before| before.fallbacks.as_ref());
        for &(item, treatment) in self.explorer.taken_over.keys() {
            let uses = before.into_iter().flat_map(|before| before.of(item, treatment));
            table.insert(item, treatment, uses.filter(|used| self.is_new(*used)));
        }
        table
    }

    /// Whether no run without an intervention uses the item.
    fn is_new(&self, item: Item) -> bool {
        !self.explorer.used.contains(&item) && !self.usual.contains(&item)
    }

    /// Fills the table with the new uses of items alone, and asks for runs where one is not sure yet.
    fn confirm(&mut self, table: &mut FallbackTable) {
        let alone = std::mem::take(&mut self.alone);
        let mut claimants = BTreeMap::<Item, Vec<(Single, Votes)>>::new();
        for (&single, uses) in &alone {
            let runs = self.runs_alone(single);
            for &used in uses {
                claimants.entry(used).or_default().push((single, Self::votes(&runs, used)));
            }
        }
        self.alone = alone;
        for (used, claimants) in claimants {
            let is_unsteady = claimants.iter().any(|(_, votes)| votes.not_shown > 0);
            let wanted = if is_unsteady { UNSTEADY } else { 2 };
            let mut speakers = 0;
            for ((item, treatment), votes) in claimants {
                let corroborated = self.groups.iter().any(|group| group.leads_to((item, treatment), used));
                speakers += usize::from(!corroborated);
                if votes.not_shown > 0 {
                    continue;
                }
                let waits = match corroborated || votes.shown >= wanted {
                    true => false,
                    false if speakers > SPEAKERS => is_unsteady,
                    // A run that is about to be made may show it as well.
                    false if self.awaited.iter().any(|awaited| awaited.get(item) == Some(treatment)) => true,
                    false => self.ask(&Intervention::single(item, treatment)),
                };
                if !waits {
                    table.insert(item, treatment, [used]);
                }
            }
        }
    }

    /// Asks for runs of the items alone that were answered shortly before a new use in a group, as far as it is not explained yet.
    fn ask_for_leads(&mut self, table: &FallbackTable) {
        let mut asked = BTreeSet::new();
        let whole = self.explorer.whole();
        // Groups on the way to the whole configuration are not worth further runs.
        let is_asked_about = |group: &&Group| group.watch == Watch::Everything || group.intervention == whole;
        for group in self.groups.iter().filter(is_asked_about) {
            let explained = table.of_each(&group.intervention);
            for (&used, new) in group.new.iter().filter(|(used, _)| !explained.contains(used)) {
                let treated = |item: &Item| Some((*item, group.intervention.get(*item)?));
                let mut leads: Vec<Single> = new.after.iter().filter_map(treated).collect();
                // Those last that were answered in a run that does not show it.
                leads.sort_by_key(|single| self.groups.iter().any(|other| other.contradicts(*single, used)));
                for (item, treatment) in leads {
                    let votes = Self::votes(&self.runs_alone((item, treatment)), used);
                    let intervention = Intervention::single(item, treatment);
                    let wanted = self.noted(self.explorer.looks_with(), &intervention).len() + 1;
                    // One that showed it is in the table, or about to be run again.
                    if votes.not_shown > 0 || matches!(self.more(self.explorer.looks_with(), &intervention, wanted), More::Never)
                    {
                        continue;
                    }
                    asked.insert(intervention);
                    break;
                }
            }
        }
        for intervention in asked {
            self.ask(&intervention);
        }
    }

    /// Asks for runs of the items that were not hit in any watched run of the whole configuration, in as few groups as pass.
    fn ask_for_unseen(&mut self) {
        let explorer = self.explorer;
        let whole = explorer.whole();
        if explorer.looks_with() != Watch::Everything || explorer.knowledge.before.is_some() || !self.awaited.is_empty() {
            return;
        }
        let is_of_whole = |group: &&Group| {
            let intervention = &group.intervention;
            let same = intervention.len() == whole.len() && intervention.iter().all(|(item, _)| whole.get(item).is_some());
            group.watch == Watch::Everything && same
        };
        let of_whole: Vec<_> = self.groups.iter().filter(is_of_whole).collect();
        let was_hit = |item: Item, treatment: Treatment| {
            of_whole.iter().any(|group| group.intervention.get(item) == Some(treatment) && group.hit.contains(&item))
        };
        let works = explorer.singles.iter().filter(|(_, result)| result.works()).map(|(single, _)| *single);
        let unseen: Vec<Single> = works.filter(|(item, treatment)| !was_hit(*item, *treatment)).collect();
        let is_first = |single: &Single| unseen.iter().find(|other| other.0 == single.0) == Some(single);
        let (first, second): (Vec<_>, Vec<_>) = unseen.iter().copied().partition(|single| is_first(single));
        for group in [first, second] {
            self.ask_for_group(group, HALVINGS);
        }
    }

    fn ask_for_group(&mut self, mut group: Vec<Single>, halvings: u32) {
        let intervention: Intervention = group.iter().copied().collect();
        let is_known = !self.noted(Watch::Everything, &intervention).is_empty();
        if group.is_empty() || is_known || self.ask(&intervention) || halvings == 0 || group.len() == 1 {
            return;
        }
        let right = group.split_off(group.len() / 2);
        self.ask_for_group(group, halvings - 1);
        self.ask_for_group(right, halvings - 1);
    }

    /// Adds what only the whole configuration leads to, and asks for runs of it where that is not sure yet.
    fn together(&mut self, table: &mut FallbackTable) {
        let whole = self.explorer.whole();
        let explained = table.of_each(&whole);
        let runs = self.runs_of(&whole);
        let before = self.explorer.knowledge.before.as_ref().and_then(|before| before.fallbacks.as_ref());
        let carried: BTreeSet<Item> = before.iter().flat_map(|before| &before.together).copied().collect();
        let shown = runs.iter().flat_map(|(_, uses)| uses.keys().copied());
        let candidates: BTreeSet<Item> = shown.chain(carried.iter().copied()).collect();
        for used in candidates {
            if !self.is_new(used) || explained.contains(&used) {
                continue;
            }
            let votes = Self::votes(&runs, used);
            let is_sure = votes.shown >= 2 || carried.contains(&used);
            if votes.not_shown == 0 && (is_sure || !self.ask(&whole)) {
                table.together.insert(used);
            }
        }
    }
}

#[cfg(test)]
mod tests;
