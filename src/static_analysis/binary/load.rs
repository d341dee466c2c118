//! All objects of one process: the program, its loader, what they need, and what they may load later. Pure.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZero;

use globset::Glob;

use super::super::root::{Root, RootError, find_file, names_in};
use super::elf::{ElfError, Object};
use super::findings::Missing;
use super::libraries::{Asking, Search};
use super::scan::Scanned;

/// Why an object is loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reason {
    Program,
    /// The loader of the program.
    Loader,
    Preloaded,
    /// That object needs it.
    NeededBy(usize),
    /// That object has its name, and may load it.
    NamedIn(usize),
    AddedByHand,
}

/// One object of a process.
#[derive(Debug)]
pub(super) struct Loaded {
    /// In the root, without links.
    pub(super) path: String,
    pub(super) reason: Reason,
}

/// All objects of a process, in the order in which symbols are looked for.
pub(super) struct Process<'a> {
    root: &'a dyn Root,
    search: Search,
    threads: NonZero<usize>,
    pub(super) loaded: Vec<Loaded>,
    /// The same objects.
    pub(super) objects: Vec<Scanned>,
    pub(super) missing: Vec<Missing>,
    pub(super) notes: Vec<String>,
}

impl fmt::Debug for Process<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Process").field("loaded", &self.loaded).finish_non_exhaustive()
    }
}

impl<'a> Process<'a> {
    /// Loads a program with everything that its loader would load at the start.
    pub(super) fn start(
        root: &'a dyn Root,
        path: String,
        program: Object,
        environment: &BTreeMap<String, String>,
        threads: NonZero<usize>,
    ) -> Result<Self, RootError> {
        let loader = program.interpreter.clone();
        let search = Search::new(root, program.architecture, loader.as_deref().unwrap_or_default(), environment)?;
        let preload = if loader.is_some() { search.preload.clone() } else { Vec::new() };
        let mut process =
            Self { root, search, threads, loaded: Vec::new(), objects: Vec::new(), missing: Vec::new(), notes: Vec::new() };
        process.add(path, Reason::Program, program);
        for name in preload {
            process.find(&name, Reason::Preloaded, None)?;
        }
        process.load_needed(0)?;
        if let Some(loader) = loader {
            match find_file(root, &loader)? {
                Some(found) if process.is_loaded(&found.path) => {}
                Some(found) => match Object::parse(&root.read(&found.path)?) {
                    Ok(object) => process.add(found.path, Reason::Loader, object),
                    Err(error) => process.miss(&loader, 0, error.to_string()),
                },
                None => process.miss(&loader, 0, "the program's loader is not there".to_owned()),
            }
        }
        Ok(process)
    }

    /// The object that the kernel enters first: the loader, or a program without one.
    pub(super) fn first(&self) -> usize {
        let Some(wanted) = self.objects.first().and_then(|program| program.object.interpreter.as_ref()) else { return 0 };
        let found = find_file(self.root, wanted).ok().flatten();
        found.and_then(|found| self.loaded.iter().position(|loaded| loaded.path == found.path)).unwrap_or(0)
    }

    /// Adds a shared object by its path, with everything that it needs.
    pub(super) fn add_by_hand(&mut self, path: String, object: Object) -> Result<(), RootError> {
        if self.is_loaded(&path) {
            return Ok(());
        }
        let index = self.objects.len();
        self.add(path, Reason::AddedByHand, object);
        self.load_needed(index)
    }

    /// Adds the shared objects that a text in object `by` names, with everything that they need. Names that nothing in the root
    /// has are no reason to complain: programs try several.
    pub(super) fn add_named(&mut self, name: &str, by: usize) -> Result<(), RootError> {
        let begin = self.objects.len();
        if name.contains('%') {
            for name in self.matching(name, by)? {
                self.find(&name, Reason::NamedIn(by), Some(by))?;
            }
        } else {
            self.find(name, Reason::NamedIn(by), Some(by))?;
        }
        if begin < self.objects.len() { self.load_needed(begin) } else { Ok(()) }
    }

    /// The objects that a `printf` pattern may name: paths if it is one, else names in the system's folders.
    fn matching(&mut self, pattern: &str, by: usize) -> Result<Vec<String>, RootError> {
        let (folder, file) = pattern.rsplit_once('/').map_or((None, pattern), |(folder, file)| (Some(folder), file));
        if !is_narrow(&file.replace("lib", "").replace(".so", "")) || folder.is_some_and(|folder| folder.contains('%')) {
            let path = &self.loaded[by].path;
            self.notes.push(format!("`{path}` may load objects by the pattern `{pattern}`, which is too wide to follow"));
            return Ok(Vec::new());
        }
        let Ok(glob) = Glob::new(&glob_of(file)) else { return Ok(Vec::new()) };
        let matcher = glob.compile_matcher();
        let matching = |folder: &str| -> Result<Vec<String>, RootError> {
            Ok(names_in(self.root, folder)?.into_iter().filter(|name| matcher.is_match(name)).collect())
        };
        if let Some(folder) = folder {
            return Ok(matching(folder)?.into_iter().map(|name| format!("{folder}/{name}")).collect());
        }
        let mut names = Vec::new();
        for folder in self.search.system_folders() {
            names.extend(matching(folder)?);
        }
        names.sort();
        names.dedup();
        Ok(names)
    }

