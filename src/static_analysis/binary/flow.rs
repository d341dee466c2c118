//! What registers and stack may hold wherever a function makes a system call or calls another: a data-flow analysis of one
//! function. Pure.
//!
//! It begins at an entry with the function's parameters as unknowns with names, follows every jump, and joins what is known where
//! ways meet, until nothing changes. Jumps into another part of the same function (compilers move rare code away) are followed;
//! jumps to another function are calls that do not come back here. Code that no known way leads to is analysed with nothing known.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Range;

use super::code::{Flow, Step};
use super::machine::{self, Machine};
use super::returns::Returns;
use super::scan::Scanned;
use super::state::State;
use super::value::Value;

/// Instructions carried out before a function is given up as too complex. The longest functions seen have some 20,000 and are gone
/// through a few times.
const EFFORT_LIMIT: usize = 400_000;

/// A function from one of its entries.
pub(super) struct Flowing<'a> {
    scanned: &'a Scanned,
    entry: u64,
    steps: HashMap<u64, Step>,
    /// Where ways meet or begin, with what is known there.
    known: BTreeMap<u64, State>,
    /// Calls that don't come back.
    final_calls: HashSet<u64>,
}

impl<'a> Flowing<'a> {
    /// Analyses the function from `entry` on. `None` if that takes too long.
    pub(super) fn new(scanned: &'a Scanned, entry: u64) -> Option<Self> {
        let mut flowing = Self { scanned, entry, steps: HashMap::new(), known: BTreeMap::new(), final_calls: HashSet::new() };
        let mut returns = Returns::new(scanned);
        let mut leaders = BTreeSet::from([entry]);
        flowing.explore(entry, &mut leaders, &mut returns);
        let owned = flowing.own_range();
        let opaque = flowing.facts().is_some_and(|facts| facts.opaque);
        // What is left of the function is reached in some way that is not understood.
        let mut unreached = BTreeSet::new();
        let mut at = owned.start;
        while at < owned.end {
            if let Some(step) = flowing.steps.get(&at) {
                at = step.next;
                continue;
            }
            match machine::steps(&scanned.object, at).next() {
                Some((_, step)) if !matches!(step.flow, Flow::Idle | Flow::Invalid) => {
                    leaders.insert(at);
                    unreached.insert(at);
                    flowing.explore(at, &mut leaders, &mut returns);
                    at = step.next;
                }
                Some((_, step)) => at = step.next,
                None => break,
            }
        }
        let mut work: BTreeSet<u64> = BTreeSet::new();
        let convention = machine::convention(scanned.object.architecture);
        flowing.known.insert(entry, State::entry(convention));
        work.insert(entry);
        let blind = if opaque { leaders.clone() } else { unreached };
        for leader in blind {
            flowing.meet(leader, &State::nothing(convention, leader), &mut work);
        }
        let mut effort = 0;
        let mut machine = Machine::new(&scanned.object);
        while let Some(leader) = work.pop_first() {
            let mut state = flowing.known[&leader].clone();
            let mut at = leader;
            loop {
                effort += 1;
                if effort > EFFORT_LIMIT {
                    return None;
                }
                let Some(step) = flowing.steps.get(&at).copied() else { break };
                flowing.carry_out(&mut machine, at, &step, &mut state);
                if let Flow::BranchIf { equal: true, target } = step.flow {
                    let mut there = state.clone();
                    there.found_equal();
                    if flowing.is_part(target) {
                        flowing.meet(target, &there, &mut work);
                    }
                } else {
                    for target in flowing.jumps(&step) {
                        flowing.meet(target, &state, &mut work);
                    }
                }
                if matches!(step.flow, Flow::BranchIf { equal: false, .. }) {
                    state.found_equal();
                }
                if !flowing.comes_next(at, &step) {
                    break;
                }
                at = step.next;
                if leaders.contains(&at) {
                    flowing.meet(at, &state, &mut work);
                    break;
                }
            }
        }
        Some(flowing)
    }

    /// Shows every system call, call and jump with what is known right before it.
    pub(super) fn observe(&self, mut observe: impl FnMut(u64, &Step, &State)) {
        let mut machine = Machine::new(&self.scanned.object);
        for (leader, known) in &self.known {
            let mut state = known.clone();
            let mut at = *leader;
            while let Some(step) = self.steps.get(&at) {
                if !matches!(step.flow, Flow::Next | Flow::Idle) {
                    observe(at, step, &state);
                }
                self.carry_out(&mut machine, at, step, &mut state);
                if matches!(step.flow, Flow::BranchIf { equal: false, .. }) {
                    state.found_equal();
                }
                if !self.comes_next(at, step) || self.known.contains_key(&step.next) {
                    break;
                }
                at = step.next;
            }
        }
    }

