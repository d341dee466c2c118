//! Where the dynamic loader looks for a shared object (ld.so(8), and musl's `ldso/dynlink.c`). Pure: it lists places, and its
//! caller looks.
//!
//! Differences from the real thing: `ld.so.conf` is read in place of the cache that `ldconfig` makes of it, and variants for
//! newer processors (`glibc-hwcaps`) are not chosen; whoever loads objects says where there is one.

use std::collections::{BTreeMap, BTreeSet};

use globset::Glob;

use super::super::root::{Root, RootError, find_file, names_in};
use crate::syscalls::Architecture;

/// How deep `ld.so.conf` may include other files.
const INCLUDES_LIMIT: usize = 8;

/// Where shared objects are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Search {
    architecture: Architecture,
    /// `LD_LIBRARY_PATH`.
    environment: Vec<String>,
    /// What the system configures, and after it the loader's own.
    system: Vec<String>,
    /// `LD_PRELOAD` and `/etc/ld.so.preload`: names or paths.
    pub(super) preload: Vec<String>,
}

/// Who asks for a shared object.
#[derive(Debug, Clone, Default)]
pub(super) struct Asking<'a> {
    /// Its path without links, which `$ORIGIN` is taken from.
    pub(super) path: &'a str,
    /// `DT_RUNPATH`, as it is.
    pub(super) runpath: Option<&'a str>,
    /// `DT_RPATH` of itself and of those that asked for it, nearest first, each with its own path.
    pub(super) rpaths: Vec<(&'a str, &'a str)>,
}

impl Search {
    /// Reads what the root says about it. `loader` is the interpreter's path, which tells musl from glibc.
    pub(super) fn new(
        root: &dyn Root,
        architecture: Architecture,
        loader: &str,
        environment: &BTreeMap<String, String>,
    ) -> Result<Self, RootError> {
        let list = |name: &str| environment.get(name).map(String::as_str).unwrap_or_default();
        let paths = list("LD_LIBRARY_PATH").split([':', ';']).filter(|path| path.starts_with('/'));
        let mut preload: Vec<String> = words(list("LD_PRELOAD")).collect();
        let musl = loader.rsplit('/').next().is_some_and(|name| name.starts_with("ld-musl"));
        let system = if musl {
            musl_folders(root, architecture)?
        } else {
            preload.extend(text(root, "/etc/ld.so.preload")?.lines().flat_map(|line| words(uncommented(line))));
            let mut folders = Vec::new();
            configured(root, "/etc/ld.so.conf", &mut folders, &mut BTreeSet::new(), INCLUDES_LIMIT)?;
            folders.extend(glibc_folders(architecture).map(str::to_owned));
            folders
        };
        Ok(Self { architecture, environment: paths.map(str::to_owned).collect(), system, preload })
    }

    /// The paths at which `name` would be looked for, in order. A name with a slash is a path.
    pub(super) fn candidates(&self, name: &str, asking: &Asking) -> Vec<String> {
        if name.contains('/') {
            return self.expand(name, asking.path);
        }
        let mut folders = Vec::new();
        let mut add = |list: &str, origin: &str| {
            for folder in list.split(':').filter(|folder| !folder.is_empty()) {
                folders.extend(self.expand(folder, origin));
            }
        };
        if asking.runpath.is_none() {
            asking.rpaths.iter().for_each(|(list, origin)| add(list, origin));
        }
        self.environment.iter().for_each(|folder| add(folder, asking.path));
        asking.runpath.iter().for_each(|list| add(list, asking.path));
        folders.extend(self.system.iter().cloned());
        folders.iter().map(|folder| format!("{}/{name}", folder.trim_end_matches('/'))).collect()
    }

    /// Every folder that holds shared objects of the system.
    pub(super) fn system_folders(&self) -> impl Iterator<Item = &str> {
        self.environment.iter().chain(&self.system).map(String::as_str)
    }

    /// Fills in what ld.so(8) calls dynamic string tokens; `$LIB` stands for several folders, depending on the distribution.
    fn expand(&self, text: &str, origin: &str) -> Vec<String> {
        let origin = origin.rsplit_once('/').map_or("", |(folder, _)| folder);
        let name = self.architecture.name();
        let fill = |lib: &str| {
            [("ORIGIN", origin), ("LIB", lib), ("PLATFORM", name)].iter().fold(text.to_owned(), |text, (token, value)| {
                text.replace(&format!("${{{token}}}"), value).replace(&format!("${token}"), value)
            })
        };
        let multiarch = format!("lib/{name}-linux-gnu");
        let mut expanded: Vec<_> = [multiarch.as_str(), "lib64", "lib"].map(fill).into_iter().collect();
        expanded.dedup();
        expanded
    }
}

/// Where glibc looks last: as Debian builds it, then as others do.
fn glibc_folders(architecture: Architecture) -> impl Iterator<Item = &'static str> {
    let multiarch = match architecture {
        Architecture::X86_64 => ["/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu"],
        Architecture::Aarch64 => ["/lib/aarch64-linux-gnu", "/usr/lib/aarch64-linux-gnu"],
    };
    multiarch.into_iter().chain(["/lib64", "/usr/lib64", "/lib", "/usr/lib"])
}

fn musl_folders(root: &dyn Root, architecture: Architecture) -> Result<Vec<String>, RootError> {
    let configured = text(root, &format!("/etc/ld-musl-{architecture}.path"))?;
    let configured: Vec<_> = configured.split([':', '\n']).filter(|folder| !folder.is_empty()).map(str::to_owned).collect();
    Ok(if configured.is_empty() { ["/lib", "/usr/local/lib", "/usr/lib"].map(str::to_owned).into() } else { configured })
}

