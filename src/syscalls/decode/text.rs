//! Bytes and numbers as text.
//!
//! Pure.

use std::fmt::Write as _;

/// How many bytes of data are shown.
pub(super) const DATA_LIMIT: usize = 32;

/// A pointer that is not followed.
pub(super) fn address(value: u64) -> String {
    if value == 0 { "NULL".to_owned() } else { format!("{value:#x}") }
}

/// Hexadecimal, except 0.
pub(super) fn hexadecimal(value: u64) -> String {
    if value == 0 { "0".to_owned() } else { format!("{value:#x}") }
}

/// Permissions as in C: with a leading 0.
pub(super) fn octal(value: u64) -> String {
    if value == 0 { "000".to_owned() } else { format!("0{value:o}") }
}

/// A string literal of C, with `...` behind it if there is `more`.
pub(super) fn quoted(bytes: &[u8], more: bool) -> String {
    let mut text = String::with_capacity(bytes.len() + 2);
    text.push('"');
    for byte in bytes {
        match byte {
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            b'"' | b'\\' => {
                text.push('\\');
                text.push(char::from(*byte));
            }
            b' '..=b'~' => text.push(char::from(*byte)),
            _ => {
                let _ = write!(text, "\\x{byte:02x}");
            }
        }
    }
    text.push_str(if more { "\"..." } else { "\"" });
    text
}

/// Elements in brackets, with `...` behind them if there are `more`.
pub(super) fn list(mut elements: Vec<String>, more: bool) -> String {
    if more {
        elements.push("...".to_owned());
    }
    format!("[{}]", elements.join(", "))
}
