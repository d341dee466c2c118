//! `loupe doctor`: is everything there that Loupe needs, and what is to be done where it isn't?
//!
//! Asks the engine and the machine, and runs one trial of a tiny app. The facts are gathered here; what follows from each is
//! said by a pure function.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::statvfs::statvfs;
use serde::Serialize;

use super::arguments::{DoctorArguments, Format};
use super::explain::explain;
use super::printer::{Grade, Printer};
use super::settings::{Environment, available_cores, default_jobs};
use super::status::Status;
use crate::engine::docker::DockerEngine;
use crate::engine::process::{self, ProcessEngine};
use crate::engine::{Engine, Platform, SHIM, Session};
use crate::report::counted;
use crate::spec::{AppSpec, Roots, load_app};
use crate::syscalls::{Architecture, Sysno};
use crate::trial::{Care, Deadline, Intervention, Outcome, Purpose, Treatment, TrialId, TrialRequest, Watch, judge};

/// The base image of the apps that come with Loupe.
const BASE_IMAGE: &str = "debian:bookworm-slim";
/// The campaign that the probe's containers are labelled with.
const PROBE_CAMPAIGN: &str = "doctor";
/// Longest time for the probe app, which needs milliseconds.
const PROBE_DEADLINE: Duration = Duration::from_secs(20);
/// The call that is stubbed for the probe: every C library makes it at the start, and none minds its failure.
const PROBE_CALL: &str = "set_robust_list";
/// Free space below which a batch may fill the disk, in bytes.
const LITTLE_SPACE: u64 = 1024 * 1024 * 1024;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Check {
    name: &'static str,
    state: State,
    /// What was found.
    text: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

/// What a finding means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    /// As it has to be.
    Ok,
    /// Loupe works, but not for everything or not as well as it could.
    Warning,
    /// Loupe can't work.
    Problem,
}

impl State {
    const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }

    const fn grade(self) -> Grade {
        match self {
            Self::Ok => Grade::Good,
            Self::Warning => Grade::Doubtful,
            Self::Problem => Grade::Bad,
        }
    }
}

impl Check {
    fn ok(name: &'static str, text: impl Into<String>) -> Self {
        Self { name, state: State::Ok, text: text.into(), hint: None }
    }

    fn warning(name: &'static str, text: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { name, state: State::Warning, text: text.into(), hint: Some(hint.into()) }
    }

    fn problem(name: &'static str, text: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { name, state: State::Problem, text: text.into(), hint: Some(hint.into()) }
    }

    /// What an error says; its own hint goes before `hint`.
    fn of_error(name: &'static str, error: &anyhow::Error, hint: &str) -> Self {
        let text = explain(error);
        let (own, text): (Vec<_>, Vec<_>) = text.lines().partition(|line| line.starts_with("hint: "));
        let own = own.first().map(|own| own.trim_start_matches("hint: "));
        Self::problem(name, text.join("\n"), own.unwrap_or(hint))
    }
}

/// Looks at everything and prints what was found.
pub(super) fn doctor(arguments: &DoctorArguments, environment: &Environment, printer: &Printer) -> anyhow::Result<Status> {
    let results = environment.results(arguments.results.clone());
    let checks = super::block_on(async { Ok(examine(environment.docker_host.as_deref(), &results).await) })?;
    let healthy = checks.iter().all(|check| check.state != State::Problem);
    match arguments.format {
        Format::Text => checks.iter().for_each(|check| printer.data(&in_words(check, printer))),
        Format::Json => {
            #[derive(Serialize)]
            struct Answer<'a> {
                usable: bool,
                checks: &'a [Check],
            }
            printer.json(&Answer { usable: healthy, checks: &checks });
        }
    }
    Ok(if healthy { Status::Done } else { Status::Environment })
}

/// The state, what it is about, what was found; more lines and the hint below, indented.
fn in_words(check: &Check, printer: &Printer) -> String {
    let state = format!("{:<7}", check.state.name());
    let mut lines = check.text.lines();
    let first = lines.next().unwrap_or_default();
    let mut text = format!("{}  {}: {first}\n", printer.graded(check.state.grade(), &state), check.name);
    let hint = check.hint.as_ref().map(|hint| format!("hint: {hint}"));
    for line in lines.map(str::trim).chain(hint.as_deref()) {
        text.extend(["         ", line, "\n"]);
    }
    text
}

