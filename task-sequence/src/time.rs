//! Spans of time as people write them: `10s`, `5 min`, `2 h`.

use std::fmt;
use std::time::Duration;

use crate::setting::{FromText, text_serde};
use crate::size::number_and_unit;

/// A span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TimeSpan(pub Duration);

impl TimeSpan {
    /// The same as the standard library's type.
    pub fn duration(self) -> Duration {
        self.0
    }

    /// A whole number of seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }
}

fn unit_in_milliseconds(unit: &str) -> Option<u64> {
    match unit {
        "ms" => Some(1),
        "s" | "sec" | "second" | "seconds" => Some(1_000),
        "m" | "min" | "minute" | "minutes" => Some(60_000),
        "h" | "hour" | "hours" => Some(3_600_000),
        _ => None,
    }
}

impl FromText for TimeSpan {
    fn from_text(text: &str) -> Result<Self, String> {
        let (number, unit) = number_and_unit(text);
        let value: f64 = number
            .parse()
            .map_err(|_| format!("`{text}` is not a time: write it as \"10s\" or \"5 min\""))?;
        let unit = unit.to_ascii_lowercase();
        if unit.is_empty() {
            return Err(format!(
                "`{text}` has no unit: write it as \"{text}s\" or \"{text} min\""
            ));
        }
        let factor = unit_in_milliseconds(&unit).ok_or_else(|| {
            format!("`{unit}` in `{text}` is not a unit of time: ms, s, min and h are known")
        })?;
        let milliseconds = value * factor as f64;
        if milliseconds > 366.0 * 24.0 * 3_600_000.0 {
            return Err(format!("`{text}` is longer than a year"));
        }
        Ok(Self(Duration::from_millis(milliseconds.round() as u64)))
    }

    /// ConfigMgr's variables carry plain seconds.
    fn from_variable(text: &str) -> Result<Self, String> {
        match text.trim().parse::<u32>() {
            Ok(seconds) => Ok(Self::seconds(seconds.into())),
            Err(_) => Self::from_text(text),
        }
    }
}

impl fmt::Display for TimeSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = self.0.as_millis();
        match milliseconds {
            0 => f.write_str("0s"),
            m if m % 3_600_000 == 0 => write!(f, "{} h", m / 3_600_000),
            m if m % 60_000 == 0 => write!(f, "{} min", m / 60_000),
            m if m % 1_000 == 0 => write!(f, "{}s", m / 1_000),
            m => write!(f, "{m} ms"),
        }
    }
}

text_serde!(TimeSpan, "a time such as \"10s\", \"5 min\" or \"2 h\"");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_printed() {
        assert_eq!(TimeSpan::from_text("10s"), Ok(TimeSpan::seconds(10)));
        assert_eq!(TimeSpan::from_text("5 min"), Ok(TimeSpan::seconds(300)));
        assert_eq!(TimeSpan::from_text("1.5 h"), Ok(TimeSpan::seconds(5400)));
        assert_eq!(TimeSpan::from_variable("30"), Ok(TimeSpan::seconds(30)));
        assert_eq!(TimeSpan::seconds(300).to_string(), "5 min");
        assert_eq!(TimeSpan::from_text("250 ms").unwrap().to_string(), "250 ms");
    }

    #[test]
    fn a_bad_time_says_what_is_wrong() {
        assert!(TimeSpan::from_text("10").unwrap_err().contains("no unit"));
        assert!(
            TimeSpan::from_text("10 fortnights")
                .unwrap_err()
                .contains("`fortnights`")
        );
        assert!(TimeSpan::from_text("soon").unwrap_err().contains("not a time"));
        assert!(TimeSpan::from_text("9999999 h").unwrap_err().contains("year"));
    }
}
