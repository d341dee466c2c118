//! `loupe run`: one app, be it a folder, an image or a command.

use std::path::{Path, PathBuf};

use super::arguments::RunArguments;
use super::command;
use super::measure::measure;
use super::printer::Printer;
use super::settings::Environment;
use super::status::Status;
use crate::spec::{Roots, load_app};

/// Measures the app.
pub(super) fn run(arguments: &RunArguments, environment: &Environment, printer: &Printer) -> anyhow::Result<Status> {
    match &arguments.app {
        Some(app) => measure(&arguments.measuring, environment, printer, || {
            // The folders that apps share are found from the app's own path, which a variant's name may change to one that is not there.
            let roots = Roots::of_app(app);
            let app = match &arguments.variant {
                Some(variant) => with_variant(app, variant),
                None => app.clone(),
            };
            Ok(vec![load_app(&app, &roots)?])
        }),
        None => command::run(arguments, environment, printer),
    }
}

/// The path of a variant of the app at `path`, which may be `.` or end with a slash.
fn with_variant(path: &Path, variant: &str) -> PathBuf {
    let path = if path.file_name().is_some() { path.to_path_buf() } else { path.canonicalize().unwrap_or(path.to_path_buf()) };
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!("@{variant}"));
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variant_is_named_behind_the_folder_however_that_is_written() {
        assert_eq!(with_variant(Path::new("apps/nginx"), "trixie"), Path::new("apps/nginx@trixie"));
        assert_eq!(with_variant(Path::new("apps/nginx/"), "trixie"), Path::new("apps/nginx@trixie"));
        let here = std::path::absolute(".").unwrap();
        let name = here.file_name().unwrap().to_str().unwrap();
        assert!(with_variant(Path::new("."), "1").ends_with(format!("{name}@1")));
    }
}
