//! From places in objects to findings that people and programs can read. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::elf::Object;
use super::findings::{Findings, LoaderCall, Missing, ObjectSummary, Reported, Site, Unresolved, Way};
use super::load::{Process, Reason};
use super::numbers::{LoaderArguments, Numbers, Open};
use super::reach::{Origin, Reach, Spot, lookup};
use super::value::{Atom, Value};
use crate::syscalls::{Architecture, Sysno, X32_BIT, is_x32};

/// How long the name of an object or symbol may be.
const NAME_LIMIT: usize = 4096;

/// Everything that was found out about a process.
pub(super) fn findings(
    architecture: Architecture,
    mut process: Process<'_>,
    reach: &Reach,
    numbers: &Numbers,
    arguments: &LoaderArguments,
) -> Findings {
    let mut findings = Findings::new(architecture);
    findings.notes = std::mem::take(&mut process.notes);
    findings.missing = std::mem::take(&mut process.missing);
    let process = &process;
    findings.objects = (0..process.objects.len()).map(|index| summary(process, reach, index)).collect();
    for (number, spots) in &numbers.known {
        let sites = spots.iter().map(|spot| site(process, *spot));
        let call = u32::try_from(*number).ok().and_then(|number| Sysno::from_number(architecture, number));
        match call {
            Some(call) => {
                let reported = Reported { sites: sites.collect(), way: way(process, reach, spots) };
                findings.calls.insert(call, reported);
            }
            None if architecture == Architecture::X86_64 && u32::try_from(*number).is_ok_and(is_x32) => {
                let reason = format!("call {} of the x32 ABI", number & !u64::from(X32_BIT));
                findings.unresolved.extend(sites.map(|site| Unresolved { site, reason: reason.clone() }));
            }
            None => findings.unknown_numbers.entry(*number).or_default().extend(sites),
        }
    }
    add_vdso(architecture, &mut findings.calls);
    let open = numbers.open.iter().map(|(spot, open)| Unresolved { site: site(process, *spot), reason: reason(process, *open) });
    findings.unresolved.extend(open.chain(foreign(process, reach)));
    findings.unresolved.sort();
    findings.unresolved.dedup();
    findings.loader_calls = loader_calls(process, reach, arguments);
    let missing = reach.missing.iter().filter(|(name, by)| {
        let wanted = process.objects[**by].object.symbols.all.iter().find(|symbol| symbol.name == **name);
        wanted.is_none_or(|symbol| lookup(&process.objects, symbol).is_none())
    });
    findings.missing.extend(missing.map(|(name, by)| Missing {
        name: name.clone(),
        wanted_by: process.loaded[*by].path.clone(),
        reason: "no object has the function".to_owned(),
    }));
    // Loaders can start a program in their own place, which none does that was itself started by the kernel.
    let loader = &process.loaded[process.first()].path;
    let starts = |name: &str| Sysno::from_name(name).and_then(|call| findings.calls.get(&call));
    let mut starts = ["execve", "execveat"].into_iter().filter_map(starts).flat_map(|reported| &reported.sites);
    if starts.any(|site| site.object != *loader || process.objects.len() == 1) {
        findings.notes.push("it may start other programs, whose calls are not among these".to_owned());
    }
    findings
}

/// What only the vDSO calls, which the kernel puts into every process: on 64-bit ARM the return from a signal's handler
/// (`__kernel_rt_sigreturn` of arch/arm64/kernel/vdso/sigreturn.S). Elsewhere libc has that itself.
fn add_vdso(architecture: Architecture, calls: &mut BTreeMap<Sysno, Reported>) {
    let (Some(action), Some(back)) = (Sysno::from_name("rt_sigaction"), Sysno::from_name("rt_sigreturn")) else { return };
    if architecture == Architecture::Aarch64 && calls.contains_key(&action) {
        let site = Site { object: "[vdso]".to_owned(), address: 0, function: "__kernel_rt_sigreturn".to_owned() };
        let way = Way { begin: "the kernel enters it when a signal's handler is done".to_owned(), functions: vec![site.clone()] };
        calls.entry(back).or_insert(Reported { sites: BTreeSet::new(), way }).sites.insert(site);
    }
}

