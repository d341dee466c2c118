//! The rules of the layout, held against the sources: which module may touch what. Each test is one rule; a failure names
//! file and line.
//!
//! The sources are read as text, with comments, string literals and `#[cfg(test)]` modules blanked out. That is no parser, but
//! a rule that is broken by accident is broken in plain sight.
#![allow(clippy::unwrap_used, reason = "what tests share is test code, too")]

mod common;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A source file below the package's root.
struct Source {
    /// Relative to the root, with `/`.
    path: String,
    /// As it is.
    text: String,
    /// The same lines with everything blanked out that is no code of the program.
    code: String,
}

impl Source {
    fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { path: path.into(), code: without_tests(&without_comments_and_strings(&text)), text }
    }

    fn is_in(&self, places: &[&str]) -> bool {
        places.iter().any(|place| self.path == *place || (place.ends_with('/') && self.path.starts_with(place)))
    }

    /// Whether the whole file is tests, included by a `#[cfg(test)] mod tests;`.
    fn is_tests(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.contains("/tests/")
    }
}

/// A place where a rule is broken.
#[derive(Debug, PartialEq, Eq)]
struct Violation {
    path: String,
    line: usize,
    text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {}", self.path, self.line, self.text)
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below `src/`.
fn sources() -> Vec<Source> {
    fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, files);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    let mut files = Vec::new();
    collect(&root().join("src"), &mut files);
    files.sort();
    assert!(files.len() > 40, "only {} sources were found", files.len());
    let relative = |path: &Path| path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
    files.iter().map(|path| Source::new(relative(path), fs::read_to_string(path).unwrap())).collect()
}

/// What a stretch of source text is.
enum Stretch {
    Code,
    LineComment,
    /// How many are open: they nest.
    BlockComment(usize),
    Text,
    /// Raw text, closed by a quote and so many `#`.
    RawText(usize),
}

/// Blanks comments and the insides of string and character literals; lines stay where they are.
fn without_comments_and_strings(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let at = |index: usize| characters.get(index).copied().unwrap_or('\n');
    let blank = |character: char| if character == '\n' { '\n' } else { ' ' };
    let mut code = String::with_capacity(text.len());
    let mut stretch = Stretch::Code;
    let mut index = 0;
    while index < characters.len() {
        let here = characters[index];
        let word_before = index > 0 && (at(index - 1).is_alphanumeric() || at(index - 1) == '_');
        let mut length = 1;
        let mut keep = false;
        match stretch {
            Stretch::Code => match (here, at(index + 1)) {
                ('/', '/') => stretch = Stretch::LineComment,
                ('/', '*') => (stretch, length) = (Stretch::BlockComment(1), 2),
                ('"', _) => (stretch, keep) = (Stretch::Text, true),
                ('r', '"' | '#') if !word_before || at(index - 1) == 'b' => {
                    let hashes = (index + 1..characters.len()).take_while(|place| at(*place) == '#').count();
                    if at(index + 1 + hashes) == '"' {
                        (stretch, length) = (Stretch::RawText(hashes), hashes + 2);
                    }
                    keep = true;
                }
                // A character literal, and not a lifetime.
                ('\'', '\\') => {
                    let inside =
                        (index + 3..characters.len()).take_while(|place| at(*place) != '\'' && at(*place) != '\n').count();
                    length = inside + 4;
                }
                ('\'', _) if at(index + 2) == '\'' => length = 3,
                _ => keep = true,
            },
            Stretch::LineComment => {
                if here == '\n' {
                    stretch = Stretch::Code;
                }
            }
            Stretch::BlockComment(depth) => match (here, at(index + 1)) {
                ('/', '*') => (stretch, length) = (Stretch::BlockComment(depth + 1), 2),
                ('*', '/') => (stretch, length) = (if depth == 1 { Stretch::Code } else { Stretch::BlockComment(depth - 1) }, 2),
                _ => {}
            },
            Stretch::Text => match here {
                '\\' => length = 2,
                '"' => (stretch, keep) = (Stretch::Code, true),
                _ => {}
            },
            Stretch::RawText(hashes) => {
                if here == '"' && (1..=hashes).all(|offset| at(index + offset) == '#') {
                    (stretch, length) = (Stretch::Code, hashes + 1);
                }
            }
        }
        let end = (index + length).min(characters.len());
        code.extend(characters[index..end].iter().map(|character| if keep { *character } else { blank(*character) }));
        index = end;
    }
    code
}

