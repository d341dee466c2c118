//! What each function of a library calls by itself, through direct calls alone: for holding tables against a real library.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;

use bytes::Bytes;

use super::super::elf::Object;
use super::super::numbers;
use super::super::reach::Reach;
use super::super::scan::{Destination, Scanned};
use crate::syscalls::Sysno;

/// The calls of every function that the object exports.
pub(in super::super::super) fn direct_calls(file: &Bytes) -> BTreeMap<String, BTreeSet<Sysno>> {
    let object = Object::parse(file).unwrap();
    let architecture = object.architecture;
    let objects = [Scanned::new(object, NonZero::<usize>::MIN)];
    let mut reach = Reach::default();
    reach.add_new(&objects);
    let exports: Vec<_> = objects[0].object.exports().filter(|symbol| !symbol.data).cloned().collect();
    for symbol in &exports {
        reach.take_export(&objects, 0, &symbol.name);
    }
    reach.run(&objects);
    let numbers = numbers::resolve(&objects, &reach, NonZero::<usize>::MIN);
    let scanned = &objects[0];
    let mut made = vec![BTreeSet::new(); scanned.facts.len()];
    for (number, spots) in &numbers.known {
        let call = u32::try_from(*number).ok().and_then(|number| Sysno::from_number(architecture, number));
        for spot in spots {
            made[scanned.object.function_at(spot.address).unwrap()].extend(call);
        }
    }
    let mut called = vec![BTreeSet::new(); scanned.facts.len()];
    for (target, callers) in &reach.callers {
        for caller in callers {
            if let (Some(from), Some(to)) =
                (scanned.object.function_at(caller.at.address), scanned.object.function_at(target.address))
            {
                called[from].insert(to);
            }
        }
    }
    for (function, facts) in scanned.facts.iter().enumerate() {
        let jumps = facts.transfers.iter().filter_map(|transfer| match transfer.to {
            Destination::Code(address) => scanned.object.function_at(address),
            Destination::Slot(_) => None,
        });
        let next = facts.falls_into.and_then(|address| scanned.object.function_at(address));
        called[function].extend(jumps.chain(next));
    }
    let mut direct = BTreeMap::new();
    for symbol in exports {
        let mut seen = BTreeSet::new();
        let mut work: Vec<_> = scanned.object.function_at(symbol.address).into_iter().collect();
        while let Some(function) = work.pop() {
            if seen.insert(function) {
                work.extend(&called[function]);
            }
        }
        let calls: BTreeSet<_> = seen.iter().flat_map(|function| made[*function].iter().copied()).collect();
        direct.entry(symbol.name).or_insert_with(BTreeSet::new).extend(calls);
    }
    direct
}
