//! An object's bytes by the addresses at which they will stand. Pure.
//!
//! Addresses are those in the file; a position-independent object is taken to be loaded at 0. Reads that leave what the file
//! holds give nothing: broken files are no reason to panic.

use std::ops::Range;

use bytes::Bytes;

/// No program has addresses beyond: the kernel gives it at most 56 bits (`Documentation/arch/x86/x86_64/mm.rst`).
const ADDRESS_LIMIT: u64 = 1 << 56;

/// A part of the file that is mapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Segment {
    /// Where it begins in memory.
    pub(super) address: u64,
    /// Which bytes of the file it holds; they fit into the file.
    pub(super) file: Range<usize>,
    /// Whether the program may write to it.
    pub(super) writable: bool,
}

impl Segment {
    fn end(&self) -> u64 {
        self.address.saturating_add((self.file.end - self.file.start) as u64)
    }
}

/// The mapped parts of a file.
#[derive(Debug, Clone, Default)]
pub(super) struct Memory {
    bytes: Bytes,
    segments: Vec<Segment>,
}

impl Memory {
    /// Segments that reach beyond the file are cut off.
    pub(super) fn new(bytes: Bytes, mut segments: Vec<Segment>) -> Self {
        for segment in &mut segments {
            segment.file.end = segment.file.end.min(bytes.len());
            segment.file.start = segment.file.start.min(segment.file.end);
        }
        segments.retain(|segment| !segment.file.is_empty() && segment.end() <= ADDRESS_LIMIT);
        segments.sort_by_key(|segment| segment.address);
        Self { bytes, segments }
    }

    fn segment(&self, address: u64) -> Option<&Segment> {
        let after = self.segments.partition_point(|segment| segment.address <= address);
        self.segments[..after].iter().rev().find(|segment| address < segment.end())
    }

    /// The mapped parts, in order.
    pub(super) fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Everything from `address` to the end of its segment; empty where nothing is mapped.
    pub(super) fn from(&self, address: u64) -> &[u8] {
        let Some(segment) = self.segment(address) else { return &[] };
        let offset = usize::try_from(address - segment.address).unwrap_or(usize::MAX);
        segment.file.start.checked_add(offset).and_then(|start| self.bytes.get(start..segment.file.end)).unwrap_or_default()
    }

    /// The bytes of the range, as far as they are mapped.
    pub(super) fn range(&self, range: &Range<u64>) -> &[u8] {
        let bytes = self.from(range.start);
        let length = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX);
        &bytes[..length.min(bytes.len())]
    }

    /// Whether `address` is mapped and the program can't write to it.
    pub(super) fn is_constant(&self, address: u64) -> bool {
        self.segment(address).is_some_and(|segment| !segment.writable)
    }

    /// The little-endian number of `size` bytes, at most 8, at `address`.
    pub(super) fn number(&self, address: u64, size: usize) -> Option<u64> {
        let bytes = self.from(address).get(..size.min(8))?;
        let mut whole = [0; 8];
        whole[..bytes.len()].copy_from_slice(bytes);
        Some(u64::from_le_bytes(whole))
    }

    /// The text at `address` up to its NUL, if it is printable and not longer than `limit`.
    pub(super) fn text(&self, address: u64, limit: usize) -> Option<&str> {
        let bytes = self.from(address);
        let end = bytes.iter().take(limit + 1).position(|byte| *byte == 0)?;
        let text = std::str::from_utf8(&bytes[..end]).ok()?;
        (!text.chars().any(char::is_control)).then_some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory() -> Memory {
        let segment = |address, file: Range<usize>, writable| Segment { address, file, writable };
        Memory::new(
            Bytes::from_static(b"0123456789abc\0\x01\0"),
            vec![segment(0x2000, 8..400, true), segment(0x1000, 0..8, false), segment(u64::MAX - 1, 0..4, false)],
        )
    }

    #[test]
    fn addresses_lead_to_bytes_and_nowhere_beyond_the_file() {
        let memory = memory();
        assert_eq!(memory.from(0x1006), b"67");
        assert_eq!(memory.range(&(0x2001..0x2003)), b"9a");
        assert_eq!(memory.range(&(0x2006..0x9000)), [1, 0]);
        for nowhere in [0, 0xfff, 0x1008, 0x2008, 0x2188] {
            assert!(memory.from(nowhere).is_empty(), "{nowhere:#x}");
        }
        // No program can have anything there.
        assert!(memory.from(u64::MAX - 1).is_empty());
    }

    #[test]
    fn numbers_and_texts_are_whole_or_nothing() {
        let memory = memory();
        assert_eq!(memory.number(0x2006, 2), Some(1));
        assert_eq!(memory.number(0x2006, 4), None);
        assert_eq!(memory.text(0x2002, 10), Some("abc"));
        assert_eq!((memory.text(0x2002, 2), memory.text(0x1000, 99), memory.text(0x2006, 9)), (None, None, None));
        assert!(memory.is_constant(0x1000) && !memory.is_constant(0x2000) && !memory.is_constant(0x1800));
    }
}