/// Blanks every item after a `#[cfg(test)]`, up to its closing brace or its semicolon.
fn without_tests(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut rest = code;
    let mut kept = String::with_capacity(code.len());
    while let Some(begin) = rest.find(MARK) {
        kept.push_str(&rest[..begin]);
        let item = &rest[begin..];
        let mut depth = 0_usize;
        let mut end = item.len();
        for (offset, character) in item.char_indices() {
            match character {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 && matches!(character, '}' | ';') {
                end = offset + 1;
                break;
            }
        }
        kept.extend(item[..end].chars().map(|character| if character == '\n' { '\n' } else { ' ' }));
        rest = &item[end..];
    }
    kept.push_str(rest);
    kept
}

/// Whether `word` stands in `line` and is not just a part of a longer name.
fn has_word(line: &str, word: &str) -> bool {
    let is_name = |character: char| character.is_alphanumeric() || character == '_';
    line.match_indices(word).any(|(place, _)| {
        let before = line[..place].chars().next_back();
        let after = line[place + word.len()..].chars().next();
        let goes_on = word.ends_with(is_name) && after.is_some_and(is_name);
        !goes_on && !before.is_some_and(is_name)
    })
}

/// Lines of code that have one of these words.
fn uses<'a>(sources: impl IntoIterator<Item = &'a Source>, words: &[&str]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for source in sources.into_iter().filter(|source| !source.is_tests()) {
        for (number, (code, text)) in (1..).zip(source.code.lines().zip(source.text.lines())) {
            if words.iter().any(|word| has_word(code, word)) {
                violations.push(Violation { path: source.path.clone(), line: number, text: text.trim().to_owned() });
            }
        }
    }
    violations
}

/// Places in which something else of the crate is named than these modules: `crate::other` and `use crate::{…, other}`.
fn imports_other_than<'a>(sources: impl IntoIterator<Item = &'a Source>, allowed: &[&str]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for source in sources.into_iter().filter(|source| !source.is_tests()) {
        for (place, _) in source.code.match_indices("crate::") {
            let rest = &source.code[place + "crate::".len()..];
            let right = modules(rest).iter().all(|module| allowed.contains(&module.as_str()));
            let name_before = source.code[..place].ends_with(|character: char| character.is_alphanumeric() || character == '_');
            if !right && !name_before {
                let line = source.code[..place].matches('\n').count();
                let text = source.text.lines().nth(line).unwrap_or_default().trim().to_owned();
                violations.push(Violation { path: source.path.clone(), line: line + 1, text });
            }
        }
    }
    violations
}

/// The modules named right after `crate::`: one, or the first names of a braced list.
fn modules(rest: &str) -> Vec<String> {
    let name =
        |text: &str| text.trim().chars().take_while(|character| character.is_alphanumeric() || *character == '_').collect();
    let Some(list) = rest.strip_prefix('{') else { return vec![name(rest)] };
    let mut names = Vec::new();
    let (mut depth, mut begin) = (0, 0);
    for (place, character) in list.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                let module: String = name(&list[begin..place]);
                if !module.is_empty() {
                    names.push(module);
                }
                begin = place + 1;
                if character == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    names
}

#[track_caller]
fn hold(rule: &str, violations: &[Violation]) {
    let places: Vec<_> = violations.iter().map(ToString::to_string).collect();
    assert!(violations.is_empty(), "{rule}, and yet:\n{}", places.join("\n"));
}

