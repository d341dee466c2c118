//! Which functions of a process may ever run: everything that can be reached from where the kernel and the loader enter it.
//! Pure.
//!
//! A function is reached by a call or jump to it, if somebody computes its address, or if its address stands in data that is
//! loaded; calls through pointers may then go to any such function. That is how *sysfilter* (RAID 2020) draws the call graph of a
//! program with all its libraries, too. A reached function is reached as a whole.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::ops::Range;

use super::code::Flow;
use super::elf::Object;
use super::machine;
use super::relocations::Pointer;
use super::scan::{Destination, Scanned, Transfer};
use super::symbols::Symbol;

/// An address in one of the objects of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Spot {
    /// The object, by its place.
    pub(super) object: usize,
    pub(super) address: u64,
}

/// An instruction that calls or jumps to a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Caller {
    pub(super) at: Spot,
    /// Whether it comes back.
    pub(super) call: bool,
}

/// A function of the loader's interface, called by its name: `dlopen` and the like.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LoaderCall {
    pub(super) function: String,
    pub(super) at: Spot,
}

/// How a function was reached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Origin {
    /// The kernel enters the object there.
    #[default]
    Started,
    /// The loader calls it when it loads or unloads the object.
    Loaded,
    /// Its address stands in data.
    InData,
    /// It may be looked up by its name.
    LookedUp,
    /// It is in an object of which everything counts.
    Counted,
    /// That function calls it or has its address.
    Function(usize, usize),
}

/// Functions that load objects or look up symbols while the program runs (dlopen(3), dlsym(3)).
const LOADER_FUNCTIONS: [&str; 4] = ["dlopen", "dlmopen", "dlsym", "dlvsym"];

/// What was reached so far. Objects may be added at any time.
#[derive(Debug, Default)]
pub(super) struct Reach {
    /// Of each object, whether each of its functions was reached.
    reached: Vec<Vec<bool>>,
    work: VecDeque<(usize, usize)>,
    /// How each function was reached first.
    origins: HashMap<(usize, usize), Origin>,
    /// How what is reached now is reached.
    now: Origin,
    /// Functions whose address somebody has.
    pub(super) taken: HashSet<Spot>,
    /// Who calls or jumps to an address, in reached code.
    pub(super) callers: HashMap<Spot, Vec<Caller>>,
    /// Functions, by their place, that jump into another as into a part of themselves, by the latter.
    pub(super) owners: HashMap<(usize, usize), BTreeSet<usize>>,
    pub(super) loader_calls: BTreeSet<LoaderCall>,
    /// Imports that no object has, by the name of the function, with the first object that wants it.
    pub(super) missing: BTreeMap<String, usize>,
    /// Names of shared objects in reached code or in data, with who has it: an object and a function.
    pub(super) names: BTreeMap<String, Spot>,
    thunks: HashMap<Spot, Option<u64>>,
    bindings: HashMap<(usize, usize), Vec<Spot>>,
}

impl Reach {
    /// Whether the function was reached.
    pub(super) fn is_reached(&self, object: usize, function: usize) -> bool {
        self.reached.get(object).and_then(|functions| functions.get(function)).copied().unwrap_or(false)
    }

    /// The reached functions of an object, by their place.
    pub(super) fn functions(&self, object: usize) -> impl Iterator<Item = usize> {
        self.reached.get(object).into_iter().flatten().enumerate().filter(|(_, reached)| **reached).map(|(index, _)| index)
    }

    /// Takes up everything of the objects that were added since, which runs or may run without being called by name. The places of
    /// these objects.
    pub(super) fn add_new(&mut self, objects: &[Scanned]) -> Range<usize> {
        let new = self.reached.len()..objects.len();
        for scanned in &objects[new.clone()] {
            self.reached.push(vec![false; scanned.object.functions.len()]);
        }
        for index in new.clone() {
            self.add(objects, index);
        }
        new
    }

    fn add(&mut self, objects: &[Scanned], index: usize) {
        let scanned = &objects[index];
        let object = &scanned.object;
        self.now = Origin::Loaded;
        for address in &object.dynamic.called {
            self.enter(objects, Spot { object: index, address: *address });
        }
        for (_, address) in object.dynamic.called_arrays.iter().flat_map(|array| object.words(array)) {
            self.take(objects, Spot { object: index, address });
        }
        self.now = Origin::InData;
        for address in &scanned.in_data {
            self.take(objects, Spot { object: index, address: *address });
        }
        for pointer in object.pointers() {
            match pointer {
                Pointer::Symbol(..) => self.take_pointer(objects, index, pointer),
                Pointer::Own(address) => self.note_name(scanned, index, address, address),
                Pointer::Resolved(_) => {}
            }
        }
        if object.go {
            // Go finds methods by distances in tables of its own. Its linker has left out what can't be reached.
            self.now = Origin::Counted;
            for function in 0..object.functions.len() {
                self.reach(index, function);
            }
        }
    }

