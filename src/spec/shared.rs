//! `use:` and `with:` -> one complete workload: shared workloads, their parameters, and what overrides them.
//!
//! Works on trees, before anything is typed: parameters become part of the tree, so that `port: ${port}` is a number when it
//! is read, and an argument keeps the place where it was given. Pure but for reading `workloads/*.yaml` through `files`,
//! each once. Does not know which keys a workload has.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use super::files;
use super::problem::{Location, Problems, known_hint, quoted};
use super::tree::{self, Content, Entry, Mapping, Node};
use super::typing::{self, Fields};

/// Most text that the arguments of one `use` may add to a shared workload: a small file can't grow into a huge one.
const LARGEST_GROWTH: usize = 1024 * 1024;

/// The shared workloads, read when they are first used.
pub(super) struct Library<'a> {
    folder: &'a Path,
    read: HashMap<String, Option<Rc<Shared>>>,
}

/// One file of `workloads/`.
struct Shared {
    /// The parameters and their defaults; `None` for one that has to be given.
    parameters: BTreeMap<String, Option<Node>>,
    workload: Node,
}

impl<'a> Library<'a> {
    /// The shared workloads of `folder`, which need not exist.
    pub(super) fn new(folder: &'a Path) -> Self {
        Self { folder, read: HashMap::new() }
    }

    /// The workload that `entry` of an app stands for, without `use` and `with`.
    pub(super) fn resolve(&mut self, entry: Node, problems: &mut Problems) -> Node {
        self.resolve_in(&mut Vec::new(), entry, problems)
    }

    /// The same within a chain of shared workloads that use each other.
    fn resolve_in(&mut self, chain: &mut Vec<String>, node: Node, problems: &mut Problems) -> Node {
        let Content::Mapping(mut overlay) = node.content else { return node };
        let used = take(&mut overlay, "use");
        let with = take(&mut overlay, "with");
        let Some(used) = used else {
            if let Some(with) = with {
                problems
                    .at(&with.key_at, "`with` without `use`")
                    .hint("`with` gives parameters to the shared workload named by `use`");
            }
            return Node { at: node.at, content: Content::Mapping(overlay) };
        };
        let base = self.instance(chain, &used, with.as_ref(), problems).and_then(|base| match base.content {
            Content::Mapping(base) => Some(base),
            Content::Scalar { .. } | Content::Sequence(_) | Content::Invalid => None,
        });
        let merged = match base {
            Some(base) => merge(base, overlay),
            None => partial(overlay),
        };
        Node { at: node.at, content: Content::Mapping(merged) }
    }

    /// The shared workload that `used` names, with its parameters filled in and its own `use` resolved.
    fn instance(&mut self, chain: &mut Vec<String>, used: &Entry, with: Option<&Entry>, problems: &mut Problems) -> Option<Node> {
        let name = typing::text(&used.value, "use", problems)?;
        let at = &used.value.at;
        if let Some(start) = chain.iter().position(|earlier| earlier == name) {
            let mut circle = chain[start..].to_vec();
            circle.push(name.to_owned());
            problems.at(at, format!("`use` goes round in a circle: {}", circle.join(" -> "))).hint("remove one of these `use`");
            return None;
        }
        let shared = self.shared(name, at, problems)?;
        let arguments = arguments(name, &shared.parameters, at, with, problems);
        let mut workload = shared.workload.clone();
        let mut substitution = Substitution { workload: name, arguments: &arguments, growth: 0, problems };
        substitution.fill(&mut workload);
        chain.push(name.to_owned());
        let resolved = self.resolve_in(chain, workload, problems);
        chain.pop();
        Some(resolved)
    }

    /// The shared workload `name`, which is used at `at`.
    fn shared(&mut self, name: &str, at: &Location, problems: &mut Problems) -> Option<Rc<Shared>> {
        if let Some(read) = self.read.get(name) {
            if let Some(shared) = read {
                return Some(Rc::clone(shared));
            }
            self.complain_if_absent(name, at, problems);
            return None;
        }
        let shared = if self.complain_if_absent(name, at, problems) {
            None
        } else {
            let file: Arc<Path> = Arc::from(self.folder.join(format!("{name}.yaml")));
            let text = files::read_text(&file, problems);
            text.and_then(|text| Shared::read(&file, &text, problems)).map(Rc::new)
        };
        self.read.insert(name.to_owned(), shared.clone());
        shared
    }

