//! The tables of a loupedb tree, text in and out. Pure.
//!
//! `dyn.csv` has the columns number, used, works faked, works stubbed, works both, in this order. Two ways to say that a call can
//! be both stubbed and faked are in the published data, a file having one of them throughout: `works both` alone ([`Both::Alone`],
//! the documented one), or all three ([`Both::All`], in measurements taken over from an earlier tool). Everything else that has
//! `works both` contradicts itself and is refused, and so is a file that has both ways: one of the two would be a mistake.
//!
//! A call that was not used can have other cells, too; what they say is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::numbers::Numbers;
use crate::store::StoreError;
use crate::syscalls::{Architecture, Sysno};

/// Whose numbers the tables have: all published measurements were made on `x86_64`.
pub const ARCHITECTURE: Architecture = Architecture::X86_64;

const DYNAMIC_HEADER: &str = "# syscall, used, works faked, works stubbed, works both";
const STATIC_HEADER: &str = "# syscall, used";

/// How a table was written, as far as its rows do not tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Form {
    /// The numbers that have a row. Most of them say "not used", and have no line in our tables.
    pub numbers: Numbers,
    /// Whether the first line names the columns.
    pub header: bool,
    /// Number of line feeds at the end.
    pub line_ends: usize,
    /// How it says that stubbing and faking both work; `None` if it nowhere does, and for static analyses.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub both: Option<Both>,
}

impl Form {
    /// The documented form with these numbers.
    #[must_use]
    pub fn documented(numbers: Numbers) -> Self {
        Self { numbers, header: true, line_ends: 1, both: None }
    }
}

/// How a table says that a call can be stubbed as well as faked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Both {
    /// `N,N,Y`: the three columns exclude one another.
    Alone,
    /// `Y,Y,Y`.
    All,
}

/// What was measured of one call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cells {
    /// Whether the app was seen to make it.
    pub used: bool,
    /// Whether the app works with it stubbed.
    pub stub: bool,
    /// Whether the app works with it faked.
    pub fake: bool,
}

/// `dyn.csv`: the calls of which there is anything to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DynamicTable {
    /// Calls with at least one `Y`.
    pub rows: BTreeMap<Sysno, Cells>,
    /// The rest.
    pub form: Form,
}

/// `static_binary.csv` and `static_sources.csv`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticTable {
    /// The calls that the analysis reports.
    pub reported: BTreeSet<Sysno>,
    /// The rest.
    pub form: Form,
}

/// A row, before its cells mean anything.
struct Row<'a> {
    line: usize,
    number: u32,
    call: Sysno,
    cells: Vec<&'a str>,
}

/// Reads the text of `dyn.csv`; `path` is for messages.
///
/// # Errors
///
/// Every problem with its line: other columns, a number that is none of a call, a call twice, cells that are neither `Y` nor `N` or
/// contradict one another.
pub fn read_dynamic(path: &Path, text: &str) -> Result<DynamicTable, Vec<StoreError>> {
    let mut problems = Vec::new();
    let (lines, mut form) = rows(path, text, DYNAMIC_HEADER, &mut problems);
    let mut table = BTreeMap::new();
    let mut first_both: Option<(Both, usize)> = None;
    for row in &lines {
        let broken = |message: String| StoreError::broken(path, row.line, message);
        let Some([used, fake, stub, both]) = flags::<4>(&row.cells, &["used", "works faked", "works stubbed", "works both"])
            .map_err(|message| problems.push(broken(message)))
            .ok()
        else {
            continue;
        };
        let (way, stub, fake) = match (both, stub, fake) {
            (false, true, true) => {
                problems.push(broken("`works faked` and `works stubbed` are Y, and `works both` is N".to_owned()));
                continue;
            }
            (true, stub, fake) if stub != fake => {
                let (one, other) = if stub { ("works stubbed", "works faked") } else { ("works faked", "works stubbed") };
                problems.push(broken(format!("`works both` is Y, and so is `{one}`, but not `{other}`")));
                continue;
            }
            (false, stub, fake) => (None, stub, fake),
            (true, false, false) => (Some(Both::Alone), true, true),
            (true, _, _) => (Some(Both::All), true, true),
        };
        match (way, first_both) {
            (Some(way), None) => first_both = Some((way, row.line)),
            (Some(way), Some((first, line))) if way != first => {
                let cells = if first == Both::Alone { "N,N,Y" } else { "Y,Y,Y" };
                problems.push(broken(format!("says `works both` in another way than line {line}, which has {cells}")));
            }
            _ => {}
        }
        let cells = Cells { used, stub, fake };
        if cells != Cells::default() {
            table.insert(row.call, cells);
        }
    }
    form.both = first_both.map(|(way, _)| way);
    if problems.is_empty() { Ok(DynamicTable { rows: table, form }) } else { Err(problems) }
}