    /// The kernel begins to run an object.
    pub(super) fn start(&mut self, objects: &[Scanned], index: usize) {
        self.now = Origin::Started;
        let address = objects[index].object.entry;
        self.enter(objects, Spot { object: index, address });
    }

    /// Somebody may call the function that the object exports under that name.
    pub(super) fn take_export(&mut self, objects: &[Scanned], index: usize, name: &str) {
        self.now = Origin::LookedUp;
        for symbol in objects[index].object.symbols.named(name).filter(|symbol| !symbol.data) {
            self.take(objects, Spot { object: index, address: symbol.address });
        }
    }

    /// Follows everything that was reached to all that it reaches.
    pub(super) fn run(&mut self, objects: &[Scanned]) {
        while let Some((object, function)) = self.work.pop_front() {
            self.now = Origin::Function(object, function);
            self.follow(objects, object, function);
        }
    }

    /// The functions through which one was reached, from the first to itself, and how the first one was.
    pub(super) fn way_to(&self, object: usize, function: usize) -> (Origin, Vec<(usize, usize)>) {
        let mut way = vec![(object, function)];
        let mut last = (object, function);
        loop {
            match self.origins.get(&last).copied().unwrap_or_default() {
                Origin::Function(object, function) => {
                    last = (object, function);
                    way.push(last);
                }
                origin => {
                    way.reverse();
                    return (origin, way);
                }
            }
        }
    }

    fn reach(&mut self, object: usize, function: usize) {
        let reached = &mut self.reached[object][function];
        if !*reached {
            *reached = true;
            self.work.push_back((object, function));
            self.origins.insert((object, function), self.now);
        }
    }

    fn enter(&mut self, objects: &[Scanned], spot: Spot) {
        if let Some(function) = objects[spot.object].object.function_at(spot.address) {
            self.reach(spot.object, function);
        }
    }

    fn take(&mut self, objects: &[Scanned], spot: Spot) {
        // The address of an import may be that of the piece of code that leads to it.
        for spot in self.behind(objects, spot) {
            self.taken.insert(spot);
            self.enter(objects, spot);
        }
    }

    fn follow(&mut self, objects: &[Scanned], index: usize, function: usize) {
        let scanned = &objects[index];
        let facts = &scanned.facts[function];
        for transfer in &facts.transfers {
            self.transfer(objects, index, function, *transfer);
        }
        for address in &facts.taken {
            self.take(objects, Spot { object: index, address: *address });
        }
        let object = &scanned.object;
        for address in &facts.data {
            if let Some(pointer) = object.relocations.slots.get(address) {
                self.take_pointer(objects, index, *pointer);
            } else if object.dynamic.global_offsets == Some(*address) {
                // Whoever has the table's address may have read any of it.
                for pointer in object.relocations.slots.values() {
                    self.take_pointer(objects, index, *pointer);
                }
            } else {
                self.note_name(scanned, index, *address, object.functions[function].range.start);
            }
        }
        if let Some(next) = facts.falls_into {
            self.enter(objects, Spot { object: index, address: next });
            self.note_owner(scanned, index, next, function);
        }
    }

    fn transfer(&mut self, objects: &[Scanned], index: usize, function: usize, transfer: Transfer) {
        let scanned = &objects[index];
        let at = Spot { object: index, address: transfer.at };
        let targets = match transfer.to {
            Destination::Code(address) => {
                let spot = Spot { object: index, address };
                if let Some(slot) = self.thunk(objects, spot) {
                    self.note_loader_call(&scanned.object, slot, at);
                }
                self.behind(objects, spot)
            }
            Destination::Slot(slot) => match scanned.object.relocations.slots.get(&slot) {
                Some(pointer) => {
                    self.note_loader_call(&scanned.object, slot, at);
                    self.bind(objects, index, *pointer)
                }
                // A pointer in data: where it may lead is known from elsewhere.
                None => Vec::new(),
            },
        };
        for target in targets {
            self.callers.entry(target).or_default().push(Caller { at, call: transfer.call });
            if !transfer.call && target.object == index {
                self.note_owner(scanned, index, target.address, function);
            }
            self.enter(objects, target);
        }
    }

