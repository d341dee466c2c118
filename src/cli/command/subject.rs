//! From the command line to what is measured: a name, a spec, an engine.

use std::io::{IsTerminal, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::campaign::CampaignName;
use crate::cli::arguments::{RunArguments, SubjectArguments, SuccessArguments};
use crate::cli::printer::Printer;
use crate::cli::settings::{Environment, working_directory};
use crate::cli::status::WrongUsage;
use crate::engine::process::{self, Input, ProcessEngine};
use crate::spec::{self, AppSpec, ImageSource, Kind, Workload, WrittenFiles};

/// The workload of a command that was given on the command line.
const COMMAND_WORKLOAD: &str = "command";
/// The workload of an image that does what it does by itself.
const IMAGE_WORKLOAD: &str = "default";
/// Longest input that is kept in memory, in bytes.
const INPUT_LIMIT: u64 = 1024 * 1024 * 1024;

/// What results are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Name {
    pub(in crate::cli) app: String,
    pub(in crate::cli) workload: String,
}

impl Name {
    /// As given, or after the program or the image.
    pub(super) fn of(arguments: &RunArguments) -> anyhow::Result<Self> {
        let own = Self::after(&arguments.subject);
        let Some(given) = &arguments.name else { return Ok(own) };
        let (app, workload) = given.split_once('/').unwrap_or((given, &own.workload));
        if !spec::is_name(app) || !spec::is_name(workload) {
            let hint = "names have lower-case letters, digits, `.`, `_` and `-`, and begin with a letter or digit";
            return Err(WrongUsage(format!("`{given}` cannot be the name of results\nhint: {hint}")).into());
        }
        Ok(Self { app: app.to_owned(), workload: workload.to_owned() })
    }

    /// After the program or the image.
    pub(in crate::cli) fn after(subject: &SubjectArguments) -> Self {
        let workload = if subject.command.is_empty() { IMAGE_WORKLOAD } else { COMMAND_WORKLOAD };
        let source = match &subject.image {
            // Without registry, tag and digest.
            Some(image) => image.rsplit('/').next().unwrap_or(image).split([':', '@']).next().unwrap_or(image),
            None => subject.command.first().map_or("", |program| program.rsplit('/').next().unwrap_or(program)),
        };
        Self { app: as_name(source), workload: workload.to_owned() }
    }

    pub(in crate::cli) fn campaign(&self) -> CampaignName {
        CampaignName { app: self.app.clone(), workload: self.workload.clone() }
    }
}

/// Something like `text` that can be a name.
fn as_name(text: &str) -> String {
    let allowed = |c: char| if c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-') { c } else { '-' };
    let name: String = text.to_ascii_lowercase().chars().map(allowed).take(64).collect();
    let name = name.trim_start_matches(['.', '_', '-']);
    if name.is_empty() { "command".to_owned() } else { name.to_owned() }
}

/// The spec that a command or an image amounts to, with what counts as its success.
pub(super) fn spec(name: &Name, subject: &SubjectArguments, success: &SuccessArguments) -> AppSpec {
    let mut spec = spec_of_subject(name, subject);
    for workload in &mut spec.workloads {
        workload.success.exit_code = success.exit_code;
        workload.success.stdout_matches = success.stdout_matches.iter().cloned().collect();
        workload.timeout = success.timeout;
        if subject.image.is_none() && !subject.no_isolation && !success.ignore_files {
            workload.success.written = WrittenFiles::Noted;
        }
    }
    spec
}

/// The spec that a command or an image amounts to.
pub(in crate::cli) fn spec_of_subject(name: &Name, subject: &SubjectArguments) -> AppSpec {
    let command = (!subject.command.is_empty()).then(|| subject.command.clone());
    let workload = Workload {
        kind: if subject.image.is_none() { Some(Kind::RunToCompletion) } else { None },
        command,
        wait_for_children: subject.wait_for_children,
        ..Workload::named(&name.workload)
    };
    AppSpec {
        name: name.app.clone(),
        directory: PathBuf::new(),
        description: String::new(),
        image: subject.image.clone().map(ImageSource::Reference),
        build_arguments: std::collections::BTreeMap::new(),
        workloads: vec![workload],
    }
}