/// Decisions, not deeds.
const PURE: [&str; 11] = [
    "src/syscalls/",
    "src/spec/",
    "src/trial/",
    "src/filter/",
    "src/explore/",
    "src/diff/",
    "src/why/",
    "src/export/",
    "src/support/",
    "src/static_analysis/",
    "src/report/",
];
/// The only files of those modules that look at the disk.
const LOADERS: [&str; 3] = ["src/spec/context.rs", "src/spec/files.rs", "src/static_analysis/folder.rs"];
const SHIM: [&str; 2] = ["src/shim/", "src/bin/loupe-shim.rs"];

fn within(sources: &[Source], places: &[&str]) -> Vec<Source> {
    let chosen = sources.iter().filter(|source| source.is_in(places));
    let chosen: Vec<_> = chosen.map(|source| Source::new(source.path.clone(), source.text.clone())).collect();
    assert!(!chosen.is_empty(), "no source is in {places:?}: the rule watches nothing");
    chosen
}

fn outside(sources: &[Source], places: &[&str]) -> Vec<Source> {
    let (inside, outside): (Vec<_>, Vec<_>) = sources.iter().partition(|source| source.is_in(places));
    assert!(!inside.is_empty(), "no source is in {places:?}: the rule watches nothing");
    outside.into_iter().map(|source| Source::new(source.path.clone(), source.text.clone())).collect()
}

#[test]
fn pure_modules_know_no_runtime_engine_clock_or_chance() {
    let words = [
        "tokio",
        "bollard",
        "futures_util",
        "Instant",
        "SystemTime",
        "UNIX_EPOCH",
        "rand",
        "getrandom",
        "fastrand",
        "RandomState",
        "thread::sleep",
        "process::Command",
        "std::net",
        "std::process",
    ];
    hold(&format!("{} are pure", PURE.join(", ")), &uses(&within(&sources(), &PURE), &words));
}

#[test]
fn pure_modules_touch_no_files_except_their_loaders() {
    let pure = within(&sources(), &PURE);
    let words = ["std::fs", "fs::", "File::", "OpenOptions", "tempfile", "ignore::Walk", "WalkBuilder"];
    hold(&format!("only {} of the pure modules touch files", LOADERS.join(", ")), &uses(&outside(&pure, &LOADERS), &words));
    let paths = ["exists()", "is_file()", "is_dir()", "read_dir()", "canonicalize()", "metadata()", "symlink_metadata()"];
    hold(&format!("only {} of the pure modules ask about files", LOADERS.join(", ")), &uses(&outside(&pure, &LOADERS), &paths));
}

#[test]
fn shim_uses_only_the_vocabulary_and_the_filter() {
    let shim = within(&sources(), &SHIM);
    hold(
        "the shim uses only `trial`, `filter` and `syscalls` of the crate",
        &imports_other_than(&shim, &["trial", "filter", "syscalls", "shim"]),
    );
    let words = ["tokio", "tracing", "anyhow", "serde", "serde_json", "thiserror", "clap", "bollard"];
    hold("the shim is built without the dependencies of the host", &uses(&shim, &words));
}

#[test]
fn store_knows_no_engine() {
    let store = within(&sources(), &["src/store/"]);
    hold("the store does not know what ran the trials", &uses(&store, &["engine::", "crate::engine", "bollard", "tokio"]));
    let allowed = ["store", "explore", "trial", "spec", "syscalls", "filter"];
    hold("the store uses nothing that stands below it", &imports_other_than(&store, &allowed));
}

