//! Whatever a file holds, the answer is a spec or problems, never a panic.

use std::fs;
use std::path::Path;

use loupe::spec::{self, Roots};
use proptest::prelude::*;

const VALID: &str = include_str!("../fixtures/specs/good/apps/web/app.yaml");
const SHARED: &str = include_str!("../fixtures/specs/good/workloads/http.yaml");

/// Loads an app with these files; `Err` is the report.
fn load(yaml: &[u8], shared: &[u8]) -> Result<(), String> {
    let root = tempfile::tempdir().unwrap();
    let write = |path: &str, bytes: &[u8]| {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    write("apps/web/Dockerfile", b"FROM scratch\n");
    write("apps/web/app.yaml", yaml);
    write("apps/web/check.sh", b"#!/bin/sh\n");
    write("Dockerfiles/wrk/Dockerfile", b"FROM scratch\n");
    write("workloads/http.yaml", shared);
    write("workloads/check-body.sh", b"#!/bin/sh\n");
    write("workloads/http-large.yaml", include_bytes!("../fixtures/specs/good/workloads/http-large.yaml"));
    let apps = root.path().join("apps");
    let result = spec::load_apps(&apps, &Roots::beside(&apps), None);
    result.map(|apps| assert_eq!(apps.len(), 1)).map_err(|errors| {
        assert!(!errors.problems().is_empty());
        errors.to_string()
    })
}

/// One edit of a text: where (as a fraction), how many characters go, and what comes.
fn edit() -> impl Strategy<Value = (f64, usize, String)> {
    let snippet = prop_oneof![
        "[-\\[\\]{}:,?&*!|>'\"%@`$ \n\ta0~#]{0,4}",
        "\\PC{0,3}",
        Just("\n    ".to_owned()),
        Just("${port}".to_owned()),
        Just("${".to_owned()),
        Just("use: http\n".to_owned()),
        Just("99999999999999999999".to_owned()),
    ];
    (0.0..1.0_f64, 0..12_usize, snippet)
}

fn edited(text: &str, edits: &[(f64, usize, String)]) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    for (place, removed, inserted) in edits {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a place in a short text"
        )]
        let start = (*place * characters.len() as f64) as usize;
        let end = (start + removed).min(characters.len());
        characters.splice(start..end, inserted.chars());
    }
    characters.into_iter().collect()
}

#[test]
fn the_unedited_files_are_valid() {
    assert_eq!(load(VALID.as_bytes(), SHARED.as_bytes()), Ok(()));
}

#[test]
fn files_that_can_not_be_text_are_told_so() {
    assert!(
        load(b"description: \xff\n", SHARED.as_bytes()).unwrap_err().contains("app.yaml:1:14: error: not UTF-8 from here on")
    );
    assert!(load(&vec![b'#'; 2 << 20], SHARED.as_bytes()).unwrap_err().contains("app.yaml: error: is larger than 1 MiB"));
}

#[test]
fn a_pipe_in_the_place_of_a_file_is_not_waited_for() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("Dockerfile"), "FROM scratch\n").unwrap();
    nix::unistd::mkfifo(&root.path().join("app.yaml"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let errors = spec::load_app(root.path(), &Roots::beside(Path::new("apps"))).unwrap_err();
    assert!(errors.to_string().contains("app.yaml: error: is not a regular file"), "{errors}");

    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("Dockerfile"), "FROM scratch\n").unwrap();
    fs::create_dir(root.path().join("data")).unwrap();
    nix::unistd::mkfifo(&root.path().join("data/pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let errors = spec::load_app(root.path(), &Roots::beside(Path::new("apps"))).unwrap_err();
    assert!(errors.to_string().contains("data/pipe: error: is a named pipe, which cannot be part of an image"), "{errors}");
    fs::write(root.path().join(".dockerignore"), "data\n").unwrap();
    assert!(!format!("{:?}", spec::load_app(root.path(), &Roots::beside(Path::new("apps")))).contains("pipe"));
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in "(?s).{0,300}") {
        let _ = load(text.as_bytes(), SHARED.as_bytes());
        let _ = load(VALID.as_bytes(), text.as_bytes());
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = load(&bytes, SHARED.as_bytes());
    }

    #[test]
    fn mutations_of_valid_files_never_panic(
        of_app in proptest::collection::vec(edit(), 0..4),
        of_shared in proptest::collection::vec(edit(), 0..4),
    ) {
        let _ = load(edited(VALID, &of_app).as_bytes(), edited(SHARED, &of_shared).as_bytes());
    }
}
