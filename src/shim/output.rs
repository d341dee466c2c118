//! A bounded copy of an output stream: its beginning and its end. Pure.

use std::collections::VecDeque;

use crate::trial::Output;

/// Keeps the first and the last half of `limit` bytes of whatever is pushed.
#[derive(Debug)]
pub(super) struct Capture {
    limit: usize,
    head: Vec<u8>,
    tail: VecDeque<u8>,
    dropped: u64,
}

impl Capture {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit: limit.max(2), head: Vec::new(), tail: VecDeque::new(), dropped: 0 }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        let room = (self.limit / 2).saturating_sub(self.head.len()).min(bytes.len());
        let (first, rest) = bytes.split_at(room);
        self.head.extend_from_slice(first);
        let tail_limit = self.limit - self.limit / 2;
        // Of a piece longer than the tail only the end can stay: no need to walk through the rest of it.
        let skipped = rest.len().saturating_sub(tail_limit);
        let rest = &rest[skipped..];
        let overflow = (self.tail.len() + rest.len()).saturating_sub(tail_limit);
        self.tail.drain(..overflow);
        self.tail.extend(rest);
        self.dropped += (skipped + overflow) as u64;
    }

    /// What was kept; where bytes are missing, a line between head and tail says how many.
    pub(super) fn finish(self) -> Output {
        let mut kept = self.head;
        if self.dropped > 0 {
            kept.extend_from_slice(format!("\n[... {} bytes not kept ...]\n", self.dropped).as_bytes());
        }
        kept.extend(self.tail);
        Output { kept, dropped: self.dropped }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn short_output_is_kept_whole() {
        let mut capture = Capture::new(10);
        capture.push(b"01234");
        capture.push(b"56789");
        assert_eq!(capture.finish(), Output { kept: b"0123456789".to_vec(), dropped: 0 });
    }

    #[test]
    fn long_output_keeps_head_and_tail_and_says_what_is_missing() {
        let mut capture = Capture::new(6);
        capture.push(b"abcdefgh");
        capture.push(b"ij");
        let output = capture.finish();
        assert_eq!(String::from_utf8(output.kept).unwrap(), "abc\n[... 4 bytes not kept ...]\nhij");
        assert_eq!(output.dropped, 4);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_from_the_count(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..50), 0..20), limit in 2..64usize) {
            let all: Vec<u8> = pieces.concat();
            let mut capture = Capture::new(limit);
            for piece in &pieces {
                capture.push(piece);
            }
            prop_assert!(capture.head.len() + capture.tail.len() <= limit);
            prop_assert_eq!(capture.head.len() + capture.tail.len() + usize::try_from(capture.dropped).unwrap(), all.len());
            prop_assert!(all.starts_with(&capture.head));
            prop_assert!(all.ends_with(&capture.tail.iter().copied().collect::<Vec<_>>()));
        }
    }
}
