//! One source file -> what matters of it. Pure.
//!
//! tree-sitter parses C without its preprocessor: directives are part of the tree, every branch of `#if` is there, and what it can't
//! make sense of is marked, with the rest intact. The bodies of macros are plain text to it, and are parsed once more by
//! themselves.

use std::collections::BTreeSet;

use tree_sitter::{Node, Parser, TreeCursor};

use super::SourceFile;
use super::comments::without_comments;
use super::wrappers;

/// Longest text of an argument that is kept: numbers and names are shorter.
const TEXT_LIMIT: usize = 80;
/// Arguments that are looked at. The number of a call is among the first ones.
const ARGUMENTS_LIMIT: usize = 8;
/// How deep the parts of an argument may lie in one another.
const CHOICES_LIMIT: usize = 32;

/// What matters of a file.
#[derive(Debug, Default)]
pub(super) struct FileFacts {
    pub(super) path: String,
    pub(super) calls: Vec<Call>,
    pub(super) definitions: Vec<Definition>,
    pub(super) macros: Vec<Macro>,
    /// Where the name of a libc function stands for a value.
    pub(super) mentions: Vec<Mention>,
    /// Names that stand for variables, parameters and the like somewhere in the file.
    pub(super) variables: BTreeSet<String>,
    pub(super) indirect_calls: u64,
    /// Lines of inline assembly with a system call instruction.
    pub(super) assembly: Vec<u64>,
    /// Lines that could not be understood.
    pub(super) errors: Vec<u64>,
}

/// A call of a function or macro by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) function: String,
    /// What the first arguments may be, each with every branch of `?:`. Empty where that is too long to be a name or number.
    pub(super) arguments: Vec<Vec<String>>,
    /// From 1.
    pub(super) line: u64,
    /// The function or macro that it stands in.
    pub(super) within: Option<String>,
}

/// The name of a libc function that stands for a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mention {
    pub(super) name: String,
    /// From 1.
    pub(super) line: u64,
    /// The function or macro that it is an argument of.
    pub(super) given_to: Option<String>,
}

/// A function that the file defines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Definition {
    pub(super) name: String,
    pub(super) parameters: Vec<String>,
    /// Whether only this file sees it.
    pub(super) local: bool,
    /// Whether it stands in a branch of `#if`, so that it may not be there.
    pub(super) conditional: bool,
}

/// A macro.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Macro {
    pub(super) name: String,
    /// `None` for one without parentheses.
    pub(super) parameters: Option<Vec<String>>,
    pub(super) body: String,
}

/// Parses a file.
pub(super) fn parse(file: &SourceFile) -> FileFacts {
    let text = without_comments(&String::from_utf8_lossy(&file.content));
    let mut facts = FileFacts { path: file.path.clone(), ..FileFacts::default() };
    let mut parser = parser();
    let Some(tree) = parser.parse(&text, None) else {
        facts.errors.push(1);
        return facts;
    };
    Walk { text: &text, facts: &mut facts, first_line: 1, macro_name: None, macro_parser: &mut parser }.walk(tree.root_node());
    facts
}

fn parser() -> Parser {
    let mut parser = Parser::new();
    parser.set_language(&tree_sitter_c::LANGUAGE.into()).expect("invariant: the grammar is of a version that the parser knows");
    parser
}

/// A walk through one tree.
struct Walk<'a> {
    text: &'a str,
    facts: &'a mut FileFacts,
    /// The line of the file at which the text begins.
    first_line: u64,
    /// The macro whose body the text is.
    macro_name: Option<&'a str>,
    macro_parser: &'a mut Parser,
}

