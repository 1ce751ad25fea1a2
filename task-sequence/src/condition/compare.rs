//! Comparing values: by number where both are numbers, else as text without regard to case.

use std::cmp::Ordering;

use super::debian_version;
use super::facts::VersionScheme;
use super::rpm_version;

/// How a value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// The same.
    Equals,
    /// Not the same.
    NotEquals,
    /// Greater.
    Greater,
    /// Greater or the same.
    GreaterOrEqual,
    /// Less.
    Less,
    /// Less or the same.
    LessOrEqual,
    /// Fits a pattern with `*` and `?`.
    Like,
    /// Does not fit such a pattern.
    NotLike,
}

/// An operator and what is compared with; `%VARIABLES%` in it are expanded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// The operator.
    pub operator: Operator,
    /// The other side.
    pub value: String,
}

/// Whether `actual` compares with `wanted` as the operator says.
pub fn compare_values(actual: &str, operator: Operator, wanted: &str) -> bool {
    holds(operator, || order(actual, wanted), || like(actual, wanted))
}

/// The same for versions.
pub(crate) fn compare_versions(
    scheme: VersionScheme,
    actual: &str,
    operator: Operator,
    wanted: &str,
) -> bool {
    let order = match scheme {
        VersionScheme::Dotted => dotted_order,
        VersionScheme::Debian => debian_version::compare,
        VersionScheme::Rpm => rpm_version::compare,
    };
    holds(operator, || order(actual, wanted), || like(actual, wanted))
}

fn holds(operator: Operator, order: impl Fn() -> Ordering, like: impl Fn() -> bool) -> bool {
    match operator {
        Operator::Equals => order() == Ordering::Equal,
        Operator::NotEquals => order() != Ordering::Equal,
        Operator::Greater => order() == Ordering::Greater,
        Operator::GreaterOrEqual => order() != Ordering::Less,
        Operator::Less => order() == Ordering::Less,
        Operator::LessOrEqual => order() != Ordering::Greater,
        Operator::Like => like(),
        Operator::NotLike => !like(),
    }
}

fn order(left: &str, right: &str) -> Ordering {
    let (l, r) = (left.trim(), right.trim());
    // Whole numbers first: a float would take two large ones for the same.
    if let (Ok(l), Ok(r)) = (l.parse::<i128>(), r.parse::<i128>()) {
        return l.cmp(&r);
    }
    match (number(l), number(r)) {
        (Some(l), Some(r)) => l.total_cmp(&r),
        _ => left.to_lowercase().cmp(&right.to_lowercase()),
    }
}

/// A decimal number; `inf` and `nan`, which Rust reads too, are names of computers.
fn number(text: &str) -> Option<f64> {
    let digits = text.trim_start_matches(['-', '+']);
    digits
        .starts_with(|c: char| c.is_ascii_digit())
        .then(|| text.parse().ok())
        .flatten()
}

fn dotted_order(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (left.trim().split('.'), right.trim().split('.'));
    loop {
        let (l, r) = (left.next(), right.next());
        if l.is_none() && r.is_none() {
            return Ordering::Equal;
        }
        // 10 is the same version as 10.0.
        match order(l.unwrap_or("0"), r.unwrap_or("0")) {
            Ordering::Equal => {}
            different => return different,
        }
    }
}

/// Whether a text fits a pattern: `*` stands for anything, `?` for one character, and every other character for itself. Case is not
/// regarded.
pub fn like(text: &str, pattern: &str) -> bool {
    let pieces = pattern.to_lowercase().chars().map(piece).collect::<Vec<_>>();
    fits(text, &pieces)
}

fn piece(c: char) -> Piece {
    match c {
        '*' => Piece::Anything,
        '?' => Piece::One,
        c => Piece::Literal(c),
    }
}

/// The same for a pattern of WQL: `%` stands for anything, `_` for one character, and `[…]` for one of those in it.
pub(super) fn like_in_wql(text: &str, pattern: &str) -> bool {
    fits(text, &pieces_of_wql(&pattern.to_lowercase()))
}

fn fits(text: &str, pattern: &[Piece]) -> bool {
    let text: Vec<char> = text.to_lowercase().chars().collect();
    matches(&text, pattern)
}

