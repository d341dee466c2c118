//! `loupe run -- COMMAND` and `loupe run --image IMAGE`: something without a spec is measured, and its verdicts are printed.
//!
//! What success is, is learned first: runs without any intervention say what the exit code, the output and the files that are written
//! are. They are held against later ones (`vigil`), as what agrees within a moment may still change with the time; then the rest has
//! to do, and the campaign is run again.

mod subject;
mod vigil;

use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use serde::Serialize;

use super::arguments::{Format, RunArguments};
use super::interrupt;
use super::measure::{Summary, writable};
use super::printer::Printer;
use super::progress::Reporters;
use super::scratch::Scratch;
use super::settings::Environment;
use super::show::failure;
use super::status::{Status, WrongUsage};
use super::waiting::{ENGINE, course, saying};
use crate::campaign::{self, CampaignEnd, CampaignName, Criterion, FilesCriterion, Options, Rehearsal, Stop, Tell};
use crate::engine::Engine;
use crate::engine::docker::DockerEngine;
use crate::report;
use crate::spec::{AppSpec, Workload};
use crate::store::{Freshness, Store};
use crate::trial::{Ending, LastWords, Outcome, judge};
use subject::spec;
pub(super) use subject::{Name, process_engine, spec_of_subject};
use vigil::Held;

/// What the first Ctrl-C is answered with where nothing is stored.
const STOPPING: &str = "stopping: nothing is stored without `--results` (Ctrl-C again to stop at once)";
/// Runs without any intervention before the campaign; their output has to agree.
const REHEARSALS: u32 = 3;
/// What such runs are called.
const RUNS: &str = "runs without any intervention";

/// What was measured, with what has to be known of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Answer {
    event: &'static str,
    command: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    isolation: Option<String>,
    success: String,
    #[serde(flatten)]
    verdicts: serde_json::Value,
    #[serde(skip)]
    text: String,
}

/// A command that was measured, or was not.
struct Finished {
    name: CampaignName,
    end: CampaignEnd,
    answer: Option<Answer>,
}

/// Measures a command of this machine or an image.
pub(super) fn run(arguments: &RunArguments, environment: &Environment, printer: &Printer) -> anyhow::Result<Status> {
    let began = Instant::now();
    let result = super::block_on(async {
        let stop = Stop::default();
        let stopping = if arguments.measuring.results.is_some() { interrupt::STOPPING } else { STOPPING };
        interrupt::listen_and_say(stopping, stop.clone(), printer.clone()).context("cannot listen for signals")?;
        let setting = Setting { arguments, environment, printer, stop: &stop };
        if arguments.subject.image.is_none() {
            return Box::pin(setting.measure(&process_engine(&arguments.subject, environment, printer)?)).await;
        }
        let engine = tokio::select! {
            () = stop.wait() => return Ok(None),
            engine = saying(printer, ENGINE, DockerEngine::connect(environment.docker_host.as_deref())) => {
                engine?.with(arguments.measuring.staging())
            }
        };
        saying(printer, ENGINE, engine.reap()).await?;
        Box::pin(setting.measure(&engine)).await
    });
    let status = match &result {
        Ok(Some(finished)) => Status::of_campaign(&finished.end),
        Ok(None) => Status::Interrupted,
        Err(error) => Status::of_error(error),
    };
    let finished = result.as_ref().ok().and_then(Option::as_ref);
    let ends: Vec<_> = finished.iter().map(|finished| (finished.name.clone(), finished.end.clone())).collect();
    let answer = finished.and_then(|finished| finished.answer.as_ref());
    match arguments.measuring.format {
        Format::Json => {
            if let Some(answer) = answer {
                printer.json(answer);
            }
            let milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
            printer.json(&Summary::new(status, milliseconds, &ends, result.as_ref().err()));
        }
        Format::Text => {
            // What the closing words of a batch say of an app that was measured is part of the answer.
            match (answer, ends.first()) {
                (Some(answer), Some((_, CampaignEnd::Measured(totals)))) => {
                    let (run, time) = (report::counted(totals.run, "trial"), report::duration(totals.milliseconds));
                    printer.data(&format!("{}{run} in {time}\n", answer.text));
                }
                (None, Some((name, CampaignEnd::Interrupted))) if arguments.measuring.results.is_none() => {
                    printer.data(&format!("interrupted: {name}\n"));
                }
                (Some(answer), Some((_, CampaignEnd::UpToDate(_)))) => printer.data(&format!("{}up to date\n", answer.text)),
                (answer, _) => {
                    printer.data(&answer.map(|answer| format!("{}\n", answer.text)).unwrap_or_default());
                    printer.data(&report::closing(&ends));
                }
            }
        }
    }
    result.map(|_| status)
}

/// What the campaigns of one invocation have in common.
struct Setting<'a> {
    arguments: &'a RunArguments,
    environment: &'a Environment,
    printer: &'a Printer,
    stop: &'a Stop,
}

