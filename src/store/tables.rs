//! The two tables of a campaign: `verdicts.csv` and `trace.csv`. Each is written and read here and nowhere else, through the
//! names of [`Verdict`] and [`Plan`], so that no column can be swapped between writer and reader.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use super::error::StoreError;
use super::record::TrialRecord;
use crate::explore::{Measured, Plan, Verdict};
use crate::syscalls::Sysno;
use crate::trial::Purpose;

/// The first line of `verdicts.csv`.
pub const VERDICTS_HEADER: &str = "syscall,used,stub,fake,verdict,joint";

/// The first line of `trace.csv`.
pub const TRACE_HEADER: &str = "syscall,count,processes";

/// One line of `verdicts.csv`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerdictRow {
    /// Whether the app was seen to make the call.
    pub used: bool,
    /// Whether it works with the call stubbed. A call that was never made while treated does not count as working.
    pub stub: bool,
    /// Whether it works with the call faked.
    pub fake: bool,
    /// What follows; `None` (an empty cell) if a treatment stayed inconclusive.
    pub verdict: Option<Verdict>,
    /// What the joint configuration does about it; `None` (an empty cell) where none was ever run, as for imported results.
    pub joint: Option<Plan>,
}

/// The lines of `verdicts.csv` by call.
pub type Verdicts = BTreeMap<Sysno, VerdictRow>;

/// The table of a measured campaign.
pub(super) fn verdicts(measured: &Measured) -> Verdicts {
    let row = |row: &crate::explore::Row| VerdictRow {
        used: true,
        stub: row.stub.works(),
        fake: row.fake.works(),
        verdict: row.verdict,
        joint: Some(row.joint),
    };
    measured.rows.iter().filter_map(|(item, found)| Some((item.call()?, row(found)))).collect()
}

/// The text of `verdicts.csv`.
#[must_use]
pub fn write_verdicts(verdicts: &Verdicts) -> String {
    let letter = |yes: bool| if yes { 'Y' } else { 'N' };
    let mut text = format!("{VERDICTS_HEADER}\n");
    for (call, row) in verdicts {
        let verdict = row.verdict.map_or("", Verdict::name);
        let joint = row.joint.map_or("", Plan::name);
        let (used, stub, fake) = (letter(row.used), letter(row.stub), letter(row.fake));
        let _ = writeln!(text, "{call},{used},{stub},{fake},{verdict},{joint}");
    }
    text
}

/// Reads the text of `verdicts.csv`; `path` is for messages.
///
/// # Errors
///
/// [`StoreError::Broken`] with the line, for anything that [`write_verdicts`] does not write: another header, other
/// letters, lines out of order, and a verdict or plan that contradicts the columns before it.
pub fn read_verdicts(path: &Path, text: &str) -> Result<Verdicts, StoreError> {
    let mut verdicts = Verdicts::new();
    for (number, line) in lines(path, text, VERDICTS_HEADER)? {
        let row = verdict_row(line).map_err(|message| StoreError::broken(path, number, message))?;
        if verdicts.last_key_value().is_some_and(|(last, _)| *last >= row.0) {
            return Err(StoreError::broken(path, number, format!("`{}` is out of order or repeated", row.0)));
        }
        verdicts.insert(row.0, row.1);
    }
    Ok(verdicts)
}

