//! What names stand for, over all files: macros, functions of the sources' own, and functions that are given the number of a
//! system call. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::findings::{Doubt, Place, SourceFindings, Use, UseKind};
use super::parse::{Call, FileFacts, Macro, Mention};
use super::wrappers;
use crate::syscalls::{Architecture, Sysno};

/// How many macros may stand for one another.
const MACROS_LIMIT: usize = 16;
/// What the kernel's and libc's names of numbers begin with.
const PREFIXES: [&str; 2] = ["SYS_", "__NR_"];

/// Functions and macros that call the kernel by a number they are given: which argument that is, and what is put before it if it is
/// pasted to a name.
type Callers<'a> = BTreeMap<&'a str, BTreeSet<(usize, bool)>>;

/// All names of the sources.
pub(super) struct Names<'a> {
    files: &'a [FileFacts],
    architecture: Architecture,
    macros: BTreeMap<&'a str, Vec<&'a Macro>>,
    /// Functions that are defined for all files, without any condition.
    global: BTreeSet<&'a str>,
    callers: Callers<'a>,
    /// Names that are called anywhere.
    called: BTreeSet<&'a str>,
}

/// What an expression says of a number.
enum Number {
    Known(BTreeSet<Sysno>),
    /// It is a parameter of what it stands in.
    Parameter,
    Unknown(String),
}

impl<'a> Names<'a> {
    pub(super) fn new(files: &'a [FileFacts], architecture: Architecture) -> Self {
        let mut macros = BTreeMap::<_, Vec<_>>::new();
        for defined in files.iter().flat_map(|file| &file.macros) {
            macros.entry(defined.name.as_str()).or_default().push(defined);
        }
        let definitions = files.iter().flat_map(|file| &file.definitions);
        let global = definitions.filter(|definition| !definition.local && !definition.conditional);
        let global = global.map(|definition| definition.name.as_str()).collect();
        let called = files.iter().flat_map(|file| &file.calls).map(|call| call.function.as_str()).collect();
        let mut names = Self { files, architecture, macros, global, callers: Callers::new(), called };
        names.find_callers();
        names
    }

    /// Finds everything that hands a parameter of its own to `syscall`, or to something that does.
    fn find_callers(&mut self) {
        self.callers.insert("syscall", BTreeSet::from([(0, false)]));
        for defined in self.macros.values().flatten() {
            let parameters = defined.parameters.iter().flatten().enumerate();
            for (index, _) in parameters.filter(|(_, parameter)| is_pasted(&defined.body, parameter)) {
                self.callers.entry(&defined.name).or_default().insert((index, true));
            }
        }
        loop {
            let mut found = Vec::new();
            for (file, call) in self.files.iter().flat_map(|file| file.calls.iter().map(move |call| (file, call))) {
                let Some(numbers) = self.callers.get(call.function.as_str()) else { continue };
                let Some(within) = call.within.as_deref() else { continue };
                for (index, pasted) in numbers {
                    let given = call.arguments.get(*index).into_iter().flatten();
                    for parameter in given.filter_map(|text| self.parameter(file, within, text)) {
                        found.push((within, (parameter, *pasted)));
                    }
                }
            }
            let before: usize = self.callers.values().map(BTreeSet::len).sum();
            for (name, number) in found {
                self.callers.entry(name).or_default().insert(number);
            }
            if self.callers.values().map(BTreeSet::len).sum::<usize>() == before {
                return;
            }
        }
    }

    /// The position of the parameter `text` of the function or macro `within`.
    fn parameter(&self, file: &'a FileFacts, within: &str, text: &str) -> Option<usize> {
        let of_functions = file.definitions.iter().filter(|definition| definition.name == within).map(|each| &each.parameters);
        let of_macros = self.macros.get(within).into_iter().flatten().filter_map(|defined| defined.parameters.as_ref());
        of_functions.chain(of_macros).find_map(|parameters| parameters.iter().position(|parameter| parameter == text))
    }

    /// Everything that the sources tell.
    pub(super) fn findings(&self) -> SourceFindings {
        let mut findings = SourceFindings { architecture: self.architecture.name().to_owned(), ..SourceFindings::default() };
        for file in self.files {
            let place = |line: u64| Place { file: file.path.clone(), line };
            let local = file.definitions.iter().filter(|definition| !definition.conditional);
            let own: BTreeSet<_> = local.map(|definition| definition.name.as_str()).chain(self.global.iter().copied()).collect();
            for call in &file.calls {
                self.call(file, call, &own, &place(call.line), &mut findings);
            }
            for Mention { name, line, given_to } in &file.mentions {
                let is_other =
                    own.contains(name.as_str()) || file.variables.contains(name) || self.macros.contains_key(name.as_str());
                // It may be part of a number's name.
                let is_pasted = given_to.as_deref().and_then(|macro_name| self.callers.get(macro_name));
                if !is_other && !is_pasted.is_some_and(|numbers| numbers.iter().any(|(_, pasted)| *pasted)) {
                    self.add(name, &place(*line), UseKind::Address, &mut findings);
                }
            }
            findings.indirect_calls += file.indirect_calls;
            let doubt = |line: &u64, what: &str| Doubt { place: place(*line), what: what.to_owned() };
            findings.assembly.extend(file.assembly.iter().map(|line| doubt(line, "assembly that calls the kernel")));
            findings.parse_errors.extend(file.errors.iter().map(|line| doubt(line, "not understood")));
        }
        findings.unresolved.sort();
        findings.unresolved.dedup();
        findings
    }

