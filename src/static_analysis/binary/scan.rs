//! What each function of an object calls, names and does: one pass over its instructions. Pure.
//!
//! Every instruction of a function counts, whether a way to it is known or not. That is what makes the analysis sound where jumps
//! go by tables or exceptions. Only of hand-written pieces between functions, which may be data, those count that a way leads
//! to. Finding out the numbers of system calls is left to [`super::flow`].

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::num::NonZero;
use std::ops::Range;
use std::thread;

use super::code::{Flow, Named, Step};
use super::elf::Object;
use super::functions::{self, Function};
use super::machine;
use super::relocations::Pointer;

/// What one function does.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    /// Where it calls or jumps to outside of itself, and the instruction that does.
    pub(super) transfers: Vec<Transfer>,
    /// Addresses of code that it computes.
    pub(super) taken: Vec<u64>,
    /// Addresses of data that it computes or reads, and places of the global offset table that it reads.
    pub(super) data: Vec<u64>,
    /// System calls, by their address.
    pub(super) systems: Vec<u64>,
    /// System calls of a foreign ABI.
    pub(super) foreign_systems: Vec<u64>,
    /// Where jumps by a table lead to.
    pub(super) tables: Vec<u64>,
    /// Whether a jump could lead to any place in it.
    pub(super) opaque: bool,
    /// Whether it jumps to where no instruction says.
    pub(super) jumps_somewhere: bool,
    /// Whether it says that such a jump stays within it, or could have one that does.
    jumps_within: bool,
    /// Where it goes on behind its end.
    pub(super) falls_into: Option<u64>,
}

/// A call or jump that leaves the function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Transfer {
    /// The instruction.
    pub(super) at: u64,
    pub(super) to: Destination,
    /// Whether it comes back.
    pub(super) call: bool,
}

/// Where a call or jump goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Destination {
    /// To that address.
    Code(u64),
    /// To what stands at that address.
    Slot(u64),
}

/// A scanned object.
#[derive(Debug)]
pub(super) struct Scanned {
    pub(super) object: Object,
    /// Of each function, by its place.
    pub(super) facts: Vec<Facts>,
    /// Addresses that are called, or whose address somebody has: functions begin there, and not mere parts of them.
    pub(super) entered: BTreeSet<u64>,
    /// Addresses of code that stand in data.
    pub(super) in_data: Vec<u64>,
    /// Texts that could be names of shared objects, by their address.
    object_names: BTreeMap<u64, String>,
}

impl Scanned {
    /// Scans the object on so many threads.
    pub(super) fn new(mut object: Object, threads: NonZero<usize>) -> Self {
        // Without descriptions, everything has to be gone through once to find out where functions begin. After that, only what a
        // way leads to counts, except for Go: it finds methods by distances in tables of its own.
        let described = is_mostly_described(&object);
        let mut facts = scan_all(&object, threads, !described);
        let tables = follow_tables(&object, &mut facts);
        let (begins, jumped_to) = targets(&object, &facts);
        let in_data = addresses_in_data(&object, described, &tables);
        let mut functions = std::mem::take(&mut object.functions);
        let before = functions.len();
        functions::split(&mut functions, begins.iter().chain(&jumped_to).chain(&in_data).copied());
        object.functions = functions;
        if object.functions.len() != before || !described {
            facts = scan_all(&object, threads, object.go);
            follow_tables(&object, &mut facts);
        }
        let exported = object.exports().filter(|symbol| !symbol.data).map(|symbol| symbol.address);
        let entered = begins.into_iter().chain(in_data.iter().copied()).chain(exported).chain([object.entry]);
        let entered = entered.chain(object.dynamic.called.iter().copied()).collect();
        let object_names = object_names(&object);
        Self { object, facts, entered, in_data, object_names }
    }

    /// The name of a shared object that is the text at `address`, which may be the end of a longer text.
    pub(super) fn object_name_at(&self, address: u64) -> Option<&str> {
        let (begin, name) = self.object_names.range(..=address).next_back()?;
        let rest = name.get(usize::try_from(address - begin).ok()?..)?;
        is_object_name(rest).then_some(rest)
    }

    /// The function at `address` as people call it.
    pub(super) fn label(&self, address: u64) -> Option<String> {
        let function = &self.object.functions[self.object.function_at(address)?];
        self.object.labels.function(function.range.start, function.range.end).map(str::to_owned)
    }
}

/// Where functions begin, as calls and computed addresses tell; and where else jumps lead that leave a stretch of code.
fn targets(object: &Object, facts: &[Facts]) -> (BTreeSet<u64>, BTreeSet<u64>) {
    let (mut begins, mut jumped_to) = (BTreeSet::new(), BTreeSet::new());
    for facts in facts {
        for transfer in &facts.transfers {
            match transfer.to {
                Destination::Code(address) if transfer.call => drop(begins.insert(address)),
                Destination::Code(address) => drop(jumped_to.insert(address)),
                Destination::Slot(_) => {}
            }
        }
        begins.extend(&facts.taken);
    }
    begins.retain(|address| object.is_code(*address));
    (begins, jumped_to)
}

