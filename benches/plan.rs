//! How long support plans take once the results are read. Run by hand:
//!
//! ```sh
//! cargo bench --bench plan                    # made-up databases
//! cargo bench --bench plan -- RESULTS         # and all apps of a folder of results
//! ```
//!
//! What was asked for: the plans of all built-in systems for the 116 published apps within 0.1 s in all, and a database of 10,000 apps
//! within 2 s. It fails where that is not reached.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use loupe::store::Store;
use loupe::support::{AppFacts, CallFacts, Objective, Weights, built_in, find, plan};
use loupe::syscalls::Sysno;

/// Enough for a median that stays where it is.
const RUNS: usize = 11;

/// A generator of numbers that look random and are always the same (`SplitMix64`, public domain, by S. Vigna).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

/// Apps that use about as many calls, and need as many of them, as the published ones: 41 and 17 on average, some calls much more
/// often than others.
fn made_up(count: usize) -> Vec<AppFacts> {
    let calls: Vec<_> = Sysno::all().collect();
    let mut numbers = Numbers(1);
    let mut app = |index: usize| {
        let used = 15 + numbers.below(55);
        let mut facts = BTreeMap::new();
        for _ in 0..used {
            // The smaller of two numbers makes the first calls of the table the popular ones.
            let popular = numbers.below(calls.len() as u64).min(numbers.below(calls.len() as u64));
            let call = calls[usize::try_from(popular).unwrap_or_default()];
            let (stub, fake) = match numbers.below(10) {
                0..4 => (false, false),
                4..8 => (true, true),
                8 => (true, false),
                _ => (false, true),
            };
            facts.insert(call, CallFacts { stub, fake, joint: None });
        }
        AppFacts { name: format!("app{index:05}"), calls: facts, ..AppFacts::default() }
    };
    (0..count).map(&mut app).collect()
}

/// The median of several runs, which is printed with the extremes.
fn measure(what: &str, mut work: impl FnMut() -> usize) -> Duration {
    let mut times = Vec::new();
    for _ in 0..RUNS {
        let begin = Instant::now();
        let steps = work();
        times.push((begin.elapsed(), steps));
    }
    times.sort();
    let (median, steps) = times[RUNS / 2];
    println!("{what}: {median:.1?} ({:.1?} to {:.1?}), {steps} steps", times[0].0, times[RUNS - 1].0);
    median
}

/// The plans of all built-in systems; how many steps they have together.
fn all_plans(apps: &[AppFacts]) -> usize {
    let weights = Weights::default();
    built_in().iter().map(|(_, os)| plan(os, apps, Vec::new(), Objective::NextApp, &weights).steps.len()).sum()
}

fn main() -> ExitCode {
    // Cargo adds an option of its own.
    let results = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let mut slow = false;
    let mut hold = |what: &str, limit: Duration, taken: Duration| {
        if taken > limit {
            println!("  too slow: {what} may take {limit:?}");
            slow = true;
        }
    };
    let few = made_up(116);
    let taken = measure("all systems, 116 made-up apps", || all_plans(&few));
    hold("all systems", Duration::from_millis(100), taken);
    if let Some(results) = results {
        let entries = match Store::open(&results).entries() {
            Ok(entries) => entries,
            Err(error) => {
                println!("{error}");
                return ExitCode::FAILURE;
            }
        };
        let facts = |entry: &loupe::store::Entry| {
            let calls = entry.used().map(|(call, row)| (call, CallFacts { stub: row.stub, fake: row.fake, joint: row.joint }));
            AppFacts { name: entry.app.clone(), calls: calls.collect(), ..AppFacts::default() }
        };
        let apps: Vec<_> = entries.one_per_app(|_| true).into_values().map(facts).collect();
        let taken = measure(&format!("all systems, {} apps of {results}", apps.len()), || all_plans(&apps));
        hold("all systems", Duration::from_millis(100), taken);
    }
    let many = made_up(10_000);
    let (kerla, weights) = (find("kerla"), Weights::default());
    let Ok(kerla) = kerla else { return ExitCode::FAILURE };
    for (name, objective) in [("next app", Objective::NextApp), ("budget of 60", Objective::Budget(60))] {
        let taken = measure(&format!("Kerla, 10,000 made-up apps, {name}"), || {
            plan(kerla, &many, Vec::new(), objective, &weights).steps.len()
        });
        hold("10,000 apps", Duration::from_secs(2), taken);
    }
    if slow { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