async fn examine(docker_host: Option<&str>, results: &Path) -> Vec<Check> {
    let local = docker_host.is_none_or(|host| host.starts_with("unix://"));
    let mut checks = Vec::new();
    let engine = match DockerEngine::connect(docker_host).await {
        Ok(engine) => Some(engine),
        Err(error) => {
            let hint = "see `docker version`";
            checks.push(Check::of_error("engine", &error.into(), hint));
            None
        }
    };
    match &engine {
        Some(engine) => checks.extend(examine_engine(engine).await),
        None if local => checks.push(kernel(&read("/proc/sys/kernel/osrelease"))),
        None => {}
    }
    if local {
        checks.push(actions(&read("/proc/sys/kernel/seccomp/actions_avail")));
    }
    if let Some(engine) = &engine {
        let base = engine.has_image(BASE_IMAGE).await;
        checks.push(match base {
            Ok(present) => base_image(present),
            Err(error) => Check::of_error("base image", &error.into(), "see `docker images`"),
        });
        checks.push(match probe(engine).await {
            Ok((outcome, hits)) => probed(&outcome, hits),
            Err(error) => Check::of_error("trial", &error, "see the engine's log, such as `journalctl -u docker`"),
        });
    }
    checks.push(commands().await);
    checks.push(disk_space(results, free_space(results)));
    checks.push(cores(available_cores(), default_jobs()));
    checks
}

