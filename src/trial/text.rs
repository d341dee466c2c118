//! Text that comes from outside, such as the names of processes: bytes that as a rule are UTF-8, and need not be. Pure.

use std::fmt::Write as _;

/// `bytes` as text of which nothing is lost: UTF-8 stays as it is. In anything else, a byte that is no UTF-8 becomes `\xE9` and the like,
/// and a backslash is doubled.
///
/// The kernel cuts the name of a process after 15 bytes, also in the middle of a character (`PR_SET_NAME`, prctl(2)).
#[must_use]
pub fn lossless(bytes: &[u8]) -> String {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return text.to_owned();
    }
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(&chunk.valid().replace('\\', "\\\\"));
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02X}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_no_utf_8_is_escaped() {
        assert_eq!(lossless("café \\x".as_bytes()), "café \\x");
        assert_eq!(lossless(b"caf\xe9"), "caf\\xE9");
        assert_eq!(lossless(b"a\\b\xff"), "a\\\\b\\xFF");
        // Cut after 15 bytes.
        assert_eq!(lossless(&"é".repeat(8).as_bytes()[..15]), format!("{}\\xC3", "é".repeat(7)));
    }
}