#[test]
fn modules_use_nothing_that_stands_below_them() {
    let order: [(&str, &[&str]); 12] = [
        ("src/syscalls/", &["syscalls"]),
        ("src/spec/", &["syscalls", "spec"]),
        ("src/trial/", &["syscalls", "spec", "trial"]),
        ("src/filter/", &["syscalls", "trial", "filter"]),
        ("src/engine/", &["syscalls", "spec", "trial", "filter", "shim", "engine"]),
        ("src/explore/", &["syscalls", "trial", "explore"]),
        ("src/support/", &["syscalls", "spec", "trial", "explore", "support"]),
        ("src/campaign/", &["syscalls", "spec", "trial", "engine", "explore", "store", "support", "campaign"]),
        ("src/static_analysis/", &["syscalls", "static_analysis"]),
        ("src/why/", &["syscalls", "trial", "store", "why"]),
        ("src/export/", &["syscalls", "trial", "store", "export"]),
        ("src/diff/", &["syscalls", "trial", "explore", "store", "diff"]),
    ];
    let sources = sources();
    for (place, allowed) in order {
        let violations = imports_other_than(&within(&sources, &[place]), allowed);
        hold(&format!("{place} uses only {}", allowed.join(", ")), &violations);
    }
}

#[test]
fn only_the_docker_engine_knows_bollard() {
    hold("only src/engine/docker uses bollard", &uses(&outside(&sources(), &["src/engine/docker/"]), &["bollard"]));
}

#[test]
fn only_the_printer_writes_to_the_standard_streams() {
    let words = ["println!", "eprintln!", "print!", "eprint!", "dbg!", "io::stdout", "io::stderr", "stdout()", "stderr()"];
    // To ask whether a stream is a terminal is no writing; the shim has no printer.
    let violations = uses(&outside(&sources(), &["src/cli/printer.rs", "src/shim/"]), &words);
    let writes: Vec<_> = violations.into_iter().filter(|violation| !violation.text.contains(".is_terminal()")).collect();
    hold("only src/cli/printer.rs writes to the standard streams", &writes);
}

#[test]
fn only_the_settings_read_the_environment() {
    let words = ["env::var", "env::var_os", "env::vars", "env::vars_os", "env::current_dir", "env::args", "env::temp_dir"];
    let rest = outside(&sources(), &["src/cli/settings.rs", "src/shim/"]);
    hold("only src/cli/settings.rs reads the environment", &uses(&rest, &words));
}

#[test]
fn unsafe_code_is_in_one_module() {
    let rest = outside(&sources(), &["src/shim/sys.rs", "src/shim/sys/"]);
    hold("only src/shim/sys has unsafe code", &uses(&rest, &["unsafe"]));
}

#[test]
fn programs_of_the_package_are_thin() {
    for path in ["src/bin/loupe-shim.rs", "src/main.rs"] {
        let lines = fs::read_to_string(root().join(path)).unwrap().lines().count();
        assert!(lines <= 20, "{path}:{lines}: a program has at most 20 lines; what it does belongs into the library");
    }
}

#[test]
fn every_source_says_what_it_is() {
    // The table is generated, and says by what.
    let written = outside(&sources(), &["src/syscalls/table.rs"]);
    let silent = written.iter().filter(|source| !source.text.starts_with("//! ") && !source.is_tests());
    let first = |source: &Source| source.text.lines().next().unwrap_or_default().to_owned();
    let violations: Vec<_> = silent.map(|source| Violation { path: source.path.clone(), line: 1, text: first(source) }).collect();
    hold("every source begins with `//!`", &violations);
}

/// Places of tracked files that name a folder of one particular machine.
fn machine_paths(path: &str, text: &str) -> Vec<Violation> {
    // Put together here, so that this file itself is clean.
    let folders = ["work", "farm"].map(|folder| format!("/{folder}/"));
    let names = |line: &str| {
        folders.iter().any(|folder| {
            line.match_indices(folder.as_str()).any(|(place, _)| {
                let before = line[..place].chars().next_back();
                !before.is_some_and(|character| character.is_alphanumeric() || "_-.}$)*".contains(character))
            })
        })
    };
    let lines = (1..).zip(text.lines()).filter(|(_, line)| names(line));
    lines.map(|(line, text)| Violation { path: path.to_owned(), line, text: text.trim().chars().take(120).collect() }).collect()
}