/// Scans every function; those that nobody described as a whole only if `all` is set.
fn scan_all(object: &Object, threads: NonZero<usize>, all: bool) -> Vec<Facts> {
    let functions = &object.functions;
    let scan = |function: &Function| scan(object, function, all || function.described);
    // Small objects are not worth a thread.
    let per_thread = functions.len().div_ceil(threads.get()).max(500);
    if functions.len() <= per_thread {
        return functions.iter().map(scan).collect();
    }
    thread::scope(|scope| {
        let parts: Vec<_> =
            functions.chunks(per_thread).map(|part| scope.spawn(move || part.iter().map(scan).collect::<Vec<_>>())).collect();
        let parts = parts.into_iter().map(|part| part.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        parts.flatten().collect()
    })
}

/// Whether compilers described most of the object's code, so that what is left is written by hand, with data in between.
fn is_mostly_described(object: &Object) -> bool {
    let length = |range: &Range<u64>| range.end - range.start;
    let described = object.functions.iter().filter(|function| function.described).map(|function| length(&function.range));
    described.sum::<u64>() > object.code.iter().map(length).sum::<u64>() / 2
}

/// Goes through `all` instructions of a function, or only those that a way leads to, unless jumps lead to where no instruction says.
fn scan(object: &Object, function: &Function, all: bool) -> Facts {
    let range = &function.range;
    let mut scan = Scan::new(object, range);
    scan.go_through(all);
    if !all && scan.facts.jumps_somewhere {
        scan = Scan::new(object, range);
        scan.go_through(true);
    }
    for named in machine::named_in_pairs(object, range) {
        scan.name(named);
    }
    let mut facts = scan.facts;
    facts.data.sort_unstable();
    facts.data.dedup();
    facts.taken.sort_unstable();
    facts.taken.dedup();
    facts
}

/// A function being scanned.
struct Scan<'a> {
    object: &'a Object,
    range: &'a Range<u64>,
    facts: Facts,
    /// Whether an instruction was seen at each address of the range.
    seen: Vec<bool>,
    /// Where to begin again: at targets of jumps, which may not fall on an instruction seen before.
    begins: Vec<u64>,
}

impl<'a> Scan<'a> {
    fn new(object: &'a Object, range: &'a Range<u64>) -> Self {
        let length = usize::try_from(range.end - range.start).unwrap_or_default();
        Self { object, range, facts: Facts::default(), seen: vec![false; length], begins: vec![range.start] }
    }

    fn go_through(&mut self, all: bool) {
        while let Some(begin) = self.begins.pop() {
            let mut last: Option<Step> = None;
            for (address, step) in machine::steps(self.object, begin) {
                if address >= self.range.end {
                    if last.is_some_and(|last| last.flow.goes_on() && !last.flow.is_call()) {
                        self.facts.falls_into = Some(self.range.end);
                    }
                    break;
                }
                let place = usize::try_from(address - self.range.start).unwrap_or(usize::MAX);
                match self.seen.get_mut(place) {
                    Some(seen) if !*seen => *seen = true,
                    _ => break,
                }
                self.note(address, &step);
                if !all && !step.flow.goes_on() {
                    break;
                }
                // What fills the room behind a function's end is not its end.
                if step.flow != Flow::Idle {
                    last = Some(step);
                }
            }
        }
    }

    fn note(&mut self, address: u64, step: &Step) {
        let (facts, range) = (&mut self.facts, self.range);
        let mut transfer = |to, call| facts.transfers.push(Transfer { at: address, to, call });
        match step.flow {
            Flow::Jump(target) | Flow::Branch(target) | Flow::BranchIf { target, .. } if range.contains(&target) => {
                self.begins.push(target);
            }
            Flow::Jump(target) | Flow::Branch(target) | Flow::BranchIf { target, .. } => {
                transfer(Destination::Code(target), false);
            }
            Flow::Call(target) => transfer(Destination::Code(target), true),
            Flow::JumpThrough(slot) => transfer(Destination::Slot(slot), false),
            Flow::CallThrough(slot) => transfer(Destination::Slot(slot), true),
            Flow::JumpSomewhere { within } => {
                facts.jumps_somewhere = true;
                facts.jumps_within |= within;
            }
            Flow::System => facts.systems.push(address),
            Flow::ForeignSystem => facts.foreign_systems.push(address),
            Flow::Next | Flow::Idle | Flow::CallSomewhere | Flow::Return | Flow::Stop | Flow::Invalid => {}
        }
        for named in step.names.into_iter().flatten() {
            self.name(named);
        }
    }

    fn name(&mut self, named: Named) {
        match named {
            Named::Address(address) if self.object.is_code(address) => {
                // Where a function takes an address within itself, that is where a table's jumps count from.
                self.facts.jumps_within |= self.range.contains(&address) && address != self.range.start;
                self.facts.taken.push(address);
            }
            named => self.facts.data.push(named.address()),
        }
    }
}

