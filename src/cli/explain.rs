//! Errors as text: what went wrong, what caused it, and last what to do about it. Pure.

/// The message, its causes, and every `hint:` line that any of them carries, at the end.
pub(super) fn explain(error: &anyhow::Error) -> String {
    let mut lines = Vec::new();
    let mut hints = Vec::new();
    let mut before = String::new();
    for (depth, cause) in error.chain().enumerate() {
        let text = cause.to_string();
        let (of_hints, of_text): (Vec<_>, Vec<_>) = text.lines().partition(|line| line.trim_start().starts_with("hint:"));
        hints.extend(of_hints.into_iter().map(|hint| hint.trim().to_owned()));
        let text = of_text.join("\n");
        // Some libraries repeat the cause in their own message.
        if before.contains(&text) {
            continue;
        }
        lines.push(if depth == 0 { text.clone() } else { format!("  caused by: {text}") });
        before = text;
    }
    lines.extend(hints);
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::EngineError;

    #[test]
    fn the_hint_comes_last_and_a_repeated_cause_once() {
        let error = EngineError::Unreachable {
            address: "unix:///x".to_owned(),
            hint: "start it".to_owned(),
            source: Box::new(std::io::Error::other("no such file")),
        };
        let error = anyhow::Error::from(error);
        assert_eq!(explain(&error), "no container engine at `unix:///x`\n  caused by: no such file\nhint: start it");
        let repeated = anyhow::anyhow!("no such file").context("cannot open: no such file");
        assert_eq!(explain(&repeated), "cannot open: no such file");
    }
}
