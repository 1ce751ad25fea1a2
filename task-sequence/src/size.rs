//! Sizes as people write them: `20 GB`, `512 MB`, `50%`, `rest`.

use std::fmt;

use crate::setting::{FromText, text_serde};

/// A number of bytes. Units are powers of 1024, as every partitioning tool of the field has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(pub u64);

/// How much of a disk a partition takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// A fixed size.
    Bytes(Size),
    /// A share of what the fixed sizes leave over; 1 to 100.
    Percent(u8),
    /// Everything that is left.
    Rest,
}

const UNITS: [(&str, u64); 9] = [
    ("b", 1),
    ("kb", 1 << 10),
    ("kib", 1 << 10),
    ("mb", 1 << 20),
    ("mib", 1 << 20),
    ("gb", 1 << 30),
    ("gib", 1 << 30),
    ("tb", 1 << 40),
    ("tib", 1 << 40),
];

impl Size {
    /// The number of bytes.
    pub fn bytes(self) -> u64 {
        self.0
    }
}

/// Splits `12.5 GB` into the number and the unit.
pub(crate) fn number_and_unit(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    (number, unit.trim())
}

impl FromText for Size {
    fn from_text(text: &str) -> Result<Self, String> {
        let (number, unit) = number_and_unit(text);
        let value: f64 = number.parse().map_err(|_| not_a_size(text))?;
        let unit = unit.to_ascii_lowercase();
        if unit.is_empty() {
            return Err(format!(
                "`{text}` has no unit: write it as \"20 GB\" or \"512 MB\""
            ));
        }
        let factor = UNITS
            .iter()
            .find(|(name, _)| *name == unit)
            .map(|(_, factor)| *factor);
        let factor = factor.ok_or_else(|| {
            format!("`{unit}` in `{text}` is not a unit of size: B, KB, MB, GB and TB are known")
        })?;
        let bytes = value * factor as f64;
        // Above 2^53 a float no longer counts single bytes, and no disk is that large.
        if bytes > (1_u64 << 53) as f64 {
            return Err(format!("`{text}` is larger than any disk"));
        }
        Ok(Self(bytes.round() as u64))
    }

    fn from_variable(text: &str) -> Result<Self, String> {
        match text.trim().parse::<u64>() {
            Ok(bytes) => Ok(Self(bytes)),
            Err(_) => Self::from_text(text),
        }
    }
}

fn not_a_size(text: &str) -> String {
    format!("`{text}` is not a size: write it as \"20 GB\" or \"512 MB\"")
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = [("TB", 1 << 40), ("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10)]
            .into_iter()
            .find(|(_, factor)| self.0 >= *factor && self.0.is_multiple_of(*factor));
        match whole {
            Some((unit, factor)) => write!(f, "{} {unit}", self.0 / factor),
            None => write!(f, "{} B", self.0),
        }
    }
}

impl FromText for Extent {
    fn from_text(text: &str) -> Result<Self, String> {
        let trimmed = text.trim();
        if trimmed.eq_ignore_ascii_case("rest") {
            return Ok(Self::Rest);
        }
        let Some(number) = trimmed.strip_suffix('%') else {
            return Size::from_text(trimmed)
                .map(Self::Bytes)
                .map_err(|why| format!("{why}; \"50%\" and \"rest\" are possible too"));
        };
        match number.trim().parse::<u8>() {
            Ok(percent @ 1..=100) => Ok(Self::Percent(percent)),
            _ => Err(format!(
                "`{text}` is not a share of a disk: 1% to 100% are possible"
            )),
        }
    }
}

impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(size) => size.fmt(f),
            Self::Percent(percent) => write!(f, "{percent}%"),
            Self::Rest => f.write_str("rest"),
        }
    }
}

text_serde!(Size, "a size such as \"20 GB\" or \"512 MB\"");
text_serde!(
    Extent,
    "a size such as \"20 GB\", a share such as \"50%\", or \"rest\""
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_powers_of_1024_and_print_as_they_are_read() {
        assert_eq!(Size::from_text("20 GB"), Ok(Size(20 << 30)));
        assert_eq!(Size::from_text("1.5GiB"), Ok(Size(3 << 29)));
        for text in ["20 GB", "512 MB", "1 B", "3 TB"] {
            assert_eq!(Size::from_text(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_bad_size_says_what_is_wrong() {
        assert!(Size::from_text("20").unwrap_err().contains("no unit"));
        assert!(Size::from_text("20 gigs").unwrap_err().contains("`gigs`"));
        assert!(Size::from_text("much").unwrap_err().contains("not a size"));
        assert!(Size::from_text("1.2.3 GB").is_err());
        assert!(Size::from_text("99999999 TB").unwrap_err().contains("larger"));
    }

    #[test]
    fn shares_are_between_1_and_100() {
        assert_eq!(Extent::from_text("100%"), Ok(Extent::Percent(100)));
        assert_eq!(Extent::from_text("Rest"), Ok(Extent::Rest));
        for bad in ["0%", "101%", "-1%", "x%", "300%"] {
            assert!(
                Extent::from_text(bad).unwrap_err().contains("1% to 100%"),
                "{bad}"
            );
        }
    }
}
