//! The whole analysis, on programs put together in memory.

mod arm;
mod broken;
mod numbers;
mod reach;
