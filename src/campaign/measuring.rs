//! The version of the measuring code. Pure: a number and its history.
//!
//! A result stands for one image, one workload, one kernel series and one version of the code that measured it: shim, filter, judge,
//! deadlines, planner. Results of another version are measured anew. The version of the package says nothing of that.
//!
//! Whoever changes measuring code decides whether what is measured may differ, and raises the number if it may. `tests/measuring.rs`
//! fails until that was decided.
//!
//! | number | what may differ from the one before |
//! |---|---|
//! | 0 | results stored before there was a number |
//! | 1 | time for answers of the supervisor in deadlines, late ends that are successes, remarks repeated alone, fallbacks, files that commands write, counts of one run, what a main process leaves is ended |

/// The number of this code.
pub const VERSION: u32 = 1;
