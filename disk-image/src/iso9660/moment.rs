//! Dates in the two forms of ISO 9660.

use super::Error;

/// A moment in UTC, to the second.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    year: u64,
    month: u64,
    day: u64,
    second_of_day: u64,
}

impl Moment {
    pub(super) fn from_unix(timestamp: u64) -> Result<Self, Error> {
        let (year, month, day) = civil(timestamp / 86_400);
        if year > 2155 {
            return Err(Error::Timestamp(timestamp));
        }
        Ok(Self {
            year,
            month,
            day,
            second_of_day: timestamp % 86_400,
        })
    }

    fn time(self) -> (u64, u64, u64) {
        let second = self.second_of_day;
        (second / 3600, second / 60 % 60, second % 60)
    }

    /// The 7 bytes of a directory record and of Rock Ridge.
    pub(super) fn record(self) -> [u8; 7] {
        let (hour, minute, second) = self.time();
        [self.year - 1900, self.month, self.day, hour, minute, second, 0].map(|value| value as u8)
    }

    /// The 17 bytes of a volume descriptor.
    pub(super) fn volume(self) -> [u8; 17] {
        let (hour, minute, second) = self.time();
        let digits = format!(
            "{:04}{:02}{:02}{hour:02}{minute:02}{second:02}00",
            self.year, self.month, self.day
        );
        let mut bytes = [0; 17];
        bytes[..16].copy_from_slice(digits.as_bytes());
        bytes
    }
}

/// Year, month and day of a number of days since 1970-01-01. Years are counted from March, so that the leap
/// day is the last of its year and the months have a regular rhythm.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468; // since 0000-03-01
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(timestamp: u64) -> String {
        String::from_utf8_lossy(&Moment::from_unix(timestamp).unwrap().volume()[..16]).into_owned()
    }

    #[test]
    fn known_dates() {
        assert_eq!(text(0), "1970010100000000");
        assert_eq!(text(951_782_400), "2000022900000000");
        assert_eq!(text(1_700_000_000), "2023111422132000");
        assert_eq!(text(4_107_542_399), "2100022823595900");
        assert_eq!(text(4_107_542_400), "2100030100000000");
    }

    #[test]
    fn last_year_that_fits() {
        assert_eq!(text(5_869_583_999), "2155123123595900");
        assert_eq!(
            Moment::from_unix(5_869_584_000).unwrap_err(),
            Error::Timestamp(5_869_584_000)
        );
        assert!(Moment::from_unix(u64::MAX).is_err());
    }
}
