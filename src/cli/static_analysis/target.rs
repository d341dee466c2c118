//! What is to be analysed: a program of some root, or the programs of an app's workloads in its image.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;

use super::super::printer::Printer;
use super::super::settings::Environment;
use super::super::show;
use super::super::status::WrongUsage;
use super::arguments::BinaryArguments;
use crate::engine::Notice;
use crate::engine::docker::{DockerEngine, Exportable};
use crate::spec::{AppSpec, Roots, load_app};
use crate::static_analysis::archive::Archive;
use crate::static_analysis::folder::Folder;
use crate::static_analysis::root::Root;
use crate::store::Store;

/// A program to be analysed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Subject {
    /// What it is called.
    pub(super) name: String,
    /// The app and workload that it belongs to.
    pub(super) of: Option<(String, String)>,
    /// The first word of its command line.
    pub(super) program: String,
    /// The environment that it starts in.
    pub(super) environment: BTreeMap<String, String>,
    /// The folder that it starts in.
    pub(super) folder: String,
}

/// Where programs come from, and which.
pub(super) struct Target {
    pub(super) root: Box<dyn Root>,
    /// At least one.
    pub(super) subjects: Vec<Subject>,
}

/// Finds what the command line means.
pub(super) fn target(
    arguments: &BinaryArguments,
    store: &Store,
    environment: &Environment,
    printer: &Printer,
) -> anyhow::Result<Target> {
    let path = &arguments.target;
    let text = path.to_string_lossy().into_owned();
    if let Some(root) = &arguments.root {
        if !root.is_dir() {
            return Err(WrongUsage(format!("`{}` is no folder", root.display())).into());
        }
        return Ok(program(Folder::new(root), &text, text.clone()));
    }
    if path.is_dir() {
        return of_app(&load_app(path, &Roots::of_app(path))?, None, environment, printer);
    }
    if path.is_file() {
        let absolute = std::path::absolute(path).with_context(|| format!("cannot tell where `{text}` is"))?;
        return Ok(program(Folder::of_machine(), &text, absolute.to_string_lossy().into_owned()));
    }
    if is_app(path) {
        return of_app(&load_app(path, &Roots::of_app(path))?, None, environment, printer);
    }
    let (app, workload) = text.split_once('/').map_or((text.as_str(), None), |(app, workload)| (app, Some(workload)));
    let folder = arguments.apps.join(app);
    if is_plain(app) && is_app(&folder) {
        return of_app(&load_app(&folder, &Roots::of_app(&folder))?, workload, environment, printer);
    }
    of_results(app, workload, store, environment, printer)?.ok_or_else(|| {
        let apps = arguments.apps.display();
        let hint =
            format!("name a file, an app's folder, an app of `{apps}`, or one with results; `--root /` takes a program of PATH");
        WrongUsage(format!("there is no `{text}` to be analysed\nhint: {hint}")).into()
    })
}

/// Whether a path is that of an app's folder, or of a variant such as `apps/nginx@trixie`, which is in the folder of its app.
fn is_app(path: &Path) -> bool {
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let of_variants = path.with_file_name(name.split('@').next().unwrap_or(name));
    [path, &of_variants].iter().any(|folder| folder.join("Dockerfile").is_file())
}

/// Whether a name can be that of a folder below another.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains('/')
}

fn program(root: Folder, name: &str, program: String) -> Target {
    let subject = Subject { name: name.to_owned(), of: None, program, environment: BTreeMap::new(), folder: "/".to_owned() };
    Target { root: Box::new(root), subjects: vec![subject] }
}

