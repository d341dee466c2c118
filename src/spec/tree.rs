//! YAML text -> a small tree in which every node knows its place.
//!
//! Pure. The only user of `saphyr-parser`; what the nodes mean is decided in `typing` and above.
//!
//! Why not `serde_yaml`: it is deprecated, and it gives no positions for values, so that a wrong value that is well-formed
//! YAML could not be reported at its line. Reading events also lets every problem be reported instead of the first.
//!
//! Refused with a message of their own, because each would surprise in a file of this kind: duplicate keys, several
//! documents, tags, anchors and aliases (sharing is done with `use:`, and without aliases a small file can't grow into a
//! huge tree), keys that are not scalars, control characters, and nesting deeper than [`DEEPEST`].

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle};

use super::problem::{Location, Problems, quoted};

/// Deepest nesting of lists and mappings; a spec needs five.
const DEEPEST: usize = 32;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    /// Its first character; for an empty value its key.
    pub(super) at: Location,
    /// What it is.
    pub(super) content: Content,
}

/// The kinds of values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    /// Anything that is written as text: a string, a number, a boolean, or nothing.
    Scalar {
        /// The text after quotes and escapes were resolved.
        text: String,
        /// Whether it stood without quotes, so that it may be a number, a boolean or nothing.
        plain: bool,
    },
    /// A list.
    Sequence(Vec<Node>),
    /// A mapping.
    Mapping(Mapping),
    /// A value that was already reported: nobody else shall complain about it.
    Invalid,
}

/// Keys and values in the order of the file; no key twice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Mapping {
    /// The entries.
    pub(super) entries: Vec<Entry>,
    /// Whether entries may be missing because the file that has them could not be read: their lack is no problem of its own.
    pub(super) partial: bool,
}

impl Mapping {
    /// The entry with this key.
    pub(super) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }
}

/// One line of a mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// The key's text.
    pub(super) key: String,
    /// Where the key stands.
    pub(super) key_at: Location,
    /// The value.
    pub(super) value: Node,
}

impl Node {
    /// Whether this is a plain scalar that YAML 1.2 reads as null, such as an empty value.
    pub(super) fn is_null(&self) -> bool {
        matches!(&self.content, Content::Scalar { text, plain: true } if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }
}

/// Reads the one document of `text`. `None` if that was impossible; then, and perhaps otherwise too, `problems` has grown.
pub(super) fn parse(file: &Arc<Path>, text: &str, problems: &mut Problems) -> Option<Node> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if let Some(at) = control_character(file, text) {
        problems
            .at(&at, "control characters are not allowed in YAML")
            .hint("write it as an escape in double quotes, such as \"\\x1b\"");
        return None;
    }
    let mut builder = Builder { file, problems, open: Vec::new(), root: None, documents: 0 };
    for event in Parser::new_from_str(text) {
        match event {
            Ok((event, span)) => builder.take(event, span.start)?,
            Err(error) => {
                let at = builder.location(*error.marker());
                let line = text.lines().nth(at.line - 1).unwrap_or_default();
                let problem = builder.problems.at(&at, format!("not valid YAML: {}", error.info()));
                if line.contains("${") {
                    problem.hint("between braces or brackets, `${…}` needs quotes: \"${…}\"");
                } else if line.contains('\t') {
                    problem.hint("YAML is indented with spaces, not with tabs");
                }
                return None;
            }
        }
    }
    if builder.root.is_none() {
        let at = Location { file: Arc::clone(file), line: 1, column: 1 };
        builder.problems.at(&at, "the file is empty");
    }
    builder.root
}

/// The first character that YAML 1.2 (production 1, `c-printable`) forbids. The parser takes a NUL for the end of the file,
/// which would silently ignore what follows.
fn control_character(file: &Arc<Path>, text: &str) -> Option<Location> {
    let allowed = |c: char| !c.is_control() || matches!(c, '\t' | '\n' | '\r' | '\u{85}');
    let index = text.find(|c| !allowed(c))?;
    Some(place_of(file, &text[..index]))
}

/// The place right behind `before`, which is the beginning of the file.
pub(super) fn place_of(file: &Arc<Path>, before: &str) -> Location {
    let start_of_line = before.rfind('\n').map_or(0, |index| index + 1);
    Location {
        file: Arc::clone(file),
        line: before.matches('\n').count() + 1,
        column: before[start_of_line..].chars().count() + 1,
    }
}

/// A list or mapping that is not complete yet.
enum Open {
    Sequence { at: Location, items: Vec<Node> },
    Mapping { at: Location, mapping: Mapping, lines: HashMap<String, usize>, key: Key },
}

