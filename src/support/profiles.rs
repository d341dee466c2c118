//! The operating systems whose profiles are built in, as data files in `profiles/`. Pure.
//!
//! What each list is of, and where it comes from, stands at the top of its file.

use std::sync::LazyLock;

use super::profile::Profile;
use crate::spec::nearest;

/// Name on the command line, other names for the same, and the data file.
type BuiltIn = (&'static str, &'static [&'static str], &'static str);

macro_rules! profiles {
    ($($name:literal $(or $other:literal)*),+ $(,)?) => {
        [$(($name, &[$($other),*], include_str!(concat!("profiles/", $name, ".syscalls")))),+]
    };
}

const PROFILES: [BuiltIn; 11] = profiles![
    "browsix",
    "freebsd" or "linuxulator" or "freebsd-linuxulator",
    "fuchsia" or "starnix",
    "gramine" or "graphene",
    "gvisor" or "runsc",
    "hermitux",
    "kerla",
    "nolibc" or "linux-without-libc" or "linuxnolibc",
    "osv",
    "unikraft",
    "zephyr",
];

static PARSED: LazyLock<Vec<(&'static str, Profile)>> = LazyLock::new(|| {
    let parse = |(name, _, text): BuiltIn| {
        let profile = Profile::parse(name, text).expect("invariant: built-in profiles are well-formed, as a test checks");
        (name, profile)
    };
    PROFILES.into_iter().map(parse).collect()
});

/// Every built-in profile with its name on the command line, in the order of these.
#[must_use]
pub fn built_in() -> &'static [(&'static str, Profile)] {
    &PARSED
}

/// A name that no built-in profile has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no OS profile is called `{}`\nhint: {hint}", name.escape_debug())]
pub struct NoSuchProfile {
    /// The name that was asked for.
    pub name: String,
    /// What was probably meant, or all that there is.
    pub hint: String,
}

/// The built-in profile of that name, whatever the case of its letters.
///
/// # Errors
///
/// If there is none: with the name that was probably meant.
pub fn find(name: &str) -> Result<&'static Profile, NoSuchProfile> {
    let wanted = name.to_lowercase().replace(['_', ' '], "-");
    let found = PROFILES.iter().position(|(own, others, _)| *own == wanted || others.contains(&wanted.as_str()));
    if let Some((_, profile)) = found.and_then(|place| PARSED.get(place)) {
        return Ok(profile);
    }
    let known = PROFILES.iter().flat_map(|(own, others, _)| std::iter::once(own).chain(*others));
    let hint = if let Some(near) = nearest(&wanted, known.copied()) {
        format!("did you mean `{near}`?")
    } else {
        let names: Vec<_> = PROFILES.iter().map(|(own, _, _)| *own).collect();
        format!("built in are {}; any other is given as a file, one system call a line", names.join(", "))
    };
    Err(NoSuchProfile { name: name.to_owned(), hint })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_profiles_have_as_many_calls_as_published_and_say_where_they_are_from() {
        let counts: Vec<_> = built_in().iter().map(|(name, profile)| (*name, profile.calls().len())).collect();
        let expected = [
            ("browsix", 26),
            ("freebsd", 266),
            ("fuchsia", 152),
            ("gramine", 161),
            ("gvisor", 259),
            ("hermitux", 92),
            ("kerla", 58),
            ("nolibc", 43),
            ("osv", 139),
            ("unikraft", 174),
            ("zephyr", 55),
        ];
        assert_eq!(counts, expected);
        for (name, profile) in built_in() {
            assert!(profile.source.starts_with("https://"), "{name}");
            assert!(profile.version.starts_with("commit ") || profile.version.starts_with("as recorded on "), "{name}");
            assert!(profile.list.contains("CC BY 4.0"), "{name}");
            assert!(!profile.notes.iter().any(|note| note.contains("stands in line")), "{name} has a call twice");
            assert!(profile.partial.is_empty() && profile.files.is_none(), "{name}");
        }
    }

    #[test]
    fn names_are_found_in_any_case_and_by_their_other_names() {
        for (name, expected) in [
            ("Kerla", "Kerla"),
            ("OSV", "OSv"),
            ("graphene", "Gramine (formerly Graphene)"),
            ("FreeBSD Linuxulator", "FreeBSD Linuxulator"),
        ] {
            assert_eq!(find(name).unwrap().name, expected);
        }
    }

    #[test]
    fn the_nearest_name_is_suggested_and_otherwise_all_are() {
        assert_eq!(find("kerlla").unwrap_err().to_string(), "no OS profile is called `kerlla`\nhint: did you mean `kerla`?");
        assert!(find("windows-nt").unwrap_err().hint.starts_with("built in are browsix, freebsd, "));
    }
}
