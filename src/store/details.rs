//! `features.csv` and `pseudo-files.csv`: what is finer or coarser than a call, in the columns of `verdicts.csv`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use super::error::StoreError;
use super::tables::lines;
use crate::explore::{Measured, Row, TreatmentResult, Verdict};
use crate::syscalls::features::Feature;
use crate::syscalls::paths::PseudoFile;
use crate::trial::Item;

/// The first line of `features.csv`.
pub const FEATURES_HEADER: &str = "syscall,feature,used,stub,fake,verdict";

/// The first line of `pseudo-files.csv`.
pub const PSEUDO_FILES_HEADER: &str = "pseudo-file,used,stub,fake,verdict";

/// One line of either. Cells are empty where a treatment was not tried, as of features of calls that an OS need not implement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DetailRow {
    /// Whether the app was seen to use it.
    pub used: bool,
    /// Whether the app works with it stubbed (a pseudo-file: absent).
    pub stub: Option<bool>,
    /// Whether the app works with it faked (a pseudo-file: empty).
    pub fake: Option<bool>,
    /// What follows; `None` if a treatment was not tried or stayed inconclusive.
    pub verdict: Option<Verdict>,
}

/// The lines of a table by what they are about.
pub type DetailTable<T> = BTreeMap<T, DetailRow>;

impl From<&Row> for DetailRow {
    fn from(row: &Row) -> Self {
        let works = |result: TreatmentResult| (result != TreatmentResult::Untried).then(|| result.works());
        Self { used: true, stub: works(row.stub), fake: works(row.fake), verdict: row.verdict }
    }
}

impl DetailRow {
    fn cells(self) -> String {
        let letter = |yes: bool| if yes { "Y" } else { "N" };
        let optional = |yes: Option<bool>| yes.map_or("", letter);
        let verdict = self.verdict.map_or("", Verdict::name);
        format!("{},{},{},{verdict}", letter(self.used), optional(self.stub), optional(self.fake))
    }

    fn parse(used: &str, stub: &str, fake: &str, verdict: &str) -> Result<Self, String> {
        let optional = |column: &str, cell: &str| match cell {
            "Y" => Ok(Some(true)),
            "N" => Ok(Some(false)),
            "" => Ok(None),
            other => Err(format!("`{column}` is `{other}` instead of Y, N or nothing")),
        };
        let (stub, fake) = (optional("stub", stub)?, optional("fake", fake)?);
        let used = optional("used", used)?.ok_or_else(|| "`used` is empty".to_owned())?;
        let verdict = match verdict {
            "" => None,
            name => Some(name.parse::<Verdict>().map_err(|error| error.to_string())?),
        };
        let derived = stub.zip(fake).map(|(stub, fake)| Verdict::from_treatments(stub, fake));
        if verdict.is_some() && verdict != derived {
            return Err("`verdict` contradicts `stub` and `fake`".to_owned());
        }
        Ok(Self { used, stub, fake, verdict })
    }
}

/// The argument features of a measured campaign.
pub(super) fn features(measured: &Measured) -> DetailTable<Feature> {
    let feature =
        |(item, row): (&Item, &Row)| if let Item::Feature(feature) = item { Some((*feature, row.into())) } else { None };
    measured.rows.iter().filter_map(feature).collect()
}

/// The pseudo-files of a measured campaign.
pub(super) fn pseudo_files(measured: &Measured) -> DetailTable<PseudoFile> {
    let file = |(item, row): (&Item, &Row)| if let Item::File(file) = item { Some((*file, row.into())) } else { None };
    measured.rows.iter().filter_map(file).collect()
}

/// The text of `features.csv`, in order of calls and names.
#[must_use]
pub fn write_features(table: &DetailTable<Feature>) -> String {
    let mut text = format!("{FEATURES_HEADER}\n");
    for (feature, row) in table {
        let _ = writeln!(text, "{},{},{}", feature.call(), feature.name(), row.cells());
    }
    text
}

/// The text of `pseudo-files.csv`, in order of paths.
#[must_use]
pub fn write_pseudo_files(table: &DetailTable<PseudoFile>) -> String {
    let mut text = format!("{PSEUDO_FILES_HEADER}\n");
    for (file, row) in table {
        let _ = writeln!(text, "{file},{}", row.cells());
    }
    text
}

