//! What a trial does, as one hash: stored outcomes are used again only under the same fingerprint.
//!
//! Pure. The hash is taken over an explicit text, field by field, so that neither the order of struct fields nor a
//! library's way of printing can change it. It covers what a spec says. What it can't know, the content of the images
//! (the app's own, a client's, a check's), is covered by their digests, which are stored beside it.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use super::model::{AppSpec, Client, ImageSource, Kind, Success, Workload};

/// SHA-256, in hexadecimal, over everything of `workload` and of `app` that decides what a trial does and how it is judged.
///
/// Not covered, since they decide nothing: the app's name and description, and where its folder and its files stand.
#[must_use]
pub fn fingerprint(app: &AppSpec, workload: &Workload) -> String {
    let text = canonical_text(app, workload);
    Sha256::digest(&text.0).iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("invariant: writing to a string can't fail");
        hex
    })
}

/// Fields as `name length:value`, so that no value can be taken for the beginning of the next field.
struct Text(Vec<u8>);

impl Text {
    fn field(&mut self, name: &str, value: &[u8]) {
        self.0.extend_from_slice(format!("{name} {}:", value.len()).as_bytes());
        self.0.extend_from_slice(value);
        self.0.push(b'\n');
    }

    fn number(&mut self, name: &str, value: &impl ToString) {
        self.field(name, value.to_string().as_bytes());
    }

    fn list<'a>(&mut self, name: &str, values: impl ExactSizeIterator<Item = &'a str>) {
        self.number(name, &values.len());
        values.for_each(|value| self.field("-", value.as_bytes()));
    }

    fn map(&mut self, name: &str, values: &std::collections::BTreeMap<String, String>) {
        self.number(name, &values.len());
        for (key, value) in values {
            self.field("key", key.as_bytes());
            self.field("value", value.as_bytes());
        }
    }

    fn image(&mut self, name: &str, image: Option<&ImageSource>) {
        match image {
            None => self.field(name, b"none"),
            Some(ImageSource::Folder { name: folder, directory: _ }) => self.field(name, format!("folder {folder}").as_bytes()),
            Some(ImageSource::Reference(reference)) => self.field(name, format!("reference {reference}").as_bytes()),
        }
    }
}

/// Every struct is taken apart by name and completely: a new field does not compile until somebody decides what it does here.
fn canonical_text(app: &AppSpec, workload: &Workload) -> Text {
    let AppSpec { name: _, directory: _, description: _, image: source, build_arguments, workloads: _ } = app;
    // How well an app does is no reason for a verdict.
    let Workload {
        name,
        kind,
        command,
        environment,
        port,
        client,
        stay_up,
        wait_for_children,
        success,
        throughput: _,
        timeout,
        limits,
    } = workload;
    let mut text = Text(b"loupe workload 1\n".to_vec());
    // What came later has no line where it is not used: the fingerprints of everything before stay what they are.
    if source.is_some() {
        text.image("image", source.as_ref());
    }
    text.map("build-arguments", build_arguments);
    text.field("name", name.as_bytes());
    text.field("kind", kind.map_or("by image", Kind::name).as_bytes());
    match command {
        None => text.field("command", b"by image"),
        Some(words) => text.list("command", words.iter().map(String::as_str)),
    }
    text.map("environment", environment);
    match port {
        None => text.field("port", b"by image"),
        Some(port) => text.number("port", port),
    }
    add_client(&mut text, client.as_ref());
    text.number("stay-up", &stay_up.as_nanos());
    if *wait_for_children {
        text.field("wait-for-children", b"");
    }
    add_success(&mut text, success);
    match timeout {
        None => text.field("timeout", b"by baseline"),
        Some(timeout) => text.number("timeout", &timeout.as_nanos()),
    }
    let super::Limits { memory, pids, output } = limits;
    text.number("memory", memory);
    text.number("pids", pids);
    text.number("output", output);
    text
}