/// The programs of an app's workloads, or of one of them.
fn of_app(app: &AppSpec, workload: Option<&str>, environment: &Environment, printer: &Printer) -> anyhow::Result<Target> {
    let chosen: Vec<_> = app.workloads.iter().filter(|each| workload.is_none_or(|wanted| wanted == each.name)).collect();
    if chosen.is_empty() {
        let known: Vec<_> = app.workloads.iter().map(|workload| workload.name.as_str()).collect();
        let wanted = workload.unwrap_or_default();
        return Err(WrongUsage(format!("`{}` has no workload `{wanted}`\nhint: it has {}", app.name, known.join(", "))).into());
    }
    let notice = notice(printer);
    let (image, root) = super::super::block_on(async {
        let engine = DockerEngine::connect(environment.docker_host.as_deref()).await?;
        let image = engine.exportable_app(app, &notice).await?;
        let root = exported(&engine, &image).await?;
        Ok((image, root))
    })?;
    let subjects = chosen.into_iter().map(|workload| {
        let command = workload.command.as_ref().unwrap_or(&image.command);
        let mut environment = image.environment.clone();
        environment.extend(workload.environment.clone());
        subject(&app.name, &workload.name, command, environment, &image)
    });
    Ok(Target { root: Box::new(root), subjects: subjects.collect::<anyhow::Result<_>>()? })
}

/// The program of an app of which there are only results, in the image that was measured; `None` if there are none.
fn of_results(
    app: &str,
    workload: Option<&str>,
    store: &Store,
    environment: &Environment,
    printer: &Printer,
) -> anyhow::Result<Option<Target>> {
    let all = store.list().map_err(show::failure)?;
    let chosen = all.iter().filter(|(name, each)| name == app && workload.is_none_or(|wanted| wanted == each));
    let mut subjects = Vec::new();
    let mut measured = None;
    for (app, workload) in chosen {
        let Some(finished) = store.read(app, workload).map_err(show::failure)?.finished else { continue };
        let identity = finished.environment.identity.image;
        // The client's image stands behind it.
        let image = identity.split(' ').next().unwrap_or_default().to_owned();
        if measured.get_or_insert_with(|| image.clone()) == &image {
            subjects.push((app.clone(), workload.clone()));
        } else {
            printer.note(&format!("{app}/{workload} was measured with another image, and is left out"));
        }
    }
    let Some(measured) = measured else { return Ok(None) };
    let (image, root) = super::super::block_on(async {
        let engine = DockerEngine::connect(environment.docker_host.as_deref()).await?;
        let image = engine.exportable_image(&measured).await?;
        let image = image.with_context(|| {
            format!("the engine does not have the image `{measured}` that was measured\nhint: name the app's folder, so that it is built")
        })?;
        let root = exported(&engine, &image).await?;
        Ok((image, root))
    })?;
    printer.note("the app's folder is not there: the image's own command is taken for that of every workload");
    let subjects = subjects
        .into_iter()
        .map(|(app, workload)| subject(&app, &workload, &image.command, image.environment.clone(), &image))
        .collect::<anyhow::Result<_>>()?;
    Ok(Some(Target { root: Box::new(root), subjects }))
}

fn subject(
    app: &str,
    workload: &str,
    command: &[String],
    environment: BTreeMap<String, String>,
    image: &Exportable,
) -> anyhow::Result<Subject> {
    let program = command.first().with_context(|| {
        format!("`{app}`, workload `{workload}` has no command\nhint: say `command: [PROGRAM, ARGUMENT, …]`, or add a CMD to the Dockerfile")
    })?;
    Ok(Subject {
        name: format!("{app}/{workload}"),
        of: Some((app.to_owned(), workload.to_owned())),
        program: program.clone(),
        environment,
        folder: image.folder.clone(),
    })
}

fn notice(printer: &Printer) -> Notice {
    let printer = printer.clone();
    Arc::new(move |text: String| printer.note(&text))
}

/// The files of an image, in a file without a name that goes away with the root.
async fn exported(engine: &DockerEngine, image: &Exportable) -> anyhow::Result<Archive<File>> {
    let mut file = tempfile::tempfile().context("cannot make a temporary file for the image's files")?;
    engine.export(&image.image, &mut file).await?;
    Archive::index(file).context("cannot read the image's files")
}

/// Whether two subjects are the same program in the same surroundings.
pub(super) fn is_same(one: &Subject, other: &Subject) -> bool {
    one.program == other.program && one.environment == other.environment && one.folder == other.folder
}