/// What the next node of an open mapping is.
enum Key {
    /// The key.
    Awaited,
    /// The value of this key.
    Given(String, Location),
    /// A value to be dropped, because its key was no good.
    Refused,
}

struct Builder<'a> {
    file: &'a Arc<Path>,
    problems: &'a mut Problems,
    open: Vec<Open>,
    root: Option<Node>,
    documents: usize,
}

impl Builder<'_> {
    fn location(&self, marker: Marker) -> Location {
        Location { file: Arc::clone(self.file), line: marker.line().max(1), column: marker.col() + 1 }
    }

    /// Takes the next event; `None` if it makes no sense to go on.
    fn take(&mut self, event: Event<'_>, start: Marker) -> Option<()> {
        let at = self.location(start);
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    self.problems.at(&at, "a second YAML document in one file").hint("remove the `---` and what follows it");
                    return None;
                }
            }
            Event::Alias(_) => {
                self.no_anchors(&at, "an alias (`*name`)");
                self.place(Node { at, content: Content::Invalid });
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_properties(&at, anchor, tag.is_some());
                let plain = style == ScalarStyle::Plain;
                // With a tag it may be meant as anything, so that it can't be said to have the wrong type.
                let content = match tag {
                    Some(_) => Content::Invalid,
                    None => Content::Scalar { text: text.into_owned(), plain },
                };
                self.place(Node { at, content });
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_properties(&at, anchor, tag.is_some());
                self.push(Open::Sequence { at, items: Vec::new() })?;
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_properties(&at, anchor, tag.is_some());
                let mapping = Mapping::default();
                self.push(Open::Mapping { at, mapping, lines: HashMap::new(), key: Key::Awaited })?;
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop()? {
                Open::Sequence { at, items } => self.place(Node { at, content: Content::Sequence(items) }),
                Open::Mapping { at, mapping, .. } => self.place(Node { at, content: Content::Mapping(mapping) }),
            },
        }
        Some(())
    }

    fn push(&mut self, open: Open) -> Option<()> {
        if self.open.len() == DEEPEST {
            let (Open::Sequence { at, .. } | Open::Mapping { at, .. }) = &open;
            self.problems.at(at, format!("nested deeper than {DEEPEST} levels"));
            return None;
        }
        self.open.push(open);
        Some(())
    }

    fn refuse_properties(&mut self, at: &Location, anchor: usize, tagged: bool) {
        if anchor != 0 {
            self.no_anchors(at, "an anchor (`&name`)");
        }
        if tagged {
            self.problems
                .at(at, "a tag (`!name`), which is not supported")
                .hint("put quotes around a value that begins with `!`");
        }
    }

    fn no_anchors(&mut self, at: &Location, what: &str) {
        self.problems
            .at(at, format!("{what}, which is not supported"))
            .hint("put what several workloads share into `workloads/NAME.yaml` and `use: NAME`; a value that begins with `&` or `*` needs quotes");
    }

    /// Puts a complete node where it belongs.
    fn place(&mut self, node: Node) {
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return;
        };
        match open {
            Open::Sequence { items, .. } => items.push(node),
            Open::Mapping { mapping, lines, key, .. } => match std::mem::replace(key, Key::Awaited) {
                Key::Refused => {}
                Key::Given(key, key_at) => {
                    let empty = matches!(&node.content, Content::Scalar { text, plain: true } if text.is_empty());
                    let at = if empty { key_at.clone() } else { node.at };
                    mapping.entries.push(Entry { key, key_at, value: Node { at, content: node.content } });
                }
                Key::Awaited => {
                    *key = match node.content {
                        Content::Invalid => Key::Refused,
                        Content::Scalar { text, .. } => {
                            if let Some(line) = lines.get(&text) {
                                let message = format!("{} is given twice, first in line {line}", quoted(&text));
                                self.problems.at(&node.at, message);
                                Key::Refused
                            } else {
                                lines.insert(text.clone(), node.at.line);
                                Key::Given(text, node.at)
                            }
                        }
                        Content::Sequence(_) | Content::Mapping(_) => {
                            self.problems.at(&node.at, "a list or mapping can't be a key");
                            Key::Refused
                        }
                    };
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Option<Node>, String) {
        let mut problems = Problems::default();
        let file = Arc::from(Path::new("f"));
        let node = parse(&file, text, &mut problems);
        let report = problems.into_result(()).err().map(|errors| errors.to_string()).unwrap_or_default();
        (node, report)
    }

    /// Every scalar and key as `line:column text`.
    fn places(node: &Node, found: &mut Vec<String>) {
        match &node.content {
            Content::Scalar { text, .. } => found.push(format!("{}:{} {text}", node.at.line, node.at.column)),
            Content::Sequence(items) => {
                found.push(format!("{}:{} [", node.at.line, node.at.column));
                for item in items {
                    places(item, found);
                }
            }
            Content::Mapping(mapping) => {
                found.push(format!("{}:{} {{", node.at.line, node.at.column));
                for entry in &mapping.entries {
                    found.push(format!("{}:{} {}:", entry.key_at.line, entry.key_at.column, entry.key));
                    places(&entry.value, found);
                }
            }
            Content::Invalid => found.push("invalid".to_owned()),
        }
    }

    #[test]
    fn every_node_knows_its_place() {
        let (node, report) = read("# comment\nname: grün\nlist:\n  - a\n  - {k: 'v', 'ü': w}\nempty:\nlast: |\n  text\n");
        assert_eq!(report, "");
        let mut found = Vec::new();
        places(&node.unwrap(), &mut found);
        assert_eq!(
            found,
            [
                "2:1 {",
                "2:1 name:",
                "2:7 grün",
                "3:1 list:",
                "4:3 [",
                "4:5 a",
                "5:5 {",
                "5:6 k:",
                "5:9 v",
                "5:14 ü:",
                "5:19 w",
                "6:1 empty:",
                "6:1 ",
                "7:1 last:",
                "8:3 text\n"
            ]
        );
    }

    #[test]
    fn duplicate_keys_are_reported_at_the_second_and_the_first_counts() {
        let (node, report) = read("a: 1\nb: 2\na: 3\n");
        assert_eq!(report, "f:3:1: error: `a` is given twice, first in line 1");
        let Content::Mapping(mapping) = node.unwrap().content else { panic!("not a mapping") };
        assert_eq!(mapping.entries.len(), 2);
        assert!(matches!(&mapping.entry("a").unwrap().value.content, Content::Scalar { text, .. } if text == "1"));
    }

    #[test]
    fn what_has_no_place_in_a_spec_is_refused_in_words() {
        let refused = |text: &str, words: &str| {
            let (_, report) = read(text);
            assert!(report.contains(words), "{text:?} gave {report:?}");
        };
        refused("a: &x 1\nb: *x\n", "f:2:4: error: an alias (`*name`), which is not supported");
        refused("a: &x 1\nb: *x\n", "f:1:4: error: an anchor");
        refused("a: !!str 1\n", "a tag (`!name`)");
        refused("a: 1\n---\nb: 2\n", "f:2:1: error: a second YAML document");
        refused("", "f:1:1: error: the file is empty");
        refused("# only a comment\n", "the file is empty");
        refused("? [a, b]\n: c\n", "can't be a key");
        refused("a: 1\nb: \0\nc: 3\n", "f:2:4: error: control characters");
        refused("a: [1\nb: 2\n", "not valid YAML");
        refused("a: *unknown\n", "not valid YAML");
        refused("a: {port: ${port}}\n", "hint: between braces or brackets");
        refused("a:\n\tb: c\n", "hint: YAML is indented with spaces");
    }

    #[test]
    fn nesting_is_bounded_however_long_the_file_is() {
        let (node, report) = read(&format!("{}{}", "[".repeat(33), "]".repeat(33)));
        assert!(node.is_none());
        assert_eq!(report, "f:1:33: error: nested deeper than 32 levels");
        assert_eq!(read(&format!("{}{}", "[".repeat(32), "]".repeat(32))).1, "");
        // So many brackets on one line are the parser's own limit.
        let (node, report) = read(&"[".repeat(500_000));
        assert!(node.is_none());
        assert!(report.contains("recursion limit exceeded"), "{report}");
        let (node, report) = read(&"- ".repeat(100_000));
        assert!(node.is_none());
        assert!(report.contains("nested deeper than 32 levels"), "{report}");
    }

    #[test]
    fn a_byte_order_mark_and_foreign_line_ends_change_nothing() {
        let plain = read("a: 1\nb: 2\n").0;
        assert_eq!(read("\u{feff}a: 1\nb: 2\n").0, plain);
        assert_eq!(read("a: 1\r\nb: 2\r\n").0, plain);
    }

    proptest::proptest! {
        #[test]
        fn arbitrary_text_never_panics(text in "(?s).{0,200}") {
            let (node, report) = read(&text);
            proptest::prop_assert!(node.is_some() || !report.is_empty());
        }

        #[test]
        fn text_made_of_yaml_punctuation_never_panics(text in "[-\\[\\]{}:,?&*!|>'\"%@` \n\ta0~#]{0,120}") {
            let (node, report) = read(&text);
            proptest::prop_assert!(node.is_some() || !report.is_empty());
        }
    }
}
