//! OS profiles as text and JSON. Pure.

use serde::Serialize;

use super::table::{Align, Table};
use crate::support::Profile;
use crate::syscalls::Sysno;
use crate::syscalls::features::Feature;
use crate::syscalls::paths::PseudoFile;

/// One profile.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ProfileJson<'a> {
    name: &'a str,
    source: &'a str,
    version: &'a str,
    list: &'a str,
    notes: &'a [String],
    calls: Vec<Sysno>,
    /// The features of calls that are there in part.
    features: Vec<Feature>,
    /// `null` where the profile says nothing of pseudo-files.
    pseudo_files: Option<Vec<PseudoFile>>,
}

/// One line of the list.
#[derive(Debug, Serialize)]
pub struct ListedJson<'a> {
    profile: &'a str,
    name: &'a str,
    calls: usize,
    version: &'a str,
    source: &'a str,
}

/// The profiles with their names, as a table.
#[must_use]
pub fn profiles_text(profiles: &[(&'static str, Profile)]) -> String {
    let mut table = Table::new(&[
        ("profile", Align::Left),
        ("calls", Align::Right),
        ("OS", Align::Left),
        ("state", Align::Left),
        ("source", Align::Left),
    ]);
    for (name, profile) in profiles {
        let calls = profile.calls().len().to_string();
        table.row([(*name).to_owned(), calls, profile.name.clone(), profile.version.clone(), profile.source.clone()]);
    }
    table.render()
}

/// The same as a value that serialises.
#[must_use]
pub fn profiles_json<'a>(profiles: &'a [(&'static str, Profile)]) -> Vec<ListedJson<'a>> {
    let listed = |(name, profile): &'a (&'static str, Profile)| ListedJson {
        profile: name,
        name: &profile.name,
        calls: profile.calls().len(),
        version: &profile.version,
        source: &profile.source,
    };
    profiles.iter().map(listed).collect()
}

/// A profile in the form in which it is read.
#[must_use]
pub fn profile_text(profile: &Profile) -> String {
    let mut text = String::new();
    let facts = [("name", &profile.name), ("source", &profile.source), ("version", &profile.version), ("list", &profile.list)];
    for (key, value) in facts.into_iter().filter(|(_, value)| !value.is_empty()) {
        text.push_str(&format!("# {key}: {value}\n"));
    }
    for note in &profile.notes {
        text.push_str(&format!("# note: {note}\n"));
    }
    text.push_str(&format!("# {}\n", super::counted(profile.calls().len(), "call")));
    let mut lines: Vec<_> = profile.complete.iter().map(|call| call.to_string()).collect();
    lines.extend(profile.partial.values().flatten().map(ToString::to_string));
    lines.sort_unstable();
    lines.extend(profile.files.iter().flatten().map(ToString::to_string));
    text.push_str(&lines.join("\n"));
    text.push('\n');
    text
}

/// A profile as a value that serialises.
#[must_use]
pub fn profile_json(profile: &Profile) -> ProfileJson<'_> {
    ProfileJson {
        name: &profile.name,
        source: &profile.source,
        version: &profile.version,
        list: &profile.list,
        notes: &profile.notes,
        calls: profile.calls().iter().collect(),
        features: profile.partial.values().flatten().copied().collect(),
        pseudo_files: profile.files.as_ref().map(|files| files.iter().copied().collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_printed_profile_is_read_back_as_it_was() {
        let text = "# name: Toy\n# version: 1\n# note: small\nwrite\nread\nioctl(TIOCGWINSZ)\nioctl(FIONREAD)\n/proc/self/maps\n";
        let profile = Profile::parse("toy", text).unwrap();
        assert_eq!(Profile::parse("toy", &profile_text(&profile)).unwrap(), profile);
        for (name, profile) in crate::support::built_in() {
            assert_eq!(Profile::parse(name, &profile_text(profile)).unwrap(), *profile);
        }
    }
}
