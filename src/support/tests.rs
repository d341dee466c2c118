//! Plans, questions and verifications as a whole, on small known answers and on many made-up databases.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::explore;
use crate::syscalls::features::Feature;
use crate::syscalls::{Architecture, Sysno};
use crate::trial::{Intervention, Item, Treatment};

mod planning;
mod verifying;

fn call(name: &str) -> Sysno {
    name.parse().unwrap()
}

fn calls(names: &str) -> Vec<Sysno> {
    names.split_whitespace().map(call).collect()
}

/// Facts in short: `read` is required, `write?` may be stubbed or faked, `open-` only stubbed, `close+` only faked.
fn app(name: &str, needs: &str) -> AppFacts {
    let facts = |word: &str| {
        let (stub, fake) = (word.ends_with(['?', '-']), word.ends_with(['?', '+']));
        (call(word.trim_end_matches(['?', '-', '+'])), CallFacts { stub, fake, joint: None })
    };
    AppFacts { name: name.to_owned(), calls: needs.split_whitespace().map(facts).collect(), ..AppFacts::default() }
}

fn os(names: &str) -> Profile {
    Profile::of("Toy", calls(names))
}

fn planned(os: &Profile, apps: &[AppFacts]) -> Plan {
    plan(os, apps, Vec::new(), Objective::NextApp, &Weights::default())
}

/// A step in short: `implement|stub|fake|apps`.
fn short(step: &Step) -> String {
    let names = |calls: &[Sysno]| calls.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    format!("{}|{}|{}|{}", names(&step.implement), names(&step.stub), names(&step.fake), step.unlocks.join(" "))
}

fn steps(plan: &Plan) -> Vec<String> {
    plan.steps.iter().map(short).collect()
}
