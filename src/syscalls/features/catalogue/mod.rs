//! Every dimension of every call, by subject.
//!
//! Pure data, indexed when the program is compiled: looking a call up is one array access.
//!
//! The files give for each dimension its label, its calls, its place, how its bits are read, and the tables with names. The
//! order here is that of features within a call. Masks follow the type with which the kernel declares the argument
//! (`SYSCALL_DEFINE` in its sources): an `int` or `unsigned int` has 32 bits, whatever is in the register above them.

mod events;
mod files;
mod memory;
mod network;
mod processes;
mod system;

use super::dimension::Dimension;
use crate::syscalls::{COUNT, Sysno};

static SUBJECTS: [&[Dimension]; 6] =
    [files::DIMENSIONS, memory::DIMENSIONS, processes::DIMENSIONS, events::DIMENSIONS, network::DIMENSIONS, system::DIMENSIONS];

/// How many dimensions a call can have.
const MOST: usize = 5;

/// Stands for no dimension.
const NONE: u16 = u16::MAX;

const fn count() -> usize {
    let (mut subject, mut count) = (0, 0);
    while subject < SUBJECTS.len() {
        count += SUBJECTS[subject].len();
        subject += 1;
    }
    count
}

/// All dimensions in one row.
pub(super) static DIMENSIONS: [&Dimension; count()] = {
    let mut all = [&SUBJECTS[0][0]; count()];
    let (mut subject, mut next) = (0, 0);
    while subject < SUBJECTS.len() {
        let mut index = 0;
        while index < SUBJECTS[subject].len() {
            all[next] = &SUBJECTS[subject][index];
            next += 1;
            index += 1;
        }
        subject += 1;
    }
    all
};

/// For each call the places of its dimensions in [`DIMENSIONS`], filled up with [`NONE`].
static BY_CALL: [[u16; MOST]; COUNT] = {
    let mut table = [[NONE; MOST]; COUNT];
    let mut dimension = 0;
    while dimension < DIMENSIONS.len() {
        let calls = DIMENSIONS[dimension].calls();
        let mut index = 0;
        while index < calls.len() {
            let row = &mut table[calls[index].index()];
            let mut free = 0;
            while row[free] != NONE {
                free += 1;
            }
            #[expect(clippy::cast_possible_truncation, reason = "there are fewer than 65536 dimensions")]
            let number = dimension as u16;
            row[free] = number;
            index += 1;
        }
        dimension += 1;
    }
    table
};

/// The dimensions of `call` with their places in [`DIMENSIONS`].
pub(super) fn of(call: Sysno) -> impl Iterator<Item = (u16, &'static Dimension)> {
    let row = BY_CALL[call.index()].into_iter().take_while(|place| *place != NONE);
    row.map(|place| (place, DIMENSIONS[usize::from(place)]))
}