impl Setting<'_> {
    /// Learns what success is, measures, and holds the result against one more run; `None` if interrupted before anything was measured.
    async fn measure<E: Engine>(&self, engine: &E) -> anyhow::Result<Option<Finished>> {
        let name = Name::of(self.arguments)?;
        let isolation = saying(self.printer, || "the engine".to_owned(), engine.platform()).await?.isolation;
        if let Some(isolation) = &isolation {
            self.printer.note(&format!("isolation: {isolation}"));
        }
        let mut app = spec(&name, &self.arguments.subject, &self.arguments.success);
        let (tell, what) = course(self.printer, RUNS);
        let rehearsal = saying(self.printer, what, self.rehearse(engine, &app, REHEARSALS, tell)).await?;
        let Some(rehearsal) = rehearsal else { return Ok(None) };
        if let Some(message) = rehearsal.not_started() {
            return Err(WrongUsage(message.to_owned()).into());
        }
        if let Some(end) = refusal(&app.workloads[0], &rehearsal) {
            return Ok(Some(Finished { name: name.campaign(), end, answer: None }));
        }
        let mut criterion = rehearsal.criterion(&mut app.workloads[0].success);
        if let FilesCriterion::Ignored(reason) = &mut criterion.files {
            *reason = self.why_files_are_ignored();
        }
        let scratch = if self.arguments.measuring.results.is_some() { None } else { Some(Scratch::new()?) };
        let results = match &scratch {
            Some(scratch) => scratch.path(),
            None => self.environment.results(self.arguments.measuring.results.clone()),
        };
        writable(&results)?;
        let mut freshness = self.arguments.measuring.freshness();
        let end = loop {
            let exit_code = app.workloads[0].success.exit_code;
            self.printer.note(&format!("success: {}", criterion.describe(exit_code)));
            if !criterion.may_change() {
                break self.campaign(engine, &app, &results, freshness, self.stop).await?;
            }
            let later = match self.campaign_while_criterion_holds(engine, &app, &results, freshness).await? {
                Held::Yes(end) => break end,
                Held::No(later) => later,
            };
            for given_up in criterion.weaken(&mut app.workloads[0].success, &later) {
                self.printer.note(&given_up);
            }
            freshness = Freshness::Fresh;
        };
        let answer = Self::answer(&name, &results, isolation, &criterion, &app.workloads[0])?;
        if scratch.is_none() && answer.is_some() {
            let place = results.join(&name.app).join(&name.workload).join("verdicts.csv");
            self.printer.note(&format!("the verdicts are in {}", place.display()));
        }
        Ok(Some(Finished { name: name.campaign(), end, answer }))
    }

    /// Why what the command writes is not compared, where somebody may expect it.
    fn why_files_are_ignored(&self) -> Option<&'static str> {
        if self.arguments.success.ignore_files {
            Some("what it writes is not compared")
        } else if self.arguments.subject.no_isolation {
            Some("what it writes is not compared, as that needs isolation")
        } else {
            None
        }
    }

    async fn rehearse<E: Engine>(&self, engine: &E, app: &AppSpec, runs: u32, tell: Tell) -> anyhow::Result<Option<Rehearsal>> {
        // Runs that are not kept apart would meet what the others write.
        let at_once = if self.arguments.subject.no_isolation { 1 } else { 3 };
        Ok(campaign::rehearse(engine, app, &app.workloads[0], runs, at_once, tell, self.stop).await?)
    }

    async fn campaign<E: Engine>(
        &self,
        engine: &E,
        app: &AppSpec,
        results: &Path,
        freshness: Freshness,
        stop: &Stop,
    ) -> anyhow::Result<CampaignEnd> {
        let measuring = &self.arguments.measuring;
        let reporters = Reporters::for_output_of_one(measuring.format, self.printer);
        let subject = &self.arguments.subject;
        let jobs = if subject.image.is_none() { measuring.jobs_for_commands(!subject.no_isolation) } else { measuring.jobs() };
        let options = Options { jobs, freshness, settings: measuring.settings(), results: results.to_owned() };
        let apps = std::slice::from_ref(app);
        let mut ends = campaign::batch(engine, apps, &options, &|event| reporters.emit(&event), stop).await;
        reporters.finish();
        ends.pop().map(|(_, end)| end).context("the campaign ended without an end")
    }

    /// What the results say now; nothing where none was measured.
    fn answer(
        name: &Name,
        results: &Path,
        isolation: Option<String>,
        criterion: &Criterion,
        workload: &Workload,
    ) -> anyhow::Result<Option<Answer>> {
        let store = Store::open(results);
        let stored = store.read(&name.app, &name.workload).map_err(failure)?;
        if stored.finished.is_none() {
            return Ok(None);
        }
        let trials = store.trials(&name.app, &name.workload).map_err(failure)?;
        let command = workload.command.clone().unwrap_or_default();
        let success = criterion.describe(workload.success.exit_code);
        let title = name.campaign().to_string();
        let mut text = String::new();
        for (label, value) in [("isolation", isolation.as_deref()), ("success", Some(success.as_str()))] {
            if let Some(value) = value {
                text.push_str(&format!("{label}: {value}\n"));
            }
        }
        text.push_str(&format!("\n{}", report::show_text(&title, &stored, &trials)));
        let verdicts = report::show_json(&title, &stored, &trials);
        Ok(Some(Answer { event: "verdicts", command, isolation, success, verdicts, text }))
    }
}

/// Why nothing can be measured: a run without any intervention that does not succeed.
fn refusal(workload: &Workload, rehearsal: &Rehearsal) -> Option<CampaignEnd> {
    let judged =
        rehearsal.observations.iter().map(|observation| (observation, judge(workload, rehearsal.kind, None, observation)));
    let (observation, outcome) = judged.into_iter().find(|(_, outcome)| *outcome != Outcome::Pass)?;
    let mut reasons = vec![format!("without any intervention: {outcome}")];
    let words = LastWords {
        stderr: observation.app.stderr.last_lines(5),
        stdout: observation.app.stdout.last_lines(5),
        client: observation.client.as_ref().map(|client| (client.stderr.last_lines(5), client.stdout.last_lines(5))),
        processes: Vec::new(),
    };
    reasons.extend(words.lines());
    if let Some(Ending::Exited(code)) = rehearsal.ending()
        && *code != workload.success.exit_code
        && !words.lacks_privileges()
    {
        reasons.push(format!("hint: with `--exit-code {code}` that is success"));
    }
    Some(CampaignEnd::Refused { reasons, inconclusive: matches!(outcome, Outcome::Inconclusive(_)) })
}
