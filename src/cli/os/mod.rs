//! `loupe os`: which system calls operating systems have. Also where `--os` finds its profile.

mod arguments;

use std::path::Path;

pub(super) use arguments::OsArguments;

use super::arguments::Format;
use super::printer::Printer;
use super::status::{Status, WrongUsage};
use crate::report;
use crate::support::{self, Profile};
use arguments::OsVerb;

/// Prints the list, or one profile.
pub(super) fn os(arguments: &OsArguments, printer: &Printer) -> anyhow::Result<Status> {
    match &arguments.what {
        OsVerb::List(list) => match list.format {
            Format::Text => printer.data(&report::profiles_text(support::built_in())),
            Format::Json => printer.json(&report::profiles_json(support::built_in())),
        },
        OsVerb::Show(show) => {
            let profile = profile(&show.profile, printer)?;
            match show.format {
                Format::Text => printer.data(&report::profile_text(&profile)),
                Format::Json => printer.json(&report::profile_json(&profile)),
            }
        }
    }
    Ok(Status::Done)
}

/// The profile that the user means: that in a file, if there is one at this path, or the built-in one of that name.
pub(super) fn profile(text: &str, printer: &Printer) -> anyhow::Result<Profile> {
    let path = Path::new(text);
    if path.is_file() || text.contains('/') {
        let content = std::fs::read_to_string(path).map_err(|error| {
            let hint = "hint: `loupe os list` shows the built-in profiles; a file has one system call a line";
            WrongUsage(format!("cannot read the OS profile `{text}`: {error}\n{hint}"))
        })?;
        let profile = Profile::parse(text, &content).map_err(|errors| WrongUsage(errors.to_string()))?;
        for note in profile.notes.iter().filter(|note| note.contains("stands in line")) {
            printer.note(&format!("{text}: {note}"));
        }
        return Ok(profile);
    }
    match support::find(text) {
        Ok(profile) => Ok(profile.clone()),
        Err(error) => {
            let at = if path.is_dir() { format!("\nhint: `{text}` is a folder, not a file") } else { String::new() };
            Err(WrongUsage(format!("{error}{at}")).into())
        }
    }
}
