//! Time zones in the spelling of Windows.

use super::Error;

/// A zone of Windows on each line, and after a tab those of the tz database that are the same (from CLDR).
const ZONES: &str = include_str!("zones.tsv");

/// The name that Windows knows. A zone of Windows that our table does not have is passed on: updates bring new
/// ones; a name of the tz database has a slash in it, and Windows would not know it.
pub(super) fn in_windows(zone: &str) -> Result<&str, Error> {
    let wanted = |name: &&str| name.eq_ignore_ascii_case(zone);
    for line in ZONES.lines() {
        let (windows, others) = line.split_once('\t').unwrap_or((line, ""));
        if wanted(&windows) || others.split(' ').any(|other| wanted(&other)) {
            return Ok(windows);
        }
    }
    if zone.contains('/') || zone.trim().is_empty() {
        let why = format!(
            "`{zone}` is no time zone that Windows has a name for; write one such as \"W. Europe Standard Time\""
        );
        return Err(Error::setting("time-zone", why));
    }
    Ok(zone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_are_understood() {
        for (zone, windows) in [
            ("Europe/Amsterdam", "W. Europe Standard Time"),
            ("w. europe standard time", "W. Europe Standard Time"),
            ("Etc/UTC", "UTC"),
            ("UTC", "UTC"),
            ("America/New_York", "Eastern Standard Time"),
            ("Asia/Kolkata", "India Standard Time"),
            ("Mars Standard Time", "Mars Standard Time"),
        ] {
            assert_eq!(in_windows(zone).unwrap(), windows);
        }
        assert!(in_windows("Europe/Atlantis").is_err());
        assert!(in_windows("").is_err());
    }

    #[test]
    fn the_table_is_whole() {
        assert!(ZONES.lines().count() > 130);
        for line in ZONES.lines() {
            let (windows, others) = line.split_once('\t').unwrap();
            assert!(!windows.is_empty() && !others.is_empty(), "{line}");
        }
    }
}
