//! Versions of RPM packages, compared as rpm does (rpm-version(7)).

use std::cmp::Ordering;

use super::debian_version::{numbers, take};

/// `epoch:version-release`; epoch and release may be missing.
struct Version<'a> {
    epoch: &'a str,
    version: &'a str,
    release: Option<&'a str>,
}

impl<'a> Version<'a> {
    fn of(text: &'a str) -> Self {
        let text = text.trim();
        let (epoch, rest) = text.split_once(':').unwrap_or(("", text));
        let (version, release) = match rest.rsplit_once('-') {
            Some((version, release)) => (version, Some(release)),
            None => (rest, None),
        };
        Self {
            epoch,
            version,
            release,
        }
    }
}

/// The order of two versions. One without a release stands for all its releases, as in what RPM packages require.
pub(super) fn compare(left: &str, right: &str) -> Ordering {
    let (left, right) = (Version::of(left), Version::of(right));
    let releases = || match (left.release, right.release) {
        (Some(left), Some(right)) => parts(left, right),
        _ => Ordering::Equal,
    };
    numbers(left.epoch, right.epoch)
        .then_with(|| parts(left.version, right.version))
        .then_with(releases)
}

/// Numbers and words are compared in turn, whatever separates them, and the first difference decides.
fn parts(mut left: &str, mut right: &str) -> Ordering {
    loop {
        left = left.trim_start_matches(is_separator);
        right = right.trim_start_matches(is_separator);
        if let Some(order) = marks(&mut left, &mut right) {
            if order != Ordering::Equal {
                return order;
            }
            continue;
        }
        if left.is_empty() || right.is_empty() {
            // Whatever has more is newer.
            return right.is_empty().cmp(&left.is_empty());
        }
        let order = part(&mut left, &mut right);
        if order != Ordering::Equal {
            return order;
        }
    }
}

fn is_separator(c: char) -> bool {
    !c.is_ascii_alphanumeric() && !matches!(c, '~' | '^')
}

/// A tilde comes before everything, also the end; a caret after the end and before everything else. Nothing where neither side
/// has one; both sides lose the one that they share.
fn marks(left: &mut &str, right: &mut &str) -> Option<Ordering> {
    for mark in ['~', '^'] {
        let is_newer = |other: &str| mark == '^' && other.is_empty();
        let order = match (left.strip_prefix(mark), right.strip_prefix(mark)) {
            (Some(left_rest), Some(right_rest)) => {
                (*left, *right) = (left_rest, right_rest);
                Ordering::Equal
            }
            (Some(_), None) if is_newer(right) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) if is_newer(left) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => continue,
        };
        return Some(order);
    }
    None
}

/// A number is newer than a word.
fn part(left: &mut &str, right: &mut &str) -> Ordering {
    let is_number = left.starts_with(|c: char| c.is_ascii_digit());
    let is_kind = |c: char| {
        if is_number {
            c.is_ascii_digit()
        } else {
            c.is_ascii_alphabetic()
        }
    };
    let (left, right) = (take(left, is_kind), take(right, is_kind));
    match (is_number, right.is_empty()) {
        (true, true) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (true, false) => numbers(left, right),
        (false, false) => left.cmp(right),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Ordering::{Equal, Greater, Less};

    const ORDERS: [(&str, Ordering, &str); 33] = [
        ("1.0", Equal, "1.0"),
        ("1.2", Less, "1.10"),
        ("10", Less, "10.0"),
        ("1.0.", Equal, "1.0"),
        ("1..0", Equal, "1_0"),
        ("1.007", Equal, "1.7"),
        ("1.0-1.el9", Less, "1.0-2.el9"),
        ("1.0-9.el9", Less, "1.0-10.el9"),
        ("5.14.0-427.13.1.el9_4", Less, "5.14.0-427.20.1.el9_4"),
        ("0:1.0-1", Equal, "1.0-1"),
        ("1:1.0-1", Greater, "2.0-1"),
        ("2:1.0", Less, "10:0.1"),
        ("01:1.0", Equal, "1:1.0"),
        ("1.0~rc1", Less, "1.0"),
        ("1.0~rc1-1", Less, "1.0-1"),
        ("1.0~rc1", Less, "1.0~rc2"),
        ("1.0~rc1~git1", Less, "1.0~rc1"),
        ("1.0~~", Less, "1.0~"),
        ("1.0^", Greater, "1.0"),
        ("1.0^git1", Less, "1.0.1"),
        ("1.0^git1", Less, "1.01"),
        ("1.0^git1", Less, "1.0^git2"),
        ("1.0^20260101", Less, "1.0^20260201"),
        ("1.0~rc1^git1", Greater, "1.0~rc1"),
        ("1.0^git1~pre", Less, "1.0^git1"),
        ("1.0a", Greater, "1.0"),
        ("1.0a", Less, "1.0.1"),
        ("1.0Z", Less, "1.0a"),
        ("a1", Less, "1a"),
        ("abc", Less, "abcd"),
        ("6.0.rc1", Greater, "6.0"),
        (
            "20260131235959000000000001",
            Greater,
            "20260131235959000000000000",
        ),
        ("1.0-fc4", Greater, "1.0-fc.3"),
    ];

    #[test]
    fn versions_have_rpms_order() {
        for (left, order, right) in ORDERS {
            assert_eq!(compare(left, right), order, "{left} and {right}");
            assert_eq!(compare(right, left), order.reverse(), "{right} and {left}");
        }
    }

    #[test]
    fn a_version_without_a_release_is_all_its_releases() {
        for (left, order, right) in [
            ("1.0-3.el9", Equal, "1.0"),
            ("1.0-3.el9", Less, "1.1"),
            ("1:1.0-3.el9", Greater, "1.1"),
            ("1.0-3.el9", Greater, "1.0~rc1"),
        ] {
            assert_eq!(compare(left, right), order, "{left} and {right}");
        }
    }

    /// The judge of the table above.
    #[test]
    #[cfg(target_os = "linux")]
    fn rpm_has_the_same_order() {
        for (left, order, right) in ORDERS {
            let judged = std::process::Command::new("rpm")
                .arg("--eval")
                .arg(format!("%{{lua:print(rpm.vercmp(\"{left}\", \"{right}\"))}}"))
                .output();
            let said = String::from_utf8(judged.unwrap().stdout).unwrap();
            let judged: i32 = said.trim().parse().unwrap();
            assert_eq!(judged.cmp(&0), order, "{left} and {right}");
        }
    }
}
