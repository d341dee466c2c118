//! What a campaign costs, against what it could cost at worst and at best. Run with `make bench`; needs a Docker Engine and a
//! machine that does nothing else. See `benches/README.md` for what the figures mean.
//!
//! All figures that are compared are measured in one run, and given as ratios:
//!
//! - `campaign`: an exhaustive campaign with the default number of jobs, against its own trials one after the other with nothing
//!   made ahead of need;
//! - `overhead`: what a trial takes beside its workload, against creating, starting, awaiting and removing a container like its own;
//! - `trace`: throughput of redis while every call is watched, against untraced and against `strace -f`;
//! - `strategies`: trials that each strategy takes, and a recheck.
//!
//! ```text
//! cargo bench --bench campaign -- [--apps nginx,redis,fio] [--parts campaign,overhead,trace,strategies] [--json FILE]
//! ```
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program of its own")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use loupe::campaign::{self, CampaignEnd, Options, Stop, Totals};
use loupe::engine::docker::{DockerEngine, DockerSession, Staging};
use loupe::engine::{Engine, Session};
use loupe::explore::{Details, Settings, Strategy};
use loupe::report::{Align, Table};
use loupe::spec::{AppSpec, Roots, load_app};
use loupe::store::{Freshness, Store, TrialRecord};
use loupe::trial::{Care, Deadline, Intervention, Purpose, TrialId, TrialRequest, Watch, judge, measures};
use serde_json::{Value, json};

const APPS: [&str; 3] = ["nginx", "redis", "fio"];
const PARTS: [&str; 4] = ["campaign", "overhead", "trace", "strategies"];
/// Bare containers that are timed.
const BARE: usize = 25;
/// Runs of each kind for the throughput under the trace.
const THROUGHPUT_RUNS: usize = 5;

struct Arguments {
    apps: Vec<String>,
    parts: Vec<String>,
    json: PathBuf,
}

impl Arguments {
    fn parse() -> anyhow::Result<Self> {
        let list = |known: &[&str]| known.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("target");
        let mut parsed = Self { apps: list(&APPS), parts: list(&PARTS), json: target.join("bench-campaign.json") };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().with_context(|| format!("`{word}` needs a value"));
            match word.as_str() {
                "--apps" => parsed.apps = value()?.split(',').map(str::to_owned).collect(),
                "--parts" => parsed.parts = value()?.split(',').map(str::to_owned).collect(),
                "--json" => parsed.json = PathBuf::from(value()?),
                // What cargo says to every benchmark.
                "--bench" => {}
                other => bail!("unknown argument `{other}`; see the head of benches/campaign.rs"),
            }
        }
        if let Some(unknown) = parsed.parts.iter().find(|part| !PARTS.contains(&part.as_str())) {
            bail!("unknown part `{unknown}`; there are {}", PARTS.join(", "));
        }
        Ok(parsed)
    }

    fn wants(&self, part: &str) -> bool {
        self.parts.iter().any(|wanted| wanted == part)
    }
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let figures = runtime.block_on(run(&arguments))?;
    std::fs::write(&arguments.json, serde_json::to_vec_pretty(&figures)?)?;
    println!("\n{}", table(&figures));
    println!("written to {}", arguments.json.display());
    Ok(())
}

async fn run(arguments: &Arguments) -> anyhow::Result<Value> {
    let host = std::env::var("DOCKER_HOST").ok();
    let engine = DockerEngine::connect(host.as_deref()).await?.with(Staging::Stages);
    engine.reap().await?;
    let jobs = loupe::cli::default_jobs();
    let platform = engine.platform().await?;
    let mut figures = json!({
        "jobs": jobs,
        "cores": std::thread::available_parallelism()?.get(),
        "kernel": platform.kernel,
        "engine": platform.engine_version,
        "apps": {},
    });
    let of_apps = PARTS.iter().any(|part| *part != "trace" && arguments.wants(part));
    for app in arguments.apps.iter().filter(|_| of_apps) {
        let figures_of_app = of_app(&engine, app, jobs, arguments).await.with_context(|| format!("app `{app}`"))?;
        figures["apps"][app] = figures_of_app;
    }
    if arguments.wants("trace") {
        figures["trace"] = trace(&engine).await.context("throughput under the trace")?;
    }
    engine.reap().await?;
    Ok(figures)
}