#[test]
fn no_tracked_file_names_a_folder_of_one_machine() {
    let listed = Command::new("git").args(["ls-files", "-z"]).current_dir(root()).output();
    let listed = listed.ok().filter(|output| output.status.success());
    let Some(listed) = listed else {
        return common::not_met(common::Need::Git, "this is no git checkout, so it is not known which files are tracked");
    };
    let listed = String::from_utf8(listed.stdout).unwrap();
    let mut violations = Vec::new();
    for path in listed.split('\0').filter(|path| !path.is_empty()) {
        // Binary files and links to nowhere have no lines to show.
        if let Ok(text) = fs::read_to_string(root().join(path)) {
            violations.extend(machine_paths(path, &text));
        }
    }
    hold("no tracked file names a folder of one machine", &violations);
}

#[test]
fn planted_violations_are_found() {
    let planted = Source::new(
        "src/explore/planted.rs",
        "//! Uses `tokio` in a comment.\n\
         use tokio::time;\n\
         fn now() -> std::time::Instant { std::time::Instant::now() }\n\
         const TEXT: &str = \"tokio, unsafe // not a comment\"; fn f() { unsafe {} }\n\
         /* unsafe /* nested */ unsafe */ const RAW: &str = r#\"unsafe \" unsafe\"#;\n\
         const QUOTE: char = '\"'; use crate::engine::Engine; const OTHER: char = '\\'';\n\
         use crate::{trial::{Outcome, Purpose}, store};\n\
         fn lifetime<'a>(text: &'a str) { println!(\"{text}\"); }\n\
         fn tokio_like(mytokio: u8) {}\n\
         #[cfg(test)]\n\
         mod tests {\n    use tokio::test; fn f() { unsafe { let _ = \"}\"; } }\n}\n\
         fn after() { std::env::var(\"HOME\"); }\n",
    );
    let lines = |violations: Vec<Violation>| violations.iter().map(|violation| violation.line).collect::<Vec<_>>();
    let planted = [planted];
    assert_eq!(lines(uses(&planted, &["tokio"])), [2]);
    assert_eq!(lines(uses(&planted, &["Instant"])), [3]);
    assert_eq!(lines(uses(&planted, &["unsafe"])), [4]);
    assert_eq!(lines(uses(&planted, &["println!"])), [8]);
    assert_eq!(lines(uses(&planted, &["env::var"])), [14]);
    assert_eq!(lines(imports_other_than(&planted, &["trial"])), [6, 7]);
    assert_eq!(lines(imports_other_than(&planted, &["trial", "engine", "store"])), []);
    assert_eq!(uses(&planted, &["tokio"])[0].to_string(), "src/explore/planted.rs:2: use tokio::time;");

    let text = format!("fine\nsee /{}/shared/notes\nhttps://example.org/{0}/x\n/home/{0}/x\n", "work");
    assert_eq!(lines(machine_paths("notes.md", &text)), [2]);
}

#[test]
fn tests_are_left_out_in_one_place_only() {
    let mut violations = Vec::new();
    let mut folders = vec![root().join("tests")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("common/mod.rs") {
                let text = fs::read_to_string(&path).unwrap();
                let mark = concat!("\"skipped", ":");
                violations.extend(
                    (1..).zip(text.lines()).filter(|(_, line)| line.contains(mark)).map(|(line, _)| (path.clone(), line)),
                );
            }
        }
    }
    assert!(violations.is_empty(), "`common::met` leaves tests out, and nothing else does: {violations:?}");
}

#[test]
fn a_need_is_known_to_be_unmet_only_where_it_is_named() {
    use common::{Need, is_known};

    assert!(is_known(Need::Docker, "root, docker"));
    assert!(!is_known(Need::Docker, "root"));
    assert!(!is_known(Need::Docker, ""));
    let misspelt = std::panic::catch_unwind(|| is_known(Need::Docker, "dokcer")).unwrap_err();
    let message = misspelt.downcast_ref::<String>().unwrap();
    assert!(message.starts_with("LOUPE_TEST_WITHOUT: `dokcer` is none of: compiler, docker, "), "{message}");
}
