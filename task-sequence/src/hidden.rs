//! What no text may show.

use std::cmp::Reverse;
use std::fmt;

use crate::setting::MASK;

/// Shorter lines of a secret that has several are not looked for: a bracket or a short word is in many texts, and says little.
const SHORTEST_LINE: usize = 4;

/// A shorter line of a secret that has several does not tell that a text has the secret in it: `[default]` is in many files.
const TELLING_LINE: usize = 16;

/// The values of secrets, as texts are searched for them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Hidden {
    /// All that is masked.
    parts: Vec<String>,
    /// What tells that a text has a secret in it.
    telling: Vec<String>,
}

impl Hidden {
    /// These values, each as a whole and each of its lines.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let secrets: Vec<&str> = secrets.into_iter().collect();
        let owned = |part: &str| part.to_owned();
        let mut parts: Vec<String> = secrets.iter().copied().flat_map(parts).map(owned).collect();
        // The longest first: one secret may be the beginning of another.
        parts.sort_by(|a, b| (Reverse(a.len()), a).cmp(&(Reverse(b.len()), b)));
        parts.dedup();
        let telling = secrets.iter().copied().flat_map(telling).map(owned).collect();
        Self { parts, telling }
    }

    /// Whether the text has a secret in it, as far as that can be told.
    pub fn is_in(&self, text: &str) -> bool {
        self.telling.iter().any(|part| text.contains(part))
    }

    /// The text with asterisks in the place of every secret.
    pub fn mask(&self, text: &str) -> String {
        let masked = |text: String, secret: &String| text.replace(secret, MASK);
        self.parts.iter().fold(text.to_owned(), masked)
    }
}

/// A program prints a secret of several lines line by line, maybe with other margins and line ends.
fn parts(secret: &str) -> impl Iterator<Item = &str> {
    let lines = || secret.lines().map(str::trim).filter(|line| !line.is_empty());
    let shortest = if lines().count() > 1 { SHORTEST_LINE } else { 1 };
    let whole = std::iter::once(secret).filter(|secret| !secret.is_empty());
    whole.chain(lines().filter(move |line| line.len() >= shortest))
}

/// Not what begins and ends every key: `-----BEGIN …`.
fn telling(secret: &str) -> impl Iterator<Item = &str> {
    let has_lines = secret.trim().lines().count() > 1;
    let tells = |part: &&str| part.len() >= TELLING_LINE && !part.starts_with("-----");
    parts(secret).filter(move |part| !has_lines || part.lines().count() > 1 || tells(part))
}

/// Shows no secret.
impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hidden({})", self.parts.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_of_several_lines_is_masked_as_a_whole_and_line_by_line() {
        let key = "-----BEGIN KEY-----\r\nMIIEvQIB\r\n  c2VjcmV0\r\n}\r\n-----END KEY-----\r\n";
        let hidden = Hidden::new([key]);
        assert_eq!(hidden.mask(key), MASK);
        assert_eq!(hidden.mask("key: MIIEvQIB, c2VjcmV0"), "key: ********, ********");
        assert_eq!(
            hidden.mask(&key.replace("\r\n", "\n")),
            "********\n********\n  ********\n}\n********\n"
        );
        assert_eq!(hidden.mask("fn main() {}"), "fn main() {}");
        assert!(!format!("{hidden:?}").contains("MIIE"));
    }

    #[test]
    fn what_is_in_many_files_does_not_tell_that_a_secret_is_in_a_text() {
        let key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG\n[default]\n-----END KEY-----\n";
        let hidden = Hidden::new([key, "pin"]);
        for text in [key, "a MIIEvQIBADANBgkqhkiG b", "the pin"] {
            assert!(hidden.is_in(text), "{text}");
        }
        for text in ["--env=[default]", "-----END KEY-----", "", "p i n"] {
            assert!(!hidden.is_in(text), "{text}");
        }
    }

    #[test]
    fn a_secret_of_one_line_is_masked_whatever_its_length_and_its_end() {
        assert_eq!(Hidden::new(["pin\n"]).mask("the pin is"), "the ******** is");
        assert_eq!(Hidden::new(["", "x"]).mask("a x b"), "a ******** b");
        assert_eq!(Hidden::new(["abcd", "abcdefg"]).mask("abcdefg"), MASK);
    }
}