    /// Reports, for each of its uses, a shared workload that there is not. A broken file is reported where it is broken.
    fn complain_if_absent(&self, name: &str, at: &Location, problems: &mut Problems) -> bool {
        let file = self.folder.join(format!("{name}.yaml"));
        if super::is_name(name) && !matches!(files::presence(&file), files::Presence::Absent) {
            return false;
        }
        let known = files::workload_names(self.folder);
        let hint = if known.is_empty() {
            format!("write `{}`, or describe the workload here", self.folder.join("NAME.yaml").display())
        } else {
            known_hint(name, known.iter().map(String::as_str))
        };
        problems.at(at, format!("no shared workload {} in `{}`", quoted(name), self.folder.display())).hint(hint);
        true
    }
}

impl Shared {
    /// Reads the file `workloads/NAME.yaml`.
    fn read(file: &Arc<Path>, text: &str, problems: &mut Problems) -> Option<Self> {
        let root = tree::parse(file, text, problems)?;
        let what = "shared workload";
        let fields = Fields::of(&root, what, &["description", "parameters", "workload"], problems)?;
        if let Some(description) = fields.get("description") {
            typing::text(description, "description", problems);
        }
        let parameters = fields.get("parameters").map(|node| parameters(node, problems)).unwrap_or_default();
        let workload = fields.required("workload", "workload: {command: […], …}", problems)?;
        let Content::Mapping(mapping) = &workload.content else {
            typing::wrong(workload, "workload", "a mapping", problems);
            return None;
        };
        if let Some(name) = mapping.entry("name") {
            problems.at(&name.key_at, "a shared workload has no `name`").hint("each app that uses it gives it one");
        }
        Some(Self { parameters, workload: workload.clone() })
    }
}

/// Reads the definitions of parameters: a default, nothing, or a mapping with a default and a description.
fn parameters(node: &Node, problems: &mut Problems) -> BTreeMap<String, Option<Node>> {
    let Content::Mapping(mapping) = &node.content else {
        typing::wrong(node, "parameters", "a mapping of names to defaults", problems);
        return BTreeMap::new();
    };
    let mut parameters = BTreeMap::new();
    for entry in &mapping.entries {
        if !super::is_name(&entry.key) {
            problems.at(&entry.key_at, format!("{} can't be the name of a parameter", quoted(&entry.key))).hint(super::NAME_HINT);
        }
        let what = format!("parameters.{}", entry.key);
        let default = match &entry.value.content {
            Content::Mapping(_) => Fields::of(&entry.value, &what, &["default", "description"], problems).and_then(|fields| {
                if let Some(description) = fields.get("description") {
                    typing::text(description, "description", problems);
                }
                fields.get("default")
            }),
            Content::Scalar { .. } | Content::Sequence(_) | Content::Invalid => Some(&entry.value),
        };
        let default = default.filter(|default| !default.is_null()).map(|default| scalar(default, &what, problems));
        parameters.insert(entry.key.clone(), default);
    }
    parameters
}

/// A copy of a scalar; of anything else an invalid node, after saying so.
fn scalar(node: &Node, what: &str, problems: &mut Problems) -> Node {
    let content = match &node.content {
        Content::Scalar { .. } if typing::text(node, what, problems).is_some() => node.content.clone(),
        Content::Scalar { .. } | Content::Invalid => Content::Invalid,
        Content::Sequence(_) | Content::Mapping(_) => {
            typing::wrong(node, what, "a single value", problems);
            Content::Invalid
        }
    };
    Node { at: node.at.clone(), content }
}

/// The value of every parameter: as given by `with`, or its default.
fn arguments(
    workload: &str,
    parameters: &BTreeMap<String, Option<Node>>,
    used_at: &Location,
    with: Option<&Entry>,
    problems: &mut Problems,
) -> BTreeMap<String, Node> {
    let invalid = |at: &Location| Node { at: at.clone(), content: Content::Invalid };
    let mut arguments = BTreeMap::new();
    let mut unclear = false;
    match with.map(|with| (&with.value, &with.value.content)) {
        None => {}
        Some((_, Content::Mapping(given))) => {
            for entry in &given.entries {
                if parameters.contains_key(&entry.key) {
                    let what = format!("with.{}", entry.key);
                    arguments.insert(entry.key.clone(), scalar(&entry.value, &what, problems));
                    continue;
                }
                let hint = if parameters.is_empty() {
                    "it has no parameters; keys beside `use` override its keys".to_owned()
                } else {
                    known_hint(&entry.key, parameters.keys().map(String::as_str))
                };
                problems
                    .at(&entry.key_at, format!("shared workload `{workload}` has no parameter {}", quoted(&entry.key)))
                    .hint(hint);
            }
        }
        Some((node, _)) => {
            typing::wrong(node, "with", "a mapping of parameters to values", problems);
            unclear = true;
        }
    }
    for (name, default) in parameters {
        if arguments.contains_key(name) {
            continue;
        }
        let value = default.clone().unwrap_or_else(|| {
            if !unclear {
                problems
                    .at(used_at, format!("shared workload `{workload}` needs the parameter `{name}`"))
                    .hint(format!("write `with: {{{name}: …}}` beside `use`"));
            }
            invalid(used_at)
        });
        arguments.insert(name.clone(), value);
    }
    arguments
}

