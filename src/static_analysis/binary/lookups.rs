//! Functions that are looked up by name while the program runs (dlsym(3)). Pure.
//!
//! The name that is asked for is often a plain text at the call. Where it isn't, it is taken to be any text that reached code or
//! data refers to and that somebody exports, or anything that a `printf` pattern among these texts may give: the C library asks
//! for `_nss_%s_%s`. Names from files or put together by other means are not known, which is why these calls are told.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use globset::Glob;

use super::load::{Process, Reason, glob_of, is_narrow};
use super::numbers::LoaderArguments;
use super::reach::Reach;
use super::relocations::Pointer;
use super::tell;

/// How long a name may be. Longer ones exist, and nobody asks for them.
const NAME_LIMIT: usize = 512;

/// What was seen of names so far.
#[derive(Debug, Default)]
pub(super) struct Lookups {
    /// Functions whose texts were looked at.
    seen: HashSet<(usize, usize)>,
    /// Objects whose data was looked at.
    objects: usize,
    /// Texts that could be names of functions, by the object that has them.
    texts: BTreeMap<usize, BTreeSet<String>>,
    taken: HashSet<(usize, String)>,
}

impl Lookups {
    /// Has every function reached that is looked up by name, as far as the names are known; whether there were new ones.
    pub(super) fn follow(&mut self, process: &Process<'_>, reach: &mut Reach, arguments: &LoaderArguments) -> bool {
        self.collect(process, reach);
        let mut wanted = BTreeSet::new();
        for (index, loaded) in process.loaded.iter().enumerate() {
            match loaded.reason {
                Reason::AddedByHand => wanted.extend(exports(process, index)),
                Reason::NamedIn(_) => wanted.extend(self.named_exports(process, index)),
                Reason::Program | Reason::Loader | Reason::Preloaded | Reason::NeededBy(_) => {}
            }
        }
        for call in reach.loader_calls.iter().filter(|call| call.function.ends_with("sym")) {
            let Some([_, name]) = arguments.get(&call.at) else { continue };
            let names: BTreeSet<String> = tell::texts(&process.objects[call.at.object].object, name).into_iter().collect();
            let open = name.may_be_anything() || names.len() < name.atoms().len();
            let from_texts = self.texts.get(&call.at.object).filter(|_| open);
            for index in 0..process.objects.len() {
                let asked = |name: &String| names.contains(name) || from_texts.is_some_and(|texts| texts.contains(name));
                // Whoever has its own functions' names among its texts has them for its messages.
                let foreign = |name: &String| index != call.at.object || names.contains(name);
                wanted.extend(exports(process, index).filter(|(_, name)| asked(name) && foreign(name)));
            }
        }
        // The loader looks up a few functions by itself, such as those that initialise the C library or, in musl, its own next stage.
        if let Some(texts) = self.texts.get(&process.first()) {
            for index in 0..process.objects.len() {
                wanted.extend(exports(process, index).filter(|(_, name)| texts.contains(name)));
            }
        }
        let mut any = false;
        for (index, name) in wanted {
            if self.taken.insert((index, name.clone())) {
                reach.take_export(&process.objects, index, &name);
                any = true;
            }
        }
        any
    }

    /// The exports of an object that is loaded by name that somebody has the name of; all of them if nobody has any.
    fn named_exports(&self, process: &Process<'_>, index: usize) -> Vec<(usize, String)> {
        let patterns = self.texts.values().flatten().filter(|text| text.contains('%'));
        let patterns = patterns.filter_map(|pattern| Glob::new(&glob_of(pattern)).ok());
        let patterns: Vec<_> = patterns.map(|glob| glob.compile_matcher()).collect();
        let is_text = |name: &str| self.texts.values().any(|texts| texts.contains(name));
        let is_named = |name: &str| is_text(name) || patterns.iter().any(|pattern| pattern.is_match(name));
        let named: Vec<_> = exports(process, index).filter(|(_, name)| is_named(name)).collect();
        if named.is_empty() { exports(process, index).collect() } else { named }
    }

    /// Takes in the texts of what was reached since.
    fn collect(&mut self, process: &Process<'_>, reach: &Reach) {
        for (index, scanned) in process.objects.iter().enumerate() {
            let texts = self.texts.entry(index).or_default();
            let mut take = |address: u64| {
                if let Some(text) = scanned.object.memory.text(address, NAME_LIMIT)
                    && is_name(text)
                {
                    texts.insert(text.to_owned());
                }
            };
            if index >= self.objects {
                for pointer in scanned.object.pointers() {
                    if let Pointer::Own(address) = pointer {
                        take(address);
                    }
                }
            }
            for function in reach.functions(index) {
                if self.seen.insert((index, function)) {
                    scanned.facts[function].data.iter().copied().for_each(&mut take);
                }
            }
        }
        self.objects = process.objects.len();
    }
}

/// The functions that an object exports.
fn exports<'a>(process: &'a Process<'_>, index: usize) -> impl Iterator<Item = (usize, String)> + 'a {
    let functions = process.objects[index].object.exports().filter(|symbol| !symbol.data);
    functions.map(move |symbol| (index, symbol.name.clone()))
}

/// Whether a text could be the name of a function, or a pattern for some.
fn is_name(text: &str) -> bool {
    let good = |character: char| character.is_ascii_alphanumeric() || "_.$@".contains(character);
    if text.contains('%') {
        return text.chars().all(|character| good(character) || "%-*".contains(character)) && is_narrow(text);
    }
    !text.is_empty() && text.chars().all(good)
}