    fn is_loaded(&self, path: &str) -> bool {
        self.loaded.iter().any(|loaded| loaded.path == path)
    }

    fn add(&mut self, path: String, reason: Reason, object: Object) {
        self.loaded.push(Loaded { path, reason });
        self.objects.push(Scanned::new(object, self.threads));
    }

    /// Breadth first, from the object at `begin` on, as ld.so(8) does it.
    fn load_needed(&mut self, begin: usize) -> Result<(), RootError> {
        let mut index = begin;
        while index < self.objects.len() {
            for name in self.objects[index].object.dynamic.needed.clone() {
                self.find(&name, Reason::NeededBy(index), Some(index))?;
            }
            index += 1;
        }
        Ok(())
    }

    /// Adds the object that `by` means by `name`, unless it is there already.
    fn find(&mut self, name: &str, reason: Reason, by: Option<usize>) -> Result<(), RootError> {
        let same = |scanned: &Scanned| scanned.object.dynamic.soname.as_deref() == Some(name);
        if self.objects.iter().any(same) {
            return Ok(());
        }
        let architecture = self.objects[0].object.architecture;
        let mut trouble = None;
        for candidate in self.search.candidates(name, &self.asking(by)) {
            let Some(found) = find_file(self.root, &candidate)? else { continue };
            if self.is_loaded(&found.path) {
                return Ok(());
            }
            match Object::parse(&self.root.read(&found.path)?) {
                Ok(object) if object.architecture == architecture => {
                    self.note_variants(&found.path)?;
                    self.add(found.path, reason, object);
                    return Ok(());
                }
                // The loader passes over objects for other machines.
                Ok(_) | Err(ElfError::Foreign(_) | ElfError::NotElf) => {}
                Err(error) => trouble = Some(format!("`{}`: {error}", found.path)),
            }
        }
        if matches!(reason, Reason::NamedIn(_)) && trouble.is_none() {
            return Ok(());
        }
        let reason = trouble.unwrap_or_else(|| "it is in none of the folders of shared objects".to_owned());
        self.miss(name, by.unwrap_or(0), reason);
        Ok(())
    }

    fn asking(&self, by: Option<usize>) -> Asking<'_> {
        let Some(by) = by else { return Asking::default() };
        let dynamic = |index: usize| &self.objects[index].object.dynamic;
        let mut rpaths = Vec::new();
        let mut next = Some(by);
        while let Some(index) = next {
            // An object with a runpath has no rpath, whatever stands in it.
            if let (Some(rpath), None) = (&dynamic(index).rpath, &dynamic(index).runpath) {
                rpaths.push((rpath.as_str(), self.loaded[index].path.as_str()));
            }
            next = match self.loaded[index].reason {
                Reason::NeededBy(by) | Reason::NamedIn(by) => Some(by),
                Reason::Program | Reason::Loader | Reason::Preloaded | Reason::AddedByHand => None,
            };
        }
        if let (Some(rpath), None) = (&dynamic(0).rpath, &dynamic(0).runpath) {
            rpaths.push((rpath, &self.loaded[0].path));
        }
        Asking { path: &self.loaded[by].path, runpath: dynamic(by).runpath.as_deref(), rpaths }
    }

    /// The loader prefers a variant for a newer processor, which is not analysed.
    fn note_variants(&mut self, path: &str) -> Result<(), RootError> {
        let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
        for variant in names_in(self.root, &format!("{folder}/glibc-hwcaps"))? {
            if find_file(self.root, &format!("{folder}/glibc-hwcaps/{variant}/{file}"))?.is_some() {
                self.notes.push(format!("`{path}` has a variant for {variant} processors, which is not analysed"));
            }
        }
        Ok(())
    }

    fn miss(&mut self, name: &str, by: usize, reason: String) {
        let missing = Missing { name: name.to_owned(), wanted_by: self.loaded[by].path.clone(), reason };
        if !self.missing.contains(&missing) {
            self.missing.push(missing);
        }
    }
}

/// Whether a `printf` pattern says enough of what it gives to look for that.
pub(super) fn is_narrow(pattern: &str) -> bool {
    /// Letters that a pattern needs besides those of its conversions.
    const LETTERS: usize = 3;
    let letters = pattern.chars().filter(|character| character.is_alphabetic()).count();
    letters.saturating_sub(pattern.matches('%').count()) >= LETTERS
}

/// A pattern that matches everything which a `printf` pattern may give.
pub(super) fn glob_of(pattern: &str) -> String {
    let mut glob = String::new();
    let mut characters = pattern.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '%' if characters.next_if_eq(&'%').is_some() => glob.push('%'),
            '%' => {
                // Flags, width, precision and length, up to the letter that says what is printed (printf(3)).
                for part in characters.by_ref() {
                    if part.is_ascii_alphabetic() && !"hlqjzt".contains(part) {
                        break;
                    }
                }
                glob.push('*');
            }
            '*' | '?' | '[' | ']' | '{' | '}' | '\\' => glob.extend(['\\', character]),
            character => glob.push(character),
        }
    }
    glob
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printf_patterns_become_patterns_of_file_names() {
        assert_eq!(glob_of("libnss_%s.so%s"), "libnss_*.so*");
        assert_eq!(glob_of("lib%-08.3lld%%[x].so"), "lib*%\\[x\\].so");
        assert_eq!(glob_of("odd%"), "odd*");
    }
}
