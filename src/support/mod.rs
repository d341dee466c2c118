//! What an OS lacks, and in which order to add it: profiles of operating systems, and support plans for them.
//!
//! After the store, whose verdicts become [`AppFacts`], and before the report, which prints plans. Pure: texts and facts in,
//! plans out; it reads no file, runs nothing, and knows no database.
//!
//! - [`Profile`]: what an OS has; those that are known are built in, as data files in `profiles/`;
//! - [`AppFacts`]: what one app needs, accepts to be stubbed or faked, and does not use;
//! - [`plan`](plan()): the ordered additions ([`Step`]), each of which makes at least one more app run;
//! - [`unlock`], [`what_if`]: the way to one app, and what some calls would bring;
//! - [`published`]: plans by the rules of published ones, to compare with these;
//! - [`Surroundings`]: what an app finds on such an OS, as an intervention to run it under;
//! - [`Verification`]: which runs prove a plan, and how it is corrected where they refute it.
//!
//! # What is decided here
//!
//! - An app without verdicts is *unknown*. It is never counted as one that runs.
//! - What nobody measured has to be there: a call without a verdict, a feature that was not tried.
//! - A joint configuration was verified by running it, so it goes before the verdicts of single calls: what it implements is needed,
//!   and what it stubs or fakes is stubbed or faked if no other app stands against it.
//! - One OS behaves in one way. If the apps that rely on a call being stubbed or faked do not all accept the same, the call has to be
//!   implemented for the first app that contradicts those before it ([`Conflict`]).
//! - A step that implements nothing may still stub or fake something new. An app that needs nothing new at all joins the step
//!   after which it runs.

mod check;
mod facts;
mod fallbacks;
mod frontier;
mod objective;
mod plan;
mod profile;
mod profiles;
pub mod published;
mod question;
mod set;
#[cfg(test)]
mod tests;
mod verification;

pub use check::{Absent, Surroundings};
pub use facts::{AppFacts, CallFacts, DetailFacts, Need};
pub use objective::{Objective, Weights};
pub use plan::{CallUse, Conflict, Extension, FeatureNeeds, Plan, Resolution, Step, plan};
pub use profile::{Profile, ProfileErrors, ProfileProblem};
pub use profiles::{NoSuchProfile, built_in, find};
pub use question::{Closer, Unlock, WhatIf, unlock, what_if};
pub use set::CallSet;
pub use verification::{Aim, Correction, Evidence, Probe, StepState, Verification};