    fn call(&self, file: &'a FileFacts, call: &Call, own: &BTreeSet<&str>, place: &Place, findings: &mut SourceFindings) {
        let function = call.function.as_str();
        if let Some(numbers) = self.callers.get(function) {
            for (index, pasted) in numbers {
                self.number(file, call, *index, *pasted, place, findings);
            }
            return;
        }
        if own.contains(function) {
            if wrappers::table().contains_key(function) {
                *findings.own.entry(function.to_owned()).or_default() += 1;
            }
            return;
        }
        let mut names = BTreeSet::new();
        self.stands_for(function, MACROS_LIMIT, &mut names);
        for name in names.into_iter().filter(|name| *name == function || !own.contains(name)) {
            self.add(name, place, UseKind::Function, findings);
        }
    }

    /// Every name that a name may stand for. A macro with parameters stands for nothing but its body, which is looked at where it is
    /// defined; itself, where it only hands on to the function of the same name.
    fn stands_for<'b>(&'b self, name: &'b str, limit: usize, names: &mut BTreeSet<&'b str>) {
        let Some(macros) = self.macros.get(name).filter(|_| limit > 0) else {
            names.insert(name);
            return;
        };
        for defined in macros.iter().filter(|defined| defined.parameters.is_none()) {
            let body = defined.body.trim_matches(['(', ')', ' ']);
            if body == name {
                names.insert(name);
            } else if is_identifier(body) {
                self.stands_for(body, limit - 1, names);
            }
        }
    }

    fn add(&self, name: &str, place: &Place, kind: UseKind, findings: &mut SourceFindings) {
        for call in wrappers::calls_of(name, self.architecture).into_iter().flatten() {
            let site = Use { place: place.clone(), function: name.to_owned(), kind };
            findings.calls.entry(call).or_default().insert(site);
        }
    }

    /// A call of something that is given a number.
    fn number(&self, file: &'a FileFacts, call: &Call, index: usize, pasted: bool, place: &Place, findings: &mut SourceFindings) {
        let within = call.within.as_deref();
        let choices = call.arguments.get(index).map(Vec::as_slice).unwrap_or_default();
        let mut unknown = Vec::new();
        if choices.is_empty() {
            unknown.push(format!("`{}` is given something that is no name or number", call.function));
        }
        for text in choices {
            let is_parameter = within.is_some_and(|within| self.parameter(file, within, text).is_some());
            let number = match (is_parameter, pasted) {
                (true, _) => Number::Parameter,
                (false, true) => self.named(text),
                (false, false) => self.evaluate(text, MACROS_LIMIT),
            };
            match number {
                Number::Known(calls) => {
                    for known in calls {
                        let site = Use { place: place.clone(), function: call.function.clone(), kind: UseKind::Number };
                        findings.calls.entry(known).or_default().insert(site);
                    }
                }
                // Whoever calls decides.
                Number::Parameter => match within {
                    Some(within) if !self.called.contains(within) => {
                        unknown.push(format!("the number is a parameter of `{within}`, which is not called here"));
                    }
                    _ => {}
                },
                Number::Unknown(why) => unknown.push(why),
            }
        }
        findings.unresolved.extend(unknown.into_iter().map(|what| Doubt { place: place.clone(), what }));
    }

    /// The call of that name.
    fn named(&self, name: &str) -> Number {
        match Sysno::from_name(name).filter(|call| call.number(self.architecture).is_some()) {
            Some(call) => Number::Known(BTreeSet::from([call])),
            None => Number::Unknown(format!("`{name}` is no system call of {}", self.architecture)),
        }
    }

    fn evaluate(&self, text: &str, limit: usize) -> Number {
        let text = text.trim().trim_start_matches('(').trim_end_matches(')').trim();
        if let Some(name) = PREFIXES.iter().find_map(|prefix| text.strip_prefix(prefix)) {
            return self.named(name);
        }
        if let Some(number) = number(text) {
            return match Sysno::from_number(self.architecture, number) {
                Some(call) => Number::Known(BTreeSet::from([call])),
                None => Number::Unknown(format!("{number} is no system call of {}", self.architecture)),
            };
        }
        let macros = self.macros.get(text).map(Vec::as_slice).unwrap_or_default();
        let bodies: Vec<_> = macros.iter().filter(|defined| defined.parameters.is_none()).map(|defined| &defined.body).collect();
        if bodies.is_empty() || limit == 0 {
            return Number::Unknown(format!("the number is `{text}`"));
        }
        let mut known = BTreeSet::new();
        let mut unknown = None;
        for body in bodies {
            match self.evaluate(body, limit - 1) {
                Number::Known(calls) => known.extend(calls),
                Number::Parameter => {}
                Number::Unknown(why) => unknown = Some(why),
            }
        }
        // Of several definitions, those for other architectures are no reason for doubt.
        match unknown {
            Some(why) if known.is_empty() => Number::Unknown(why),
            _ => Number::Known(known),
        }
    }
}

/// Whether a macro's body pastes that parameter to the beginning of a number's name.
fn is_pasted(body: &str, parameter: &str) -> bool {
    let plain: String = body.chars().filter(|character| !character.is_whitespace()).collect();
    PREFIXES.iter().any(|prefix| {
        let pasted = format!("{prefix}##{parameter}");
        plain.match_indices(&pasted).any(|(place, _)| !plain[place + pasted.len()..].starts_with(is_part_of_name))
    })
}

fn is_part_of_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

fn is_identifier(text: &str) -> bool {
    text.starts_with(|character: char| character.is_ascii_alphabetic() || character == '_') && text.chars().all(is_part_of_name)
}

/// A number as C writes it.
fn number(text: &str) -> Option<u32> {
    let text = text.trim_end_matches(['u', 'U', 'l', 'L']);
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None if text.len() > 1 && text.starts_with('0') => (&text[1..], 8),
        None => (text, 10),
    };
    u32::from_str_radix(digits, radix).ok().filter(|_| digits.starts_with(|digit: char| digit.is_ascii_hexdigit()))
}
