//! Moments as a sequence writes them: `2026-01-31`, `2026-01-31T12:00:00Z`.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use toml::value::Datetime;

/// A date, or a date with a time; without an offset it is meant in UTC.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Date(Datetime);

impl Date {
    /// Reads a date as TOML and RFC 3339 write it.
    pub fn new(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a date: write 2026-01-31 or 2026-01-31T12:00:00Z");
        let read = Datetime::from_str(text.trim()).map_err(|_| wrong())?;
        if read.date.is_none() {
            Err(wrong())
        } else {
            Ok(Self(read))
        }
    }

    /// The moment: the beginning of the day where no time is given.
    pub fn moment(&self) -> SystemTime {
        let seconds = self.seconds();
        let distance = Duration::from_secs(seconds.unsigned_abs());
        if seconds < 0 {
            UNIX_EPOCH - distance
        } else {
            UNIX_EPOCH + distance
        }
    }

    fn seconds(&self) -> i64 {
        let days = self
            .0
            .date
            .map_or(0, |date| days_from_epoch(date.year, date.month, date.day));
        let time = self.0.time.map_or(0, |time| {
            i64::from(time.hour) * 3600 + i64::from(time.minute) * 60 + time.second.map_or(0, i64::from)
        });
        let offset = match self.0.offset {
            Some(toml::value::Offset::Custom { minutes }) => i64::from(minutes) * 60,
            _ => 0,
        };
        days * 86_400 + time - offset
    }
}

/// Days since 1970-01-01 in the Gregorian calendar; years are counted from March, so that the
/// leap day is the last of its year.
fn days_from_epoch(year: u16, month: u8, day: u8) -> i64 {
    let month_from_march = (i64::from(month) + 9) % 12;
    let year = i64::from(year) - i64::from(month <= 2);
    let leap_days = year / 4 - year / 100 + year / 400;
    let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
    year * 365 + leap_days + day_of_year - 719_468
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Date {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

struct DateVisitor;

impl<'de> de::Visitor<'de> for DateVisitor {
    type Value = Date;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a date such as 2026-01-31")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Date, E> {
        Date::new(text).map_err(E::custom)
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Date, A::Error> {
        let read = Datetime::deserialize(de::value::MapAccessDeserializer::new(map))?;
        Date::new(&read.to_string()).map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DateVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(text: &str) -> u64 {
        Date::new(text)
            .unwrap()
            .moment()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs()
    }

    #[test]
    fn moments_count_from_1970() {
        assert_eq!(seconds("1970-01-01"), 0);
        assert_eq!(seconds("2000-02-29"), 951_782_400);
        assert_eq!(seconds("2026-01-31T12:00:00Z"), 1_769_860_800);
        assert_eq!(seconds("2026-01-31T13:00:00+01:00"), 1_769_860_800);
        assert!(Date::new("1960-01-01").unwrap().moment() < UNIX_EPOCH);
        assert!(Date::new("12:00:00").is_err() && Date::new("yesterday").is_err());
    }
}
