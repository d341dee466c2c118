//! The database in the forms that others read: one CSV table, one JSON document, one SQLite file.
//!
//! Part of the store: it reads results and writes files, and knows no engine. loupedb's own format is in
//! [`loupedb`](super::loupedb), because it is read as well as written.

mod flat;
mod schema;
mod sqlite;

pub use flat::{FLAT_HEADER, write_csv, write_json};
pub use sqlite::{QUESTIONS, Question, write_sqlite};
