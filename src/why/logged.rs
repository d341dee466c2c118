//! Messages of an app that it has only while something is treated. Pure.

use std::collections::BTreeSet;

/// Lines that are told of one item.
const SHOWN: usize = 3;

/// The lines that runs without treatments have, without what differs from run to run.
#[derive(Debug, Default)]
pub(super) struct Known(BTreeSet<String>);

impl Known {
    pub(super) fn of<'a>(lines: impl Iterator<Item = &'a String>) -> Self {
        Self(lines.map(|line| shape(line)).collect())
    }

    /// Those of `lines` that are new, each shape once, the most telling first.
    pub(super) fn new_lines<'a>(&self, lines: impl Iterator<Item = &'a String>) -> Vec<String> {
        let mut seen = BTreeSet::new();
        let mut new: Vec<&String> = lines
            .filter(|line| {
                let shape = shape(line);
                !shape.is_empty() && !self.0.contains(&shape) && seen.insert(shape)
            })
            .collect();
        new.sort_by_key(|line| !complains(line));
        new.into_iter().take(SHOWN).cloned().collect()
    }
}

/// Whether one of the lines is, numbers aside, in this text.
pub(super) fn has_any(text: &str, lines: &[String]) -> bool {
    text.lines().any(|own| lines.iter().any(|line| shape(line) == shape(own)))
}

/// A line without digits and hexadecimal numbers: times, process ids, addresses, speeds; negative ones included. Of a row of words that
/// differ in nothing else, one is left: how many shares a statistic has (`2=0.54%, 4=0.24%`) is chance as well.
fn shape(line: &str) -> String {
    let word = |word: &str| {
        let number = word.trim_start_matches("0x");
        let is_hexadecimal = word.starts_with("0x") && number.chars().all(|character| character.is_ascii_hexdigit());
        let mut rest = if is_hexadecimal { String::new() } else { word.to_owned() };
        if rest.strip_prefix('-').is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit())) {
            rest.remove(0);
        }
        rest.chars().filter(|character| !character.is_ascii_digit()).collect::<String>()
    };
    let mut words: Vec<_> = line.split_whitespace().map(|text| word(text.trim_end_matches(','))).collect();
    words.dedup();
    words.join(" ").trim().to_owned()
}

/// Whether a line says that something went wrong, rather than just being another one.
fn complains(line: &str) -> bool {
    const WORDS: [&str; 16] = [
        "cannot",
        "can't",
        "could not",
        "couldn't",
        "error",
        "fail",
        "fall back",
        "falling back",
        "function not implemented",
        "invalid",
        "no such",
        "not available",
        "not supported",
        "unable",
        "unsupported",
        "warn",
    ];
    let line = line.to_lowercase();
    WORDS.iter().any(|word| line.contains(word))
}

/// Whether what is written there is a message: a standard stream, or a file that is called a log.
pub(super) fn is_a_log(to: &str) -> bool {
    matches!(to, "stdout" | "stderr" | "/dev/console" | "/dev/kmsg" | "/dev/tty") || to.contains("log")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|line| (*line).to_owned()).collect()
    }

    #[test]
    fn lines_that_differ_in_numbers_alone_are_not_new() {
        let known = Known::of(
            lines(&["7:M 24 Nov 2026 08:21:39.882 # Server initialized", "at 0x7f3a in 12.5 ms", "lat: 4=0.10%"]).iter(),
        );
        let now = lines(&[
            "8:M 25 Nov 2026 09:00:00.001 # Server initialized",
            "at 0xffff in 0.1 ms",
            "8:M 25 Nov 2026 09:00:00.002 # Ready",
            "8:M 25 Nov 2026 09:00:00.002 # Unable to obtain the limit",
            "9:M 25 Nov 2026 09:00:00.003 # Ready",
            "123",
            "lat: 2=0.54%, 10=0.29%",
        ]);
        let new = known.new_lines(now.iter());
        assert_eq!(new, [now[3].as_str(), now[2].as_str()]);
        assert!(has_any("-38:M 25 Nov 2026 09:00:00.009 # Ready\n", &new));
        assert!(!has_any("8:M 25 Nov 2026 09:00:00.001 # Server initialized\n", &new));
    }

    #[test]
    fn messages_go_to_standard_streams_and_logs() {
        for to in ["stdout", "stderr", "/var/log/nginx/error", "/tmp/app.log"] {
            assert!(is_a_log(to), "{to}");
        }
        for to in ["/data/shop.db", "/dev/null"] {
            assert!(!is_a_log(to), "{to}");
        }
    }
}
