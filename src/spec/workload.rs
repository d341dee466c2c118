//! One complete workload's tree -> [`Workload`]: which keys there are, what each may hold, and which exclude each other.
//!
//! Pure but for check scripts and the folders of images, both looked at through `files`.

use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::files::{self, Presence};
use super::model::{Check, Client, ImageSource, Kind, Limits, Success, Workload};
use super::problem::{Problems, known_hint, nearest, quoted};
use super::tree::{Content, Node};
use super::typing::{self, Fields};

/// The keys of an entry of `workloads`.
const KEYS: [&str; 14] = [
    "name",
    "kind",
    "command",
    "environment",
    "ready",
    "client",
    "stay-up",
    "wait-for-children",
    "success",
    "throughput",
    "timeout",
    "limits",
    "use",
    "with",
];

/// Longest time that can be asked for.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// Docker refuses less than 6 MiB.
const MEMORY: RangeInclusive<u64> = 6 << 20..=1 << 50;

/// At least the shim and the app; at most what a Linux kernel can number (`PID_MAX_LIMIT`).
const PIDS: RangeInclusive<u64> = 2..=4_194_304;

/// Output is kept in memory, for each stream of each trial that runs.
const OUTPUT: RangeInclusive<u64> = 1 << 10..=64 << 20;

/// Reads a workload without `use`; `None` only if it can't even be named.
pub(super) fn workload(node: &Node, dockerfiles: &Path, problems: &mut Problems) -> Option<Workload> {
    let fields = Fields::of(node, "workload", &KEYS, problems)?;
    let name = fields.required("name", "name: default", problems).and_then(|node| name(node, problems));
    let client = fields.get("client").and_then(|node| client(node, dockerfiles, problems));
    let workload = Workload {
        name: name.unwrap_or_default(),
        kind: kind(&fields, problems),
        command: fields.get("command").and_then(|node| typing::command(node, "command", problems)),
        environment: fields.get("environment").and_then(|node| typing::texts(node, "environment", problems)).unwrap_or_default(),
        port: fields.get("ready").and_then(|node| ready(node, problems)),
        client,
        stay_up: fields
            .get("stay-up")
            .and_then(|node| typing::duration(node, "stay-up", Duration::ZERO..=LONGEST, problems))
            .unwrap_or(Workload::DEFAULT_STAY_UP),
        wait_for_children: fields
            .get("wait-for-children")
            .and_then(|node| typing::boolean(node, "wait-for-children", problems))
            .unwrap_or(false),
        success: fields.get("success").map(|node| success(node, dockerfiles, problems)).unwrap_or_default(),
        throughput: fields.get("throughput").and_then(|node| throughput(node, problems)),
        timeout: fields
            .get("timeout")
            .and_then(|node| typing::duration(node, "timeout", Duration::from_millis(1)..=LONGEST, problems)),
        limits: fields.get("limits").map(|node| limits(node, problems)).unwrap_or_default(),
    };
    (!workload.name.is_empty()).then_some(workload)
}

fn name(node: &Node, problems: &mut Problems) -> Option<String> {
    let name = typing::text(node, "name", problems)?;
    if !super::is_name(name) {
        problems.at(&node.at, format!("{} can't be the name of a workload", quoted(name))).hint(super::NAME_HINT);
        return None;
    }
    Some(name.to_owned())
}

/// The kind as it is given, or as it follows from keys that only one kind has; and a problem for each key that the kind can't have.
fn kind(fields: &Fields<'_>, problems: &mut Problems) -> Option<Kind> {
    let of_servers = ["client", "ready", "stay-up"];
    let kind = match fields.get("kind") {
        Some(node) => {
            let expected = "`server` or `run-to-completion`";
            let text = match &node.content {
                Content::Scalar { text, .. } => text.as_str(),
                Content::Sequence(_) | Content::Mapping(_) | Content::Invalid => "",
            };
            let kinds = [Kind::Server, Kind::RunToCompletion];
            let kind = kinds.into_iter().find(|kind| kind.name() == text);
            if kind.is_none() {
                let problem = typing::wrong(node, "kind", expected, problems)?;
                if let Some(name) = nearest(text, kinds.map(Kind::name)) {
                    problem.hint(format!("did you mean `{name}`?"));
                }
            }
            kind?
        }
        None if of_servers.iter().any(|key| fields.get(key).is_some()) => Kind::Server,
        None => return None,
    };
    for key in of_servers {
        if let (Kind::RunToCompletion, Some(at)) = (kind, fields.place(key)) {
            problems
                .at(at, format!("`{key}` belongs to a server, but this workload's `kind` is `run-to-completion`"))
                .hint(format!("remove `{key}`, or write `kind: server`"));
        }
    }
    if let (Kind::Server, Some(at)) = (kind, fields.place("wait-for-children")) {
        problems
            .at(at, "`wait-for-children` belongs to `run-to-completion`, but this workload's `kind` is `server`")
            .hint("a server may leave processes: remove `wait-for-children`");
    }
    if let (Kind::Server, Some(_), Some(at)) = (kind, fields.get("client"), fields.place("stay-up")) {
        problems.at(at, "`stay-up` has no meaning beside a `client`").hint("the server has to stay up until its client is done");
    }
    Some(kind)
}

