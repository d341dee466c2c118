//! `loupe export seccomp`: a profile, or command lines of tools that do the same.

use std::collections::BTreeSet;

use super::arguments::{SeccompArguments, UnseenChoice};
use crate::cli::printer::Printer;
use crate::cli::settings::Environment;
use crate::cli::show::{chosen, failure};
use crate::cli::status::{Status, WrongUsage};
use crate::export::{Policy, Source, command_lines, seccomp as profile};
use crate::store::{Caveat, Finished, Store, TrialRecord, Verdicts};
use crate::syscalls::features::Feature;
use crate::syscalls::{Architecture, Sysno};
use crate::trial::{Intervention, Item, Outcome, Purpose};
use crate::why::only_while_treated;

/// What a policy is made of, owned.
struct Measured {
    name: String,
    caveat: Option<Caveat>,
    verdicts: Verdicts,
    architecture: String,
    joint: Intervention,
    /// How many runs of that passed.
    verified: u32,
    fallbacks: BTreeSet<Sysno>,
    /// What its calls were seen with; `None` if that was not measured.
    features: Option<BTreeSet<Feature>>,
}

/// Prints the profile or the command line; what has to be known beside it goes to standard error.
pub(super) fn seccomp(arguments: &SeccompArguments, environment: &Environment, printer: &Printer) -> anyhow::Result<Status> {
    let is_line = arguments.strace || arguments.enosys;
    let joint = arguments.joint || is_line;
    if !joint && arguments.unseen == UnseenChoice::Allow {
        let message = "a profile that lets through what was seen and what was not forbids nothing\n\
                       hint: leave `--unseen` out, or add `--joint`";
        return Err(WrongUsage(message.to_owned()).into());
    }
    if arguments.features && arguments.unseen == UnseenChoice::Allow {
        let message = "what lets through everything that was not seen holds no call to its arguments\n\
                       hint: leave `--unseen` or `--features` out";
        return Err(WrongUsage(message.to_owned()).into());
    }
    let measured = read(arguments, joint, environment)?;
    let architecture = architecture(&measured)?;
    let sources: Vec<_> = measured
        .iter()
        .map(|one| Source { name: &one.name, verdicts: &one.verdicts, joint: &one.joint, fallbacks: &one.fallbacks })
        .collect();
    let mut policy = if joint { Policy::of_joint(&sources) } else { Policy::of_used(&sources) };
    if arguments.features {
        policy.arguments = Some(features(&measured)?);
    }
    if is_line {
        let placeholder = ["COMMAND".to_owned()];
        let command = if arguments.command.is_empty() { &placeholder[..] } else { &arguments.command };
        let line = if arguments.strace {
            command_lines::strace(&policy, architecture, command)
        } else {
            command_lines::enosys(&policy, architecture, command)
        };
        let nothing = || WrongUsage(format!("nothing can be avoided of `{}`, so there is nothing to enforce", arguments.name));
        printer.data(&format!("{}\n", line.ok_or_else(nothing)?));
    } else {
        let value = profile::profile(&policy, arguments.unseen.into(), architecture);
        let text = serde_json::to_string_pretty(&value).expect("invariant: a JSON value can be written");
        printer.data(&format!("{text}\n"));
        tell_of_runtime(&policy, printer);
    }
    if !policy.disputed.is_empty() {
        printer.note(&format!("note: let through, as one workload stubs and another fakes it: {}", list(&policy.disputed)));
    }
    for one in &measured {
        if let Some(caveat) = one.caveat {
            printer.note(&format!("note: `{}` {caveat}", one.name));
        }
    }
    for one in measured.iter().filter(|one| joint && one.verified == 0 && !one.joint.is_empty()) {
        printer.note(&format!("note: the joint configuration of `{}` was not verified by running it", one.name));
    }
    if joint && measured.len() > 1 {
        printer.note("note: the workloads were never run under one configuration; this one avoids what all of them avoid");
    }
    Ok(Status::Done)
}

/// What the calls of all of it were seen with.
fn features(measured: &[Measured]) -> anyhow::Result<BTreeSet<Feature>> {
    let mut all = BTreeSet::new();
    for one in measured {
        let Some(features) = &one.features else {
            let message = format!(
                "no argument features of `{}` were measured\nhint: leave `--features` out, or measure it again",
                one.name
            );
            return Err(WrongUsage(message).into());
        };
        all.extend(features);
    }
    Ok(all)
}

/// What the profile cannot do as the joint configuration does it.
fn tell_of_runtime(policy: &Policy, printer: &Printer) {
    let overruled = policy.overruled();
    if !overruled.is_empty() {
        printer.note(&format!("note: avoidable, but let through as the container runtime needs it: {}", list(&overruled)));
    }
    let early = policy.needs_no_new_privileges();
    if !early.is_empty() {
        printer.note(&format!(
            "note: starts only with `--security-opt no-new-privileges`, as without it the runtime makes stubbed calls: {}",
            list(&early)
        ));
    }
}