/// Puts arguments in the place of `${name}`.
struct Substitution<'a> {
    workload: &'a str,
    arguments: &'a BTreeMap<String, Node>,
    growth: usize,
    problems: &'a mut Problems,
}

impl Substitution<'_> {
    /// Replaces in every scalar below `node`, but not in keys.
    fn fill(&mut self, node: &mut Node) {
        match &mut node.content {
            Content::Sequence(items) => items.iter_mut().for_each(|item| self.fill(item)),
            Content::Mapping(mapping) => mapping.entries.iter_mut().for_each(|entry| self.fill(&mut entry.value)),
            Content::Scalar { text, plain } if text.contains("${") => {
                let name = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
                if let Some(argument) = name.and_then(|name| self.arguments.get(name)) {
                    // The whole value: it keeps the type that was given, even from within the quotes which `${…}` needs between
                    // braces; and a problem with it is a problem of the argument, where that was given.
                    *node = argument.clone();
                    if let Content::Scalar { text, .. } = &node.content {
                        self.growth += text.len();
                    }
                } else {
                    let plain = *plain;
                    node.content = match self.text(text, &node.at) {
                        Some(text) => Content::Scalar { text, plain },
                        None => Content::Invalid,
                    };
                }
                if self.growth > LARGEST_GROWTH && node.content != Content::Invalid {
                    self.problems
                        .at(&node.at, format!("shared workload `{}` becomes too large with its parameters", self.workload));
                    node.content = Content::Invalid;
                }
            }
            Content::Scalar { .. } | Content::Invalid => {}
        }
    }

    /// `text` with all its `${name}` replaced and `$${` as `${`; `None` if one of them has no value.
    fn text(&mut self, text: &str, at: &Location) -> Option<String> {
        let mut result = String::new();
        let mut rest = text;
        let mut complete = true;
        while let Some(start) = rest.find("${") {
            let (before, from) = rest.split_at(start);
            if let Some(before) = before.strip_suffix('$') {
                result += before;
                result += "${";
                rest = &from[2..];
                continue;
            }
            result += before;
            let Some(end) = from.find('}') else {
                self.problems.at(at, "`${` without `}`").hint("write `$${` for the characters `${`");
                return None;
            };
            match self.arguments.get(&from[2..end]).map(|argument| &argument.content) {
                Some(Content::Scalar { text, .. }) => {
                    self.growth += text.len();
                    if self.growth <= LARGEST_GROWTH {
                        result += text;
                    }
                }
                Some(_) => complete = false,
                None => {
                    complete = false;
                    let hint = match super::problem::nearest(&from[2..end], self.arguments.keys().map(String::as_str)) {
                        Some(name) => format!("did you mean `${{{name}}}`?"),
                        None => {
                            format!("name it under `parameters`, or write `$${{…}}` for the characters {}", quoted(&from[..=end]))
                        }
                    };
                    let message = format!("{} is no parameter of shared workload `{}`", quoted(&from[..=end]), self.workload);
                    self.problems.at(at, message).hint(hint);
                }
            }
            rest = &from[end + 1..];
        }
        result += rest;
        complete.then_some(result)
    }
}

/// Removes the entry with this key.
fn take(mapping: &mut Mapping, key: &str) -> Option<Entry> {
    let index = mapping.entries.iter().position(|entry| entry.key == key)?;
    Some(mapping.entries.remove(index))
}

/// `base` with everything of `overlay` put over it; mappings key by key.
fn merge(mut base: Mapping, overlay: Mapping) -> Mapping {
    base.partial |= overlay.partial;
    for mut entry in overlay.entries {
        if let Some(earlier) = take(&mut base, &entry.key) {
            entry.value.content = match (earlier.value.content, entry.value.content) {
                (Content::Mapping(earlier), Content::Mapping(later)) => Content::Mapping(merge(earlier, later)),
                (_, later) => later,
            };
        }
        base.entries.push(entry);
    }
    base
}

/// Marks that this mapping and those in it may lack entries which the shared workload would have given.
fn partial(mut mapping: Mapping) -> Mapping {
    mapping.partial = true;
    for entry in &mut mapping.entries {
        if let Content::Mapping(inner) = &mut entry.value.content {
            *inner = partial(std::mem::take(inner));
        }
    }
    mapping
}
