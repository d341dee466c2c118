//! Whether a function can come back to its caller. Pure.
//!
//! What stands behind the call of one that can't, such as `abort`, is reached some other way or not at all; to take it for reached
//! from there would mix up what is known. Only the code of the same object is looked at, and not without end: whoever can't be
//! seen through is taken to come back.

use std::collections::{HashMap, HashSet};

use super::code::Flow;
use super::machine;
use super::scan::Scanned;

/// How many calls deep functions are looked into.
const DEPTH_LIMIT: usize = 6;
/// Instructions of one function that are looked at.
const STEPS_LIMIT: usize = 2000;

/// What is known of functions of one object.
#[derive(Debug)]
pub(super) struct Returns<'a> {
    scanned: &'a Scanned,
    known: HashMap<u64, bool>,
}

impl<'a> Returns<'a> {
    pub(super) fn new(scanned: &'a Scanned) -> Self {
        Self { scanned, known: HashMap::new() }
    }

    /// Whether the function at `address` may come back.
    pub(super) fn may_return(&mut self, address: u64) -> bool {
        self.look(address, DEPTH_LIMIT)
    }

    fn look(&mut self, address: u64, depth: usize) -> bool {
        if let Some(known) = self.known.get(&address) {
            return *known;
        }
        if depth == 0 || !self.scanned.object.is_code(address) {
            return true;
        }
        // Whoever asks again on the way is told the safe answer.
        self.known.insert(address, true);
        let may = self.finds_return(address, depth);
        self.known.insert(address, may);
        may
    }

    fn finds_return(&mut self, address: u64, depth: usize) -> bool {
        let scanned = self.scanned;
        let mut seen = HashSet::new();
        let mut begins = vec![address];
        while let Some(begin) = begins.pop() {
            for (at, step) in machine::steps(&scanned.object, begin) {
                if seen.len() > STEPS_LIMIT {
                    return true;
                }
                if !seen.insert(at) {
                    break;
                }
                match step.flow {
                    Flow::Return | Flow::JumpSomewhere { .. } | Flow::JumpThrough(_) | Flow::Invalid => return true,
                    Flow::Jump(target) if scanned.entered.contains(&target) && target != address => {
                        if self.look(target, depth - 1) {
                            return true;
                        }
                    }
                    Flow::Jump(target) | Flow::Branch(target) | Flow::BranchIf { target, .. } => begins.push(target),
                    Flow::Call(target) if !self.look(target, depth - 1) => break,
                    Flow::Call(_)
                    | Flow::CallThrough(_)
                    | Flow::CallSomewhere
                    | Flow::Next
                    | Flow::Idle
                    | Flow::System
                    | Flow::ForeignSystem
                    | Flow::Stop => {}
                }
                if !step.flow.goes_on() {
                    break;
                }
            }
        }
        false
    }
}
