//! `loupe clean`: removes what Loupe left on the engine.

use super::arguments::{CleanArguments, Format};
use super::printer::Printer;
use super::settings::Environment;
use super::status::Status;
use crate::engine::docker::{CleanOptions, Cleaned, DockerEngine};
use crate::report::counted;

/// Removes what has Loupe's label, but for what another Loupe works with.
pub(super) fn clean(arguments: &CleanArguments, environment: &Environment, printer: &Printer) -> anyhow::Result<Status> {
    let cleaned = super::block_on(async {
        let engine = DockerEngine::connect(environment.docker_host.as_deref()).await?;
        Ok(engine.clean(CleanOptions { images: arguments.images, live: arguments.live }).await?)
    })?;
    match arguments.format {
        Format::Text => printer.data(&in_words(cleaned)),
        Format::Json => printer.json(&cleaned),
    }
    if cleaned.in_use > 0 {
        let left = counted(cleaned.in_use, "container");
        printer.note(&format!(
            "left {left}, with volumes and images: another Loupe works with them\nhint: `--live` removes them, too"
        ));
    }
    Ok(Status::Done)
}

fn in_words(cleaned: Cleaned) -> String {
    let Cleaned { containers, volumes, images, in_use: _ } = cleaned;
    let counts = [counted(containers, "container"), counted(volumes, "volume"), counted(images, "image")];
    format!("removed {}\n", counts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_counted_even_if_there_was_none() {
        let cleaned = Cleaned { containers: 2, volumes: 1, images: 0, in_use: 0 };
        assert_eq!(in_words(cleaned), "removed 2 containers, 1 volume, 0 images\n");
    }
}
