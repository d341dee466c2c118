//! The version of the measuring code: whoever changes code that measures has to decide whether what is measured may differ.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, reason = "what tests share is test code, too")]

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use loupe::campaign::measuring::VERSION;
use proc_macro2::{TokenStream, TokenTree};
use sha2::{Digest, Sha256};

/// Code that decides what is measured: how an app is run, watched, answered and judged, and which trials are asked for.
const MEASURING: [&str; 7] = ["src/campaign", "src/engine", "src/explore", "src/filter", "src/shim", "src/syscalls", "src/trial"];

const DECISION: &str = "\n\
    if what is measured may differ now, raise VERSION in src/campaign/measuring.rs, say in its table why, and measure the committed \
    results anew\nhint: `make digest` then notes the decision";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") && path.file_stem().unwrap() != "tests" {
            found.push(path);
        }
    }
}

/// What of the code counts: its tokens without comments, attributes that hold documentation, and items that only tests have.
fn significant(tokens: TokenStream, text: &mut String) {
    let mut tokens = tokens.into_iter().peekable();
    let mut of_tests = false;
    while let Some(token) = tokens.next() {
        if let TokenTree::Punct(punct) = &token
            && punct.as_char() == '#'
        {
            if matches!(tokens.peek(), Some(TokenTree::Punct(punct)) if punct.as_char() == '!') {
                tokens.next();
            }
            let Some(TokenTree::Group(attribute)) = tokens.next() else { panic!("`#` without an attribute") };
            let attribute = attribute.stream().to_string();
            of_tests |= attribute.replace(' ', "") == "cfg(test)";
            if !attribute.starts_with("doc") && !of_tests {
                text.push_str(&format!("#[{attribute}] "));
            }
            continue;
        }
        let ends_item = match &token {
            TokenTree::Group(group) => group.delimiter() == proc_macro2::Delimiter::Brace,
            TokenTree::Punct(punct) => punct.as_char() == ';',
            TokenTree::Ident(_) | TokenTree::Literal(_) => false,
        };
        if of_tests {
            of_tests = !ends_item;
            continue;
        }
        match token {
            TokenTree::Group(group) => {
                text.push_str(&format!("{:?} ", group.delimiter()));
                significant(group.stream(), text);
                text.push_str("end ");
            }
            other => text.push_str(&format!("{other} ")),
        }
    }
}

fn significant_text(source: &str) -> String {
    let mut text = String::new();
    significant(TokenStream::from_str(source).unwrap(), &mut text);
    text
}

fn digest() -> String {
    let mut files = Vec::new();
    for folder in MEASURING {
        sources(&root().join(folder), &mut files);
    }
    files.sort();
    let mut hash = Sha256::new();
    for path in &files {
        // The number itself may be raised without a digest that differs twice.
        if !path.ends_with("campaign/measuring.rs") {
            hash.update(significant_text(&fs::read_to_string(path).unwrap()));
            hash.update("\n");
        }
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn measuring_code_changes_only_with_a_decision() {
    let file = root().join("tests/measuring.digest");
    let now = format!("{VERSION} {}\n", digest());
    if std::env::var_os("LOUPE_ACCEPT_DIGEST").is_some() {
        fs::write(&file, &now).unwrap();
    }
    let noted = fs::read_to_string(&file).unwrap();
    assert_eq!(noted, now, "code that measures has changed since version {VERSION} was noted{DECISION}");
}

#[test]
fn comments_formatting_and_tests_do_not_change_what_counts() {
    let one =
        "//! A.\n/// B.\npub fn f() -> u8 { 1 /* C */ }\n#[cfg(test)]\nmod tests { fn g() {} }\n#[derive(Debug)] struct S;\n";
    let other = "pub fn f()->u8{1}\n#[cfg(test)] mod tests;\n#[cfg(test)] use x::y;\n#[derive(Debug)]\nstruct S;\n";
    assert_eq!(significant_text(one), significant_text(other));
    for change in ["pub fn f() -> u8 { 2 } #[derive(Debug)] struct S;", "pub fn f() -> u8 { 1 } #[derive(Clone)] struct S;"] {
        assert_ne!(significant_text(one), significant_text(change));
    }
}

/// The committed results are those of this version.
#[test]
fn committed_results_were_measured_by_this_version() {
    for (app, workload) in loupe::store::Store::open(root().join("results")).list().unwrap() {
        let finished = loupe::store::Store::open(root().join("results")).read(&app, &workload).unwrap().finished.unwrap();
        assert_eq!(finished.environment.identity.measuring, VERSION, "{app}/{workload}");
    }
}
