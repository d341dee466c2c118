//! The whole analysis, on programs put together in memory.

mod arm;
mod broken;
pub(in super::super) mod direct;
mod numbers;
mod reach;
