//! Which numbers the reached system calls may have. Pure.
//!
//! Each function that makes one is analysed by [`super::flow`]. Where the number is a parameter of the function (of `syscall(3)`,
//! of a language runtime's own), it is looked for wherever the function is called, and so on up. What stays open is told, with
//! the place.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::thread;

use super::code::Flow;
use super::flow::Flowing;
use super::machine;
use super::reach::{Reach, Spot};
use super::scan::Scanned;
use super::value::{Atom, Place, Value};

/// How many functions may hand on a number before it arrives.
const CHAIN_LIMIT: usize = 16;

/// Why the number of a system call is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Open {
    /// It is computed or read from memory.
    Computed,
    /// It is a parameter of the function at that address, which may be called through a pointer.
    CalledThroughPointer(Spot),
    /// It is a parameter of the function at that address, whose callers are not known.
    CalledByNobody(Spot),
    /// It is handed to the function at that address, and not known where that is done.
    Passed(Spot),
    /// The function is too long or too entangled.
    TooComplex,
    /// More functions hand it on than are followed.
    ChainTooLong,
}

/// What was found out.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    /// The places that decide on each number.
    pub(super) known: BTreeMap<u64, BTreeSet<Spot>>,
    pub(super) open: BTreeSet<(Spot, Open)>,
    /// Places whose number is decided on by callers.
    handed_on: BTreeSet<Spot>,
}

/// What the first two parameters of calls of the loader's functions may be, by the place of the call.
pub(super) type LoaderArguments = BTreeMap<Spot, [Value; 2]>;

/// A function whose parameter at `place` becomes the number of a system call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Wrapper {
    function: Spot,
    place: Place,
}

/// What is to be looked at in one function.
#[derive(Debug, Clone, Default)]
struct Questions {
    /// System calls.
    systems: BTreeSet<u64>,
    /// Calls of wrappers, with what is asked of each.
    calls: BTreeMap<u64, BTreeSet<Wrapper>>,
    /// Calls of the loader's functions.
    loader_calls: BTreeSet<u64>,
}

/// What one function answered; `None` for a function that is too complex.
type Answers = Option<Answered>;

#[derive(Debug, Default)]
struct Answered {
    systems: BTreeMap<u64, Value>,
    calls: BTreeMap<(u64, Wrapper), Value>,
    loader_calls: BTreeMap<u64, [Value; 2]>,
}

/// Finds out the numbers of everything that was reached.
pub(super) fn resolve(objects: &[Scanned], reach: &Reach, threads: NonZero<usize>) -> Numbers {
    let mut numbers = Numbers::default();
    let mut wrappers = BTreeSet::new();
    let mut questions = first_questions(objects, reach);
    for _ in 0..CHAIN_LIMIT {
        if questions.is_empty() {
            break;
        }
        let mut next = BTreeSet::new();
        for (entry, asked, answers) in ask(objects, questions, threads) {
            numbers.take(entry, &asked, answers, &mut next);
        }
        next.retain(|wrapper| wrappers.insert(*wrapper));
        questions = questions_about(objects, reach, &next, &mut numbers);
    }
    let left = questions
        .into_iter()
        .flat_map(|(entry, asked)| asked.calls.into_keys().map(move |address| Spot { object: entry.object, address }));
    numbers.open.extend(left.map(|spot| (spot, Open::ChainTooLong)));
    numbers.complete(objects, reach);
    numbers
}

type Asked = BTreeMap<Spot, Questions>;

/// Finds out what the loader is asked for while the program runs.
pub(super) fn loader_arguments(objects: &[Scanned], reach: &Reach, threads: NonZero<usize>) -> LoaderArguments {
    let mut asked = Asked::new();
    let mut arguments = LoaderArguments::new();
    for call in &reach.loader_calls {
        for entry in entries_around(objects, reach, call.at) {
            asked.entry(entry).or_default().loader_calls.insert(call.at.address);
        }
        arguments.insert(call.at, [Value::default(), Value::default()]);
    }
    for (entry, questions, answers) in ask(objects, asked, threads) {
        for address in questions.loader_calls {
            let answered = answers.as_ref().and_then(|answered| answered.loader_calls.get(&address));
            let [first, second] = answered.cloned().unwrap_or([Value::ANYTHING, Value::ANYTHING]);
            let known = arguments.entry(Spot { object: entry.object, address }).or_default();
            known[0].join(&first);
            known[1].join(&second);
        }
    }
    arguments
}

/// About the numbers of all system calls.
fn first_questions(objects: &[Scanned], reach: &Reach) -> Asked {
    let mut asked = Asked::new();
    for (index, scanned) in objects.iter().enumerate() {
        for function in reach.functions(index) {
            let systems = &scanned.facts[function].systems;
            if !systems.is_empty() {
                for entry in entries(objects, reach, index, function) {
                    asked.entry(entry).or_default().systems.extend(systems);
                }
            }
        }
    }
    asked
}

/// About the parameters of these functions, wherever they are called.
fn questions_about(objects: &[Scanned], reach: &Reach, wrappers: &BTreeSet<Wrapper>, numbers: &mut Numbers) -> Asked {
    let mut asked = Asked::new();
    for wrapper in wrappers {
        let function = wrapper.function;
        let callers = reach.callers.get(&function).map(Vec::as_slice).unwrap_or_default();
        if reach.taken.contains(&function) {
            numbers.open.insert((function, Open::CalledThroughPointer(function)));
        } else if callers.is_empty() {
            numbers.open.insert((function, Open::CalledByNobody(function)));
        }
        for caller in callers {
            for entry in entries_around(objects, reach, caller.at) {
                asked.entry(entry).or_default().calls.entry(caller.at.address).or_default().insert(*wrapper);
            }
        }
    }
    asked
}