/// Whether commands of this machine can be kept apart from it. Measuring apps in containers does not depend on that.
async fn commands() -> Check {
    let options = process::Options {
        isolated: true,
        machine_network: false,
        input: process::Input::Empty,
        directory: PathBuf::from("/"),
        path: None,
    };
    let isolation = match ProcessEngine::new(options) {
        Ok(engine) => engine.isolation().await.map(str::to_owned),
        Err(error) => Err(error),
    };
    match isolation {
        Ok(isolation) => Check::ok("commands", isolation),
        Err(error) => Check { state: State::Warning, ..Check::of_error("commands", &error.into(), "see above") },
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

async fn examine_engine(engine: &DockerEngine) -> Vec<Check> {
    match engine.platform().await {
        Ok(platform) => {
            let mut checks = vec![reachable(&platform, &engine.api_version()), kernel(&platform.kernel)];
            checks.extend(foreign_architecture(&platform.architecture));
            checks
        }
        Err(error) => vec![Check::of_error("engine", &error.into(), "see `docker info`")],
    }
}

fn reachable(platform: &Platform, api: &str) -> Check {
    let Platform { engine_version, architecture, operating_system, .. } = platform;
    Check::ok("engine", format!("Docker Engine {engine_version}, API {api}, {operating_system} on {architecture}"))
}

/// The shim is built for the architecture that Loupe itself was built for.
fn foreign_architecture(engine: &str) -> Option<Check> {
    let ours = Architecture::NATIVE;
    (engine != ours.name()).then(|| {
        let text = format!("the engine runs on {engine}, and this loupe was built for {ours}");
        Check::problem("architecture", text, "use a loupe built for the engine's architecture")
    })
}

/// What the kernel's version means: 5.5 is needed to let a watched call go on, the others make things better.
fn kernel(release: &str) -> Check {
    let mut numbers = release.split(|character: char| !character.is_ascii_digit()).map(str::parse::<u32>);
    let (Some(Ok(major)), Some(Ok(minor))) = (numbers.next(), numbers.next()) else {
        return Check::warning("kernel", format!("its version can't be told from `{release}`"), "Linux 5.5 or later is needed");
    };
    let text = format!("Linux {release}");
    if (major, minor) < (5, 5) {
        let hint = "Linux 5.5 or later is needed: watched system calls have to be let through";
        return Check::problem("kernel", text, hint);
    }
    let lacking: Vec<_> = [
        ((5, 19), "5.19 (calls interrupted by a signal are not counted twice)"),
        ((6, 6), "6.6 (faster tracing)"),
        ((6, 15), "6.15 (tells of every process how it ended, also where its parent was quicker to ask)"),
    ]
    .into_iter()
    .filter(|(version, _)| (major, minor) < *version)
    .map(|(_, gain)| gain)
    .collect();
    match lacking.as_slice() {
        [] => Check::ok("kernel", text),
        lacking => Check::ok("kernel", format!("{text}; later ones add: {}", lacking.join(", "))),
    }
}

/// The kernel has to know what the shim's filters do (seccomp(2), `/proc/sys/kernel/seccomp/actions_avail`).
fn actions(available: &str) -> Check {
    let words: Vec<_> = available.split_whitespace().collect();
    let missing: Vec<_> = ["user_notif", "errno", "allow"].into_iter().filter(|action| !words.contains(action)).collect();
    match (words.is_empty(), missing.as_slice()) {
        (true, _) => Check::problem("seccomp", "this kernel has no seccomp filters", "use a kernel with CONFIG_SECCOMP_FILTER"),
        (false, []) => Check::ok("seccomp", "filters with user notification"),
        (false, missing) => {
            let text = format!("filters without {}", missing.join(", "));
            Check::problem("seccomp", text, "use a later kernel: Linux 5.5 has them all")
        }
    }
}

fn base_image(present: bool) -> Check {
    if present {
        return Check::ok("base image", format!("`{BASE_IMAGE}` is present"));
    }
    let hint = format!(
        "`Dockerfiles/base-image.sh` makes it from Debian packages, `docker pull {BASE_IMAGE}` gets it; otherwise it is pulled when needed"
    );
    Check::warning("base image", format!("`{BASE_IMAGE}` is not present"), hint)
}

/// Runs a tiny app with one call stubbed. The app is the shim itself, which ends with code 2 when it is started by nobody: so the
/// probe needs no base image.
async fn probe(engine: &DockerEngine) -> anyhow::Result<(Outcome, u64)> {
    let folder = tempfile::tempdir()?;
    let app = probe_app(folder.path())?;
    let workload = app.workloads.first().expect("invariant: an app has a workload");
    let session = engine.prepare(&app, workload, PROBE_CAMPAIGN, std::sync::Arc::new(|_| {})).await?;
    let call: Sysno = PROBE_CALL.parse().expect("invariant: the call is in every table");
    let request = TrialRequest {
        id: TrialId(0),
        purpose: Purpose::Single,
        watch: Watch::Treated,
        intervention: Intervention::single(call, Treatment::Stub),
        replica: 0,
        care: Care::Alone,
        traced: None,
    };
    let deadline = Deadline::within(PROBE_DEADLINE);
    session.expect(1, 1);
    let observation = session.run(&request, deadline).await;
    let subject = session.subject();
    let outcome = judge(workload, subject.kind, subject.port, &observation);
    session.close().await;
    Ok((outcome, observation.calls.count(call)))
}

fn probe_app(folder: &Path) -> anyhow::Result<AppSpec> {
    use std::os::unix::fs::PermissionsExt;

    let directory = folder.join("doctor");
    let program = directory.join("program");
    fs::create_dir(&directory)?;
    fs::write(directory.join("Dockerfile"), "FROM scratch\nCOPY program /program\nCMD [\"/program\"]\n")?;
    fs::write(&program, SHIM)?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    let yaml = "workloads:\n  - name: probe\n    kind: run-to-completion\n    success: {exit-code: 2}\n";
    fs::write(directory.join("app.yaml"), yaml)?;
    Ok(load_app(&directory, &Roots::of_app(&directory))?)
}

fn probed(outcome: &Outcome, hits: u64) -> Check {
    match (outcome, hits) {
        (Outcome::Pass, 1..) => {
            Check::ok("trial", format!("a container ran under a filter, `{PROBE_CALL}` was stubbed and counted"))
        }
        (Outcome::Pass, 0) => {
            let text = format!("a container ran, but its call of `{PROBE_CALL}` was not noticed");
            Check::problem("trial", text, "something on the engine's machine gets between Loupe's filter and the kernel")
        }
        (Outcome::Fail(cause), _) => Check::problem(
            "trial",
            format!("a container that has to work failed: {cause}"),
            "see the engine's log, such as `journalctl -u docker`",
        ),
        (Outcome::Inconclusive(cause), _) => {
            let hint = "a virtual machine or a sandbox around the engine may forbid seccomp or SYS_PTRACE in containers";
            Check::problem("trial", cause.to_string(), hint)
        }
    }
}

/// Bytes that may still be written where `results` is or will be.
fn free_space(results: &Path) -> Option<u64> {
    // A relative path has the empty path above it, which is where we are.
    let existing = results.ancestors().map(|path| if path.as_os_str().is_empty() { Path::new(".") } else { path });
    let existing: PathBuf = existing.into_iter().find(|path| path.exists())?.to_path_buf();
    let space = statvfs(&existing).ok()?;
    Some(space.blocks_available().saturating_mul(space.fragment_size()))
}

fn disk_space(results: &Path, free: Option<u64>) -> Check {
    let results = results.display();
    let elsewhere = "make room, or name another folder with `--results`";
    let Some(free) = free else {
        return Check::warning("disk", format!("can't be told for `{results}`"), elsewhere);
    };
    let text = format!("{} MiB free for `{results}`", free / (1024 * 1024));
    if free < LITTLE_SPACE { Check::warning("disk", text, elsewhere) } else { Check::ok("disk", text) }
}

fn cores(cores: usize, jobs: usize) -> Check {
    Check::ok(
        "cores",
        format!("{}, so {} at a time unless `--jobs` says otherwise", counted(cores, "core"), counted(jobs, "trial")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::printer::tests::captured;
    use crate::trial::{FailCause, InconclusiveCause};

    #[test]
    fn kernels_are_told_apart_by_what_they_lack() {
        assert_eq!(kernel("5.4.0-150-generic").state, State::Problem);
        assert_eq!(kernel("4.19.0").state, State::Problem);
        let old = kernel("5.10.0-28-amd64");
        assert_eq!(old.state, State::Ok);
        assert!(["5.19 (", "6.6 (", "6.15 ("].iter().all(|version| old.text.contains(version)), "{}", old.text);
        assert_eq!(kernel("6.12.9+bpo").text.matches(" (").count(), 1);
        assert_eq!(kernel("6.18.44-fc-v669"), Check::ok("kernel", "Linux 6.18.44-fc-v669"));
        assert_eq!(kernel("").state, State::Warning);
    }

    #[test]
    fn seccomp_needs_user_notification() {
        assert_eq!(actions("kill_process kill_thread trap errno user_notif trace log allow").state, State::Ok);
        assert_eq!(actions("kill_process kill_thread trap errno trace log allow").text, "filters without user_notif");
        assert_eq!(actions("").state, State::Problem);
    }

    #[test]
    fn an_engine_of_another_architecture_is_a_problem() {
        assert_eq!(foreign_architecture(std::env::consts::ARCH), None);
        assert_eq!(foreign_architecture("riscv64").map(|check| check.state), Some(State::Problem));
    }

    #[test]
    fn a_probe_counts_only_if_its_stubbed_call_was_answered() {
        assert_eq!(probed(&Outcome::Pass, 1).state, State::Ok);
        assert_eq!(probed(&Outcome::Pass, 0).state, State::Problem);
        assert_eq!(probed(&Outcome::Fail(FailCause::ExitCode { code: 1, expected: 2 }), 1).state, State::Problem);
        let trouble = InconclusiveCause::Shim { message: "no filter".to_owned() };
        assert_eq!(probed(&Outcome::Inconclusive(trouble), 0).text, "shim trouble: no filter");
    }

    #[test]
    fn the_probe_is_a_valid_app() {
        let folder = tempfile::tempdir().unwrap();
        let app = probe_app(folder.path()).unwrap();
        assert_eq!((app.name.as_str(), app.workloads[0].success.exit_code), ("doctor", 2));
        assert!(PROBE_CALL.parse::<crate::syscalls::Sysno>().is_ok());
    }

    #[test]
    fn space_is_measured_where_the_results_will_be() {
        let folder = tempfile::tempdir().unwrap();
        assert!(free_space(&folder.path().join("not/there/yet")).unwrap() > 0);
        assert!(free_space(Path::new("no-such-folder-here")).unwrap() > 0);
        assert_eq!(disk_space(Path::new("results"), Some(LITTLE_SPACE - 1)).state, State::Warning);
        assert_eq!(disk_space(Path::new("results"), Some(LITTLE_SPACE)), Check::ok("disk", "1024 MiB free for `results`"));
    }

    #[test]
    fn every_line_can_be_read_without_colour_and_says_what_to_do() {
        let (printer, ..) = captured(false);
        let error = anyhow::anyhow!("connection refused").context("no container engine at `unix:///x`\nhint: start it");
        let checks = [Check::of_error("engine", &error, "unused"), base_image(false), cores(2, 4)];
        let text: String = checks.iter().map(|check| in_words(check, &printer)).collect();
        insta::assert_snapshot!(text);
    }
}
