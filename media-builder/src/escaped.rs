//! Text that others have written, for the user's terminal.

/// The text with escapes for what a terminal obeys and does not show: control characters, and those that turn the direction of
/// writing.
pub(crate) fn escaped(text: &str) -> String {
    let shown = |c: char| match c {
        '"' | '\'' | '\\' => c.to_string(),
        _ => c.escape_debug().to_string(),
    };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn what_a_terminal_obeys_is_shown_and_the_rest_stays() {
        let usual = r"Société \ 'Größe' (CA 2023), 日本";
        assert_eq!(escaped(usual), usual);
        assert_eq!(
            escaped("a\u{1b}[2J\n\r\u{9b}\u{202e}b"),
            r"a\u{1b}[2J\n\r\u{9b}\u{202e}b"
        );
    }
}
