//! `app.yaml` and `workloads/*.yaml` -> validated [`AppSpec`].
//!
//! First stage of the flow. Reads files only through its loader; builds and starts nothing. Every problem of every file
//! is reported at once, with file, line and column.

mod model;

pub use model::{AppSpec, Check, Client, ImageSource, Kind, Limits, Success, Workload};