fn verdict_row(line: &str) -> Result<(Sysno, VerdictRow), String> {
    let cells: Vec<_> = line.split(',').collect();
    let [call, used, stub, fake, verdict, joint] = cells[..] else {
        return Err(format!("{} columns instead of 6", cells.len()));
    };
    let flag = |column: &str, cell: &str| match cell {
        "Y" => Ok(true),
        "N" => Ok(false),
        other => Err(format!("`{column}` is `{other}` instead of Y or N")),
    };
    let call: Sysno = call.parse().map_err(|error: crate::syscalls::UnknownSyscall| error.to_string())?;
    let (used, stub, fake) = (flag("used", used)?, flag("stub", stub)?, flag("fake", fake)?);
    let verdict = match verdict {
        "" => None,
        name => Some(name.parse::<Verdict>().map_err(|error| error.to_string())?),
    };
    let joint = match joint {
        "" => None,
        name => Some(name.parse::<Plan>().map_err(|error| error.to_string())?),
    };
    if verdict.is_some_and(|verdict| verdict != Verdict::from_treatments(stub, fake)) {
        return Err("`verdict` contradicts `stub` and `fake`".to_owned());
    }
    if (joint == Some(Plan::Stub) && !stub) || (joint == Some(Plan::Fake) && !fake) {
        return Err("`joint` contradicts `stub` and `fake`".to_owned());
    }
    Ok((call, VerdictRow { used, stub, fake, verdict, joint }))
}

/// The numbered lines after the header. A missing line end means that the file was cut off.
pub(super) fn lines<'a>(path: &Path, text: &'a str, header: &str) -> Result<impl Iterator<Item = (usize, &'a str)>, StoreError> {
    let mut lines = (1..).zip(text.split('\n'));
    if lines.next().map(|(_, line)| line) != Some(header) {
        return Err(StoreError::broken(path, 1, format!("the first line is not `{header}`")));
    }
    let count = text.matches('\n').count();
    if !text.ends_with('\n') {
        return Err(StoreError::broken(path, count + 1, "the file is cut off: no line end"));
    }
    Ok(lines.take(count - 1))
}

/// One line of `trace.csv`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TraceRow {
    /// How often the call was made, in all traces together.
    pub count: u64,
    /// Names of the processes that made it, in order.
    pub processes: Vec<String>,
}

/// The lines of `trace.csv` by call.
pub type TraceTable = BTreeMap<Sysno, TraceRow>;

/// What the traces among `records` saw: of each call the number in that trace which has most, so that it is one of a single run.
pub(super) fn trace<'a>(records: impl Iterator<Item = &'a TrialRecord>) -> TraceTable {
    let mut table = TraceTable::new();
    for record in records.filter(|record| record.purpose == Purpose::Trace) {
        for (call, hits) in &record.hits {
            let row = table.entry(*call).or_default();
            row.count = row.count.max(hits.count);
            row.processes.extend(hits.processes.keys().cloned());
            row.processes.sort();
            row.processes.dedup();
        }
    }
    table
}

/// The text of `trace.csv`. Process names stand in one cell, separated by blanks; a blank, comma, quote, backslash or control
/// character in a name is written as `\x20` and the like.
#[must_use]
pub fn write_trace(table: &TraceTable) -> String {
    let mut text = format!("{TRACE_HEADER}\n");
    for (call, row) in table {
        let processes: Vec<_> = row.processes.iter().map(|name| escape(name)).collect();
        let _ = writeln!(text, "{call},{},{}", row.count, processes.join(" "));
    }
    text
}

fn escape(name: &str) -> String {
    name.chars().fold(String::new(), |mut escaped, character| {
        if character.is_ascii_control() || matches!(character, ' ' | ',' | '"' | '\\') {
            let _ = write!(escaped, "\\x{:02x}", u32::from(character));
        } else {
            escaped.push(character);
        }
        escaped
    })
}

fn unescape(cell: &str) -> Option<String> {
    let mut parts = cell.split('\\');
    let mut name = parts.next()?.to_owned();
    for part in parts {
        let digits = part.strip_prefix('x')?.get(..2)?;
        name.push(char::from(u8::from_str_radix(digits, 16).ok()?));
        name.push_str(&part[3..]);
    }
    Some(name)
}

