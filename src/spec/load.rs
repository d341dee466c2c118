//! Folders -> [`AppSpec`]s: which folders are apps, what their `app.yaml` says, and where images and shared workloads stand.
//!
//! The entry of `spec`. Looks at the disk through `files` and `context` only; builds and starts nothing.

use std::collections::{BTreeMap, HashMap};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use globset::GlobSet;

use super::context::{self, ContextKind};
use super::files::{self, Presence};
use super::model::{AppSpec, Workload};
use super::problem::{Location, Problems, SpecErrors, quoted};
use super::shared::Library;
use super::tree::{self, Content, Node};
use super::typing::{self, Fields};
use super::variants;
use super::workload::workload;

/// The one workload of an app that is a Dockerfile alone.
const DEFAULT_WORKLOAD: &str = "default";

/// Where the things stand that apps share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roots {
    /// The folder of the images that are not apps: `Dockerfiles/`. It need not exist.
    pub dockerfiles: PathBuf,
    /// The folder of the shared workloads: `workloads/`. It need not exist.
    pub workloads: PathBuf,
}

impl Roots {
    /// The folders `Dockerfiles` and `workloads` beside the folder that holds the apps.
    #[must_use]
    pub fn beside(apps_directory: &Path) -> Self {
        let parent = parent(apps_directory);
        Self { dockerfiles: parent.join("Dockerfiles"), workloads: parent.join("workloads") }
    }

    /// The same for an app that is given by its own folder.
    #[must_use]
    pub fn of_app(app_directory: &Path) -> Self {
        let above = parent(app_directory);
        // An empty path is the current folder, whose parent can't be found by cutting off a name.
        Self::beside(if above.as_os_str().is_empty() { Path::new(".") } else { &above })
    }
}

/// The folder above `path`, in the user's own terms: a relative path stays relative.
fn parent(path: &Path) -> PathBuf {
    match path.components().next_back() {
        Some(Component::Normal(_)) => path.parent().map(Path::to_path_buf).unwrap_or_default(),
        Some(Component::CurDir) | None => PathBuf::from(".."),
        Some(Component::ParentDir) => path.join(".."),
        Some(Component::RootDir | Component::Prefix(_)) => path.to_path_buf(),
    }
}

/// Reads every app of `apps_directory` whose name `only` matches, sorted by name; of variants, the default alone.
///
/// An app is a sub-folder with a `Dockerfile`. Hidden and empty sub-folders are skipped, and so are plain files.
///
/// # Errors
/// Everything that is wrong with any of these apps and the shared workloads they use, at once. Also if there is no app.
pub fn load_apps(apps_directory: &Path, roots: &Roots, only: Option<&GlobSet>) -> Result<Vec<AppSpec>, SpecErrors> {
    let apps = load(apps_directory, roots, |name| only.is_none_or(|only| only.is_match(name)))?;
    Ok(apps.into_iter().filter_map(|with_variants| with_variants.into_iter().next()).collect())
}

/// The same with all variants, each right behind its app. `only` chooses an app with all of its variants by its own name, or single
/// variants by theirs.
///
/// # Errors
/// As those of [`load_apps`].
pub fn load_apps_and_variants(apps_directory: &Path, roots: &Roots, only: Option<&GlobSet>) -> Result<Vec<AppSpec>, SpecErrors> {
    let Some(only) = only else { return Ok(load(apps_directory, roots, |_| true)?.into_iter().flatten().collect()) };
    let all = load(apps_directory, roots, |_| true)?;
    let is_chosen = |base: &str, app: &AppSpec| only.is_match(base) || only.is_match(&app.name);
    let chosen = all.into_iter().flat_map(|with_variants| {
        let base = with_variants.first().map(|app| app.name.clone()).unwrap_or_default();
        with_variants.into_iter().filter(move |app| is_chosen(&base, app)).collect::<Vec<_>>()
    });
    let chosen: Vec<_> = chosen.collect();
    if chosen.is_empty() {
        let mut problems = Problems::default();
        let names = app_names(apps_directory, &mut problems);
        no_app(apps_directory, &names, &mut problems);
        return Err(problems.into_errors());
    }
    Ok(chosen)
}