/// The figures at a glance; what was not measured stays empty.
fn table(figures: &Value) -> String {
    let columns = [
        ("trials", "/exhaustive/trials"),
        ("avoided", "/exhaustive/joint"),
        ("seconds", "/exhaustive/seconds"),
        ("one by one ×", "/one-by-one/ratio"),
        ("a trial's overhead, ms", "/overhead/trial-ms"),
        ("bare container, ms", "/overhead/bare-container-ms"),
        ("ratio", "/overhead/ratio"),
        ("joint: trials", "/strategies/joint/trials"),
        ("skipped", "/strategies/joint/skipped"),
        ("avoided", "/strategies/joint/joint"),
        ("recheck: trials", "/strategies/recheck/trials"),
    ];
    let header = columns.iter().map(|(name, _)| (*name, Align::Right));
    let mut table = Table::new(&std::iter::once(("app", Align::Left)).chain(header).collect::<Vec<_>>());
    let text = |value: Option<&Value>| value.map(ToString::to_string).unwrap_or_default();
    for (app, of_app) in figures["apps"].as_object().into_iter().flatten() {
        let cells = columns.iter().map(|(_, place)| text(of_app.pointer(place)));
        table.row(std::iter::once(app.clone()).chain(cells));
    }
    let apps = if table.is_empty() { String::new() } else { table.render() };
    if figures["trace"].is_null() {
        return apps;
    }
    let mut table = Table::new(&[("redis", Align::Left), ("requests/s", Align::Right), ("of untraced", Align::Right)]);
    for kind in ["untraced", "traced", "strace"] {
        let rate = figures["trace"][kind].as_f64().unwrap_or(0.0);
        let share = rate / figures["trace"]["untraced"].as_f64().unwrap_or(f64::INFINITY);
        table.row([kind.to_owned(), format!("{rate:.0}"), format!("{share:.2}")]);
    }
    format!("{apps}\n{}", table.render())
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn app(name: &str) -> anyhow::Result<AppSpec> {
    let roots = Roots { dockerfiles: root().join("Dockerfiles"), workloads: root().join("workloads") };
    Ok(load_app(&root().join("apps").join(name), &roots)?)
}

fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1000.0).round() / 1000.0
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// What is measured: calls alone. Argument features and pseudo-files take as many trials again.
fn calls() -> Settings {
    Settings { details: Details::None, ..Settings::default() }
}

/// Runs a campaign with results of its own, beside those of `others`.
async fn measure(
    engine: &DockerEngine,
    spec: &AppSpec,
    jobs: usize,
    settings: Settings,
    freshness: Freshness,
    results: &Path,
) -> anyhow::Result<(Totals, Duration)> {
    let options = Options { jobs, freshness, settings, results: results.to_owned() };
    let begin = Instant::now();
    let ends = campaign::batch(engine, std::slice::from_ref(spec), &options, &|_| {}, &Stop::default()).await;
    let took = begin.elapsed();
    match ends.into_iter().next() {
        Some((_, CampaignEnd::Measured(totals))) => Ok((totals, took)),
        Some((name, end)) => bail!("{name}: {end:?}"),
        None => bail!("no campaign"),
    }
}

