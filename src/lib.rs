//! Loupe finds out, by experiment, which Linux system calls an application really needs.
//!
//! ```text
//! apps/<app>/Dockerfile + app.yaml
//!         │ spec       YAML -> validated AppSpec
//!         ▼
//!    engine            images; the app behind the shim, in fresh surroundings for each trial
//!         │            trace: one unfiltered run that records every call
//!         ▼
//!    explore           pure planner: which trials next? which verdicts?
//!         │ campaign   has them run in parallel, stores each outcome as it comes
//!         ▼
//!    store             results/<app>/<workload>/
//!         │
//!         ├──▶ diff     what changed between two results
//!         ├──▶ why      what an app does with the answer of a stub or fake
//!         ├──▶ export   what other programs enforce: seccomp profiles
//!         └──▶ report, cli
//! ```
//!
//! Beside it stands `static_analysis`: what a tool would say that reads an app's binaries or sources instead of running it.
//!
//! Modules may use those above them in this flow and the vocabulary (`syscalls`, `trial`), never those below.
//!
//! # Words
//!
//! | word | meaning |
//! |---|---|
//! | app | the program under study: a Docker image, or a command of this machine |
//! | workload | how the app is exercised and what counts as success: *run to completion* or *server* |
//! | stub / fake | the kernel never runs the call; it returns `-ENOSYS` / it returns 0 |
//! | intervention | what one trial treats, and how; empty for the baseline |
//! | trial, replica | one run of app and workload in fresh surroundings under one intervention; its k-th repetition |
//! | outcome | `Pass`, `Fail` with a cause, or `Inconclusive`: trouble of engine or host is never evidence |
//! | verdict | per call: `required` (neither works), `stub`, `fake` (only that works), `any` (both work) |
//! | joint configuration | every avoidable call avoided at once, verified by running it |
//! | fallback | what the app uses only while another item is stubbed or faked: no trace shows it |
//! | campaign | all trials of one app, workload and image |
//! | engine | what runs trials: `docker`, `process` for commands of this machine, or `simulated` in tests |
//! | shim | the supervisor in front of the app: installs the filter right before `exec`, counts, reports |
//!
//! # Invariants
//!
//! - A trial without the shim's word that the filter was installed is inconclusive.
//! - A pass in which the treated call was never made proves nothing, and is never counted as "works".
//! - What was imported is never taken for what was measured, and neither replaces the other.
//! - Verdicts depend on the outcomes of trials alone, not on the order in which they end.
//! - Nothing of a trial survives it: no process, socket, file or volume.
//! - Whatever was stored is never lost by what goes wrong later.

#[cfg(feature = "cli")]
pub mod campaign;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "cli")]
pub mod diff;
#[cfg(feature = "cli")]
pub mod engine;
#[cfg(feature = "cli")]
pub mod explore;
#[cfg(feature = "cli")]
pub mod export;
pub mod filter;
#[cfg(feature = "cli")]
pub mod report;
pub mod shim;
#[cfg(feature = "cli")]
pub mod spec;
#[cfg(feature = "cli")]
pub mod static_analysis;
#[cfg(feature = "cli")]
pub mod store;
#[cfg(feature = "cli")]
pub mod support;
pub mod syscalls;
pub mod trial;
#[cfg(feature = "cli")]
pub mod why;
