//! What no text may show.

use std::cmp::Reverse;
use std::fmt;

use crate::setting::MASK;

/// Shorter lines of a secret that has several are not looked for: a bracket or a short word is in many texts, and says little.
const SHORTEST_LINE: usize = 4;

/// The values of secrets, as texts are searched for them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Hidden(Vec<String>);

impl Hidden {
    /// These values, each as a whole and each of its lines.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let parts = secrets.into_iter().flat_map(parts);
        let mut parts: Vec<String> = parts.map(str::to_owned).collect();
        // The longest first: one secret may be the beginning of another.
        parts.sort_by(|a, b| (Reverse(a.len()), a).cmp(&(Reverse(b.len()), b)));
        parts.dedup();
        Self(parts)
    }

    /// The text with asterisks in the place of every secret.
    pub fn mask(&self, text: &str) -> String {
        let masked = |text: String, secret: &String| text.replace(secret, MASK);
        self.0.iter().fold(text.to_owned(), masked)
    }
}

/// A program prints a secret of several lines line by line, maybe with other margins and line ends.
fn parts(secret: &str) -> impl Iterator<Item = &str> {
    let lines = || secret.lines().map(str::trim).filter(|line| !line.is_empty());
    let shortest = if lines().count() > 1 { SHORTEST_LINE } else { 1 };
    let whole = std::iter::once(secret).filter(|secret| !secret.is_empty());
    whole.chain(lines().filter(move |line| line.len() >= shortest))
}

/// Shows no secret.
impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hidden({})", self.0.len())
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
    fn a_secret_of_one_line_is_masked_whatever_its_length_and_its_end() {
        assert_eq!(Hidden::new(["pin\n"]).mask("the pin is"), "the ******** is");
        assert_eq!(Hidden::new(["", "x"]).mask("a x b"), "a ******** b");
        assert_eq!(Hidden::new(["abcd", "abcdefg"]).mask("abcdefg"), MASK);
    }
}
