//! Variants of an app: the same folder built with other arguments, such as of another release.
//!
//! Pure. A variant is an app of its own for everything behind `spec`: it is called `APP@VARIANT`, and so are its results.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use super::model::AppSpec;
use super::problem::{Problems, known_hint, quoted};
use super::tree::{Content, Node};
use super::typing::{self, Fields};

/// Stands between the names of app and variant; no name of either has it.
const SEPARATOR: char = '@';

/// Reads the list `variants` of an app; each comes out as an app of its own. `dockerfile` is the text of the app's Dockerfile, where it
/// could be read.
pub(super) fn variants(node: &Node, app: &AppSpec, dockerfile: Option<&str>, problems: &mut Problems) -> Vec<AppSpec> {
    let Some(entries) = typing::list(node, "variants", problems) else { return Vec::new() };
    if entries.is_empty() {
        problems.at(&node.at, "`variants` is empty").hint("leave the key out if there is only the app itself");
    }
    let declared = dockerfile.map(declared_arguments);
    let mut lines = HashMap::new();
    let mut builds: HashMap<BTreeMap<String, String>, String> = HashMap::new();
    let mut variants = Vec::new();
    for entry in entries {
        let Some(fields) = Fields::of(entry, "variant", &["name", "description", "build-arguments"], problems) else { continue };
        let name_node = fields.required("name", "name: trixie", problems);
        let name = name_node.and_then(|node| Some((node, typing::text(node, "name", problems)?)));
        let description = fields.get("description").and_then(|node| typing::text(node, "description", problems));
        let arguments = fields.required("build-arguments", "build-arguments: {RELEASE: trixie}", problems);
        let own = arguments.and_then(|node| {
            if let Some(declared) = &declared {
                check_declared(node, declared, problems);
            }
            typing::texts(node, "build-arguments", problems)
        });
        let (Some((at, name)), Some(own)) = (name.map(|(node, name)| (&node.at, name)), own) else { continue };
        if !super::is_name(name) {
            problems.at(at, format!("{} can't be the name of a variant", quoted(name))).hint(super::NAME_HINT);
            continue;
        }
        if let Some(line) = lines.insert(name.to_owned(), at.line) {
            problems
                .at(at, format!("a second variant named `{name}`, after the one in line {line}"))
                .hint("results are stored by this name");
        }
        if own.is_empty()
            && let Some(node) = arguments
        {
            problems.at(&node.at, format!("variant `{name}` has no build arguments, so it is the app itself"));
        }
        let mut build_arguments = app.build_arguments.clone();
        build_arguments.extend(own);
        if let Some(other) = builds.insert(build_arguments.clone(), name.to_owned()) {
            problems.at(at, format!("variant `{name}` has the same build arguments as `{other}`")).hint("remove one of them");
        }
        variants.push(AppSpec {
            name: format!("{}{SEPARATOR}{name}", app.name),
            directory: app.directory.clone(),
            image: app.image.clone(),
            description: description.map_or_else(|| app.description.clone(), |text| text.trim().to_owned()),
            build_arguments,
            workloads: app.workloads.clone(),
        });
    }
    variants
}

/// Docker takes a build argument that the Dockerfile does not declare without a word that anybody reads, and builds the same image.
fn check_declared(node: &Node, declared: &[String], problems: &mut Problems) {
    let Content::Mapping(mapping) = &node.content else { return };
    for entry in mapping.entries.iter().filter(|entry| !declared.contains(&entry.key)) {
        let message =
            format!("the Dockerfile declares no argument {}, so the image would be that of the app", quoted(&entry.key));
        let hint = if declared.is_empty() {
            format!("write `ARG {}=…` before its `FROM`", entry.key)
        } else {
            known_hint(&entry.key, declared.iter().map(String::as_str))
        };
        problems.at(&entry.key_at, message).hint(hint);
    }
}

/// The names after `ARG` in a Dockerfile.
fn declared_arguments(dockerfile: &str) -> Vec<String> {
    let mut names = Vec::new();
    for line in dockerfile.lines() {
        let mut words = line.split_whitespace();
        if words.next().is_some_and(|keyword| keyword.eq_ignore_ascii_case("ARG")) {
            names.extend(words.map(|word| word.split('=').next().unwrap_or(word).to_owned()));
        }
    }
    names
}

/// The folder and the variant that a path such as `apps/nginx@trixie` stands for.
pub(super) fn split(path: &Path) -> Option<(PathBuf, String)> {
    let (app, variant) = path.file_name()?.to_str()?.split_once(SEPARATOR)?;
    (!app.is_empty() && !variant.is_empty()).then(|| (path.with_file_name(app), variant.to_owned()))
}

/// The one of an app and its variants that is called `variant`.
///
/// Of an app that has none of that name, a problem that names those it has.
pub(super) fn choose(apps: Vec<AppSpec>, variant: &str, problems: &mut Problems) -> Option<AppSpec> {
    let of = |app: &AppSpec| app.name.split_once(SEPARATOR).map(|(_, variant)| variant.to_owned());
    let names: Vec<String> = apps.iter().filter_map(of).collect();
    let (app, directory) = apps.first().map(|app| (app.name.clone(), app.directory.clone()))?;
    let found = apps.into_iter().find(|app| of(app).as_deref() == Some(variant));
    if found.is_none() {
        let hint = if names.is_empty() {
            "it has none; list them under `variants` in its `app.yaml`".to_owned()
        } else {
            known_hint(variant, names.iter().map(String::as_str))
        };
        problems.with(&directory, format!("`{app}` has no variant {}", quoted(variant))).hint(hint);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variant_is_named_behind_its_apps_folder() {
        let split = |path: &str| split(Path::new(path)).map(|(path, variant)| (path.display().to_string(), variant));
        assert_eq!(split("apps/nginx@trixie"), Some(("apps/nginx".to_owned(), "trixie".to_owned())));
        assert_eq!(split("nginx@1/"), Some(("nginx".to_owned(), "1".to_owned())));
        for path in ["apps/nginx", "apps/@trixie", "apps/nginx@", "a@b/nginx", "/", ".."] {
            assert_eq!(split(path), None, "{path}");
        }
    }

    #[test]
    fn arguments_are_found_wherever_a_dockerfile_declares_them() {
        let dockerfile = "# ARG NOT\nARG RELEASE=bookworm\nFROM debian:${RELEASE}-slim\n arg A=1 B\nRUN echo ARG C\n";
        assert_eq!(declared_arguments(dockerfile), ["RELEASE", "A", "B"]);
    }
}