    /// What begins at `address` and is entered by no call is a part of whoever jumps there.
    fn note_owner(&mut self, scanned: &Scanned, index: usize, address: u64, owner: usize) {
        if !scanned.entered.contains(&address)
            && let Some(part) = scanned.object.function_at(address)
        {
            self.owners.entry((index, part)).or_default().insert(owner);
        }
    }

    /// Where a call of that address ends up: behind the piece of code that leads to an import, if it is one.
    fn behind(&mut self, objects: &[Scanned], spot: Spot) -> Vec<Spot> {
        let place = self.thunk(objects, spot);
        match place.and_then(|place| objects[spot.object].object.relocations.slots.get(&place)) {
            Some(pointer) => self.bind(objects, spot.object, *pointer),
            None => vec![spot],
        }
    }

    /// The place of the global offset table through which the code at `spot` does nothing but jump.
    fn thunk(&mut self, objects: &[Scanned], spot: Spot) -> Option<u64> {
        *self.thunks.entry(spot).or_insert_with(|| {
            let object = &objects[spot.object].object;
            // x86 has a landing mark before the jump, ARM computes the place with three instructions.
            for (_, step) in machine::steps(object, spot.address).take(5) {
                match step.flow {
                    Flow::JumpThrough(place) => return object.relocations.slots.contains_key(&place).then_some(place),
                    Flow::Next | Flow::Idle => {}
                    _ => return None,
                }
            }
            None
        })
    }

    fn take_pointer(&mut self, objects: &[Scanned], index: usize, pointer: Pointer) {
        for spot in self.bind(objects, index, pointer) {
            self.take(objects, spot);
        }
    }

    /// Which code a pointer in object `index` leads to.
    fn bind(&mut self, objects: &[Scanned], index: usize, pointer: Pointer) -> Vec<Spot> {
        match pointer {
            // What a resolver returns is an address that it computes, so that it is reached as well.
            Pointer::Own(address) | Pointer::Resolved(address) => vec![Spot { object: index, address }],
            Pointer::Symbol(place, addend) => {
                let Some(symbol) = objects[index].object.symbols.all.get(place) else { return Vec::new() };
                if symbol.data {
                    return Vec::new();
                }
                if let Some(bound) = self.bindings.get(&(index, place)) {
                    return bound.clone();
                }
                let bound = self.definitions(objects, index, symbol, addend);
                self.bindings.insert((index, place), bound.clone());
                bound
            }
        }
    }

    /// The code that a symbol of object `index` means.
    fn definitions(&mut self, objects: &[Scanned], index: usize, symbol: &Symbol, addend: u64) -> Vec<Spot> {
        let Some((object, symbols)) = lookup(objects, symbol) else {
            if !symbol.weak && !symbol.name.is_empty() {
                self.missing.entry(symbol.name.clone()).or_insert(index);
            }
            return Vec::new();
        };
        let addresses = symbols.into_iter().filter(|symbol| !symbol.data).map(|symbol| symbol.address.wrapping_add(addend));
        addresses.filter(|address| objects[object].object.is_code(*address)).map(|address| Spot { object, address }).collect()
    }

    fn note_loader_call(&mut self, object: &Object, slot: u64, at: Spot) {
        if let Some(Pointer::Symbol(place, _)) = object.relocations.slots.get(&slot)
            && let Some(symbol) = object.symbols.all.get(*place)
            && LOADER_FUNCTIONS.contains(&symbol.name.as_str())
        {
            self.loader_calls.insert(LoaderCall { function: symbol.name.clone(), at });
        }
    }

    fn note_name(&mut self, scanned: &Scanned, index: usize, address: u64, user: u64) {
        if let Some(name) = scanned.object_name_at(address) {
            self.names.entry(name.to_owned()).or_insert(Spot { object: index, address: user });
        }
    }
}

/// The definitions of a symbol in the first object that has any, in the order in which the loader searches them.
pub(super) fn lookup<'a>(objects: &'a [Scanned], symbol: &Symbol) -> Option<(usize, Vec<&'a Symbol>)> {
    if symbol.name.is_empty() {
        return None;
    }
    let exact = || search(objects, |object| object.symbols.exported(&symbol.name, symbol.version.as_deref()).collect());
    // The loader refuses a program that finds only other versions. It is analysed all the same.
    let any = || search(objects, |object| object.symbols.named(&symbol.name).collect());
    exact().or_else(any)
}

fn search<'a>(objects: &'a [Scanned], find: impl Fn(&'a Object) -> Vec<&'a Symbol>) -> Option<(usize, Vec<&'a Symbol>)> {
    objects.iter().enumerate().map(|(index, scanned)| (index, find(&scanned.object))).find(|(_, symbols)| !symbols.is_empty())
}