/// The entries of the functions that an instruction is part of.
fn entries_around(objects: &[Scanned], reach: &Reach, at: Spot) -> BTreeSet<Spot> {
    let function = objects[at.object].object.function_at(at.address);
    function.map(|function| entries(objects, reach, at.object, function)).unwrap_or_default()
}

/// Where the analysis has to begin to get to all of a function: at every place in it that is entered, or for a part of other
/// functions at theirs.
fn entries(objects: &[Scanned], reach: &Reach, object: usize, function: usize) -> BTreeSet<Spot> {
    let mut entries = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut work = vec![function];
    let scanned = &objects[object];
    while let Some(function) = work.pop() {
        if !seen.insert(function) {
            continue;
        }
        let range = &scanned.object.functions[function].range;
        let before = entries.len();
        entries.extend(scanned.entered.range(range.clone()).map(|address| Spot { object, address: *address }));
        let owners = reach.owners.get(&(object, function));
        work.extend(owners.into_iter().flatten().filter(|owner| reach.is_reached(object, **owner)));
        if entries.len() == before && owners.is_none() {
            entries.insert(Spot { object, address: range.start });
        }
    }
    entries
}

fn ask(objects: &[Scanned], asked: Asked, threads: NonZero<usize>) -> Vec<(Spot, Questions, Answers)> {
    let asked: Vec<_> = asked.into_iter().collect();
    let per_thread = asked.len().div_ceil(threads.get()).max(8);
    let answer = |(entry, questions): &(Spot, Questions)| {
        let answers = answer(&objects[entry.object], *entry, questions);
        (*entry, questions.clone(), answers)
    };
    if asked.len() <= per_thread {
        return asked.iter().map(answer).collect();
    }
    thread::scope(|scope| {
        let parts: Vec<_> =
            asked.chunks(per_thread).map(|part| scope.spawn(move || part.iter().map(answer).collect::<Vec<_>>())).collect();
        let parts = parts.into_iter().map(|part| part.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        parts.flatten().collect()
    })
}

fn answer(scanned: &Scanned, entry: Spot, questions: &Questions) -> Answers {
    let flowing = Flowing::new(scanned, entry.address)?;
    let architecture = scanned.object.architecture;
    let convention = machine::convention(architecture);
    let mut answered = Answered::default();
    flowing.observe(|address, step, state| {
        if matches!(step.flow, Flow::System) && questions.systems.contains(&address) {
            let number = state.register(machine::number_register(architecture)).truncated(4);
            answered.systems.entry(address).or_default().join(&number);
        }
        for wrapper in questions.calls.get(&address).into_iter().flatten() {
            let value = state.parameter(wrapper.place, step.flow.is_call());
            answered.calls.entry((address, *wrapper)).or_default().join(&value);
        }
        if questions.loader_calls.contains(&address) {
            let parameter = |index: usize| match convention.parameters.get(index) {
                Some(register) => state.register(*register).clone(),
                None => Value::ANYTHING,
            };
            let [first, second] = answered.loader_calls.entry(address).or_default();
            first.join(&parameter(0));
            second.join(&parameter(1));
        }
    });
    Some(answered)
}

impl Numbers {
    fn take(&mut self, entry: Spot, asked: &Questions, answers: Answers, wrappers: &mut BTreeSet<Wrapper>) {
        let spot = |address| Spot { object: entry.object, address };
        let Some(answered) = answers else {
            let places = asked.systems.iter().chain(asked.calls.keys());
            self.open.extend(places.map(|address| (spot(*address), Open::TooComplex)));
            return;
        };
        for (address, value) in answered.systems {
            self.note(entry, spot(address), &value, Open::Computed, wrappers);
        }
        for ((address, wrapper), value) in answered.calls {
            self.note(entry, spot(address), &value, Open::Passed(wrapper.function), wrappers);
        }
    }

    fn note(&mut self, entry: Spot, at: Spot, value: &Value, open: Open, wrappers: &mut BTreeSet<Wrapper>) {
        if value.may_be_anything() {
            self.open.insert((at, open));
        }
        for atom in value.atoms() {
            match atom {
                // The kernel looks at the lower half of the register (`do_syscall_64` of arch/x86/entry/syscall_64.c).
                Atom::Constant(number) => drop(self.known.entry(number & 0xffff_ffff).or_default().insert(at)),
                Atom::Parameter(place) => {
                    self.handed_on.insert(at);
                    wrappers.insert(Wrapper { function: entry, place: *place });
                }
                Atom::Stack(_) => drop(self.open.insert((at, open))),
            }
        }
    }

    /// What no analysis came across is open, too: nothing that was reached may be silent.
    fn complete(&mut self, objects: &[Scanned], reach: &Reach) {
        let mut told: BTreeSet<Spot> = self.known.values().flatten().chain(&self.handed_on).copied().collect();
        told.extend(self.open.iter().map(|(spot, _)| *spot));
        for (index, scanned) in objects.iter().enumerate() {
            for function in reach.functions(index) {
                for address in &scanned.facts[function].systems {
                    let spot = Spot { object: index, address: *address };
                    if !told.contains(&spot) {
                        self.open.insert((spot, Open::Computed));
                    }
                }
            }
        }
    }
}
