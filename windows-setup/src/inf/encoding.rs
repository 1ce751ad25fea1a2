//! From the bytes of an INF file to its text.

use encoding_rs::{Encoding, UTF_16LE, WINDOWS_1252};

/// Text in the encoding that the byte-order mark names; without one, Windows' western code page, except where every
/// other byte is zero, which is UTF-16 whose mark was lost. A Ctrl-Z ends the text, as it did in DOS.
pub(super) fn decode(bytes: &[u8]) -> String {
    let (encoding, mark) = Encoding::for_bom(bytes).unwrap_or((guess(bytes), 0));
    let (text, _had_errors) = encoding.decode_without_bom_handling(&bytes[mark..]);
    let end = text.find('\u{1A}').unwrap_or(text.len());
    let text = &text[..end];
    // A return alone ends a line too, but only files of old systems have nothing else.
    match text.contains('\n') {
        true => text.to_owned(),
        false => text.replace('\r', "\n"),
    }
}

fn guess(bytes: &[u8]) -> &'static Encoding {
    let beginning = &bytes[..bytes.len().min(64)];
    let wide = beginning.len() >= 2 && beginning.chunks_exact(2).all(|pair| pair[0] != 0 && pair[1] == 0);
    if wide { UTF_16LE } else { WINDOWS_1252 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wide(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn every_encoding_that_windows_reads_gives_the_same_text() {
        let text = "[Strings]\r\nA=\"é\"";
        let marked = format!("\u{FEFF}{text}");
        for bytes in [
            marked.as_bytes().to_vec(),
            wide(&marked, u16::to_le_bytes),
            wide(&marked, u16::to_be_bytes),
            b"[Strings]\r\nA=\"\xE9\"".to_vec(),
        ] {
            assert_eq!(decode(&bytes), text, "{bytes:x?}");
        }
        assert_eq!(decode(&wide("[Version]", u16::to_le_bytes)), "[Version]");
    }

    #[test]
    fn what_is_no_text_is_no_error_and_ctrl_z_ends_it() {
        assert_eq!(decode(b"\xFF\xFE\x00"), "\u{FFFD}");
        assert_eq!(decode(b"a\x1Ab"), "a");
        assert_eq!(decode(b"\x80\x81"), "€\u{81}");
        assert_eq!(decode(b""), "");
        assert_eq!(decode(b"a\rb"), "a\nb");
    }
}