/// Reads the tables of the functions that jump to where no instruction says. A table ends where it holds no code any more, or
/// where something else begins that is named anywhere in the object. The places of all entries.
fn follow_tables(object: &Object, facts: &mut [Facts]) -> HashSet<u64> {
    let mut places = HashSet::new();
    let mut named: Vec<u64> = facts.iter().flat_map(|facts| facts.data.iter().copied()).collect();
    named.sort_unstable();
    named.dedup();
    for (facts, function) in facts.iter_mut().zip(&object.functions) {
        if !facts.jumps_somewhere {
            continue;
        }
        for &base in &facts.data {
            let end = named.get(named.partition_point(|address| *address <= base)).copied().unwrap_or(u64::MAX);
            for (place, target) in table(object, base, end) {
                places.insert(place);
                facts.tables.push(target);
            }
        }
        facts.tables.sort_unstable();
        facts.tables.dedup();
        facts.opaque = facts.jumps_within && facts.tables.is_empty();
        let outside = facts.tables.iter().filter(|target| !function.range.contains(target));
        let at = function.range.start;
        facts.transfers.extend(outside.map(|target| Transfer { at, to: Destination::Code(*target), call: false }));
    }
    places
}

/// The targets in a table of jumps, each with its place: distances from its beginning in 32 bits, as compilers write it for position-independent code,
/// or addresses in 64 bits.
fn table(object: &Object, base: u64, end: u64) -> Vec<(u64, u64)> {
    if !object.memory.is_constant(base) || object.is_code(base) {
        return Vec::new();
    }
    let read = |size: usize, target: &dyn Fn(u64) -> u64| -> Vec<(u64, u64)> {
        let places = (base..end).step_by(size).take_while(|place| place.saturating_add(size as u64) <= end);
        let entries = places.map_while(|place| Some((place, target(object.memory.number(place, size)?))));
        entries.take_while(|(_, target)| object.is_code(*target)).collect()
    };
    let distances =
        read(4, &|distance| base.wrapping_add_signed(i64::from(u32::try_from(distance).unwrap_or_default().cast_signed())));
    if distances.is_empty() && object.fixed { read(8, &|address| address) } else { distances }
}

/// Addresses of code in data: where the loader writes them, and in a program that stands where it was linked to, every word that
/// is the beginning of a function. Where it is not `described` where functions begin, that is any word other than those of `tables`.
fn addresses_in_data(object: &Object, described: bool, tables: &HashSet<u64>) -> Vec<u64> {
    let written = object.pointers().filter_map(|pointer| match pointer {
        Pointer::Own(address) | Pointer::Resolved(address) => Some(address),
        Pointer::Symbol(..) => None,
    });
    let mut addresses: Vec<u64> = written.filter(|address| object.is_code(*address)).collect();
    if object.fixed {
        let begins = object.functions.iter().map(|function| function.range.start).chain(object.labels.addresses());
        let begins: HashSet<u64> = begins.collect();
        let has_labels = object.labels.addresses().next().is_some();
        for segment in object.memory.segments() {
            let bytes = object.memory.from(segment.address);
            let whole = segment.address.next_multiple_of(8)..segment.address.saturating_add(bytes.len() as u64);
            for (place, word) in object.words(&whole) {
                let may_begin = begins.contains(&word) || !(described || has_labels || tables.contains(&place));
                if may_begin && !object.headers.contains(&place) {
                    addresses.push(word);
                }
            }
        }
    }
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

/// What every name of a shared object has in it.
const SUFFIX: &str = ".so";

/// Whether a text could be the name of a shared object, or a pattern for one: it has `.so` at its end or before a version.
fn is_object_name(text: &str) -> bool {
    let name = text.rsplit('/').next().unwrap_or(text);
    let ending = name.find(SUFFIX).map(|place| (place, &name[place + SUFFIX.len()..]));
    let version = |rest: &str| rest.is_empty() || rest.starts_with(['.', '%']);
    ending.is_some_and(|(place, rest)| place > 0 && version(rest)) && !text.contains([' ', ',', ';', ':', '"', '*', '(', '='])
}

/// Every text in what the program can't write to that could be such a name.
fn object_names(object: &Object) -> BTreeMap<u64, String> {
    /// `PATH_MAX` of `linux/limits.h`.
    const LONGEST: usize = 4096;
    let mut names = BTreeMap::new();
    for segment in object.memory.segments() {
        let bytes = object.memory.from(segment.address);
        let marks = bytes.windows(SUFFIX.len()).enumerate().filter(|(_, window)| *window == SUFFIX.as_bytes());
        for (mark, _) in marks {
            let begin = bytes[..mark].iter().rposition(|byte| *byte == 0).map_or(0, |place| place + 1);
            let address = segment.address.saturating_add(begin as u64);
            if mark - begin < LONGEST
                && let Some(text) = object.memory.text(address, LONGEST)
                && is_object_name(text)
            {
                names.insert(address, text.to_owned());
            }
        }
    }
    names
}
