//! A view of what was measured -> text and JSON. Pure: bytes out, nothing is written.
//!
//! Last stage before the command line. It decides nothing: every number comes from the store or from the campaign's end.

mod campaigns;
mod table;
mod verdicts;

pub use campaigns::{batch_table, counted, seconds};
pub use table::{Align, Table};
pub use verdicts::{show_json, show_text};