/// Reads the apps whose folder's name `is_chosen`, each followed by its variants.
fn load(apps_directory: &Path, roots: &Roots, is_chosen: impl Fn(&str) -> bool) -> Result<Vec<Vec<AppSpec>>, SpecErrors> {
    let mut problems = Problems::default();
    let mut library = Library::new(&roots.workloads);
    let mut apps = Vec::new();
    let names = app_names(apps_directory, &mut problems);
    let chosen: Vec<_> = names.iter().filter(|name| is_chosen(name)).collect();
    if chosen.is_empty() && problems.count() == 0 {
        no_app(apps_directory, &names, &mut problems);
    }
    for name in chosen {
        apps.extend(app(&apps_directory.join(name), name, roots, &mut library, &mut problems));
    }
    if apps.is_empty() && problems.count() == 0 {
        no_app(apps_directory, &[], &mut problems);
    }
    problems.into_result(apps)
}

/// Reads the app in the folder `directory`; a path such as `apps/nginx@trixie`, where there is no such folder, is a variant of the app
/// in `apps/nginx`.
///
/// # Errors
/// Everything that is wrong with it and the shared workloads it uses, at once; also if there is no such variant.
pub fn load_app(directory: &Path, roots: &Roots) -> Result<AppSpec, SpecErrors> {
    let mut problems = Problems::default();
    let mut spec = None;
    let (folder, variant) = match (files::presence(directory), variants::split(directory)) {
        (Presence::Absent, Some((folder, variant))) => (folder, Some(variant)),
        _ => (directory.to_path_buf(), None),
    };
    match files::presence(&folder) {
        Presence::Folder => match files::own_name(&folder) {
            Some(name) => {
                let apps = app(&folder, &name, roots, &mut Library::new(&roots.workloads), &mut problems);
                spec = match (apps, &variant) {
                    (Some(apps), Some(variant)) => variants::choose(apps, variant, &mut problems),
                    (apps, _) => apps.and_then(|apps| apps.into_iter().next()),
                };
                if spec.is_none() && problems.count() == 0 {
                    problems.with(&folder, "the folder is empty").hint("a `Dockerfile` makes it an app");
                }
            }
            None => problems.with(&folder, "its name can't be the name of an app").hint(super::NAME_HINT),
        },
        presence => not_a_folder(&folder, &presence, &mut problems),
    }
    match spec {
        Some(spec) => problems.into_result(spec),
        None => Err(problems.into_errors()),
    }
}

fn not_a_folder(path: &Path, presence: &Presence, problems: &mut Problems) {
    let message = match presence {
        Presence::Absent => "no such folder".to_owned(),
        Presence::Unreadable(error) => format!("can't be read: {}", files::in_words(error)),
        Presence::File | Presence::Folder | Presence::Special => "is not a folder".to_owned(),
    };
    problems.with(path, message);
}

/// The names of the sub-folders that are apps or were meant to be, sorted.
fn app_names(apps_directory: &Path, problems: &mut Problems) -> Vec<String> {
    let presence = files::presence(apps_directory);
    if !matches!(presence, Presence::Folder) {
        not_a_folder(apps_directory, &presence, problems);
        return Vec::new();
    }
    if matches!(files::presence(&apps_directory.join("Dockerfile")), Presence::File) {
        problems
            .with(apps_directory, "is an app, not a folder of apps")
            .hint("give the folder above it, or ask for this one app");
        return Vec::new();
    }
    let entries = match files::names(apps_directory) {
        Ok(entries) => entries,
        Err(error) => {
            problems.with(apps_directory, format!("can't be read: {}", files::in_words(&error)));
            return Vec::new();
        }
    };
    let mut names = Vec::new();
    for entry in entries {
        match entry {
            Ok(name) if name.starts_with('.') => {}
            Ok(name) => match files::presence(&apps_directory.join(&name)) {
                Presence::Folder => names.push(name),
                Presence::Unreadable(error) => {
                    problems.with(&apps_directory.join(&name), format!("can't be read: {}", files::in_words(&error)));
                }
                Presence::Absent | Presence::File | Presence::Special => {}
            },
            Err(path) => {
                if matches!(files::presence(&path), Presence::Folder) {
                    problems.with(&path, "the folder's name is not UTF-8").hint(super::NAME_HINT);
                }
            }
        }
    }
    names
}

