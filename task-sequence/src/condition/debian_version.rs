//! Versions of Debian packages, compared as dpkg does (deb-version(7)).

use std::cmp::Ordering;
use std::iter::once;

/// `epoch:upstream-revision`; epoch and revision may be missing.
struct Version<'a> {
    epoch: &'a str,
    upstream: &'a str,
    revision: &'a str,
}

impl<'a> Version<'a> {
    fn of(text: &'a str) -> Self {
        let text = text.trim();
        let (epoch, rest) = text.split_once(':').unwrap_or(("", text));
        let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, ""));
        Self {
            epoch,
            upstream,
            revision,
        }
    }
}

/// The order of two versions.
pub(super) fn compare(left: &str, right: &str) -> Ordering {
    let (left, right) = (Version::of(left), Version::of(right));
    parts(left.epoch, right.epoch)
        .then_with(|| parts(left.upstream, right.upstream))
        .then_with(|| parts(left.revision, right.revision))
}

/// Texts without digits and numbers take turns, and the first difference decides.
fn parts(mut left: &str, mut right: &str) -> Ordering {
    while !(left.is_empty() && right.is_empty()) {
        let text = |c: char| !c.is_ascii_digit();
        let (left_text, right_text) = (take(&mut left, text), take(&mut right, text));
        let digit = |c: char| c.is_ascii_digit();
        let (left_number, right_number) = (take(&mut left, digit), take(&mut right, digit));
        let order = texts(left_text, right_text).then_with(|| numbers(left_number, right_number));
        if order != Ordering::Equal {
            return order;
        }
    }
    Ordering::Equal
}

/// Takes the characters of a kind from the beginning.
pub(super) fn take<'a>(text: &mut &'a str, is_kind: impl Fn(char) -> bool) -> &'a str {
    let end = text.find(|c| !is_kind(c)).unwrap_or(text.len());
    let (taken, rest) = text.split_at(end);
    *text = rest;
    taken
}

fn texts(left: &str, right: &str) -> Ordering {
    const END: i32 = 0;
    let weights = |text: &str| text.bytes().map(weight).chain(once(END)).collect::<Vec<_>>();
    weights(left).cmp(&weights(right))
}

/// A tilde comes before the end of the text, and letters before everything else.
fn weight(byte: u8) -> i32 {
    match byte {
        b'~' => -1,
        letter if letter.is_ascii_alphabetic() => letter.into(),
        other => i32::from(other) + 256,
    }
}

/// Numbers of any length; none is zero.
pub(super) fn numbers(left: &str, right: &str) -> Ordering {
    let (left, right) = (left.trim_start_matches('0'), right.trim_start_matches('0'));
    left.len().cmp(&right.len()).then_with(|| left.cmp(right))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Ordering::{Equal, Greater, Less};

    const ORDERS: [(&str, Ordering, &str); 29] = [
        ("1.0", Equal, "1.0"),
        ("1.2", Less, "1.10"),
        ("1.9.9", Less, "1.10"),
        ("10", Less, "10.0"),
        ("1.0", Less, "1.0-1"),
        ("1.0-0", Equal, "1.0"),
        ("0:1.0", Equal, "1.0"),
        ("1:1.0", Greater, "2.0"),
        ("2:1.0", Less, "10:0.1"),
        ("01:1.0", Equal, "1:1.0"),
        ("1.0~rc1", Less, "1.0"),
        ("1.0~rc1-1", Less, "1.0-1"),
        ("1.0~~", Less, "1.0~~a"),
        ("1.0~~a", Less, "1.0~"),
        ("1.0-1~bpo12+1", Less, "1.0-1"),
        ("1.0-1", Less, "1.0-1+deb13u1"),
        ("1.0-1+deb12u9", Less, "1.0-1+deb12u10"),
        ("1.0a", Less, "1.0+"),
        ("1.0a", Greater, "1.0"),
        ("1.0Z", Less, "1.0a"),
        ("1.0.1", Greater, "1.0a"),
        ("1.0-1.1", Greater, "1.0-1"),
        ("1.0-2-1", Greater, "1.0-1-9"),
        ("3.0.15-1~deb12u1", Less, "3.0.15-1"),
        ("6.12.9-1", Greater, "6.12.9~rc4-1"),
        ("1.007", Equal, "1.7"),
        (
            "20260131235959000000000001",
            Greater,
            "20260131235959000000000000",
        ),
        ("1.0.", Greater, "1.0"),
        (" 1.0 ", Equal, "1.0"),
    ];

    #[test]
    fn versions_have_dpkgs_order() {
        for (left, order, right) in ORDERS {
            assert_eq!(compare(left, right), order, "{left} and {right}");
            assert_eq!(compare(right, left), order.reverse(), "{right} and {left}");
        }
    }

    /// The judge of the table above.
    #[test]
    #[cfg(target_os = "linux")]
    fn dpkg_has_the_same_order() {
        for (left, order, right) in ORDERS {
            let relation = match order {
                Less => "lt",
                Equal => "eq",
                Greater => "gt",
            };
            let arguments = ["--compare-versions", left, relation, right];
            let judged = std::process::Command::new("dpkg").args(arguments).status();
            assert!(judged.unwrap().success(), "{left} {relation} {right}");
        }
    }
}
