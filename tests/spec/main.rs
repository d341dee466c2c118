//! The spec's format from outside: what good folders give, what broken ones are told, and that nothing makes it panic.
#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod broken;
mod good;
mod robustness;
mod variants;
