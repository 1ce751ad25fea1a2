//! The 8.3 alias that every entry carries beside its long name.

use std::collections::{HashMap, HashSet};

/// Eight bytes of stem and three of extension, padded with spaces.
pub(super) type Alias = [u8; 11];

/// An entry's alias, and whether the name needs long-name entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ShortName {
    pub(super) alias: Alias,
    pub(super) long: bool,
}

/// The aliases of one folder's entries, in their order.
///
/// Names that are 8.3 already come first: an alias made for a long name must not take theirs.
pub(super) fn assign(names: &[&str]) -> Vec<ShortName> {
    let exact: Vec<Option<Alias>> = names.iter().map(|name| exact_alias(name)).collect();
    let mut numbers = Numbers {
        taken: exact.iter().flatten().copied().collect(),
        next: HashMap::new(),
    };
    names
        .iter()
        .zip(exact)
        .map(|(name, exact)| match exact {
            Some(alias) => ShortName {
                alias,
                long: display(&alias) != *name,
            },
            None => ShortName {
                alias: numbers.draw(name),
                long: true,
            },
        })
        .collect()
}

/// The aliases given out in a folder, and the next number of each stem: one lookup per name, so that a folder
/// of 20,000 similar names is not quadratic.
struct Numbers {
    taken: HashSet<Alias>,
    next: HashMap<Alias, u32>,
}

impl Numbers {
    fn draw(&mut self, name: &str) -> Alias {
        let (stem, extension) = basis(name);
        let mut digits = 1;
        loop {
            let kept = &stem[..stem.len().min(7_usize.saturating_sub(digits))];
            let next = self.next.entry(alias(kept, &extension)).or_insert(1);
            if *next >= 10_u32.pow(digits as u32) {
                digits += 1;
                continue;
            }
            *next = (*next).max(10_u32.pow(digits as u32 - 1));
            let candidate = alias(format!("{kept}~{next}").as_str(), &extension);
            *next += 1;
            if self.taken.insert(candidate) {
                return candidate;
            }
        }
    }
}

/// The alias of a name that loses nothing but lower case in it.
fn exact_alias(name: &str) -> Option<Alias> {
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    let fits = (1..=8).contains(&stem.len()) && extension.len() <= 3 && !name.ends_with('.');
    let plain = stem.bytes().chain(extension.bytes()).all(is_plain);
    (fits && plain).then(|| alias(&stem.to_ascii_uppercase(), &extension.to_ascii_uppercase()))
}

/// What an alias of a longer name starts from.
fn basis(name: &str) -> (String, String) {
    let (stem, extension) = match name.trim_start_matches(['.', ' ']).rsplit_once('.') {
        Some((stem, extension)) => (stem, extension),
        None => (name, ""),
    };
    let convert = |part: &str, length: usize| -> String {
        part.chars()
            .filter(|c| !". ".contains(*c))
            .take(length)
            .map(plain_or_underscore)
            .collect()
    };
    (convert(stem, 6), convert(extension, 3))
}

fn plain_or_underscore(c: char) -> char {
    match u8::try_from(c) {
        Ok(byte) if is_plain(byte) => c.to_ascii_uppercase(),
        _ => '_',
    }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'()-@^_`{}~".contains(&byte)
}

/// Pads both parts, which are ASCII and short enough.
fn alias(stem: &str, extension: &str) -> Alias {
    let mut alias = [b' '; 11];
    alias[..stem.len()].copy_from_slice(stem.as_bytes());
    alias[8..8 + extension.len()].copy_from_slice(extension.as_bytes());
    alias
}

fn display(alias: &Alias) -> String {
    let part = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    let (stem, extension) = (part(&alias[..8]), part(&alias[8..]));
    if extension.is_empty() {
        stem
    } else {
        format!("{stem}.{extension}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(names: &[&str]) -> Vec<(String, bool)> {
        assign(names)
            .iter()
            .map(|short| (display(&short.alias), short.long))
            .collect()
    }

    fn pair(alias: &str, long: bool) -> (String, bool) {
        (alias.to_owned(), long)
    }

    #[test]
    fn keeps_names_that_are_8_3_already() {
        let expected = [
            pair("BOOTX64.EFI", false),
            pair("GRUB.CFG", true),
            pair("A", false),
        ];
        assert_eq!(shown(&["BOOTX64.EFI", "grub.cfg", "A"]), expected);
    }

    #[test]
    fn an_exact_name_is_never_taken_by_a_generated_one() {
        let expected = [pair("LONGFI~2.TXT", true), pair("LONGFI~1.TXT", false)];
        assert_eq!(shown(&["Long file name.txt", "LONGFI~1.TXT"]), expected);
    }

    #[test]
    fn strips_and_replaces_what_an_alias_cannot_hold() {
        let names = [
            ".profile",
            "a b.c d",
            "日本.txt",
            "x+y.tar.gz",
            "...x",
            "ab.html",
            ".",
        ];
        let aliases: Vec<String> = shown(&names).into_iter().map(|(alias, _)| alias).collect();
        assert_eq!(
            aliases,
            [
                "PROFIL~1",
                "AB~1.CD",
                "__~1.TXT",
                "X_YTAR~1.GZ",
                "X~1",
                "AB~1.HTM",
                "~1"
            ]
        );
    }

    #[test]
    fn numbers_stay_unique_beyond_ten_thousand() {
        let names: Vec<String> = (0..20_000).map(|n| format!("measurement {n:05}.data")).collect();
        let aliases = assign(&names.iter().map(String::as_str).collect::<Vec<_>>());
        let unique: HashSet<Alias> = aliases.iter().map(|short| short.alias).collect();
        assert_eq!(unique.len(), 20_000);
        assert_eq!(display(&aliases[9].alias), "MEASU~10.DAT");
        assert_eq!(display(&aliases[19_999].alias), "ME~20000.DAT");
    }
}