/// Reads the text of the table of a static analysis; `path` is for messages.
///
/// # Errors
///
/// Every problem with its line, as [`read_dynamic`] does.
pub fn read_static(path: &Path, text: &str) -> Result<StaticTable, Vec<StoreError>> {
    let mut problems = Vec::new();
    let (lines, form) = rows(path, text, STATIC_HEADER, &mut problems);
    let mut reported = BTreeSet::new();
    for row in &lines {
        match flags::<1>(&row.cells, &["used"]) {
            Ok([true]) => drop(reported.insert(row.call)),
            Ok([false]) => {}
            Err(message) => problems.push(StoreError::broken(path, row.line, message)),
        }
    }
    if problems.is_empty() { Ok(StaticTable { reported, form }) } else { Err(problems) }
}

/// The rows with their numbers looked up, and the form of the text.
fn rows<'a>(path: &Path, text: &'a str, header: &str, problems: &mut Vec<StoreError>) -> (Vec<Row<'a>>, Form) {
    let content = text.trim_end_matches('\n');
    let line_ends = text.len() - content.len();
    let columns = names(header);
    let mut lines = (1..).zip(content.split('\n')).peekable();
    let has_header = lines.next_if(|(_, line)| line.starts_with('#'));
    if let Some((line, found)) = has_header
        && names(found) != columns
    {
        problems.push(StoreError::broken(path, line, format!("the columns are `{}` instead of `{header}`", found.trim())));
        // Whatever the cells say, it is something else.
        return (Vec::new(), Form { header: true, ..Form::documented(Numbers::default()) });
    }
    let mut rows = Vec::new();
    let mut seen = BTreeMap::new();
    for (line, text) in lines {
        let mut problem = |message: String| problems.push(StoreError::broken(path, line, message));
        let mut cells: Vec<_> = text.split(',').map(str::trim).collect();
        if text.trim().is_empty() {
            problem("an empty line".to_owned());
            continue;
        }
        if cells.len() != columns.len() {
            problem(format!("{} columns instead of {}", cells.len(), columns.len()));
            continue;
        }
        let first = cells.remove(0);
        let Ok(number) = first.parse::<u32>() else {
            problem(format!("`{first}` is not the number of a system call"));
            continue;
        };
        let Some(call) = call(number) else {
            problem(format!("no Linux on {ARCHITECTURE} has a system call {number}"));
            continue;
        };
        if let Some(before) = seen.insert(number, line) {
            problem(format!("system call {number} (`{call}`) stands in line {before} already"));
            continue;
        }
        rows.push(Row { line, number, call, cells });
    }
    if seen.is_empty() && problems.is_empty() {
        problems.push(StoreError::broken(path, 1, "there are no rows"));
    }
    let numbers = rows.iter().map(|row| row.number).collect();
    (rows, Form { numbers, header: has_header.is_some(), line_ends, both: None })
}

/// The names of the columns of a header; `number` is said or left out.
fn names(header: &str) -> Vec<String> {
    let name = |cell: &str| cell.trim().to_ascii_lowercase().replace("syscall number", "syscall");
    header.trim_start_matches('#').split(',').map(name).collect()
}

fn flags<const N: usize>(cells: &[&str], columns: &[&str; N]) -> Result<[bool; N], String> {
    let mut flags = [false; N];
    for ((flag, cell), column) in flags.iter_mut().zip(cells).zip(columns) {
        *flag = match *cell {
            "Y" => true,
            "N" => false,
            other => return Err(format!("`{column}` is `{other}` instead of Y or N")),
        };
    }
    Ok(flags)
}

/// The call of a number.
fn call(number: u32) -> Option<Sysno> {
    static CALLS: LazyLock<BTreeMap<u32, Sysno>> =
        LazyLock::new(|| Sysno::all().filter_map(|call| Some((call.number(ARCHITECTURE)?, call))).collect());
    CALLS.get(&number).copied()
}

/// The text of `dyn.csv`, in the form given; calls without a row in `rows` are not used. Every number that a row of the form
/// stands for has to be that of a call.
#[must_use]
pub fn write_dynamic(rows: &BTreeMap<Sysno, Cells>, form: &Form) -> String {
    let letter = |yes: bool| if yes { 'Y' } else { 'N' };
    write(form, DYNAMIC_HEADER, |number, text| {
        let cells = call(number).and_then(|call| rows.get(&call)).copied().unwrap_or_default();
        let both = cells.stub && cells.fake;
        let hidden = both && form.both != Some(Both::All);
        let (fake, stub) = (cells.fake && !hidden, cells.stub && !hidden);
        let _ = write!(text, "{number},{},{},{},{}", letter(cells.used), letter(fake), letter(stub), letter(both));
    })
}

/// The text of the table of a static analysis, likewise.
#[must_use]
pub fn write_static(reported: &BTreeSet<Sysno>, form: &Form) -> String {
    write(form, STATIC_HEADER, |number, text| {
        let yes = call(number).is_some_and(|call| reported.contains(&call));
        let _ = write!(text, "{number},{}", if yes { 'Y' } else { 'N' });
    })
}

fn write(form: &Form, header: &str, row: impl Fn(u32, &mut String)) -> String {
    let mut text = String::new();
    if form.header {
        text.push_str(header);
    }
    for number in form.numbers.iter() {
        if !text.is_empty() {
            text.push('\n');
        }
        row(number, &mut text);
    }
    text.push_str(&"\n".repeat(form.line_ends));
    text
}

#[cfg(test)]
mod tests;
