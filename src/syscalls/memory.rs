//! How the rest of the vocabulary looks at the memory of the process that makes a call.
//!
//! Pure: whoever calls brings a function that reads, and this module only asks for pieces that such a function can get. The
//! shim reads the caller's memory through the kernel; tests read from a table.

/// Fills the buffer with the bytes that begin at the address, or says that it cannot; then the buffer's content is void.
///
/// All or nothing: a piece that is readable in part counts as unreadable.
pub type Read<'a> = dyn FnMut(u64, &mut [u8]) -> bool + 'a;

/// Longest path that the kernel accepts, with its terminator (`PATH_MAX` of `linux/limits.h`).
pub const PATH_LIMIT: usize = 4096;

/// The smallest unit that memory is mapped in.
const PAGE: u64 = 4096;

/// A little-endian number of up to 8 bytes; `None` if the memory cannot be read or there are more bytes.
pub fn number(read: &mut Read<'_>, address: u64, width: usize) -> Option<u64> {
    let mut bytes = [0; 8];
    read(address, bytes.get_mut(..width)?).then(|| u64::from_le_bytes(bytes))
}

/// So many bytes; `None` if they cannot be read.
pub fn bytes(read: &mut Read<'_>, address: u64, count: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; count];
    (count == 0 || read(address, &mut bytes)).then_some(bytes)
}

/// Text up to its terminator, which is not part of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// What was read.
    pub bytes: Vec<u8>,
    /// Whether the terminator was reached within the limit.
    pub whole: bool,
}

/// The C string at `address`, of which at most `limit` bytes are read; `None` if it cannot be read as far as that.
///
/// It is read in pieces that end where a page does, as the next page may not be there.
pub fn text(read: &mut Read<'_>, address: u64, limit: usize) -> Option<Text> {
    const PIECE: u64 = 256;
    let mut bytes = Vec::new();
    while bytes.len() < limit {
        let at = address.checked_add(u64::try_from(bytes.len()).ok()?)?;
        let piece = usize::try_from((PAGE - at % PAGE).min(PIECE)).ok()?.min(limit - bytes.len());
        let begin = bytes.len();
        bytes.resize(begin + piece, 0);
        if !read(at, &mut bytes[begin..]) {
            return None;
        }
        if let Some(end) = bytes[begin..].iter().position(|byte| *byte == 0) {
            bytes.truncate(begin + end);
            return Some(Text { bytes, whole: true });
        }
    }
    Some(Text { bytes, whole: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One readable stretch of memory.
    fn stretch(begin: u64, content: &[u8]) -> impl FnMut(u64, &mut [u8]) -> bool {
        move |address, buffer| {
            let Some(offset) = address.checked_sub(begin).and_then(|offset| usize::try_from(offset).ok()) else { return false };
            let Some(bytes) = content.get(offset..).and_then(|rest| rest.get(..buffer.len())) else { return false };
            buffer.copy_from_slice(bytes);
            true
        }
    }

    #[test]
    fn text_that_ends_right_before_unreadable_memory_is_read() {
        let mut page = vec![b'x'; 4096];
        page[4090..].copy_from_slice(b"/proc\0");
        let text = text(&mut stretch(0x1000, &page), 0x1000 + 4090, PATH_LIMIT);
        assert_eq!(text, Some(Text { bytes: b"/proc".to_vec(), whole: true }));
    }

    #[test]
    fn text_over_several_pages_is_read_up_to_the_limit() {
        let mut pages = vec![b'x'; 3 * 4096];
        pages[9000..].fill(0);
        let whole = text(&mut stretch(0x1000, &pages), 0x1001, 10_000).unwrap();
        assert_eq!((whole.bytes.len(), whole.whole), (8999, true));
        let part = text(&mut stretch(0x1000, &pages), 0x1001, PATH_LIMIT).unwrap();
        assert_eq!((part.bytes.len(), part.whole), (PATH_LIMIT, false));
    }

    #[test]
    fn text_without_end_in_readable_memory_is_none() {
        assert_eq!(text(&mut stretch(0x1000, &[b'x'; 4096]), 0x1000, 5000), None);
        assert_eq!(text(&mut stretch(0, &[]), u64::MAX - 3, 5000), None);
    }

    #[test]
    fn numbers_are_little_endian_and_at_most_eight_bytes() {
        let memory = [0x78, 0x56, 0x34, 0x12, 0, 0, 0, 0x80, 0xff];
        assert_eq!(number(&mut stretch(16, &memory), 16, 4), Some(0x1234_5678));
        assert_eq!(number(&mut stretch(16, &memory), 16, 8), Some(0x8000_0000_1234_5678));
        assert_eq!(number(&mut stretch(16, &memory), 16, 9), None);
        assert_eq!(number(&mut stretch(16, &memory), 23, 4), None);
    }
}
