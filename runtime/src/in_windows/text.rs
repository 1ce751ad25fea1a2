//! What programs of Windows write: UTF-8, UTF-16 or the code page of consoles, and none of them says which.

/// The text; `console` reads what is in the code page of consoles.
pub fn decode(bytes: &[u8], console: impl Fn(&[u8]) -> String) -> String {
    if let Some(rest) = bytes.strip_prefix(b"\xEF\xBB\xBF") {
        return String::from_utf8_lossy(rest).into_owned();
    }
    if let Some(rest) = bytes.strip_prefix(b"\xFF\xFE") {
        return utf16(rest);
    }
    if looks_like_utf16(bytes) {
        return utf16(bytes);
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => console(bytes),
    }
}

fn utf16(bytes: &[u8]) -> String {
    let pairs = bytes.chunks_exact(2);
    let units: Vec<u16> = pairs.map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    String::from_utf16_lossy(&units)
}

/// `wmic` and others write UTF-16 without a mark into a pipe. In what they write, most characters are of ASCII, and no
/// other encoding has zeros.
fn looks_like_utf16(bytes: &[u8]) -> bool {
    let zeros = bytes.iter().skip(1).step_by(2).filter(|byte| **byte == 0).count();
    bytes.len() > 1 && zeros * 4 > bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> String {
        decode(bytes, |bytes| format!("console {}", bytes.len()))
    }

    #[test]
    fn every_encoding_is_recognized() {
        let wide: Vec<u8> = "Zoë\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(read(&wide), "Zoë\r\n");
        assert_eq!(read(&[b"\xFF\xFE".as_slice(), &wide].concat()), "Zoë\r\n");
        assert_eq!(read("Zoë".as_bytes()), "Zoë");
        assert_eq!(read("\u{feff}Zoë".as_bytes()), "Zoë");
        assert_eq!(read(b"Zo\x89"), "console 3");
        assert_eq!(read(b""), "");
    }
}
