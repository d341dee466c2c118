//! What the analysis of binaries tells. Pure vocabulary.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::syscalls::{Architecture, Sysno};

/// Everything that was found out about a program, with what it loads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Findings {
    /// The processor that the program is for, as `uname -m` prints it.
    pub architecture: String,
    /// The programs that were analysed: the one asked for, and those added by hand.
    pub programs: Vec<Program>,
    /// Every object that is or may be loaded, in the order in which symbols are looked for.
    pub objects: Vec<ObjectSummary>,
    /// The calls that may be made.
    pub calls: BTreeMap<Sysno, Reported>,
    /// Numbers that no Linux of the table has.
    pub unknown_numbers: BTreeMap<u64, BTreeSet<Site>>,
    /// Places at which a call is made whose number is not known. There may be calls that [`Findings::calls`] lacks.
    pub unresolved: Vec<Unresolved>,
    /// Where objects are loaded and symbols looked up while the program runs.
    pub loader_calls: Vec<LoaderCall>,
    /// Objects and functions that could not be found. What they call is not known.
    pub missing: Vec<Missing>,
    /// What else has to be known of the result.
    pub notes: Vec<String>,
}

/// A call that may be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reported {
    /// The places that decide on its number: a system call instruction, or the call of a function that is given the number. Never
    /// empty.
    pub sites: BTreeSet<Site>,
    /// The shortest way found to one of them.
    pub way: Way,
}

/// How the analysis got to a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Way {
    /// How the first function of the way is reached, in words.
    pub begin: String,
    /// The beginnings of the functions along the way, the last of which has the place.
    pub functions: Vec<Site>,
}

/// A program that was analysed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// What was asked for.
    pub asked: String,
    /// The file that the kernel loads.
    pub path: String,
    /// The scripts on the way there, whose interpreter it is.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub scripts: Vec<String>,
}

/// A program or shared object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ObjectSummary {
    /// Its path in the root, without links.
    pub path: String,
    /// Why it is there.
    pub reason: String,
    /// How many functions it has, or stretches of code where that is not known.
    pub functions: usize,
    /// How many of those may run.
    pub reached: usize,
    /// How many system call instructions it has.
    pub instructions: usize,
    /// How many of those may be carried out.
    pub reached_instructions: usize,
}

/// A place in an object. As text `OBJECT:0xADDRESS FUNCTION`, with the address as in the file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Site {
    /// The object's path.
    pub object: String,
    /// The instruction's address, as in the file.
    pub address: u64,
    /// The function's name, empty if it has none.
    pub function: String,
}

impl fmt::Display for Site {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{:#x}", self.object, self.address)?;
        if self.function.is_empty() { Ok(()) } else { write!(formatter, " {}", self.function) }
    }
}

impl From<Site> for String {
    fn from(site: Site) -> Self {
        site.to_string()
    }
}

impl TryFrom<String> for Site {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let broken = || format!("`{text}` is no place in an object");
        // Names of functions have no `:0x`, names of files may have anything.
        let (object, rest) = text.rsplit_once(":0x").ok_or_else(broken)?;
        let (address, function) = rest.split_once(' ').unwrap_or((rest, ""));
        let address = u64::from_str_radix(address, 16).map_err(|_| broken())?;
        Ok(Self { object: object.to_owned(), address, function: function.to_owned() })
    }
}

/// A system call whose number is not known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Unresolved {
    /// Where.
    pub site: Site,
    /// Why, in words.
    pub reason: String,
}

/// A call of `dlopen`, `dlsym` and the like.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LoaderCall {
    /// Which function is called.
    pub function: String,
    /// Where.
    pub site: Site,
    /// The object or symbol that is asked for, as far as that is known.
    pub names: Vec<String>,
    /// Whether it may be another one.
    pub open: bool,
}

/// Something that was not found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Missing {
    /// The object's or function's name.
    pub name: String,
    /// What wants it.
    pub wanted_by: String,
    /// Why it could not be used, in words.
    pub reason: String,
}

impl Findings {
    /// Nothing found out yet.
    pub(super) fn new(architecture: Architecture) -> Self {
        Self {
            architecture: architecture.name().to_owned(),
            programs: Vec::new(),
            objects: Vec::new(),
            calls: BTreeMap::new(),
            unknown_numbers: BTreeMap::new(),
            unresolved: Vec::new(),
            loader_calls: Vec::new(),
            missing: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// The number of places per call: what is stored as the result.
    #[must_use]
    pub fn sites(&self) -> BTreeMap<Sysno, u64> {
        self.calls.iter().map(|(call, reported)| (*call, reported.sites.len() as u64)).collect()
    }

    /// Takes in what was found out about another program.
    pub(super) fn merge(&mut self, other: Self) {
        self.programs.extend(other.programs);
        for object in other.objects {
            match self.objects.iter_mut().find(|known| known.path == object.path) {
                Some(known) => {
                    known.reached = known.reached.max(object.reached);
                    known.reached_instructions = known.reached_instructions.max(object.reached_instructions);
                }
                None => self.objects.push(object),
            }
        }
        for (call, reported) in other.calls {
            match self.calls.entry(call) {
                Entry::Occupied(mut known) => known.get_mut().sites.extend(reported.sites),
                Entry::Vacant(new) => drop(new.insert(reported)),
            }
        }
        for (number, sites) in other.unknown_numbers {
            self.unknown_numbers.entry(number).or_default().extend(sites);
        }
        merge_sorted(&mut self.unresolved, other.unresolved);
        merge_sorted(&mut self.loader_calls, other.loader_calls);
        merge_sorted(&mut self.missing, other.missing);
        for note in other.notes {
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
    }
}

fn merge_sorted<T: Ord>(into: &mut Vec<T>, other: Vec<T>) {
    into.extend(other);
    into.sort();
    into.dedup();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_back_as_they_are_written() {
        for (object, function) in [("/usr/lib/libc.so.6", "read"), ("/odd:0x1 name", ""), ("/a", "std::io::Write for X")] {
            let site = Site { object: object.to_owned(), address: 0xf7a10, function: function.to_owned() };
            assert_eq!(Site::try_from(site.to_string()), Ok(site));
        }
        for broken in ["", "/lib/libc.so.6", "/lib/libc.so.6:0xzz read", "/lib/libc.so.6:12"] {
            assert!(Site::try_from(broken.to_owned()).unwrap_err().contains("no place in an object"), "{broken}");
        }
    }
}
