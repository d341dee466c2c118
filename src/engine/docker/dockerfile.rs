//! Images that a Dockerfile names: those that it builds upon, copies from, or mounts. Pure.
//!
//! Reads instructions as Docker's classic builder does (`Dockerfile reference`): comment lines and directives, line continuations,
//! build arguments before the first `FROM`. It does not check that the Dockerfile is right; the engine does.

use std::collections::BTreeMap;

/// Images that a Dockerfile names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Images {
    /// Images of `FROM`, `COPY --from=` and `RUN --mount=…,from=`, each once, without stages of its own and `scratch`.
    pub(super) needed: Vec<String>,
    /// Image of the directive `# syntax=`, which the classic builder does not use.
    pub(super) frontend: Option<String>,
}

/// Finds the images that `dockerfile` names, with these build arguments.
pub(super) fn images(dockerfile: &str, arguments: &BTreeMap<String, String>) -> Images {
    let directives = directives(dockerfile);
    let escape = directives.get("escape").and_then(|value| value.chars().next()).unwrap_or('\\');
    let mut scan = Scan::new(arguments);
    for instruction in instructions(dockerfile, escape) {
        scan.instruction(&instruction);
    }
    Images { needed: scan.needed, frontend: directives.get("syntax").cloned() }
}

/// State of the search: values of `ARG`, stages so far, images found.
struct Scan<'a> {
    arguments: &'a BTreeMap<String, String>,
    values: BTreeMap<String, String>,
    stages: Vec<String>,
    /// Number of `FROM` so far: a stage can be named by its number, too.
    count: usize,
    needed: Vec<String>,
}

impl<'a> Scan<'a> {
    fn new(arguments: &'a BTreeMap<String, String>) -> Self {
        Self { arguments, values: BTreeMap::new(), stages: Vec::new(), count: 0, needed: Vec::new() }
    }

    fn instruction(&mut self, line: &str) {
        let mut words = line.split_whitespace();
        let Some(keyword) = words.next() else { return };
        let (options, others): (Vec<&str>, Vec<&str>) = words.partition(|word| word.starts_with("--"));
        match keyword.to_ascii_uppercase().as_str() {
            "ARG" => self.arg(&others),
            "FROM" => self.from(&others),
            "COPY" | "ADD" => {
                for image in options.iter().filter_map(|option| option.strip_prefix("--from=")) {
                    self.need(image);
                }
            }
            "RUN" => {
                let mounts = options.iter().filter_map(|option| option.strip_prefix("--mount="));
                for image in mounts.flat_map(|mount| mount.split(',')).filter_map(|field| field.strip_prefix("from=")) {
                    self.need(image);
                }
            }
            // `ONBUILD` runs in images that are built upon this one.
            _ => {}
        }
    }

    fn arg(&mut self, definitions: &[&str]) {
        for definition in definitions {
            let (name, default) = definition.split_once('=').unwrap_or((definition, ""));
            let value = self.arguments.get(name).map_or(default, String::as_str);
            self.values.insert(name.to_owned(), value.trim_matches(['"', '\'']).to_owned());
        }
    }

    fn from(&mut self, words: &[&str]) {
        let Some((image, rest)) = words.split_first() else { return };
        self.need(image);
        self.count += 1;
        if let [keyword, stage] = rest
            && keyword.eq_ignore_ascii_case("AS")
        {
            self.stages.push(stage.to_lowercase());
        }
    }

    fn need(&mut self, image: &str) {
        let image = substitute(image.trim_matches('"'), &self.values);
        let is_number = image.parse::<usize>().is_ok_and(|number| number < self.count);
        let is_stage = is_number || self.stages.contains(&image.to_lowercase());
        if image != "scratch" && !image.is_empty() && !is_stage && !self.needed.contains(&image) {
            self.needed.push(image);
        }
    }
}

