//! How paths that were asked about and their states travel: frames within a launch, and within the report of an app. Pure.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::{Frame, WireError};
use crate::trial::{FileChanges, FileState, LookAtFiles};

/// The frame of a launch that says where to look; none where nothing is asked.
pub(super) fn look_frame(look_at: &LookAtFiles) -> Option<Frame> {
    match look_at {
        LookAtFiles::Nowhere => None,
        LookAtFiles::Everywhere => Some(Frame::new("look").field("at", "everything")),
        LookAtFiles::At(paths) => {
            let places = paths.iter().map(|path| Frame::new("place").body(bytes(path)));
            Some(Frame::new("look").field("at", "places").children(places))
        }
    }
}

/// Reads what [`look_frame`] made, among the frames of a launch.
pub(super) fn look(frames: &[Frame]) -> Result<LookAtFiles, WireError> {
    let Some(frame) = frames.iter().find(|frame| frame.kind == "look") else { return Ok(LookAtFiles::Nowhere) };
    match frame.text("at")? {
        "everything" => Ok(LookAtFiles::Everywhere),
        "places" => Ok(LookAtFiles::At(frame.frames()?.iter().map(path).collect())),
        other => Err(WireError::new(format!("look at `{other}`"))),
    }
}

/// The frame of a report that tells of files; none where there is nothing to tell.
pub(super) fn changes_frame(changes: &FileChanges) -> Option<Frame> {
    if *changes == FileChanges::default() {
        return None;
    }
    let states = changes.states.iter().map(|(path, state)| Frame::new("state").field("is", state).body(bytes(path)));
    Some(Frame::new("changes").field("left-out", &changes.left_out).children(states))
}

/// Reads what [`changes_frame`] made.
pub(super) fn changes(frame: &Frame) -> Result<FileChanges, WireError> {
    let state = |child: &Frame| Ok::<(PathBuf, FileState), WireError>((path(child), child.parse("is")?));
    let states = frame.frames()?.iter().map(state).collect::<Result<_, _>>()?;
    Ok(FileChanges { states, left_out: frame.parse("left-out")? })
}

fn bytes(path: &Path) -> Vec<u8> {
    path.as_os_str().as_bytes().to_vec()
}

fn path(frame: &Frame) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(&frame.body))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unkind() -> PathBuf {
        PathBuf::from(OsStr::from_bytes(b"/a \n\xff#7"))
    }

    #[test]
    fn paths_are_bytes_and_round_trip() {
        for asked in [
            LookAtFiles::Nowhere,
            LookAtFiles::Everywhere,
            LookAtFiles::At(Vec::new()),
            LookAtFiles::At(vec![unkind(), "/b".into()]),
        ] {
            let frames: Vec<_> = look_frame(&asked).into_iter().collect();
            assert_eq!(look(&frames).unwrap(), asked);
        }
        let state = "link 0000 0:5 6 00000000000000ff".parse().unwrap();
        let told = FileChanges { states: [(unkind(), state)].into(), left_out: 7 };
        assert_eq!(changes(&changes_frame(&told).unwrap()).unwrap(), told);
        assert_eq!(changes_frame(&FileChanges::default()), None);
    }

    #[test]
    fn what_is_no_state_is_refused() {
        let frame = Frame::new("changes").field("left-out", &0).children([Frame::new("state").field("is", "door")]);
        assert!(changes(&frame).is_err());
        assert!(look(&[Frame::new("look").field("at", "nothing")]).is_err());
    }
}