/// The engine that runs commands of this machine as the command line says.
pub(in crate::cli) fn process_engine(
    subject: &SubjectArguments,
    environment: &Environment,
    printer: &Printer,
) -> anyhow::Result<ProcessEngine> {
    let directory = working_directory().context("cannot tell the working directory")?;
    let input = match &subject.input {
        None => {
            if offers_input() {
                printer.note("the command reads nothing; with `--input -` it gets what was given to Loupe, in every run");
            }
            Input::Empty
        }
        Some(path) if path == Path::new("-") => Input::Bytes(own_input()?),
        Some(path) => {
            let path = directory.join(path);
            let metadata = path.metadata().with_context(|| format!("cannot read the input `{}`", path.display()))?;
            if !metadata.is_file() {
                let message = format!("the input `{}` is no file that can be read again and again", path.display());
                return Err(WrongUsage(format!("{message}\nhint: `--input -` keeps what is read from a pipe")).into());
            }
            Input::File(path)
        }
    };
    let options = process::Options {
        isolated: !subject.no_isolation,
        machine_network: subject.network || subject.no_isolation,
        input,
        directory,
        path: environment.path.clone(),
    };
    Ok(ProcessEngine::new(options)?)
}

/// Whether somebody seems to have meant something for the command: a pipe, or a file with content.
fn offers_input() -> bool {
    let input = std::io::stdin();
    let metadata = std::fs::metadata("/proc/self/fd/0");
    !input.is_terminal()
        && metadata.is_ok_and(|metadata| metadata.file_type().is_fifo() || (metadata.is_file() && metadata.len() > 0))
}

fn own_input() -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::io::stdin().take(INPUT_LIMIT + 1).read_to_end(&mut bytes).context("cannot read the standard input")?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > INPUT_LIMIT {
        return Err(WrongUsage(
            "the standard input is longer than 1 GiB\nhint: give it as a file, with `--input FILE`".to_owned(),
        )
        .into());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(image: Option<&str>, command: &[&str]) -> SubjectArguments {
        SubjectArguments {
            command: command.iter().map(|word| (*word).to_owned()).collect(),
            image: image.map(str::to_owned),
            input: None,
            network: false,
            no_isolation: false,
            wait_for_children: false,
        }
    }

    #[test]
    fn results_are_named_after_the_program_or_the_image() {
        let name = |image, command: &[&str]| Name::after(&subject(image, command)).campaign().to_string();
        assert_eq!(name(None, &["/usr/bin/Python3", "-c", "1"]), "python3/command");
        assert_eq!(name(None, &["./__a b"]), "a-b/command");
        assert_eq!(name(None, &["..."]), "command/command");
        assert_eq!(name(Some("registry:5000/team/Web:1.2"), &[]), "web/default");
        assert_eq!(name(Some("debian@sha256:00"), &["ls"]), "debian/command");
        assert!(spec::is_name(&as_name("Übung!")));
    }

    #[test]
    fn an_image_decides_itself_what_it_is_and_a_command_runs_to_completion() {
        let success = SuccessArguments { exit_code: 3, stdout_matches: None, ignore_files: false, timeout: None };
        let spec = |subject: &SubjectArguments| spec(&Name::after(subject), subject, &success);
        let image = spec(&subject(Some("web:1"), &[]));
        assert_eq!((image.workloads[0].kind, image.workloads[0].command.clone()), (None, None));
        assert_eq!(image.image, Some(ImageSource::Reference("web:1".to_owned())));
        let command = spec(&subject(None, &["ls"]));
        assert_eq!((command.workloads[0].kind, command.workloads[0].success.exit_code), (Some(Kind::RunToCompletion), 3));
    }
}