fn ready(node: &Node, problems: &mut Problems) -> Option<u16> {
    let fields = Fields::of(node, "ready", &["port"], problems)?;
    let port = fields.required("port", "ready: {port: 80}", problems)?;
    u16::try_from(typing::integer(port, "ready.port", 1..=u64::from(u16::MAX), problems)?).ok()
}

fn client(node: &Node, dockerfiles: &Path, problems: &mut Problems) -> Option<Client> {
    let fields = Fields::of(node, "client", &["image", "command", "environment"], problems)?;
    let image =
        fields.required("image", "image: wrk", problems).and_then(|node| image(node, "client.image", dockerfiles, problems));
    let command = fields
        .required("command", "command: [PROGRAM, ARGUMENT, …]", problems)
        .and_then(|node| typing::command(node, "client.command", problems));
    let environment =
        fields.get("environment").and_then(|node| typing::texts(node, "client.environment", problems)).unwrap_or_default();
    Some(Client { image: image?, command: command?, environment })
}

/// A folder of `Dockerfiles/` by its bare name, or an image reference, which has a tag, a digest or a slash.
fn image(node: &Node, what: &str, dockerfiles: &Path, problems: &mut Problems) -> Option<ImageSource> {
    let name = typing::text(node, what, problems)?;
    if name.contains([':', '/']) {
        let strange = |c: char| !(c.is_ascii_alphanumeric() || "._-/:@".contains(c));
        if name.contains(strange) || !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            problems
                .at(&node.at, format!("{} is no image reference", quoted(name)))
                .hint("write it such as `debian:bookworm-slim`");
            return None;
        }
        return Some(ImageSource::Reference(name.to_owned()));
    }
    let directory = dockerfiles.join(name);
    let valid = super::is_name(name);
    if valid && matches!(files::presence(&directory.join("Dockerfile")), Presence::File) {
        return Some(ImageSource::Folder { name: name.to_owned(), directory });
    }
    if valid && matches!(files::presence(&directory), Presence::Folder) {
        problems
            .at(&node.at, format!("`{}` has no Dockerfile", directory.display()))
            .hint(format!("write `{}`", directory.join("Dockerfile").display()));
        return None;
    }
    let known = files::image_folders(dockerfiles);
    let hint = if known.is_empty() {
        format!("write `{}`; ", dockerfiles.join("NAME").join("Dockerfile").display())
    } else {
        format!("{}; ", known_hint(name, known.iter().map(String::as_str)).trim_end_matches('?'))
    };
    problems
        .at(&node.at, format!("no folder {} in `{}`", quoted(name), dockerfiles.display()))
        .hint(format!("{hint}an image of a registry needs its tag, such as `debian:bookworm-slim`"));
    None
}

fn success(node: &Node, dockerfiles: &Path, problems: &mut Problems) -> Success {
    let known = [
        "exit-code",
        "stdout-matches",
        "stderr-matches",
        "stdout-forbids",
        "stderr-forbids",
        "files",
        "check",
        "expected-deaths",
    ];
    let Some(fields) = Fields::of(node, "success", &known, problems) else { return Success::default() };
    let exit_code = fields.get("exit-code").and_then(|node| typing::integer(node, "success.exit-code", 0..=255, problems));
    let mut patterns = |key: &str| {
        let what = format!("success.{key}");
        fields.get(key).and_then(|node| typing::patterns(node, &what, problems)).unwrap_or_default()
    };
    Success {
        exit_code: exit_code.and_then(|code| i32::try_from(code).ok()).unwrap_or_default(),
        stdout_matches: patterns("stdout-matches"),
        stderr_matches: patterns("stderr-matches"),
        stdout_forbids: patterns("stdout-forbids"),
        stderr_forbids: patterns("stderr-forbids"),
        stdout_equals: None,
        written: super::WrittenFiles::Ignored,
        files: fields.get("files").map(|node| collected_files(node, problems)).unwrap_or_default(),
        check: fields.get("check").and_then(|node| check(node, dockerfiles, problems)),
        expected_deaths: fields.get("expected-deaths").map(|node| signals(node, problems)).unwrap_or_default(),
    }
}