/// The folders of `ld.so.conf` (ldconfig(8)), files that it includes taken in where they are included.
fn configured(
    root: &dyn Root,
    path: &str,
    folders: &mut Vec<String>,
    seen: &mut BTreeSet<String>,
    depth: usize,
) -> Result<(), RootError> {
    if depth == 0 || !seen.insert(path.to_owned()) {
        return Ok(());
    }
    for line in text(root, path)?.lines().map(|line| uncommented(line).trim()) {
        match line.strip_prefix("include").filter(|rest| rest.starts_with([' ', '\t'])) {
            Some(patterns) => {
                for pattern in words(patterns) {
                    for file in matching(root, path, &pattern)? {
                        configured(root, &file, folders, seen, depth - 1)?;
                    }
                }
            }
            // An obsolete form adds `=TYPE` to a folder.
            None => folders.extend(words(line).map(|folder| folder.split('=').next().unwrap_or_default().to_owned())),
        }
    }
    Ok(())
}

/// The files that an `include` means. The name may be a pattern; the folder may not, which is how it is used.
fn matching(root: &dyn Root, including: &str, pattern: &str) -> Result<Vec<String>, RootError> {
    let pattern = match pattern.strip_prefix('/') {
        Some(_) => pattern.to_owned(),
        None => format!("{}/{pattern}", including.rsplit_once('/').map_or("", |(folder, _)| folder)),
    };
    let (folder, name) = pattern.rsplit_once('/').unwrap_or(("", &pattern));
    let Ok(glob) = Glob::new(name) else { return Ok(Vec::new()) };
    let matcher = glob.compile_matcher();
    let names = names_in(root, folder)?;
    Ok(names.iter().filter(|name| matcher.is_match(name)).map(|name| format!("{folder}/{name}")).collect())
}

/// The text of a file, empty if there is none.
fn text(root: &dyn Root, path: &str) -> Result<String, RootError> {
    Ok(match find_file(root, path)? {
        Some(file) => String::from_utf8_lossy(&root.read(&file.path)?).into_owned(),
        None => String::new(),
    })
}

fn uncommented(line: &str) -> &str {
    line.split('#').next().unwrap_or_default()
}

/// What stands between blanks and colons.
fn words(text: &str) -> impl Iterator<Item = String> {
    text.split([' ', '\t', ':', ',']).filter(|word| !word.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::super::super::root::tests::Memory;
    use super::*;

    const GLIBC: &str = "/lib64/ld-linux-x86-64.so.2";

    fn search(root: &Memory, loader: &str, environment: &[(&str, &str)]) -> Search {
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Search::new(root, Architecture::X86_64, loader, &environment).unwrap()
    }

    #[test]
    fn configured_folders_come_before_the_loaders_own() {
        let root = Memory::default()
            .with("/etc/ld.so.conf", "# comment\ninclude ld.so.conf.d/*.conf\n/opt/last # why\n")
            .with("/etc/ld.so.conf.d/b.conf", "/opt/b:/opt/c\n")
            .with("/etc/ld.so.conf.d/a.conf", "/opt/a\ninclude /etc/ld.so.conf\n")
            .with("/etc/ld.so.conf.d/README", "/opt/not\n");
        let candidates = search(&root, GLIBC, &[]).candidates("libx.so.1", &Asking::default());
        assert_eq!(
            candidates[..6],
            [
                "/opt/a/libx.so.1",
                "/opt/b/libx.so.1",
                "/opt/c/libx.so.1",
                "/opt/last/libx.so.1",
                "/lib/x86_64-linux-gnu/libx.so.1",
                "/usr/lib/x86_64-linux-gnu/libx.so.1",
            ]
        );
    }

    #[test]
    fn runpath_silences_rpath_and_comes_after_the_environment() {
        let search = search(&Memory::default(), GLIBC, &[("LD_LIBRARY_PATH", "/env:relative")]);
        let mut asking =
            Asking { path: "/app/lib/a.so", runpath: None, rpaths: vec![("$ORIGIN/../r", "/app/bin/x"), ("/s", "/x")] };
        assert_eq!(
            search.candidates("b.so", &asking)[..4],
            ["/app/bin/../r/b.so", "/s/b.so", "/env/b.so", "/lib/x86_64-linux-gnu/b.so"]
        );
        asking.runpath = Some("${ORIGIN}/p:/q");
        assert_eq!(search.candidates("b.so", &asking)[..3], ["/env/b.so", "/app/lib/p/b.so", "/q/b.so"]);
        assert_eq!(search.candidates("/opt/$LIB/b.so", &asking)[0], "/opt/lib/x86_64-linux-gnu/b.so");
    }

    #[test]
    fn musl_has_folders_and_a_file_of_its_own() {
        let musl = "/lib/ld-musl-x86_64.so.1";
        let plain = search(&Memory::default(), musl, &[]);
        assert_eq!(plain.candidates("z.so", &Asking::default()), ["/lib/z.so", "/usr/local/lib/z.so", "/usr/lib/z.so"]);
        let root = Memory::default().with("/etc/ld-musl-x86_64.path", "/m\n/n:/o\n").with("/etc/ld.so.conf", "/glibc\n");
        assert_eq!(search(&root, musl, &[]).candidates("z.so", &Asking::default()), ["/m/z.so", "/n/z.so", "/o/z.so"]);
    }

    #[test]
    fn preloads_come_from_the_environment_and_from_the_system() {
        let root = Memory::default().with("/etc/ld.so.preload", "/usr/lib/p.so q.so\n# r.so\n");
        assert_eq!(
            search(&root, GLIBC, &[("LD_PRELOAD", "a.so:b.so c.so")]).preload,
            ["a.so", "b.so", "c.so", "/usr/lib/p.so", "q.so"]
        );
    }
}
