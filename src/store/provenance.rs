//! `provenance.json`: where imported results come from. It stands where measured ones have their environment and trials.

use serde::{Deserialize, Serialize};

use super::date::Date;
use super::files::FORMAT;
use super::loupedb::Form;

/// Where the results of one app and workload come from that were not measured here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Provenance {
    /// Version of this file.
    pub format: u32,
    /// Whose data it is, in the words of whoever imported it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub source: Option<String>,
    /// The day of the published state, or of the measurement, if it was told.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub date: Option<Date>,
    /// Architecture whose numbers the tables have, as `uname -m` names it.
    pub architecture: String,
    /// Name of the app there.
    pub app: String,
    /// Name of the workload there.
    pub workload: String,
    /// What told measurements of the same app and workload apart there: a hash, or `imported`.
    pub variant: String,
    /// The measurement.
    pub dynamic: SourceFile,
    /// What a static analysis of the binary reported.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub static_binary: Option<SourceFile>,
    /// What a static analysis of the sources reported.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub static_source: Option<SourceFile>,
    /// SHA-256 of the `verdicts.csv` that belongs to this file.
    pub verdicts_sha256: String,
}

/// A file that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SourceFile {
    /// Its path below the folder that was imported.
    pub path: String,
    /// SHA-256 of its bytes.
    pub sha256: String,
    /// How it was written: what it takes to write the same table again.
    #[serde(flatten)]
    pub form: Form,
}

impl Provenance {
    /// The version that is written.
    pub const FORMAT: u32 = FORMAT;

    /// Whether `other` tells of the same files of the same state.
    #[must_use]
    pub fn is_of_same_data(&self, other: &Self) -> bool {
        let contents = |provenance: &Self| {
            let files = [Some(&provenance.dynamic), provenance.static_binary.as_ref(), provenance.static_source.as_ref()];
            files.map(|file| file.map(|file| file.sha256.clone()))
        };
        contents(self) == contents(other)
            && (&self.app, &self.workload, &self.variant, self.date) == (&other.app, &other.workload, &other.variant, other.date)
    }
}