fn no_app(apps_directory: &Path, names: &[String], problems: &mut Problems) {
    if names.is_empty() {
        problems.with(apps_directory, "no app in this folder").hint("an app is a sub-folder with a `Dockerfile`");
    } else {
        let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
        problems.with(apps_directory, "no app has a name that was asked for").hint(format!("there are {}", names.join(", ")));
    }
}

/// Reads one app and its variants, itself first; `None` without a problem for an empty folder.
fn app(directory: &Path, name: &str, roots: &Roots, library: &mut Library<'_>, problems: &mut Problems) -> Option<Vec<AppSpec>> {
    let before = problems.count();
    let dockerfile = directory.join("Dockerfile");
    let yaml = directory.join("app.yaml");
    let has_yaml = !matches!(files::presence(&yaml), Presence::Absent);
    match files::presence(&dockerfile) {
        Presence::File => special_files(directory, problems),
        Presence::Absent if has_yaml => {
            let at = Location { file: Arc::from(yaml.as_path()), line: 1, column: 1 };
            problems
                .at(&at, "missing Dockerfile")
                .hint(format!("write `{}`, which builds the app's image", dockerfile.display()));
        }
        Presence::Absent => return not_an_app(directory, problems),
        Presence::Folder | Presence::Special => {
            problems.with(&dockerfile, "is not a file");
        }
        Presence::Unreadable(error) => {
            problems.with(&dockerfile, format!("can't be read: {}", files::in_words(&error)));
        }
    }
    if !super::is_name(name) {
        problems.with(directory, format!("{} can't be the name of an app", quoted(name))).hint(super::NAME_HINT);
    }
    if !has_yaml && !matches!(files::presence(&directory.join("app.yml")), Presence::Absent) {
        problems.with(&directory.join("app.yml"), "has to be named `app.yaml`").hint("rename it");
    }
    let mut spec = AppSpec {
        name: name.to_owned(),
        directory: directory.to_path_buf(),
        description: String::new(),
        image: None,
        build_arguments: BTreeMap::new(),
        workloads: vec![Workload::named(DEFAULT_WORKLOAD)],
    };
    let mut variants = Vec::new();
    if has_yaml {
        let file: Arc<Path> = Arc::from(yaml);
        let text = files::read_text(&file, problems)?;
        let root = tree::parse(&file, &text, problems)?;
        variants = describe(&mut spec, &root, &dockerfile, roots, library, problems);
    }
    let apps = std::iter::once(spec).chain(variants).collect();
    (problems.count() == before).then_some(apps)
}

/// Refuses pipes, sockets and devices: they cannot be part of an image, and reading them could block.
fn special_files(directory: &Path, problems: &mut Problems) {
    match context::context_files(directory) {
        Ok(found) => {
            for (path, kind) in found {
                if let ContextKind::Special(kind) = kind {
                    problems
                        .with(&directory.join(path), format!("is {kind}, which cannot be part of an image"))
                        .hint("move it away, or name it in `.dockerignore`");
                }
            }
        }
        Err(error) => {
            problems.with(directory, format!("can't be read: {}", files::in_words(&error)));
        }
    }
}

