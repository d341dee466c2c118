//! Files that are either the old ones or the new ones, whatever happens in between.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::StoreError;

/// Version of every JSON file written here. A file with another one is not read.
pub const FORMAT: u32 = 1;

/// Puts `content` in the place of `path`: a reader sees all of the old file or all of the new one.
pub(super) fn replace(path: &Path, content: &[u8]) -> Result<(), StoreError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // One name is enough, as the campaign is locked; a leftover of a crash is overwritten by the next attempt.
    let temporary = folder.join(format!(".{name}.tmp"));
    let write = || -> io::Result<()> {
        let mut file = File::create(&temporary)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        // Without this the rename itself may be lost, and a later one may not.
        File::open(folder)?.sync_all()
    };
    write().map_err(|error| {
        let _ = fs::remove_file(&temporary);
        StoreError::write(path)(error)
    })
}

/// Removes a file that may be missing.
pub(super) fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::write(path)(error)),
        _ => Ok(()),
    }
}

/// The text of a file, or `None` if there is none.
pub(super) fn read_if_there(path: &Path) -> Result<Option<String>, StoreError> {
    match fs::read(path) {
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(text) => Ok(Some(text)),
            Err(error) => {
                let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
                let line = valid.split(|byte| *byte == b'\n').count();
                Err(StoreError::broken(path, line, "not UTF-8"))
            }
        },
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(StoreError::read(path)(error)),
    }
}

/// The text of a file that has to be there.
pub(super) fn read(path: &Path) -> Result<String, StoreError> {
    read_if_there(path)?.ok_or_else(|| StoreError::read(path)(io::ErrorKind::NotFound.into()))
}

/// Readable JSON with a line end.
pub(super) fn to_json<T: Serialize>(value: &T) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(value).expect("invariant: the store's types have string keys only");
    text.push(b'\n');
    text
}

/// Reads a JSON file's text, whose `format` has to be [`FORMAT`].
pub(super) fn from_json<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, StoreError> {
    #[derive(serde::Deserialize)]
    struct Versioned {
        format: u32,
    }
    let broken = |error: serde_json::Error| StoreError::broken(path, error.line().max(1), error.to_string());
    let Versioned { format } = serde_json::from_str(text).map_err(broken)?;
    if format != FORMAT {
        let message = format!("format {format} is not known to this version, which reads {FORMAT}");
        return Err(StoreError::broken(path, 1, message));
    }
    serde_json::from_str(text).map_err(broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_replacement_leaves_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        replace(&path, b"old").unwrap();
        // A folder in the way of the temporary file makes the replacement fail, also for root.
        fs::create_dir(folder.path().join(".file.tmp")).unwrap();
        let error = replace(&path, b"new").unwrap_err();
        assert_eq!(error.to_string(), format!("cannot write `{}`", path.display()));
        assert_eq!(fs::read(&path).unwrap(), b"old");
    }

    #[test]
    fn path_below_a_file_is_refused_with_a_hint() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        let error = replace(&folder.path().join("file/below"), b"new").unwrap_err();
        assert!(error.hint().unwrap().contains("--results"));
    }

    #[test]
    fn other_format_is_refused_with_file_and_line() {
        let error = from_json::<serde_json::Value>(Path::new("a.json"), "{\"format\": 7}").unwrap_err();
        assert_eq!(error.to_string(), "a.json:1: format 7 is not known to this version, which reads 1");
        let error = from_json::<serde_json::Value>(Path::new("a.json"), "{\n  \"format\": 1,\n  nonsense").unwrap_err();
        assert!(error.to_string().starts_with("a.json:3: "), "{error}");
    }
}