fn throughput(node: &Node, problems: &mut Problems) -> Option<regex::Regex> {
    let pattern = typing::patterns(node, "throughput", problems)?.into_iter().next()?;
    // The whole match counts as a group, too.
    if pattern.captures_len() != 2 {
        problems
            .at(&node.at, "`throughput` has to have exactly one group, around the number")
            .hint("write it such as `'Requests/sec: +([0-9.]+)'`; `(?:…)` is no group");
        return None;
    }
    Some(pattern)
}

fn collected_files(node: &Node, problems: &mut Problems) -> Vec<String> {
    let what = "success.files";
    let mut paths = Vec::new();
    for item in typing::one_or_more(node, what, problems).unwrap_or_default() {
        let Some(path) = typing::text(item, what, problems) else { continue };
        let steps_up = path.split('/').any(|part| part == "..");
        if !path.starts_with('/') || path.ends_with('/') || steps_up {
            problems
                .at(&item.at, format!("`{what}` has to be absolute paths of files, but one is {}", quoted(path)))
                .hint("paths are those in the app's container, such as `/tmp/result.txt`");
            continue;
        }
        paths.push(path.to_owned());
    }
    paths
}

fn check(node: &Node, dockerfiles: &Path, problems: &mut Problems) -> Option<Check> {
    let what = "success.check";
    let (script, image) = match &node.content {
        Content::Mapping(_) => {
            let fields = Fields::of(node, what, &["script", "image"], problems)?;
            let image = fields.get("image").and_then(|node| image(node, "success.check.image", dockerfiles, problems));
            (fields.required("script", "script: check.sh", problems)?, image)
        }
        Content::Scalar { .. } => (node, None),
        Content::Sequence(_) | Content::Invalid => {
            typing::wrong(node, what, "the name of a script, or a mapping of `script` and `image`", problems);
            return None;
        }
    };
    let name = typing::text(script, what, problems)?;
    let (path, script) = files::read_script(name, &script.at, problems)?;
    Some(Check { path, script, image })
}

fn signals(node: &Node, problems: &mut Problems) -> Vec<String> {
    let what = "success.expected-deaths";
    let mut signals = Vec::new();
    for item in typing::list(node, what, problems).unwrap_or_default() {
        let Some(name) = typing::text(item, what, problems) else { continue };
        if Signal::iterator().any(|signal| signal.as_str() == name) {
            signals.push(name.to_owned());
            continue;
        }
        let upper = name.to_uppercase();
        let full = if upper.starts_with("SIG") { upper } else { format!("SIG{upper}") };
        let hint = match nearest(&full.to_lowercase(), Signal::iterator().map(Signal::as_str)) {
            Some(name) => format!("did you mean `{name}`?"),
            None => "signals are named as in `SIGTERM`".to_owned(),
        };
        problems.at(&item.at, format!("{} is no signal", quoted(name))).hint(hint);
    }
    signals
}

fn limits(node: &Node, problems: &mut Problems) -> Limits {
    let default = Limits::default();
    let Some(fields) = Fields::of(node, "limits", &["memory", "pids", "output"], problems) else { return default };
    let memory = fields.get("memory").and_then(|node| typing::bytes(node, "limits.memory", MEMORY, problems));
    let pids = fields.get("pids").and_then(|node| typing::integer(node, "limits.pids", PIDS, problems));
    let output = fields.get("output").and_then(|node| typing::bytes(node, "limits.output", OUTPUT, problems));
    Limits {
        memory: memory.unwrap_or(default.memory),
        pids: pids.and_then(|pids| u32::try_from(pids).ok()).unwrap_or(default.pids),
        output: output.and_then(|output| usize::try_from(output).ok()).unwrap_or(default.output),
    }
}
