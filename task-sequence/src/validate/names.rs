//! Names and keys that have to have a certain shape, whoever gives them.

/// Whether a name can be a computer's: what NetBIOS and DNS both carry.
pub fn computer_name(name: &str) -> Result<(), String> {
    const LONGEST: usize = 15;
    let length = name.chars().count();
    if length > LONGEST {
        return Err(format!(
            "the computer name `{name}` has {length} characters: {LONGEST} are possible"
        ));
    }
    if name.is_empty() {
        return Err("the computer name is empty".into());
    }
    if let Some(bad) = name.chars().find(|c| !c.is_ascii_alphanumeric() && *c != '-') {
        return Err(format!(
            "the computer name `{name}` has `{bad}` in it: letters, digits and hyphens are possible"
        ));
    }
    if name.starts_with('-') || name.ends_with('-') {
        return Err(format!("the computer name `{name}` begins or ends with a hyphen"));
    }
    if name.chars().all(|c| c.is_ascii_digit()) {
        return Err(format!("the computer name `{name}` has no letter in it"));
    }
    Ok(())
}

/// Whether a text can be a product key: five groups of five with hyphens between them, or an encoded
/// volume key, which is longer and has none. The reason never shows the key.
pub fn product_key(key: &str) -> Result<(), String> {
    /// What keys are made of: no vowels, and nothing that looks like something else.
    const ALPHABET: &str = "BCDFGHJKMNPQRTVWXY2346789";
    if is_encoded_key(key) {
        return Ok(());
    }
    let groups: Vec<&str> = key.split('-').collect();
    if groups.len() != 5 || groups.iter().any(|group| group.chars().count() != 5) {
        return Err(
            "the product key is not five groups of five letters or digits with hyphens between them".into(),
        );
    }
    let foreign = key
        .chars()
        .filter(|c| *c != '-')
        .find(|c| !ALPHABET.contains(c.to_ascii_uppercase()));
    match foreign {
        Some(bad) => Err(format!(
            "the product key has `{bad}` in it: keys consist of {ALPHABET}"
        )),
        None => Ok(()),
    }
}

/// What Windows makes of a volume key so that an answer file need not show it.
fn is_encoded_key(key: &str) -> bool {
    const SHORTEST: usize = 40;
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || "+/=".contains(c);
    key.len() >= SHORTEST && key.chars().all(is_base64)
}

/// Whether a text can be the name of a workgroup: what NetBIOS carries.
pub fn workgroup_name(name: &str) -> Result<(), String> {
    const LONGEST: usize = 15;
    let length = name.chars().count();
    if name.trim().is_empty() {
        return Err("the name of the workgroup is empty".into());
    }
    if length > LONGEST {
        return Err(format!(
            "the workgroup `{name}` has {length} characters: {LONGEST} are possible"
        ));
    }
    match name
        .chars()
        .find(|c| c.is_control() || "\"/\\[]:|<>+=;,?*".contains(*c))
    {
        Some(bad) => Err(format!(
            "the workgroup `{name}` has `{bad}` in it, which no workgroup can have"
        )),
        None => Ok(()),
    }
}

pub(super) fn is_ldap_name(text: &str) -> bool {
    let text = text.strip_prefix("LDAP://").unwrap_or(text);
    let is_part = |part: &str| {
        let kind = part
            .split_once('=')
            .map(|(kind, value)| (kind.trim().to_uppercase(), value.trim()));
        kind.is_some_and(|(kind, value)| matches!(kind.as_str(), "OU" | "DC" | "CN") && !value.is_empty())
    };
    // An escaped comma belongs to a name.
    text.replace("\\,", "").split(',').all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_key_has_its_shape_and_is_never_shown() {
        for good in [
            "BCDFG-HJKMN-PQRTV-WXY23-46789",
            "bcdfg-hjkmp-qrtvw-xy234-6789b",
            &"Ab1+".repeat(12),
        ] {
            assert_eq!(product_key(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "BCDFG-HJKMN",
            "BCDFGHJKMNPQRTVWXY2346789",
            "BCDFG-HJKMN-PQRTV-WXY23-4678",
            "ABCDE-HJKMN-PQRTV-WXY23-46789",
        ] {
            let why = product_key(bad).unwrap_err();
            assert!(bad.is_empty() || !why.contains(bad), "{why}");
        }
        assert!(
            product_key("BCDFG-HJKM0-PQRTV-WXY23-46789")
                .unwrap_err()
                .contains("`0`")
        );
    }

    #[test]
    fn a_computer_name_fits_netbios_and_dns() {
        assert_eq!(computer_name("REF-01"), Ok(()));
        for bad in ["SIXTEEN-CHARS-XX", "", "a b", "-x", "x-", "naïve", "20260131"] {
            assert!(computer_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_workgroup_fits_netbios() {
        assert_eq!(workgroup_name("WORKGROUP"), Ok(()));
        for bad in ["", " ", "SIXTEEN-CHARS-XX", "a/b", "a*b"] {
            assert!(workgroup_name(bad).is_err(), "{bad}");
        }
    }
}
