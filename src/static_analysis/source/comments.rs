//! C without its comments, byte for byte in the same places. Pure.
//!
//! tree-sitter takes a comment in a macro's body for the body's end. The compiler has replaced it by a blank by then.

/// Where a byte of the text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Within {
    Code,
    /// Between these quotes.
    Quotes(u8),
    LineComment,
    BlockComment,
}

/// The text with blanks in the place of comments. Lines stay where they are: where a comment of several lines stands in a directive,
/// the directive goes on over them.
pub(super) fn without_comments(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut result = bytes.to_vec();
    let mut within = Within::Code;
    let mut in_directive = false;
    let mut line_is_blank = true;
    let mut index = 0;
    while index < bytes.len() {
        let (here, next) = (bytes[index], bytes.get(index + 1).copied());
        let mut length = 1;
        match within {
            Within::Code => match (here, next) {
                (b'/', Some(b'*')) => (within, length) = (Within::BlockComment, 2),
                (b'/', Some(b'/')) => (within, length) = (Within::LineComment, 2),
                (b'"' | b'\'', _) => within = Within::Quotes(here),
                (b'#', _) if line_is_blank => in_directive = true,
                (b'\\', Some(_)) => length = 2,
                _ => {}
            },
            Within::Quotes(quote) => match here {
                b'\\' => length = 2,
                // A lone apostrophe of an `#error`.
                b'\n' => within = Within::Code,
                _ if here == quote => within = Within::Code,
                _ => {}
            },
            Within::LineComment if here == b'\\' && next == Some(b'\n') => length = 2,
            Within::LineComment if here == b'\n' => within = Within::Code,
            Within::BlockComment if here == b'*' && next == Some(b'/') => length = 2,
            Within::LineComment | Within::BlockComment => {}
        }
        let end = (index + length).min(bytes.len());
        if matches!(within, Within::LineComment | Within::BlockComment) {
            for (blank, byte) in result[index..end].iter_mut().zip(&bytes[index..end]).filter(|(_, byte)| **byte != b'\n') {
                // The mark of a line that goes on is none of the comment's.
                *blank = if *byte == b'\\' && within == Within::LineComment && length == 2 { b'\\' } else { b' ' };
            }
            if here == b'\n' && within == Within::BlockComment && in_directive && index > 0 && result[index - 1] == b' ' {
                result[index - 1] = b'\\';
            }
        } else if here == b'\n' {
            (in_directive, line_is_blank) = (false, true);
        } else if !here.is_ascii_whitespace() {
            line_is_blank = false;
        }
        if within == Within::BlockComment && here == b'*' && length == 2 {
            within = Within::Code;
        }
        index = end;
    }
    // Whole comments are blanked, so that no character was cut.
    String::from_utf8_lossy(&result).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn comments_become_blanks_and_texts_stay() {
        assert_eq!(without_comments("a/*b*/c//d\ne"), "a     c   \ne");
        assert_eq!(without_comments("\"/*\" '\"' /*\"*/ \"//\""), "\"/*\" '\"'       \"//\"");
        assert_eq!(without_comments("\"\\\"/*\" /* ü */ x"), "\"\\\"/*\"          x");
        assert_eq!(without_comments("#error don't\n/* x */ y"), "#error don't\n        y");
        assert_eq!(without_comments("a / b /* open"), "a / b        ");
        assert_eq!(without_comments("a /*/ b */ c"), "a          c");
        assert_eq!(without_comments("// a \\\n b\nc"), "     \\\n  \nc");
    }

    #[test]
    fn directives_go_on_over_comments() {
        let text = "#define A /* one\n  two */ f(1) \\\n  /* three */ g(2)\n/* four\n */ h(3)\n";
        let blanked = without_comments(text);
        assert_eq!(blanked.lines().next(), Some("#define A      \\"));
        assert_eq!(blanked.lines().nth(1), Some("         f(1) \\"));
        assert_eq!(blanked.lines().nth(3), Some("       "));
        assert_eq!(blanked.lines().count(), text.lines().count());
    }

    proptest! {
        #[test]
        fn length_and_lines_never_change(text in "[/*\"'\\\\\n#a ü]{0,60}") {
            let blanked = without_comments(&text);
            prop_assert_eq!(blanked.len(), text.len());
            let lines = |text: &str| text.match_indices('\n').map(|(place, _)| place).collect::<Vec<_>>();
            prop_assert_eq!(lines(&blanked), lines(&text));
        }
    }
}