async fn of_app(engine: &DockerEngine, name: &str, jobs: usize, arguments: &Arguments) -> anyhow::Result<Value> {
    let spec = app(name)?;
    let workload = &spec.workloads[0];
    let scratch = tempfile::tempdir()?;
    let results = scratch.path().join("results");
    // Images are built before the clock runs.
    let session = engine.prepare(&spec, workload, "bench", Arc::new(|message| eprintln!("{message}"))).await?;
    let (totals, took) = measure(engine, &spec, jobs, calls(), Freshness::Fresh, &results).await?;
    println!(
        "{name}: exhaustive, {jobs} jobs: {} trials, {} calls, joint {} in {:.1} s",
        totals.run,
        totals.used,
        totals.joint_avoided,
        took.as_secs_f64()
    );
    let mut figures = json!({
        "calls": totals.used,
        "exhaustive": {"trials": totals.run, "seconds": seconds(took), "joint": totals.joint_avoided},
    });
    if arguments.wants("campaign") || arguments.wants("overhead") {
        let records = Store::open(&results).trials(name, &workload.name)?;
        let (sequential, overheads) = one_by_one(&session, &spec, &records).await?;
        println!(
            "{name}: the same trials one by one: {:.1} s, ratio {:.2}",
            sequential.as_secs_f64(),
            sequential.as_secs_f64() / took.as_secs_f64()
        );
        figures["one-by-one"] = json!({"seconds": seconds(sequential), "ratio": ratio(sequential, took)});
        figures["overhead"] = overhead(&session, overheads, &records, name).await?;
    }
    session.close().await;
    if arguments.wants("strategies") {
        figures["strategies"] = strategies(engine, &spec, jobs, &results, totals.run).await?;
    }
    Ok(figures)
}

fn ratio(one: Duration, other: Duration) -> f64 {
    (one.as_secs_f64() / other.as_secs_f64() * 1000.0).round() / 1000.0
}

/// The trials of a campaign in a plain loop: one after the other, each with everything made when it is needed. The whole time, and
/// what each trial took beside its workload.
async fn one_by_one(
    session: &DockerSession,
    spec: &AppSpec,
    records: &[TrialRecord],
) -> anyhow::Result<(Duration, Vec<Duration>)> {
    let begin = Instant::now();
    let mut overheads = Vec::new();
    for record in records {
        let limit = record.deadline_ms.map_or(Duration::from_secs(120), Duration::from_millis);
        let request = TrialRequest {
            id: TrialId(0),
            purpose: record.purpose,
            watch: record.watch,
            intervention: record.intervention.clone(),
            replica: record.replica,
            care: record.care,
            traced: None,
        };
        session.expect(0, 1);
        let deadline = Deadline { processor: processor_limit(record), ..Deadline::within(limit) };
        let observation = session.run(&request, deadline).await;
        if let Some(trouble) = &observation.trouble {
            bail!("{}: {trouble:?}", spec.name);
        }
        overheads.push(observation.timings.total.saturating_sub(observation.timings.workload));
    }
    Ok((begin.elapsed(), overheads))
}

/// The limit that ended the recorded trial, if processor time did.
fn processor_limit(record: &TrialRecord) -> Option<Duration> {
    match &record.result {
        loupe::trial::Outcome::Fail(loupe::trial::FailCause::ProcessorTime { limit_ms }) => {
            Some(Duration::from_millis(*limit_ms))
        }
        _ => None,
    }
}

async fn overhead(
    session: &DockerSession,
    one_by_one: Vec<Duration>,
    records: &[TrialRecord],
    name: &str,
) -> anyhow::Result<Value> {
    let mut bare = Vec::new();
    for _ in 0..BARE {
        bare.push(session.bare_container().await?.total());
    }
    let (bare, own) = (median(bare), median(one_by_one));
    // With berths made ahead a trial does not wait for its container: what it takes beside its workload in the campaign.
    let beside = records.iter().map(|record| record.durations.total_ms.saturating_sub(record.durations.workload_ms));
    let beside = median(beside.map(Duration::from_millis).collect());
    println!(
        "{name}: overhead of a trial {} ms, bare container {} ms, ratio {:.2}; in the campaign {} ms",
        own.as_millis(),
        bare.as_millis(),
        own.as_secs_f64() / bare.as_secs_f64(),
        beside.as_millis()
    );
    Ok(json!({
        "trial-ms": own.as_millis(),
        "bare-container-ms": bare.as_millis(),
        "ratio": ratio(own, bare),
        "in-campaign-ms": beside.as_millis(),
    }))
}