fn add_client(text: &mut Text, client: Option<&Client>) {
    let Some(Client { image, command, environment }) = client else {
        text.field("client", b"none");
        return;
    };
    text.image("client", Some(image));
    text.list("client command", command.iter().map(String::as_str));
    text.map("client environment", environment);
}

fn add_success(text: &mut Text, success: &Success) {
    let Success {
        exit_code,
        stdout_matches,
        stderr_matches,
        stdout_forbids,
        stderr_forbids,
        stdout_equals,
        files,
        written,
        check,
        expected_deaths,
    } = success;
    text.number("exit-code", exit_code);
    for (name, patterns) in [
        ("stdout-matches", stdout_matches),
        ("stderr-matches", stderr_matches),
        ("stdout-forbids", stdout_forbids),
        ("stderr-forbids", stderr_forbids),
    ] {
        text.list(name, patterns.iter().map(regex::Regex::as_str));
    }
    if let Some(expected) = stdout_equals {
        text.field("stdout-equals", expected);
    }
    text.list("files", files.iter().map(String::as_str));
    match written {
        super::WrittenFiles::Ignored => {}
        super::WrittenFiles::Noted => text.field("written", b"noted"),
        super::WrittenFiles::Equal(states) => {
            text.number("written", &states.len());
            for (path, state) in states {
                text.field("path", path.as_os_str().as_encoded_bytes());
                text.field("state", state.as_bytes());
            }
        }
    }
    match check {
        None => text.field("check", b"none"),
        Some(super::Check { path: _, script, image }) => {
            text.field("check script", script);
            text.image("check image", image.as_ref());
        }
    }
    text.list("expected-deaths", expected_deaths.iter().map(String::as_str));
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::PathBuf;
    use std::time::Duration;

    use regex::Regex;

    use super::super::{Check, Limits, WrittenFiles};
    use super::*;

    fn workload() -> Workload {
        let regex = |pattern: &str| vec![Regex::new(pattern).unwrap()];
        let variables = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
        Workload {
            name: "wrk".to_owned(),
            kind: Some(Kind::Server),
            command: Some(vec!["nginx".to_owned(), "-g".to_owned()]),
            environment: variables("TZ", "UTC"),
            port: Some(80),
            client: Some(Client {
                image: ImageSource::Folder { name: "wrk".to_owned(), directory: PathBuf::from("Dockerfiles/wrk") },
                command: vec!["wrk".to_owned()],
                environment: variables("LANG", "C"),
            }),
            stay_up: Duration::from_secs(1),
            wait_for_children: false,
            success: Success {
                exit_code: 0,
                stdout_matches: regex("a"),
                stderr_matches: regex("b"),
                stdout_forbids: regex("c"),
                stderr_forbids: regex("d"),
                stdout_equals: None,
                files: vec!["/tmp/x".to_owned()],
                written: WrittenFiles::Ignored,
                check: Some(Check { path: PathBuf::from("apps/x/check.sh"), script: b"#!/bin/sh\n".to_vec(), image: None }),
                expected_deaths: vec!["SIGTERM".to_owned()],
            },
            throughput: None,
            timeout: Some(Duration::from_secs(10)),
            limits: Limits { memory: 1 << 30, pids: 100, output: 1 << 16 },
        }
    }

    fn app() -> AppSpec {
        AppSpec {
            name: "nginx".to_owned(),
            directory: PathBuf::from("apps/nginx"),
            description: "a server".to_owned(),
            image: None,
            build_arguments: BTreeMap::from([("VERSION".to_owned(), "1".to_owned())]),
            workloads: Vec::new(),
        }
    }

    /// Stored results are found again by this value: if the test fails, every stored result becomes useless. Say so in the change.
    #[test]
    fn fingerprints_stay_what_they_are() {
        assert_eq!(fingerprint(&app(), &workload()), "1efdbb9673a90ba1e74843562e1e23c7ac5f66c889847c59409f883af3a2c30c");
    }

    #[test]
    fn no_field_can_be_taken_for_another() {
        let mut text = Text(Vec::new());
        text.field("a", b"1\nb 1:2");
        assert_eq!(text.0, b"a 7:1\nb 1:2\n");
    }

    #[test]
    fn every_field_changes_the_fingerprint() {
        type Change = fn(&mut Workload);
        let changes: [Change; 35] = [
            |w| w.name.push('2'),
            |w| w.kind = Some(Kind::RunToCompletion),
            |w| w.kind = None,
            |w| w.command = None,
            |w| w.command = Some(vec!["nginx -g".to_owned()]),
            |w| w.environment.clear(),
            |w| *w.environment.get_mut("TZ").unwrap() = "CET".to_owned(),
            |w| w.port = None,
            |w| w.port = Some(81),
            |w| w.client = None,
            |w| w.client.as_mut().unwrap().image = ImageSource::Reference("wrk".to_owned()),
            |w| w.client.as_mut().unwrap().image = ImageSource::Folder { name: "ab".to_owned(), directory: PathBuf::new() },
            |w| w.client.as_mut().unwrap().command.push("-t1".to_owned()),
            |w| w.client.as_mut().unwrap().environment.clear(),
            |w| w.stay_up += Duration::from_millis(1),
            |w| w.wait_for_children = true,
            |w| w.success.exit_code = 1,
            |w| w.success.stdout_matches.clear(),
            |w| w.success.stderr_matches.clear(),
            |w| w.success.stdout_forbids.clear(),
            |w| w.success.stderr_forbids.clear(),
            |w| w.success.stdout_matches = vec![Regex::new("other").unwrap()],
            |w| w.success.stdout_equals = Some(b"a".to_vec()),
            |w| w.success.files.clear(),
            |w| w.success.written = WrittenFiles::Noted,
            |w| w.success.written = WrittenFiles::Equal(BTreeMap::new()),
            |w| w.success.written = WrittenFiles::Equal(BTreeMap::from([("/a".into(), "file 0644 0:0 6 ff".to_owned())])),
            |w| w.success.check = None,
            |w| w.success.check.as_mut().unwrap().script.push(b'#'),
            |w| w.success.check.as_mut().unwrap().image = Some(ImageSource::Reference("a:b".to_owned())),
            |w| w.success.expected_deaths.clear(),
            |w| w.timeout = None,
            |w| w.limits.memory += 1,
            |w| w.limits.pids += 1,
            |w| w.limits.output += 1,
        ];
        let mut seen = BTreeSet::from([fingerprint(&app(), &workload())]);
        for (index, change) in changes.into_iter().enumerate() {
            let mut other = workload();
            change(&mut other);
            assert!(seen.insert(fingerprint(&app(), &other)), "change {index} is not seen");
        }
        let mut other_build = app();
        other_build.build_arguments.clear();
        assert!(seen.insert(fingerprint(&other_build, &workload())));
        let mut ready_made = app();
        ready_made.image = Some(ImageSource::Reference("nginx:1".to_owned()));
        assert!(seen.insert(fingerprint(&ready_made, &workload())));
    }

    #[test]
    fn names_descriptions_and_places_do_not_change_the_fingerprint() {
        let mut moved = workload();
        moved.success.check.as_mut().unwrap().path = PathBuf::from("elsewhere");
        moved.client.as_mut().unwrap().image =
            ImageSource::Folder { name: "wrk".to_owned(), directory: PathBuf::from("/elsewhere") };
        moved.throughput = Some(Regex::new("([0-9]+)").unwrap());
        let mut renamed = app();
        renamed.name = "other".to_owned();
        renamed.description.clear();
        renamed.directory = PathBuf::from("/elsewhere");
        assert_eq!(fingerprint(&renamed, &moved), fingerprint(&app(), &workload()));
    }
}