/// Reads the text of `trace.csv`; `path` is for messages.
///
/// # Errors
///
/// [`StoreError::Broken`] with the line, for anything that [`write_trace`] does not write.
pub fn read_trace(path: &Path, text: &str) -> Result<TraceTable, StoreError> {
    let mut table = TraceTable::new();
    for (number, line) in lines(path, text, TRACE_HEADER)? {
        let broken = |message: String| StoreError::broken(path, number, message);
        let cells: Vec<_> = line.split(',').collect();
        let [call, count, processes] = cells[..] else {
            return Err(broken(format!("{} columns instead of 3", cells.len())));
        };
        let call: Sysno = call.parse().map_err(|error: crate::syscalls::UnknownSyscall| broken(error.to_string()))?;
        let count = count.parse().map_err(|_| broken(format!("`count` is `{count}` instead of a number")))?;
        let processes = processes.split(' ').filter(|name| !name.is_empty()).map(unescape).collect::<Option<_>>();
        let processes = processes.ok_or_else(|| broken("`processes` has a broken escape".to_owned()))?;
        if table.last_key_value().is_some_and(|(last, _)| *last >= call) {
            return Err(broken(format!("`{call}` is out of order or repeated")));
        }
        table.insert(call, TraceRow { count, processes });
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEXT: &str = "syscall,used,stub,fake,verdict,joint\n\
        brk,Y,N,N,required,implement\n\
        chown,Y,Y,N,stub,stub\n\
        close,Y,N,Y,fake,fake\n\
        futex,Y,Y,Y,any,implement\n\
        read,Y,N,N,,implement\n\
        uname,N,Y,Y,any,\n";

    fn read(text: &str) -> Result<Verdicts, StoreError> {
        read_verdicts(Path::new("verdicts.csv"), text)
    }

    #[test]
    fn verdicts_are_written_as_published_and_read_back() {
        let verdicts = read(TEXT).unwrap();
        assert_eq!(write_verdicts(&verdicts), TEXT);
        let row = verdicts[&"chown".parse().unwrap()];
        assert!(row.stub && !row.fake);
        assert_eq!((row.verdict, row.joint), (Some(Verdict::Stub), Some(Plan::Stub)));
        let imported = verdicts[&"uname".parse().unwrap()];
        assert_eq!((imported.used, imported.joint), (false, None));
    }

    #[test]
    fn broken_verdicts_are_refused_with_file_and_line() {
        for (from, to, message) in [
            ("syscall,used", "used,syscall", "1: the first line is not `syscall,used,stub,fake,verdict,joint`"),
            ("brk,Y,N", "brk,y,N", "2: `used` is `y` instead of Y or N"),
            ("chown,", "chow,", "3: `chow` is not a Linux system call"),
            ("Y,N,stub,stub", "Y,N,fake,stub", "3: `verdict` contradicts `stub` and `fake`"),
            ("fake,fake", "fake,stub", "4: `joint` contradicts `stub` and `fake`"),
            ("close,", "brk,", "4: `brk` is out of order or repeated"),
            ("any,", "all,", "5: `all` is not a verdict (one of required, stub, fake, any)"),
            (",,implement", ",implement", "6: 5 columns instead of 6"),
            ("N,N,,implement\n", "N,N,,implement\r\n", "6: `implement\r` is not a plan (one of implement, stub, fake)"),
            ("any,\n", "any,impl", "7: the file is cut off: no line end"),
        ] {
            assert!(TEXT.contains(from), "{from}");
            let error = read(&TEXT.replacen(from, to, 1)).unwrap_err();
            assert_eq!(error.to_string(), format!("verdicts.csv:{message}"));
        }
        assert!(read("").is_err());
    }

    proptest! {
        #[test]
        fn any_trace_round_trips(names in prop::collection::btree_set("[ -~é\n\t]{1,15}", 0..4), count: u64) {
            let row = TraceRow { count, processes: names.into_iter().collect() };
            let table = TraceTable::from([("brk".parse().unwrap(), row.clone()), ("read".parse().unwrap(), row)]);
            let text = write_trace(&table);
            prop_assert_eq!(text.lines().count(), 3);
            prop_assert_eq!(read_trace(Path::new("trace.csv"), &text).unwrap(), table);
        }
    }
}
