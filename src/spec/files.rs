//! All file access of `spec`: bounded reads and listings, with every trouble told in words.
//!
//! The only part of `spec` that is not pure. It never writes.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::problem::{Location, Problems};
use super::tree::place_of;

/// Largest file that is read; a spec or check script has a few kilobytes.
const LARGEST: u64 = 1024 * 1024;

/// What stands at a path, symbolic links followed.
#[derive(Debug)]
pub(super) enum Presence {
    /// Nothing.
    Absent,
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A pipe, socket or device, which is never opened: that could block.
    Special,
    /// It can't be told.
    Unreadable(io::Error),
}

/// Looks at `path` without opening it.
pub(super) fn presence(path: &Path) -> Presence {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => Presence::File,
        Ok(metadata) if metadata.is_dir() => Presence::Folder,
        Ok(_) => Presence::Special,
        // A dangling symbolic link is there, though there is nothing behind it.
        Err(error) if error.kind() == io::ErrorKind::NotFound && fs::symlink_metadata(path).is_err() => Presence::Absent,
        Err(error) => Presence::Unreadable(error),
    }
}

/// The bytes of a regular file of at most 1 MiB, or what is in the way.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, String> {
    match presence(path) {
        Presence::File => {}
        Presence::Absent => return Err("no such file".to_owned()),
        Presence::Folder => return Err("is a folder, not a file".to_owned()),
        Presence::Special => return Err("is not a regular file".to_owned()),
        Presence::Unreadable(error) => return Err(format!("can't be read: {}", in_words(&error))),
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes))
        .map_err(|error| format!("can't be read: {}", in_words(&error)))?;
    if bytes.len() as u64 > LARGEST {
        return Err("is larger than 1 MiB".to_owned());
    }
    Ok(bytes)
}

/// The text of a YAML file; `None` after saying why not.
pub(super) fn read_text(path: &Arc<Path>, problems: &mut Problems) -> Option<String> {
    let bytes = match read(path) {
        Ok(bytes) => bytes,
        Err(message) => {
            problems.with(path, message);
            return None;
        }
    };
    String::from_utf8(bytes)
        .map_err(|error| {
            let before = String::from_utf8_lossy(&error.as_bytes()[..error.utf8_error().valid_up_to()]);
            problems.at(&place_of(path, &before), "not UTF-8 from here on");
        })
        .ok()
}

/// What an operating system's error says, without its number.
pub(super) fn in_words(error: &io::Error) -> String {
    let text = error.to_string();
    let words = text.split(" (os error").next().unwrap_or_default();
    words.to_lowercase()
}

/// The names in a folder, sorted. A name that is not UTF-8 is a problem, because no app, client or file can have it.
pub(super) fn names(folder: &Path) -> io::Result<Vec<Result<String, PathBuf>>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        names.push(entry.file_name().into_string().map_err(|name| folder.join(name)));
    }
    names.sort();
    Ok(names)
}

/// The names of the sub-folders of `folder` that have a Dockerfile, sorted; none where it can't be read.
pub(super) fn image_folders(folder: &Path) -> Vec<String> {
    let names = names(folder).unwrap_or_default();
    names
        .into_iter()
        .filter_map(Result::ok)
        .filter(|name| matches!(presence(&folder.join(name).join("Dockerfile")), Presence::File))
        .collect()
}

/// The names of the shared workloads of `folder`, sorted; none where it can't be read.
pub(super) fn workload_names(folder: &Path) -> Vec<String> {
    let names = names(folder).unwrap_or_default();
    names.into_iter().filter_map(|name| name.ok()?.strip_suffix(".yaml").map(str::to_owned)).collect()
}