impl Walk<'_> {
    fn walk(&mut self, root: Node<'_>) {
        let mut cursor = root.walk();
        // Functions and branches of `#if` that the walk is inside of, by the depth at which each began.
        let mut functions: Vec<(u32, String)> = Vec::new();
        let mut conditions: Vec<u32> = Vec::new();
        loop {
            let node = cursor.node();
            functions.retain(|(depth, _)| *depth < cursor.depth());
            conditions.retain(|depth| *depth < cursor.depth());
            if is_condition(node, self.text) {
                conditions.push(cursor.depth());
            }
            let within = functions.last().map(|(_, name)| name.as_str()).or(self.macro_name).map(str::to_owned);
            self.visit(node, within);
            if node.kind() == "function_definition"
                && let Some(name) = self.define(node, !conditions.is_empty())
            {
                functions.push((cursor.depth(), name));
            }
            if !advance(&mut cursor) {
                break;
            }
        }
    }

    fn visit(&mut self, node: Node<'_>, within: Option<String>) {
        // The bodies of macros are full of what only makes sense where they are used.
        if (node.is_error() || node.is_missing()) && self.macro_name.is_none() {
            let line = self.line(node);
            if self.facts.errors.last() != Some(&line) {
                self.facts.errors.push(line);
            }
        }
        match node.kind() {
            "call_expression" => self.call(node, within),
            "preproc_def" | "preproc_function_def" => self.define_macro(node),
            "gnu_asm_expression" if has_system_call(self.of(node)) => {
                let line = self.line(node);
                self.facts.assembly.push(line);
            }
            "identifier" => self.identifier(node),
            _ => {}
        }
    }

    fn of(&self, node: Node<'_>) -> &str {
        self.text.get(node.byte_range()).unwrap_or_default()
    }

    fn line(&self, node: Node<'_>) -> u64 {
        self.first_line + node.start_position().row as u64
    }

    fn call(&mut self, node: Node<'_>, within: Option<String>) {
        let Some(mut function) = node.child_by_field_name("function") else { return };
        while function.kind() == "parenthesized_expression"
            && let Some(inner) = function.named_child(0)
        {
            function = inner;
        }
        if function.kind() != "identifier" {
            self.facts.indirect_calls += 1;
            return;
        }
        let mut arguments = Vec::new();
        if let Some(list) = node.child_by_field_name("arguments") {
            let mut cursor = list.walk();
            let given = list.named_children(&mut cursor);
            arguments.extend(given.take(ARGUMENTS_LIMIT).map(|argument| self.choices(argument, CHOICES_LIMIT)));
        }
        let call = Call { function: self.of(function).to_owned(), arguments, line: self.line(node), within };
        self.facts.calls.push(call);
    }

    /// What an argument may be.
    fn choices(&self, node: Node<'_>, limit: usize) -> Vec<String> {
        let Some(limit) = limit.checked_sub(1) else { return Vec::new() };
        match node.kind() {
            "conditional_expression" => {
                let branches = ["consequence", "alternative"].iter().filter_map(|field| node.child_by_field_name(field));
                branches.flat_map(|branch| self.choices(branch, limit)).collect()
            }
            "parenthesized_expression" if node.named_child_count() == 1 => {
                node.named_child(0).map(|inner| self.choices(inner, limit)).unwrap_or_default()
            }
            "cast_expression" => node.child_by_field_name("value").map(|value| self.choices(value, limit)).unwrap_or_default(),
            _ => {
                let text = self.of(node).trim();
                if text.len() <= TEXT_LIMIT { vec![text.to_owned()] } else { Vec::new() }
            }
        }
    }

    /// Notes a function's definition; its name.
    fn define(&mut self, node: Node<'_>, conditional: bool) -> Option<String> {
        let declarator = function_declarator(node.child_by_field_name("declarator")?)?;
        let name = declarator.child_by_field_name("declarator").filter(|name| name.kind() == "identifier")?;
        let name = self.of(name).to_owned();
        let mut parameters = Vec::new();
        if let Some(list) = declarator.child_by_field_name("parameters") {
            let mut cursor = list.walk();
            for parameter in list.named_children(&mut cursor) {
                let declarator = parameter.child_by_field_name("declarator").and_then(declared_name);
                parameters.push(declarator.map(|name| self.of(name).to_owned()).unwrap_or_default());
            }
        }
        let mut cursor = node.walk();
        let mut specifiers = node.children(&mut cursor).filter(|child| child.kind() == "storage_class_specifier");
        let local = specifiers.any(|specifier| self.of(specifier) == "static");
        self.facts.definitions.push(Definition { name: name.clone(), parameters, local, conditional });
        Some(name)
    }

    /// Notes a macro, and what its body does.
    fn define_macro(&mut self, node: Node<'_>) {
        if self.macro_name.is_some() {
            return;
        }
        let Some(name) = node.child_by_field_name("name").map(|name| self.of(name).to_owned()) else { return };
        let parameters = node.child_by_field_name("parameters").map(|list| {
            let mut cursor = list.walk();
            list.named_children(&mut cursor).map(|parameter| self.of(parameter).to_owned()).collect()
        });
        let Some(value) = node.child_by_field_name("value") else { return };
        let body = self.of(value).trim().to_owned();
        let first_line = self.line(value);
        // A body is an expression, or statements.
        let wrapped = format!("void body(void) {{ {} ; }}", self.of(value));
        if let Some(tree) = self.macro_parser.parse(&wrapped, None) {
            let mut cursor = tree.root_node().walk();
            let function = tree.root_node().named_children(&mut cursor).find(|child| child.kind() == "function_definition");
            if let Some(inside) = function.and_then(|function| function.child_by_field_name("body")) {
                let mut spare = parser();
                let mut inner =
                    Walk { text: &wrapped, facts: self.facts, first_line, macro_name: Some(&name), macro_parser: &mut spare };
                inner.walk(inside);
            }
        }
        self.facts.macros.push(Macro { name, parameters, body });
    }

    /// Notes names of variables, and names of libc functions that stand for a value.
    fn identifier(&mut self, node: Node<'_>) {
        let Some(parent) = node.parent() else { return };
        let is_field = |field: &str| parent.child_by_field_name(field) == Some(node);
        let is_value = match parent.kind() {
            "argument_list" | "initializer_list" | "return_statement" | "pointer_expression" | "conditional_expression" => true,
            "assignment_expression" => is_field("right"),
            "init_declarator" | "initializer_pair" | "cast_expression" => is_field("value"),
            _ => false,
        };
        let name = self.of(node);
        if is_value {
            if wrappers::table().contains_key(name) {
                let call = parent.parent().filter(|_| parent.kind() == "argument_list");
                let given_to =
                    call.and_then(|call| call.child_by_field_name("function")).map(|function| self.of(function).to_owned());
                let mention = Mention { name: name.to_owned(), line: self.line(node), given_to };
                self.facts.mentions.push(mention);
            }
            return;
        }
        let is_declared = match parent.kind() {
            "init_declarator" | "pointer_declarator" | "array_declarator" | "declaration" | "parameter_declaration" => {
                is_field("declarator") || parent.kind() == "pointer_declarator" || parent.kind() == "declaration"
            }
            "enumerator" => is_field("name"),
            "parenthesized_declarator" => true,
            _ => false,
        };
        if is_declared {
            let name = name.to_owned();
            self.facts.variables.insert(name);
        }
    }
}

