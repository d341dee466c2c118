//! `fallbacks.csv`: items that an app uses only while others are stubbed or faked.
//!
//! One line per treated item and item used, in the order of items. No item's text needs quotes in CSV: it has no blank, comma or
//! quote. A table without lines says that there is no fallback; a missing file says that nobody looked for any.

use std::fmt::Write as _;
use std::path::Path;

use super::error::StoreError;
use super::tables::lines;
use crate::explore::FallbackTable;
use crate::trial::{Item, Treatment};

/// The first line of `fallbacks.csv`.
pub const FALLBACKS_HEADER: &str = "item,treatment,uses";

/// In place of an item: everything that the joint configuration treats.
pub const TOGETHER: &str = "(together)";

/// The text of `fallbacks.csv`.
#[must_use]
pub fn write_fallbacks(table: &FallbackTable) -> String {
    let mut text = format!("{FALLBACKS_HEADER}\n");
    for (treated, used) in table.rows() {
        let _ = match treated {
            Some((item, treatment)) => writeln!(text, "{item},{treatment},{used}"),
            None => writeln!(text, "{TOGETHER},,{used}"),
        };
    }
    text
}

/// Reads the text of `fallbacks.csv`; `path` is for messages.
///
/// # Errors
///
/// [`StoreError::Broken`] with the line, for anything that [`write_fallbacks`] does not write.
pub fn read_fallbacks(path: &Path, text: &str) -> Result<FallbackTable, StoreError> {
    let mut table = FallbackTable::default();
    let mut last = None;
    for (number, line) in lines(path, text, FALLBACKS_HEADER)? {
        let broken = |message: String| StoreError::broken(path, number, message);
        let (treated, used) = parse(line).map_err(broken)?;
        // Lines of everything together come last.
        let place = (treated.is_none(), treated, used);
        if last.is_some_and(|last| last >= place) {
            return Err(broken(format!("`{line}` is out of order or repeated")));
        }
        last = Some(place);
        match treated {
            Some((item, treatment)) => table.insert(item, treatment, [used]),
            None => {
                table.together.insert(used);
            }
        }
    }
    Ok(table)
}

type Row = (Option<(Item, Treatment)>, Item);

fn parse(line: &str) -> Result<Row, String> {
    let cells: Vec<_> = line.split(',').collect();
    let [item, treatment, used] = cells[..] else {
        return Err(format!("{} columns instead of 3", cells.len()));
    };
    let recorded = |text: &str| Item::recorded(text).map_err(|error| error.to_string());
    let used = recorded(used)?;
    if item == TOGETHER && treatment.is_empty() {
        return Ok((None, used));
    }
    let item = recorded(item)?;
    let treatment = Treatment::ALL.into_iter().find(|candidate| candidate.name() == treatment);
    let treatment = treatment.ok_or_else(|| "`treatment` names no treatment".to_owned())?;
    if item == used {
        return Err(format!("`{item}` cannot be used in its own place"));
    }
    Ok((Some((item, treatment)), used))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "item,treatment,uses\n\
        getrandom,stub,open\n\
        getrandom,stub,read\n\
        getrandom,stub,/dev/urandom\n\
        pidfd_open,stub,wait4\n\
        pidfd_open,stub,wait4(WNOHANG)\n\
        pidfd_open,fake,wait4\n\
        /proc/self/maps,stub,mincore\n\
        (together),,exit\n";

    fn read(text: &str) -> Result<FallbackTable, StoreError> {
        read_fallbacks(Path::new("fallbacks.csv"), text)
    }

    #[test]
    fn fallbacks_are_read_back_as_they_were_written() {
        let table = read(TEXT).unwrap();
        assert_eq!(write_fallbacks(&table), TEXT);
        assert_eq!(table.rows().count(), 8);
        let uses = |item: &str| table.of(item.parse().unwrap(), Treatment::Stub).map(|used| used.to_string()).collect::<Vec<_>>();
        assert_eq!(uses("getrandom"), ["open", "read", "/dev/urandom"]);
        assert_eq!(uses("read").len(), 0);
        let joint = "stub=getrandom;fake=pidfd_open".parse().unwrap();
        let of_each: Vec<_> = table.of_each(&joint).iter().map(ToString::to_string).collect();
        assert_eq!(of_each, ["open", "read", "wait4", "/dev/urandom"]);
        assert!(!table.is_empty() && read("item,treatment,uses\n").unwrap().is_empty());
    }

    #[test]
    fn broken_fallbacks_are_refused_with_file_and_line() {
        for (from, to, message) in [
            ("item,treatment", "call,treatment", "1: the first line is not `item,treatment,uses`"),
            ("getrandom,stub,read", "getrandom,stub", "3: 2 columns instead of 3"),
            ("getrandom,stub,read", "getrandom,drop,read", "3: `treatment` names no treatment"),
            ("getrandom,stub,read", "getrandom,stub,raed", "3: `raed` is no system call, argument feature or pseudo-file"),
            ("getrandom,stub,read", "getrandom,stub,getrandom", "3: `getrandom` cannot be used in its own place"),
            ("pidfd_open,fake", "pidfd_open,stub", "7: `pidfd_open,stub,wait4` is out of order or repeated"),
            ("(together),,", "(together),stub,", "9: `(together)` is no system call, argument feature or pseudo-file"),
            ("(together),,exit\n", "(together),,exit\n(together),,exit\n", "10: `(together),,exit` is out of order or repeated"),
            ("exit\n", "exit", "9: the file is cut off: no line end"),
        ] {
            assert!(TEXT.contains(from), "{from}");
            let error = read(&TEXT.replacen(from, to, 1)).unwrap_err();
            assert_eq!(error.to_string(), format!("fallbacks.csv:{message}"));
        }
    }
}