/// Reads a check script that is named at `at`, from the folder of that YAML file or a folder in it.
pub(super) fn read_script(name: &str, at: &Location, problems: &mut Problems) -> Option<(PathBuf, Vec<u8>)> {
    const HINT: &str = "name a file beside the YAML file";
    let relative = Path::new(name);
    if name.is_empty() || !relative.components().all(|component| matches!(component, Component::Normal(_))) {
        problems.at(at, "the check script has to be in the folder of the YAML file").hint(HINT);
        return None;
    }
    let path = at.folder().join(relative);
    let bytes = match read(&path) {
        Ok(bytes) => bytes,
        Err(message) => {
            problems.at(at, format!("check script `{}`: {message}", path.display())).hint(HINT);
            return None;
        }
    };
    if !stays_in(at.folder(), &path) {
        problems
            .at(at, "the check script is a symbolic link that leads out of the folder of the YAML file")
            .hint("copy the file");
        return None;
    }
    if !bytes.starts_with(b"#!") {
        problems
            .at(at, format!("check script `{}` does not begin with `#!`", path.display()))
            .hint("its first line names the interpreter, such as `#!/bin/sh`");
        return None;
    }
    Some((path, bytes))
}

/// Whether `path` is within `folder` after symbolic links were followed.
fn stays_in(folder: &Path, path: &Path) -> bool {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    match (fs::canonicalize(folder), fs::canonicalize(path)) {
        (Ok(folder), Ok(path)) => path.starts_with(folder),
        _ => false,
    }
}

/// The name of a folder that may be given as `.` or with a `..` at its end.
pub(super) fn own_name(folder: &Path) -> Option<String> {
    let name = match folder.components().next_back() {
        Some(Component::Normal(name)) => name.to_owned(),
        _ => fs::canonicalize(folder).ok()?.file_name()?.to_owned(),
    };
    name.into_string().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_not_be_read_is_told_in_words() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        assert_eq!(read(&path("absent")), Err("no such file".to_owned()));
        assert_eq!(read(folder.path()), Err("is a folder, not a file".to_owned()));
        assert_eq!(read(Path::new("/dev/null")), Err("is not a regular file".to_owned()));
        std::os::unix::fs::symlink("nowhere", path("dangling")).unwrap();
        assert_eq!(read(&path("dangling")), Err("can't be read: no such file or directory".to_owned()));
        fs::write(path("exact"), vec![b'x'; 1024 * 1024]).unwrap();
        assert_eq!(read(&path("exact")).unwrap().len(), 1024 * 1024);
        fs::write(path("large"), vec![b'x'; 1024 * 1024 + 1]).unwrap();
        assert_eq!(read(&path("large")), Err("is larger than 1 MiB".to_owned()));
    }

    #[test]
    fn invalid_utf8_is_reported_at_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let path: Arc<Path> = Arc::from(folder.path().join("app.yaml"));
        fs::write(&path, b"a: 1\nb: \xc3\xbc\xff\n").unwrap();
        let mut problems = Problems::default();
        assert_eq!(read_text(&path, &mut problems), None);
        let errors = problems.into_result(()).unwrap_err();
        assert_eq!((errors.problems()[0].line, errors.problems()[0].column), (Some(2), Some(5)));
    }

    #[test]
    fn check_scripts_stay_in_their_folder() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("apps");
        fs::create_dir(&inside).unwrap();
        fs::write(folder.path().join("outside.sh"), "#!/bin/sh\n").unwrap();
        fs::write(inside.join("good.sh"), "#!/bin/sh\n").unwrap();
        fs::write(inside.join("bare.sh"), "echo\n").unwrap();
        std::os::unix::fs::symlink("../outside.sh", inside.join("link.sh")).unwrap();
        let at = Location { file: Arc::from(inside.join("app.yaml")), line: 1, column: 1 };
        let told = |name: &str| {
            let mut problems = Problems::default();
            let script = read_script(name, &at, &mut problems);
            let told = problems.into_result(()).err().map(|errors| errors.problems()[0].message.clone());
            assert_eq!(script.is_none(), told.is_some());
            told.unwrap_or_default()
        };
        assert_eq!(told("good.sh"), "");
        assert!(told("../outside.sh").contains("has to be in the folder"));
        assert!(told("/etc/hostname").contains("has to be in the folder"));
        assert!(told("").contains("has to be in the folder"));
        assert!(told("link.sh").contains("leads out of the folder"));
        assert!(told("bare.sh").contains("does not begin with `#!`"));
        assert!(told("absent.sh").contains("no such file"));
    }
}