/// Whether what is below the node is there under a condition only. The guard of a header is none.
fn is_condition(node: Node<'_>, text: &str) -> bool {
    match node.kind() {
        "preproc_if" | "preproc_else" | "preproc_elif" | "preproc_elifdef" => true,
        "preproc_ifdef" => {
            let name = node.child_by_field_name("name").and_then(|name| text.get(name.byte_range()));
            let mut cursor = node.walk();
            let first = node.named_children(&mut cursor).find(|child| !matches!(child.kind(), "identifier" | "comment"));
            let defined = first
                .filter(|first| first.kind() == "preproc_def")
                .and_then(|first| first.child_by_field_name("name"))
                .and_then(|name| text.get(name.byte_range()));
            let is_top = node.parent().is_some_and(|parent| parent.kind() == "translation_unit");
            !(is_top && name.is_some() && name == defined)
        }
        _ => false,
    }
}

/// Goes to the next node in the order of the text; `false` at the end.
fn advance(cursor: &mut TreeCursor<'_>) -> bool {
    if cursor.goto_first_child() {
        return true;
    }
    loop {
        if cursor.goto_next_sibling() {
            return true;
        }
        if !cursor.goto_parent() {
            return false;
        }
    }
}

/// The declarator with the parameters, inside of pointers and parentheses.
fn function_declarator(mut node: Node<'_>) -> Option<Node<'_>> {
    while node.kind() != "function_declarator" {
        node = node.child_by_field_name("declarator").or_else(|| node.named_child(0))?;
    }
    Some(node)
}

/// The name that a declarator declares.
fn declared_name(mut node: Node<'_>) -> Option<Node<'_>> {
    while node.kind() != "identifier" {
        node = node.child_by_field_name("declarator").or_else(|| node.named_child(0))?;
    }
    Some(node)
}

/// Whether assembly has an instruction that calls the kernel.
fn has_system_call(text: &str) -> bool {
    let word = |word: &str| {
        text.match_indices(word).any(|(place, _)| {
            let before = text[..place].chars().next_back();
            let after = text[place + word.len()..].chars().next();
            let is_part =
                |character: Option<char>| character.is_some_and(|character| character.is_alphanumeric() || character == '_');
            !is_part(before) && !is_part(after)
        })
    };
    word("syscall") || word("svc") || word("sysenter") || text.contains("int $0x80") || text.contains("int\\t$0x80")
}
