//! Input locales of Windows as layouts of a Linux keyboard.

/// A layout of XKB, as `setxkbmap` knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyboard {
    /// Such as `us`.
    pub layout: String,
    /// Such as `intl`; mostly empty.
    pub variant: &'static str,
}

/// Identifiers of Windows' keyboards, with layout and variant.
const KNOWN: [(u32, &str, &str); 45] = [
    (0x0401, "ara", ""),
    (0x0404, "tw", ""),
    (0x0405, "cz", ""),
    (0x0406, "dk", ""),
    (0x0407, "de", ""),
    (0x0408, "gr", ""),
    (0x0409, "us", ""),
    (0x0001_0409, "us", "dvorak"),
    (0x0002_0409, "us", "intl"),
    (0x040A, "es", ""),
    (0x040B, "fi", ""),
    (0x040C, "fr", ""),
    (0x040D, "il", ""),
    (0x040E, "hu", ""),
    (0x040F, "is", ""),
    (0x0410, "it", ""),
    (0x0411, "jp", ""),
    (0x0412, "kr", ""),
    (0x0413, "nl", ""),
    (0x0414, "no", ""),
    (0x0415, "pl", ""),
    (0x0416, "br", ""),
    (0x0418, "ro", ""),
    (0x0001_0418, "ro", ""),
    (0x0419, "ru", ""),
    (0x041A, "hr", ""),
    (0x041B, "sk", ""),
    (0x041D, "se", ""),
    (0x041F, "tr", ""),
    (0x0422, "ua", ""),
    (0x0424, "si", ""),
    (0x0425, "ee", ""),
    (0x0426, "lv", ""),
    (0x0001_0427, "lt", ""),
    (0x0804, "cn", ""),
    (0x0807, "ch", ""),
    (0x0809, "gb", ""),
    (0x080A, "latam", ""),
    (0x080C, "be", ""),
    (0x0813, "be", ""),
    (0x0816, "pt", ""),
    (0x1009, "ca", ""),
    (0x100C, "ch", "fr"),
    (0x1809, "ie", ""),
    (0x0001_080C, "be", ""),
];

/// The keyboard of the first input locale of a list: `nl-NL` is `nl`, `0409:00020409` is `us` with its variant `intl`.
///
/// # Errors
/// When it has the identifier of a keyboard that is none of the usual ones.
pub fn keyboard(input_locale: &str) -> Result<Keyboard, String> {
    let first = input_locale.split([';', ',']).next().unwrap_or_default().trim();
    let id = first.rsplit(':').next().unwrap_or_default();
    let is_number = first.contains(':') || first.starts_with(|c: char| c.is_ascii_digit());
    if !is_number {
        let layout = first.rsplit(['-', '_']).next().unwrap_or_default().to_lowercase();
        return Ok(Keyboard { layout, variant: "" });
    }
    let number = u32::from_str_radix(id, 16).ok();
    let known = KNOWN.iter().find(|(known, ..)| Some(*known) == number);
    known.map_or_else(
        || {
            Err(format!(
                "`input-locale`: what Windows' keyboard {id} is in Linux is not known: write `keyboard`, such as \"us\""
            ))
        },
        |(_, layout, variant)| {
            Ok(Keyboard {
                layout: (*layout).to_owned(),
                variant,
            })
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_locale_is_a_language_or_a_keyboard_of_windows() {
        for (text, layout, variant) in [
            ("nl-NL", "nl", ""),
            ("en_US", "us", ""),
            ("0409:00000409", "us", ""),
            ("0413:00020409", "us", "intl"),
            ("0409:00000409;0413:00000413", "us", ""),
            ("0000080c", "be", ""),
            ("0407", "de", ""),
            ("100C:0000100c", "ch", "fr"),
        ] {
            let found = keyboard(text).unwrap();
            assert_eq!(
                (found.layout.as_str(), found.variant),
                (layout, variant),
                "{text}"
            );
        }
        for text in [
            "0409:00140C00",
            "0411:{03B5835F-F03C-411B-9CE2-AA23E1171E36}",
            "0409:",
        ] {
            assert!(keyboard(text).unwrap_err().contains("write `keyboard`"), "{text}");
        }
    }
}
