//! Where functions begin and end. Pure.
//!
//! Compilers describe how to unwind the stack of every function (`.eh_frame`, which the x86-64 ABI wants of all code), and that
//! names its range, stripped or not. What is left between those is cut where a symbol or an address in data points to; whoever
//! knows of calls into it cuts it further ([`split`]). It need not be right: a piece that is too long makes the analysis report
//! more, and what falls through from one piece to the next is followed.

use std::ops::Range;

use gimli::{BaseAddresses, CieOrFde, EhFrame, LittleEndian, UnwindSection as _};

use super::elf::Object;
use super::relocations::Pointer;

/// A stretch of code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Function {
    pub(super) range: Range<u64>,
    /// Whether its compiler said where it begins and ends.
    pub(super) described: bool,
}

/// Every stretch of code of the object. `frames` is where `.eh_frame` stands, `header` where its index does, either of which may
/// be unknown.
pub(super) fn find(object: &Object, frames: Option<u64>, header: Option<u64>) -> Vec<Function> {
    let mut described = frames.or_else(|| header.and_then(|header| frames_of(object, header))).map_or_else(Vec::new, |frames| {
        unwound(object, frames).into_iter().filter(|range| object.is_code(range.start)).collect()
    });
    described.sort_by_key(|range| (range.start, range.end));
    described.dedup_by_key(|range| range.start);
    // Of two that overlap, the first goes up to the second.
    for index in 1..described.len() {
        let begin = described[index].start;
        described[index - 1].end = described[index - 1].end.min(begin);
    }
    let mut functions = Vec::new();
    let mut described = described.into_iter().peekable();
    for code in &object.code {
        let mut at = code.start;
        while let Some(range) = described.next_if(|range| range.start < code.end) {
            if at < range.start {
                functions.push(Function { range: at..range.start, described: false });
            }
            let range = range.start..range.end.min(code.end);
            at = range.end;
            if !range.is_empty() {
                functions.push(Function { range, described: true });
            }
        }
        if at < code.end {
            functions.push(Function { range: at..code.end, described: false });
        }
    }
    let pointers = object.relocations.pointers.iter().filter_map(|pointer| match pointer {
        Pointer::Own(address) | Pointer::Resolved(address) => Some(*address),
        Pointer::Symbol(..) => None,
    });
    let known = object
        .labels
        .addresses()
        .chain(object.labels.ends())
        .chain(pointers)
        .chain([object.entry])
        .chain(object.dynamic.called.iter().copied());
    split(&mut functions, known);
    functions
}

/// Cuts the stretches that nobody described at these addresses.
pub(super) fn split(functions: &mut Vec<Function>, at: impl Iterator<Item = u64>) {
    let mut at: Vec<_> = at.collect();
    at.sort_unstable();
    at.dedup();
    let mut cut = Vec::with_capacity(functions.len());
    for function in functions.drain(..) {
        let mut rest = function.range.clone();
        if !function.described {
            let first = at.partition_point(|address| *address <= rest.start);
            for address in at[first..].iter().take_while(|address| **address < function.range.end) {
                cut.push(Function { range: rest.start..*address, described: false });
                rest.start = *address;
            }
        }
        cut.push(Function { range: rest, described: function.described });
    }
    *functions = cut;
}

/// Where `.eh_frame` stands, by its index.
fn frames_of(object: &Object, header: u64) -> Option<u64> {
    let parsed = gimli::EhFrameHdr::new(object.memory.from(header), LittleEndian);
    let bases = BaseAddresses::default().set_eh_frame_hdr(header);
    parsed.parse(&bases, 8).ok()?.eh_frame_ptr().direct().ok()
}

/// The range of every function that is described at `address`, as far as the table can be read.
fn unwound(object: &Object, address: u64) -> Vec<Range<u64>> {
    let frames = EhFrame::new(object.memory.from(address), LittleEndian);
    let bases = BaseAddresses::default().set_eh_frame(address);
    let mut entries = frames.entries(&bases);
    let mut ranges = Vec::new();
    while let Ok(Some(entry)) = entries.next() {
        if let CieOrFde::Fde(partial) = entry
            && let Ok(function) = partial.parse(EhFrame::cie_from_offset)
        {
            // That of a signal's return begins one byte early, for unwinders that look up the byte before a return address.
            let early = u64::from(function.is_signal_trampoline());
            let start = function.initial_address().saturating_add(early);
            ranges.push(start..function.end_address().max(start));
        }
    }
    ranges
}