    /// The part of the code that this analysis answers for.
    fn own_range(&self) -> Range<u64> {
        let object = &self.scanned.object;
        object.function_at(self.entry).map_or(0..0, |index| object.functions[index].range.clone())
    }

    fn facts(&self) -> Option<&'a super::scan::Facts> {
        self.scanned.object.function_at(self.entry).map(|index| &self.scanned.facts[index])
    }

    /// Goes along every way from `begin`, and notes where ways meet.
    fn explore(&mut self, begin: u64, leaders: &mut BTreeSet<u64>, returns: &mut Returns<'_>) {
        let scanned = self.scanned;
        let mut begins = vec![begin];
        while let Some(begin) = begins.pop() {
            if self.steps.contains_key(&begin) {
                continue;
            }
            for (address, step) in machine::steps(&scanned.object, begin) {
                if self.steps.contains_key(&address) {
                    // Another way comes along here.
                    leaders.insert(address);
                    break;
                }
                if self.steps.len() > EFFORT_LIMIT {
                    return;
                }
                self.steps.insert(address, step);
                if let Flow::Call(target) = step.flow
                    && !returns.may_return(target)
                    && !self.begins_anew(step.next)
                {
                    self.final_calls.insert(address);
                }
                for target in self.jumps(&step) {
                    leaders.insert(target);
                    begins.push(target);
                }
                if !self.comes_next(address, &step) {
                    break;
                }
            }
        }
    }

    /// Whether the next instruction may be carried out after this one, for this analysis.
    fn comes_next(&self, address: u64, step: &Step) -> bool {
        if !step.flow.goes_on() || self.final_calls.contains(&address) {
            return false;
        }
        // A call at the very end of a function does not come back.
        !(step.flow.is_call() && self.begins_function(step.next))
    }

    /// Whether the function jumps to its entry from there. Go's functions do that after they got a larger stack, by the call of one
    /// that seems to have no end.
    fn begins_anew(&self, address: u64) -> bool {
        /// Parameters are taken back into registers before.
        const STEPS: usize = 16;
        let object = &self.scanned.object;
        let mut steps = machine::steps(object, address).take(STEPS).map(|(_, step)| step.flow);
        object.go && steps.find(|flow| !matches!(flow, Flow::Next | Flow::Idle)) == Some(Flow::Jump(self.entry))
    }

    fn begins_function(&self, address: u64) -> bool {
        let object = &self.scanned.object;
        object.function_at(address).is_none_or(|index| object.functions[index].range.start == address)
    }

    /// Where a jump leads within the function, moved parts included.
    fn jumps(&self, step: &Step) -> Vec<u64> {
        match step.flow {
            Flow::Jump(target) | Flow::Branch(target) | Flow::BranchIf { target, .. } if self.is_part(target) => vec![target],
            Flow::JumpSomewhere { .. } => self
                .scanned
                .object
                .function_at(step.next.saturating_sub(1))
                .map_or_else(Vec::new, |index| self.scanned.facts[index].tables.clone()),
            _ => Vec::new(),
        }
    }

    /// Whether a jump there stays in the function: it is no place that others enter, unless it is in the function itself.
    fn is_part(&self, target: u64) -> bool {
        let within = self.own_range().contains(&target);
        self.scanned.object.is_code(target) && (within || !self.scanned.entered.contains(&target))
    }

    fn meet(&mut self, leader: u64, state: &State, work: &mut BTreeSet<u64>) {
        let changed = if let Some(known) = self.known.get_mut(&leader) {
            known.join(state, leader)
        } else {
            self.known.insert(leader, state.clone());
            true
        };
        if changed {
            work.insert(leader);
        }
    }

    fn carry_out(&self, machine: &mut Machine<'_>, address: u64, step: &Step, state: &mut State) {
        let object = &self.scanned.object;
        match step.flow {
            Flow::Call(_) | Flow::CallThrough(_) | Flow::CallSomewhere => {
                state.after_call(object.go);
            }
            Flow::System => {
                machine.execute(address, state);
                // The kernel writes its answer, and through every pointer that it was given.
                state.set(machine::result_register(object.architecture), Value::ANYTHING);
                if machine::convention(object.architecture)
                    .parameters
                    .iter()
                    .any(|number| state.register(*number).points_to_stack())
                {
                    state.forget_stack();
                }
            }
            _ => machine.execute(address, state),
        }
    }
}