/// Parser directives: comments of the form `# name=value` before anything else.
fn directives(dockerfile: &str) -> BTreeMap<String, String> {
    let directive = |line: &str| {
        let (name, value) = line.trim().strip_prefix('#')?.split_once('=')?;
        Some((name.trim().to_lowercase(), value.trim().to_owned()))
    };
    dockerfile.lines().map_while(directive).collect()
}

/// The instructions, each on one line: continued lines are joined, comment lines and empty lines between them left out.
fn instructions(dockerfile: &str, escape: char) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = String::new();
    for line in dockerfile.lines() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        match trimmed.strip_suffix(escape) {
            Some(begin) => {
                open.push_str(begin);
                open.push(' ');
            }
            None => found.push(std::mem::take(&mut open) + trimmed),
        }
    }
    if !open.is_empty() {
        found.push(open);
    }
    found
}

/// Fills in build arguments, also those with a default (`${NAME:-default}`) or a replacement (`${NAME:+other}`).
fn substitute(text: &str, values: &BTreeMap<String, String>) -> String {
    let is_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let value = |name: &str| values.get(name).map_or("", String::as_str);
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        filled.push_str(before);
        if let Some((inside, behind)) = after.strip_prefix('{').and_then(|after| after.split_once('}')) {
            filled.push_str(match (inside.split_once(":-"), inside.split_once(":+")) {
                (Some((name, default)), _) if value(name).is_empty() => default,
                (Some((name, _)), _) => value(name),
                (None, Some((name, _))) if value(name).is_empty() => "",
                (None, Some((_, other))) => other,
                (None, None) => value(inside),
            });
            rest = behind;
        } else {
            let end = after.find(|character| !is_name(character)).unwrap_or(after.len());
            filled.push_str(value(&after[..end]));
            rest = &after[end..];
        }
    }
    filled + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needed(dockerfile: &str) -> Vec<String> {
        images(dockerfile, &BTreeMap::new()).needed
    }

    #[test]
    fn base_images_are_found_with_arguments_and_without_stages() {
        let dockerfile = "ARG SUITE=bookworm\nFROM --platform=linux/amd64 debian:${SUITE}-slim AS build\nfrom Build\nFROM scratch\n\
                          FROM debian:$SUITE-slim\nFROM debian:${RELEASE:-$SUITE}\n";
        assert_eq!(needed(dockerfile)[..1], ["debian:bookworm-slim"]);
        let arguments = BTreeMap::from([("SUITE".to_owned(), "trixie".to_owned())]);
        assert_eq!(images(dockerfile, &arguments).needed[..1], ["debian:trixie-slim"]);
        assert_eq!(needed("ARG A=x\nFROM a:${A:-y}\nFROM b:${B:-y}\nFROM c:${A:+z}\nFROM d$A-e"), ["a:x", "b:y", "c:z", "dx-e"]);
    }

    #[test]
    fn images_that_are_copied_from_or_mounted_are_found() {
        let dockerfile = "FROM debian:bookworm-slim AS build\nFROM scratch\nCOPY --from=build /a /a\nCOPY --from=0 /b /b\n\
                          COPY --chown=1 \\\n  # why\n\n  --from=busybox:1 \\\n  /c /c\nADD --from=busybox:1 /d /d\n\
                          RUN --mount=type=bind,from=tools:2,target=/t true\nONBUILD COPY --from=other /e /e\n";
        assert_eq!(needed(dockerfile), ["debian:bookworm-slim", "busybox:1", "tools:2"]);
    }

    #[test]
    fn directives_are_heeded_before_the_first_instruction_alone() {
        let found = images("# syntax=docker/dockerfile:1\n# escape=`\nFROM a\nCOPY `\n--from=b c d\n", &BTreeMap::new());
        assert_eq!(
            (found.frontend.as_deref(), found.needed),
            (Some("docker/dockerfile:1"), vec!["a".to_owned(), "b".to_owned()])
        );
        assert_eq!(images("# a comment\n# syntax=x\nFROM a\n", &BTreeMap::new()).frontend, None);
        assert_eq!(images("FROM a\n# syntax=x\n", &BTreeMap::new()).frontend, None);
    }
}