/// The shortest way to any of these places.
fn way(process: &Process<'_>, reach: &Reach, spots: &BTreeSet<Spot>) -> Way {
    let ways = spots.iter().filter_map(|spot| {
        let function = process.objects[spot.object].object.function_at(spot.address)?;
        Some(reach.way_to(spot.object, function))
    });
    let (origin, functions) = ways.min_by_key(|(_, functions)| functions.len()).unwrap_or_default();
    let begin = match origin {
        Origin::Started => "the kernel enters it",
        Origin::Loaded => "the loader calls it when it loads or unloads the object",
        Origin::InData => "its address stands in data",
        Origin::LookedUp => "it may be looked up by its name",
        Origin::Counted => "everything in this object counts",
        Origin::Function(..) => "another function calls it",
    };
    let begins = functions.iter().map(|(object, function)| Spot {
        object: *object,
        address: process.objects[*object].object.functions[*function].range.start,
    });
    Way { begin: begin.to_owned(), functions: begins.map(|spot| site(process, spot)).collect() }
}

fn summary(process: &Process<'_>, reach: &Reach, index: usize) -> ObjectSummary {
    let scanned = &process.objects[index];
    let instructions = |function: usize| scanned.facts[function].systems.len();
    ObjectSummary {
        path: process.loaded[index].path.clone(),
        reason: why(process, index),
        functions: scanned.facts.len(),
        reached: reach.functions(index).count(),
        instructions: (0..scanned.facts.len()).map(instructions).sum(),
        reached_instructions: reach.functions(index).map(instructions).sum(),
    }
}

fn why(process: &Process<'_>, index: usize) -> String {
    let path = |by: usize| &process.loaded[by].path;
    match process.loaded[index].reason {
        Reason::Program => "program".to_owned(),
        Reason::Loader => "loader".to_owned(),
        Reason::Preloaded => "preloaded".to_owned(),
        Reason::NeededBy(by) => format!("needed by {}", path(by)),
        Reason::NamedIn(by) => format!("named in {}, which may load it", path(by)),
        Reason::AddedByHand => "added by hand".to_owned(),
    }
}

fn site(process: &Process<'_>, spot: Spot) -> Site {
    let function = process.objects[spot.object].label(spot.address).unwrap_or_default();
    Site { object: process.loaded[spot.object].path.clone(), address: spot.address, function }
}

fn reason(process: &Process<'_>, open: Open) -> String {
    let name = |spot: Spot| match process.objects[spot.object].label(spot.address) {
        Some(name) => format!("`{name}`"),
        None => format!("the function at {:#x}", spot.address),
    };
    match open {
        Open::Computed => "the number is computed or read from memory".to_owned(),
        Open::CalledThroughPointer(function) => {
            format!("the number is a parameter of {}, which may be called through a pointer", name(function))
        }
        Open::CalledByNobody(function) => {
            format!("the number is a parameter of {}, which nobody is seen to call", name(function))
        }
        Open::Passed(function) => format!("the number handed to {} is computed or read from memory", name(function)),
        Open::TooComplex => "the function is too long or too entangled".to_owned(),
        Open::ChainTooLong => "the number is handed on through too many functions".to_owned(),
    }
}

/// Reached instructions that call the kernel by another ABI.
fn foreign(process: &Process<'_>, reach: &Reach) -> Vec<Unresolved> {
    let mut unresolved = Vec::new();
    for (index, scanned) in process.objects.iter().enumerate() {
        for address in reach.functions(index).flat_map(|function| &scanned.facts[function].foreign_systems) {
            let site = site(process, Spot { object: index, address: *address });
            unresolved.push(Unresolved { site, reason: "a call of the 32-bit ABI, whose numbers are others".to_owned() });
        }
    }
    unresolved
}

fn loader_calls(process: &Process<'_>, reach: &Reach, arguments: &LoaderArguments) -> Vec<LoaderCall> {
    let mut calls = Vec::new();
    for call in &reach.loader_calls {
        let position = usize::from(call.function != "dlopen");
        let value = arguments.get(&call.at).map_or(Value::ANYTHING, |values| values[position].clone());
        let names = texts(&process.objects[call.at.object].object, &value);
        // `dlopen` of nothing is the program itself.
        let known = value.atoms().iter().filter(|atom| matches!(atom, Atom::Constant(0))).count() + names.len();
        let open = value.may_be_anything() || known < value.atoms().len();
        calls.push(LoaderCall { function: call.function.clone(), site: site(process, call.at), names, open });
    }
    calls.sort();
    calls
}

/// The texts that a value may point to.
pub(super) fn texts(object: &Object, value: &Value) -> Vec<String> {
    let texts: BTreeSet<_> = value
        .atoms()
        .iter()
        .filter_map(|atom| match atom {
            Atom::Constant(address) => object.memory.text(*address, NAME_LIMIT),
            Atom::Parameter(_) | Atom::Stack(_) => None,
        })
        .map(str::to_owned)
        .collect();
    texts.into_iter().collect()
}