enum Piece {
    Anything,
    One,
    Literal(char),
    Set {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

impl Piece {
    fn fits(&self, c: char) -> bool {
        match self {
            Self::Anything | Self::One => true,
            Self::Literal(literal) => *literal == c,
            Self::Set { negated, ranges } => {
                ranges.iter().any(|(first, last)| (*first..=*last).contains(&c)) != *negated
            }
        }
    }
}

fn pieces_of_wql(pattern: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        pieces.push(match c {
            '%' => Piece::Anything,
            '_' => Piece::One,
            '[' => match rest.split_once(']').filter(|(inner, _)| !inner.is_empty()) {
                Some((inner, after)) => {
                    rest = after;
                    set(inner)
                }
                None => Piece::Literal('['),
            },
            c => Piece::Literal(c),
        });
    }
    pieces
}

fn set(inner: &str) -> Piece {
    let (negated, inner) = match inner.strip_prefix('^') {
        Some(inner) => (true, inner),
        None => (false, inner),
    };
    let chars: Vec<char> = inner.chars().collect();
    let mut ranges = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let is_range = at + 2 < chars.len() && chars[at + 1] == '-';
        ranges.push((chars[at], if is_range { chars[at + 2] } else { chars[at] }));
        at += if is_range { 3 } else { 1 };
    }
    Piece::Set { negated, ranges }
}

/// The usual two-pointer match: it goes back only to the last "anything", so it cannot explode.
fn matches(text: &[char], pattern: &[Piece]) -> bool {
    let (mut t, mut p) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(Piece::Anything) => {
                back = Some((t, p));
                p += 1;
            }
            Some(piece) if piece.fits(text[t]) => {
                t += 1;
                p += 1;
            }
            _ => match back {
                Some((from, star)) => {
                    back = Some((from + 1, star));
                    t = from + 1;
                    p = star + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|piece| matches!(piece, Piece::Anything))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_compare_as_numbers_and_text_without_case() {
        assert!(compare_values("10", Operator::Greater, "9"));
        assert!(compare_values("10a", Operator::Less, "9a"));
        assert!(compare_values("1.50", Operator::Equals, "1.5"));
        assert!(compare_values("TRUE", Operator::Equals, "true"));
        assert!(compare_values(
            "9007199254740993",
            Operator::Greater,
            "9007199254740992"
        ));
        assert!(compare_values("inf", Operator::NotEquals, "infinity"));
        assert!(compare_values("-2", Operator::LessOrEqual, "-1"));
    }

    #[test]
    fn versions_compare_part_by_part() {
        let dotted = VersionScheme::Dotted;
        assert!(compare_versions(
            dotted,
            "10.0.19045",
            Operator::Greater,
            "10.0.9600"
        ));
        assert!(compare_versions(dotted, "10", Operator::Equals, "10.0"));
        assert!(compare_versions(dotted, "6.1", Operator::Less, "10"));
        assert!(compare_versions(
            VersionScheme::Debian,
            "6.1~rc1",
            Operator::Less,
            "6.1"
        ));
    }

    #[test]
    fn patterns() {
        assert!(like("Latitude 7420", "latitude*"));
        assert!(like("", "*") && !like("", "?"));
        assert!(like("Tool 1.0 [x64]", "tool ?.? [x64]"));
        for (text, pattern) in [
            ("Tool x", "Tool [x64]"),
            ("Latitude 7420", "%74_0"),
            ("PCx1", "PC_1"),
        ] {
            assert!(!like(text, pattern), "{text} is no {pattern}");
        }
        assert!(like("PC_1 at 50%", "pc_1 at 50%"));
        assert!(!like(&"a".repeat(5000), &format!("{}b", "*a".repeat(50))));
    }

    #[test]
    fn patterns_of_wql() {
        assert!(like_in_wql("Latitude 7420", "%74_0"));
        assert!(like_in_wql("a7", "[a-c][^0-6]"));
        assert!(!like_in_wql("d7", "[a-c]_"));
        assert!(like_in_wql("", "%") && !like_in_wql("", "_"));
        assert!(like_in_wql("[x", "[x"));
        assert!(like_in_wql("a*?", "A*?") && !like_in_wql("abc", "a*?"));
    }
}