fn list(calls: &BTreeSet<Sysno>) -> String {
    calls.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// The results of every workload that was asked for.
fn read(arguments: &SeccompArguments, joint: bool, environment: &Environment) -> anyhow::Result<Vec<Measured>> {
    let results = environment.results(arguments.results.clone());
    let store = Store::open(&results);
    let places = chosen(&store, &arguments.name)?;
    let wanted = |workload: &String| arguments.workload.is_empty() || arguments.workload.contains(workload);
    if let Some(unknown) = arguments.workload.iter().find(|name| !places.iter().any(|(_, workload)| workload == *name)) {
        let known: Vec<_> = places.iter().map(|(_, workload)| workload.as_str()).collect();
        let message = format!("no results of workload `{unknown}` of `{}`\nhint: it has {}", arguments.name, known.join(", "));
        return Err(WrongUsage(message).into());
    }
    let mut measured = Vec::new();
    for (app, workload) in places.into_iter().filter(|(_, workload)| wanted(workload)) {
        let name = format!("{app}/{workload}");
        let stored = store.read(&app, &workload).map_err(failure)?;
        measured.push(match (stored.finished, stored.imported) {
            (Some(finished), _) => {
                let trials = store.trials(&app, &workload).map_err(failure)?;
                Measured {
                    name,
                    caveat: finished.summary.caveat(),
                    features: features_seen(&finished, &trials, joint),
                    fallbacks: fallbacks(&finished, &trials),
                    joint: finished.summary.joint.configuration(),
                    verified: finished.summary.joint.verified,
                    verdicts: finished.verdicts,
                    architecture: finished.environment.identity.architecture,
                }
            }
            (None, Some(imported)) if !joint => Measured {
                caveat: Caveat::of_imported(&imported.verdicts),
                name,
                verdicts: imported.verdicts,
                architecture: imported.provenance.architecture,
                joint: Intervention::none(),
                verified: 0,
                fallbacks: BTreeSet::new(),
                features: None,
            },
            (None, Some(_)) => {
                let message =
                    format!("`{name}` was imported, and no joint configuration was ever run\nhint: leave `--joint` out");
                return Err(WrongUsage(message).into());
            }
            (None, None) => {
                let message = format!("`{name}` was refused and has no verdicts\nhint: `loupe show {name}` says why");
                return Err(WrongUsage(message).into());
            }
        });
    }
    Ok(measured)
}

/// The argument features that were seen: in traces and, of the joint configuration, in its watched runs. `None` if there were none, which
/// means that nobody looked.
fn features_seen(finished: &Finished, trials: &[TrialRecord], joint: bool) -> Option<BTreeSet<Feature>> {
    let used = finished.features.iter().filter(|(_, row)| row.used).map(|(feature, _)| *feature);
    let mut seen: BTreeSet<_> = used.collect();
    if seen.is_empty() {
        return None;
    }
    if joint {
        let watched = trials.iter().filter(|trial| trial.purpose == Purpose::Reasons && trial.result == Outcome::Pass);
        seen.extend(watched.flat_map(|trial| trial.features.keys()));
        let in_place = finished.fallbacks.iter().flat_map(|table| table.under(&finished.summary.joint.configuration()));
        seen.extend(in_place.filter_map(|item| if let Item::Feature(feature) = item { Some(feature) } else { None }));
    }
    Some(seen)
}

/// Calls that are made only under the joint configuration of the calls. Results of earlier versions have no table of them: then those
/// that the watched runs show.
fn fallbacks(finished: &Finished, trials: &[TrialRecord]) -> BTreeSet<Sysno> {
    match &finished.fallbacks {
        Some(table) => table.under(&finished.summary.joint.configuration()).into_iter().filter_map(Item::call).collect(),
        None => only_while_treated(trials),
    }
}

/// The one architecture that all of it was measured on.
fn architecture(measured: &[Measured]) -> anyhow::Result<Architecture> {
    let names: BTreeSet<&str> = measured.iter().map(|one| one.architecture.as_str()).collect();
    match names.into_iter().collect::<Vec<_>>()[..] {
        ["x86_64"] => Ok(Architecture::X86_64),
        ["aarch64"] => Ok(Architecture::Aarch64),
        [other] => Err(WrongUsage(format!("no profile can be written for the architecture `{other}`")).into()),
        _ => {
            Err(WrongUsage("the workloads were measured on different architectures: choose one with `--workload`".to_owned())
                .into())
        }
    }
}
