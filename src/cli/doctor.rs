//! `loupe doctor`: can this machine measure, and if not, what is to be done?

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::arguments::{DoctorArguments, Format};
use super::printer::Printer;
use super::settings::Settings;
use super::{Failure, Status};
use crate::engine::docker::DockerEngine;
use crate::engine::{Engine, EngineError, SHIM, Session};
use crate::spec::{AppSpec, Kind, Limits, Success, Workload};
use crate::trial::{Intervention, Outcome, Purpose, Treatment, TrialId, TrialRequest, Watch, judge};

/// The image that the project's own apps build upon.
const BASE_IMAGE: &str = "debian:bookworm-slim";
/// Longest time the probe may take.
const PROBE_LIMIT: Duration = Duration::from_secs(20);
/// What the shim exits with when it is run as if it were an app.
const SHIM_USAGE_CODE: i32 = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
enum Health {
    Ok,
    Warning,
    Problem,
}

#[derive(Debug, serde::Serialize)]
struct Check {
    health: Health,
    what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

impl Check {
    fn ok(what: impl Into<String>) -> Self {
        Self { health: Health::Ok, what: what.into(), hint: None }
    }

    fn new(health: Health, what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { health, what: what.into(), hint: Some(hint.into()) }
    }
}

pub(super) async fn doctor(arguments: &DoctorArguments, settings: &Settings, printer: &Printer) -> Result<Status, Failure> {
    let mut checks = Vec::new();
    match DockerEngine::connect(settings.docker_host.as_deref()).await {
        Ok(engine) => check_engine(&engine, &mut checks).await,
        Err(error) => checks.push(engine_problem("the container engine", &error)),
    }
    checks.push(Check::ok(format!(
        "{} processors: {} trials at a time unless `--jobs` says otherwise",
        settings.cores,
        settings.default_jobs()
    )));
    let healthy = checks.iter().all(|check| check.health != Health::Problem);
    match arguments.format {
        Format::Text => printer.data(&text(&checks)),
        Format::Json => printer.data(&format!("{}\n", serde_json::json!({"healthy": healthy, "checks": checks}))),
    }
    Ok(if healthy { Status::Done } else { Status::Environment })
}

fn text(checks: &[Check]) -> String {
    let mut text = String::new();
    for check in checks {
        let health = match check.health {
            Health::Ok => "ok",
            Health::Warning => "warning",
            Health::Problem => "problem",
        };
        text.push_str(&format!("{health:<8} {}\n", check.what.replace('\n', "\n         ")));
        if let Some(hint) = &check.hint {
            text.push_str(&format!("         hint: {hint}\n"));
        }
    }
    text
}

fn engine_problem(what: &str, error: &EngineError) -> Check {
    let mut message = format!("{what}: {error}");
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        message.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    match message.split_once("\nhint: ") {
        Some((message, rest)) => {
            let (hint, causes) = rest.split_once(": ").map_or((rest, ""), |(hint, causes)| (hint, causes));
            let causes = if causes.is_empty() { String::new() } else { format!(": {causes}") };
            Check::new(Health::Problem, format!("{message}{causes}"), hint)
        }
        None => Check { health: Health::Problem, what: message, hint: None },
    }
}

async fn check_engine(engine: &DockerEngine, checks: &mut Vec<Check>) {
    match engine.platform().await {
        Ok(platform) => {
            checks.push(Check::ok(format!(
                "{} {} on {}, {}",
                platform.engine, platform.engine_version, platform.operating_system, platform.architecture
            )));
            checks.push(check_kernel(&platform.kernel));
            let native = crate::syscalls::Architecture::NATIVE;
            if platform.architecture != native.name() {
                checks.push(Check::new(
                    Health::Problem,
                    format!("the engine runs on {}, and this loupe was built for {native}", platform.architecture),
                    "use a loupe built for the engine's architecture",
                ));
            }
        }
        Err(error) => checks.push(engine_problem("the engine's description", &error)),
    }
    checks.push(probe(engine).await);
    checks.push(match engine.has_image(BASE_IMAGE).await {
        Ok(true) => Check::ok(format!("base image {BASE_IMAGE} is present")),
        Ok(false) => Check::new(
            Health::Warning,
            format!("base image {BASE_IMAGE} is not present; it will be pulled"),
            "without network, `make base-image` makes it from Debian packages",
        ),
        Err(error) => engine_problem("the base image", &error),
    });
}

/// What the kernel's release says of the features that Loupe uses (`seccomp(2)`, `seccomp_unotify(2)`).
fn check_kernel(release: &str) -> Check {
    let mut numbers = release.split(|character: char| !character.is_ascii_digit()).map_while(|number| number.parse::<u32>().ok());
    let (Some(major), Some(minor)) = (numbers.next(), numbers.next()) else {
        return Check::new(Health::Warning, format!("kernel {release}: its version can't be read"), "5.5 or later is needed");
    };
    let has = |needed: (u32, u32)| (major, minor) >= needed;
    if !has((5, 5)) {
        let what = format!("kernel {release} can't continue a notified system call");
        return Check::new(Health::Problem, what, "update to Linux 5.5 or later");
    }
    let missing: Vec<_> = [
        ((5, 19), "signals can make a call count twice (5.19)"),
        ((6, 6), "traces are slower (6.6)"),
        ((6, 15), "the signal that killed a process nobody waited for may stay unknown (6.15)"),
    ]
    .into_iter()
    .filter(|(needed, _)| !has(*needed))
    .map(|(_, effect)| effect)
    .collect();
    if missing.is_empty() {
        Check::ok(format!("kernel {release}: has everything that Loupe uses"))
    } else {
        let hint = "everything works; later kernels do better";
        Check::new(Health::Warning, format!("kernel {release}: {}", missing.join("; ")), hint)
    }
}

/// Runs one real trial: the shim itself serves as the app, so no image is needed. Its `write` is stubbed and has to be hit.
async fn probe(engine: &DockerEngine) -> Check {
    let what = "a container under a filter of ours";
    let folder = match probe_folder() {
        Ok(folder) => folder,
        Err(error) => {
            return Check::new(Health::Problem, format!("{what}: cannot write a temporary folder: {error}"), "check TMPDIR");
        }
    };
    let workload = Workload {
        name: "probe".to_owned(),
        kind: Some(Kind::RunToCompletion),
        command: Some(vec!["/probe".to_owned()]),
        environment: BTreeMap::new(),
        port: None,
        client: None,
        stay_up: Workload::DEFAULT_STAY_UP,
        success: Success { exit_code: SHIM_USAGE_CODE, ..Success::default() },
        timeout: None,
        limits: Limits::default(),
    };
    let app = AppSpec {
        name: "loupe-probe".to_owned(),
        directory: folder.path().to_owned(),
        description: String::new(),
        build_arguments: BTreeMap::new(),
        workloads: vec![workload.clone()],
    };
    let session = match engine.prepare(&app, &workload, "doctor", Arc::new(|_| {})).await {
        Ok(session) => session,
        Err(error) => return engine_problem(what, &error),
    };
    let write = "write".parse().expect("invariant: Linux has write");
    let request = TrialRequest {
        id: TrialId(0),
        purpose: Purpose::Single,
        watch: Watch::Treated,
        intervention: Intervention::single(write, Treatment::Stub),
        replica: 0,
    };
    let observation = session.run(&request, PROBE_LIMIT).await;
    session.close().await;
    match judge(&workload, Kind::RunToCompletion, None, &observation) {
        Outcome::Pass if observation.calls.count(write) > 0 => {
            Check::ok(format!("{what}: starts in {} ms, and its calls are notified", observation.timings.setup.as_millis()))
        }
        Outcome::Pass => {
            Check::new(Health::Problem, format!("{what}: no call was notified"), "is seccomp enabled in the kernel?")
        }
        outcome => Check::new(Health::Problem, format!("{what}: {outcome}"), "run it on the host itself, not in a sandbox"),
    }
}

fn probe_folder() -> std::io::Result<tempfile::TempDir> {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir()?;
    let program = folder.path().join("probe");
    std::fs::write(&program, SHIM)?;
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755))?;
    std::fs::write(folder.path().join("Dockerfile"), "FROM scratch\nCOPY probe /probe\n")?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_are_judged_by_their_release() {
        assert_eq!(check_kernel("5.4.0-150-generic").health, Health::Problem);
        assert_eq!(check_kernel("5.10.0").health, Health::Warning);
        assert_eq!(check_kernel("6.18.44-x").health, Health::Ok);
        assert_eq!(check_kernel("unknown").health, Health::Warning);
        assert!(check_kernel("6.1.0-13-amd64").what.contains("6.15"));
    }

    #[test]
    fn hints_stand_on_their_own_line() {
        let checks = [Check::ok("fine"), Check::new(Health::Problem, "broken", "mend it")];
        assert_eq!(text(&checks), "ok       fine\nproblem  broken\n         hint: mend it\n");
    }
}