/// A folder without `Dockerfile` and `app.yaml`. Skipping one silently would hide a misspelt file name.
fn not_an_app(directory: &Path, problems: &mut Problems) -> Option<Vec<AppSpec>> {
    let names: Vec<String> = match files::names(directory) {
        Ok(names) => names.into_iter().map(Result::unwrap_or_default).collect(),
        Err(error) => {
            problems.with(directory, format!("can't be read: {}", files::in_words(&error)));
            return None;
        }
    };
    if names.iter().all(|name| name.starts_with('.')) {
        return None;
    }
    let is = |name: &String, other: &str| name.eq_ignore_ascii_case(other);
    let hint = if let Some(similar) = names.iter().find(|name| is(name, "Dockerfile") || is(name, "Containerfile")) {
        format!("rename `{similar}` to `Dockerfile`")
    } else if names.iter().any(|name| is(name, "app.yml")) {
        "add a `Dockerfile`, and rename `app.yml` to `app.yaml`".to_owned()
    } else {
        "add a `Dockerfile`, or move the folder away or hide it with a `.` before its name".to_owned()
    };
    problems.with(directory, "has neither Dockerfile nor app.yaml").hint(hint);
    None
}

/// Takes what `app.yaml` says into `spec`, and gives the app's variants.
fn describe(
    spec: &mut AppSpec,
    root: &Node,
    dockerfile: &Path,
    roots: &Roots,
    library: &mut Library<'_>,
    problems: &mut Problems,
) -> Vec<AppSpec> {
    let keys = ["description", "build-arguments", "variants", "workloads"];
    let Some(fields) = Fields::of(root, "app.yaml", &keys, problems) else { return Vec::new() };
    if let Some(description) = fields.get("description").and_then(|node| typing::text(node, "description", problems)) {
        description.trim().clone_into(&mut spec.description);
    }
    if let Some(arguments) = fields.get("build-arguments") {
        spec.build_arguments = typing::texts(arguments, "build-arguments", problems).unwrap_or_default();
    }
    if let Some(list) = fields.get("workloads") {
        spec.workloads = workloads(list, roots, library, problems);
    }
    let Some(list) = fields.get("variants") else { return Vec::new() };
    // That it can't be read is reported elsewhere.
    let dockerfile = files::read(dockerfile).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    variants::variants(list, spec, dockerfile.as_deref(), problems)
}

/// Reads the list `workloads`.
fn workloads(list: &Node, roots: &Roots, library: &mut Library<'_>, problems: &mut Problems) -> Vec<Workload> {
    let Some(entries) = typing::list(list, "workloads", problems) else { return Vec::new() };
    if entries.is_empty() {
        problems.at(&list.at, "`workloads` is empty").hint("leave the key out to have the one workload `default`");
    }
    let mut lines = HashMap::new();
    let mut workloads = Vec::new();
    for entry in entries {
        let resolved = library.resolve(entry.clone(), problems);
        let Some(workload) = workload(&resolved, &roots.dockerfiles, problems) else { continue };
        let name = match &entry.content {
            Content::Mapping(mapping) => mapping.entry("name").map_or(&entry.at, |name| &name.value.at),
            Content::Scalar { .. } | Content::Sequence(_) | Content::Invalid => &entry.at,
        };
        if let Some(line) = lines.insert(workload.name.clone(), name.line) {
            problems
                .at(name, format!("a second workload named `{}`, after the one in line {line}", workload.name))
                .hint("results are stored by this name");
        }
        workloads.push(workload);
    }
    workloads
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_folders_stand_beside_the_folder_of_the_apps() {
        let beside = |path: &str| Roots::beside(Path::new(path)).workloads.display().to_string();
        assert_eq!(beside("apps"), "workloads");
        assert_eq!(beside("apps/"), "workloads");
        assert_eq!(beside("./apps"), "./workloads");
        assert_eq!(beside("/srv/apps"), "/srv/workloads");
        assert_eq!(beside("."), "../workloads");
        assert_eq!(beside("x/.."), "x/../../workloads");
        let of_app = |path: &str| Roots::of_app(Path::new(path)).dockerfiles.display().to_string();
        assert_eq!(of_app("apps/nginx"), "Dockerfiles");
        assert_eq!(of_app("/srv/apps/nginx"), "/srv/Dockerfiles");
        assert_eq!(of_app("nginx"), "../Dockerfiles");
        assert_eq!(of_app("."), "../../Dockerfiles");
        assert_eq!(of_app("./nginx"), "../Dockerfiles");
    }
}
