//! Dates as FAT and exFAT store them: two seconds' resolution, 1980 to 2107.

/// The packed date and time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DosTime {
    pub(crate) date: u16,
    pub(crate) time: u16,
    /// Hundredths of a second beyond `time`: 0 or 100.
    pub(crate) hundredths: u8,
}

/// 1980-01-01 and the last second of 2107, in Unix seconds.
const RANGE: (i64, i64) = (315_532_800, 4_354_819_199);

impl DosTime {
    /// Converts Unix seconds, in UTC; what cannot be stored becomes the nearest date that can.
    pub(crate) fn from_unix(seconds: i64) -> Self {
        let seconds = seconds.clamp(RANGE.0, RANGE.1);
        let (year, month, day) = civil(seconds / 86_400);
        let second = seconds % 86_400;
        Self {
            date: ((year - 1980) << 9 | month << 5 | day) as u16,
            time: ((second / 3600) << 11 | (second / 60 % 60) << 5 | (second % 60 / 2)) as u16,
            hundredths: (second % 2 * 100) as u8,
        }
    }
}

/// Year, month and day of a day counted from 1970-01-01 (Gregorian; years begin in March for the leap day).
fn civil(day: i64) -> (i64, i64, i64) {
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    (
        year_of_era + era * 400 + i64::from(month <= 2),
        month,
        day_of_month,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(seconds: i64) -> (u16, u16, u16, u16, u16, u16) {
        let DosTime {
            date,
            time,
            hundredths,
        } = DosTime::from_unix(seconds);
        let second = (time & 31) * 2 + u16::from(hundredths) / 100;
        (
            (date >> 9) + 1980,
            date >> 5 & 15,
            date & 31,
            time >> 11,
            time >> 5 & 63,
            second,
        )
    }

    #[test]
    fn converts_known_moments() {
        assert_eq!(parts(1_700_000_001), (2023, 11, 14, 22, 13, 21));
        assert_eq!(parts(951_782_400), (2000, 2, 29, 0, 0, 0));
        assert_eq!(parts(4_107_542_399), (2100, 2, 28, 23, 59, 59));
        assert_eq!(parts(4_107_542_400), (2100, 3, 1, 0, 0, 0));
    }

    #[test]
    fn keeps_within_what_can_be_stored() {
        assert_eq!(parts(0), (1980, 1, 1, 0, 0, 0));
        assert_eq!(parts(i64::MIN), (1980, 1, 1, 0, 0, 0));
        assert_eq!(parts(i64::MAX), (2107, 12, 31, 23, 59, 59));
    }
}