/// Reads the text of `features.csv`; `path` is for messages.
///
/// # Errors
///
/// [`StoreError::Broken`] with the line, for anything that [`write_features`] does not write.
pub fn read_features(path: &Path, text: &str) -> Result<DetailTable<Feature>, StoreError> {
    read(path, text, FEATURES_HEADER, |line| {
        let cells: Vec<_> = line.split(',').collect();
        let [call, name, used, stub, fake, verdict] = cells[..] else {
            return Err(format!("{} columns instead of 6", cells.len()));
        };
        let feature = format!("{call}({name})");
        let feature: Feature = feature.parse().map_err(|_| format!("`{feature}` is no argument feature"))?;
        Ok((feature, DetailRow::parse(used, stub, fake, verdict)?))
    })
}

/// Reads the text of `pseudo-files.csv`; `path` is for messages.
///
/// # Errors
///
/// [`StoreError::Broken`] with the line, for anything that [`write_pseudo_files`] does not write.
pub fn read_pseudo_files(path: &Path, text: &str) -> Result<DetailTable<PseudoFile>, StoreError> {
    read(path, text, PSEUDO_FILES_HEADER, |line| {
        let cells: Vec<_> = line.split(',').collect();
        let [file, used, stub, fake, verdict] = cells[..] else {
            return Err(format!("{} columns instead of 5", cells.len()));
        };
        let file = PseudoFile::recorded(file).map_err(|error| error.to_string())?;
        Ok((file, DetailRow::parse(used, stub, fake, verdict)?))
    })
}

fn read<T: Ord + ToString>(
    path: &Path,
    text: &str,
    header: &str,
    row: impl Fn(&str) -> Result<(T, DetailRow), String>,
) -> Result<DetailTable<T>, StoreError> {
    let mut table = DetailTable::new();
    for (number, line) in lines(path, text, header)? {
        let (key, row) = row(line).map_err(|message| StoreError::broken(path, number, message))?;
        if table.last_key_value().is_some_and(|(last, _)| *last >= key) {
            return Err(StoreError::broken(path, number, format!("`{}` is out of order or repeated", key.to_string())));
        }
        table.insert(key, row);
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FEATURES: &str = "syscall,feature,used,stub,fake,verdict\n\
        ioctl,FIONREAD,Y,N,N,required\n\
        ioctl,TCGETS,Y,,,\n\
        mmap,MAP_ANONYMOUS,Y,N,Y,fake\n";

    #[test]
    fn tables_are_read_back_as_they_were_written() {
        let features = read_features(Path::new("features.csv"), FEATURES).unwrap();
        assert_eq!(write_features(&features), FEATURES);
        let text = "pseudo-file,used,stub,fake,verdict\n/dev/urandom,Y,N,N,required\n/proc/self/status,Y,Y,Y,any\n";
        let files = read_pseudo_files(Path::new("pseudo-files.csv"), text).unwrap();
        assert_eq!(write_pseudo_files(&files), text);
    }

    #[test]
    fn broken_tables_are_refused_with_file_and_line() {
        for (from, to, message) in [
            ("ioctl,TCGETS", "ioctl,TCGOTS", "3: `ioctl(TCGOTS)` is no argument feature"),
            ("Y,N,Y,fake", "Y,N,Y,stub", "4: `verdict` contradicts `stub` and `fake`"),
            ("Y,,,", "Y,,N,required", "3: `verdict` contradicts `stub` and `fake`"),
            ("ioctl,TCGETS", "ioctl,FIONREAD", "3: `ioctl(FIONREAD)` is out of order or repeated"),
            ("FIONREAD,Y", "FIONREAD,", "2: `used` is empty"),
            ("Y,N,N,required", "Y,N,required", "2: 5 columns instead of 6"),
        ] {
            assert!(FEATURES.contains(from), "{from}");
            let error = read_features(Path::new("features.csv"), &FEATURES.replacen(from, to, 1)).unwrap_err();
            assert_eq!(error.to_string(), format!("features.csv:{message}"));
        }
    }
}