/// Trials that other ways take: guesses that know only the other apps' results, and a recheck of what was just found.
async fn strategies(
    engine: &DockerEngine,
    spec: &AppSpec,
    jobs: usize,
    results: &Path,
    exhaustive: usize,
) -> anyhow::Result<Value> {
    let others = tempfile::tempdir()?;
    copy_results(&root().join("results"), others.path(), &spec.name)?;
    let joint = Settings { strategy: Strategy::Joint, ..calls() };
    let (guessed, guessed_time) = measure(engine, spec, jobs, joint, Freshness::Fresh, others.path()).await?;
    let (recheck, recheck_time) = measure(engine, spec, jobs, calls(), Freshness::Recheck, results).await?;
    let skipped = |run: usize| exhaustive.saturating_sub(run);
    println!(
        "{}: strategy joint {} trials, joint {} in {:.1} s; recheck {} trials in {:.1} s",
        spec.name,
        guessed.run,
        guessed.joint_avoided,
        guessed_time.as_secs_f64(),
        recheck.run,
        recheck_time.as_secs_f64()
    );
    Ok(json!({
        "joint": {
            "trials": guessed.run,
            "skipped": skipped(guessed.run),
            "joint": guessed.joint_avoided,
            "seconds": seconds(guessed_time),
        },
        "recheck": {"trials": recheck.run, "skipped": skipped(recheck.run), "seconds": seconds(recheck_time)},
    }))
}

/// Copies the results of every app but one.
fn copy_results(from: &Path, to: &Path, without: &str) -> anyhow::Result<()> {
    for (app, workload) in Store::open(from).list()? {
        if app == without {
            continue;
        }
        let (source, target) = (from.join(&app).join(&workload), to.join(&app).join(&workload));
        std::fs::create_dir_all(&target)?;
        for entry in std::fs::read_dir(&source)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                std::fs::copy(entry.path(), target.join(entry.file_name()))?;
            }
        }
    }
    Ok(())
}

async fn trace(engine: &DockerEngine) -> anyhow::Result<Value> {
    let roots = Roots { dockerfiles: root().join("Dockerfiles"), workloads: root().join("benches/workloads") };
    let spec = load_app(&root().join("benches/apps/redis"), &roots)?;
    let mut rates: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for round in 0..THROUGHPUT_RUNS {
        // In turn, so that a machine whose speed drifts is the same to all of them.
        for (kind, workload, watch) in
            [("untraced", "plain", Watch::Treated), ("traced", "plain", Watch::Everything), ("strace", "strace", Watch::Treated)]
        {
            let workload = spec.workloads.iter().find(|candidate| candidate.name == workload);
            let workload = workload.context("the workload is not there")?;
            let session = engine.prepare(&spec, workload, "bench", Arc::new(|message| eprintln!("{message}"))).await?;
            let request = TrialRequest {
                id: TrialId(0),
                purpose: Purpose::Baseline,
                watch,
                intervention: Intervention::none(),
                replica: u32::try_from(round)?,
                care: Care::Alone,
                traced: None,
            };
            session.expect(1, 1);
            let limit = workload.timeout.unwrap_or(Duration::from_secs(120));
            let deadline = Deadline::within(limit);
            let observation = session.run(&request, deadline).await;
            let subject = session.subject();
            let outcome = judge(workload, subject.kind, subject.port, &observation);
            let throughput = measures(workload, &observation).throughput;
            session.close().await;
            match throughput {
                Some(throughput) if outcome == loupe::trial::Outcome::Pass => rates.entry(kind).or_default().push(throughput),
                _ => bail!("{kind}: {outcome}"),
            }
        }
    }
    let rate = |kind: &str| {
        let mut rates = rates.get(kind).cloned().unwrap_or_default();
        rates.sort_unstable();
        rates.get(rates.len() / 2).copied().unwrap_or_default()
    };
    let (untraced, traced, strace) = (rate("untraced"), rate("traced"), rate("strace"));
    #[expect(clippy::cast_precision_loss, reason = "rates of a few hundred thousand")]
    let share = |one: u64, other: u64| (one as f64 / other as f64 * 1000.0).round() / 1000.0;
    println!(
        "trace: {} requests/s untraced, {} traced ({:.2} of it), {} under strace -f ({:.1} times less than traced)",
        untraced / 1000,
        traced / 1000,
        share(traced, untraced),
        strace / 1000,
        share(traced, strace)
    );
    Ok(json!({
        "untraced": untraced / 1000,
        "traced": traced / 1000,
        "strace": strace / 1000,
        "traced-of-untraced": share(traced, untraced),
        "traced-of-strace": share(traced, strace),
    }))
}
