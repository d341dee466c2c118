//! The published measurements and support plans, in compact form: `fixtures/published/`, whose README describes the format.

use std::fs;
use std::path::{Path, PathBuf};

/// A file of the compact form, or a published plan as it is.
pub(crate) fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/published").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Writes the published measurements of `state` below `folder`, byte for byte as they were published, and returns their folder.
pub(crate) fn loupedb(state: &str, folder: &Path) -> PathBuf {
    let root = folder.join("loupedb").join(state);
    for (path, content) in expand(&file(&format!("loupedb-{state}.txt"))) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    root
}

/// Paths and contents of the files in a text of the compact form.
fn expand(text: &str) -> Vec<(String, String)> {
    let sections = format!("\n{text}");
    let sections = sections.split("\n= ").filter(|section| !section.is_empty());
    sections.map(|section| section.split_once('\n').unwrap()).map(|(head, body)| expand_file(head, body)).collect()
}

fn expand_file(head: &str, body: &str) -> (String, String) {
    let (path, marks) = head.split_once(' ').unwrap_or((head, ""));
    let body = body.strip_suffix('\n').unwrap_or(body);
    let mut lines: Vec<String> = if Path::new(path).extension().is_some_and(|extension| extension == "csv") {
        let header = match path.rsplit('/').next() {
            Some("dyn.csv") => "# syscall, used, works faked, works stubbed, works both",
            _ => "# syscall, used",
        };
        let header = marks.contains("header").then(|| header.to_owned());
        header.into_iter().chain(body.chars().enumerate().map(|(number, code)| row(number, code))).collect()
    } else {
        body.lines().map(str::to_owned).collect()
    };
    if marks.contains("newline") {
        lines.push(String::new());
    }
    (path.to_owned(), lines.join("\n"))
}

/// The row that a code stands for.
fn row(number: usize, code: char) -> String {
    let cells = match code {
        '.' => "N,N,N,N",
        'r' => "Y,N,N,N",
        'f' => "Y,Y,N,N",
        's' => "Y,N,Y,N",
        'b' => "Y,N,N,Y",
        'B' => "Y,Y,Y,Y",
        'F' => "N,Y,N,N",
        'X' => "N,Y,Y,Y",
        '-' => "N",
        'u' => "Y",
        '?' => return String::new(),
        other => panic!("`{other}` is no code of the compact form"),
    };
    format!("{number},{cells}")
}
