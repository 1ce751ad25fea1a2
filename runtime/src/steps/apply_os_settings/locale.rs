//! Locale of the applied Linux.

use std::path::Path;

use task_sequence::steps::ApplyOsSettings;

use crate::context::Context;
use crate::platform::{self, Platform};

const FOLDER: &str = "usr/lib/locale";

pub(super) fn set(context: &Context<'_>, root: &Path, options: &ApplyOsSettings) -> platform::Result<()> {
    let language = options.system_locale.as_ref().or(options.ui_language.as_ref());
    let language = language.map(|name| ("LANG", full_name(name)));
    let formats = options.user_locale.iter().flat_map(|name| {
        ["LC_TIME", "LC_NUMERIC", "LC_MONETARY"].map(|category| (category, full_name(name)))
    });
    let all: Vec<(&str, String)> = language.into_iter().chain(formats).collect();
    if all.is_empty() {
        return Ok(());
    }
    warn_of_missing(context, root, &all)?;
    let lines: String = all
        .iter()
        .map(|(name, locale)| format!("{name}={locale}\n"))
        .collect();
    for file in ["etc/default/locale", "etc/locale.conf"] {
        context
            .platform
            .write(&root.join(file), lines.as_bytes(), 0o644)?;
    }
    Ok(())
}

/// `en-US` → `en_US.UTF-8`. Who names a character set or a variant means that very locale.
fn full_name(name: &str) -> String {
    let (language, rest) = name.split_at(name.find(['.', '@']).unwrap_or(name.len()));
    let language = language.replace('-', "_");
    match (language.as_str(), rest) {
        ("POSIX", "") => language,
        (_, "") => format!("{language}.UTF-8"),
        (_, rest) => format!("{language}{rest}"),
    }
}

fn warn_of_missing(context: &Context<'_>, root: &Path, all: &[(&str, String)]) -> platform::Result<()> {
    let mut locales: Vec<&String> = all.iter().map(|(_, locale)| locale).collect();
    locales.dedup();
    for locale in locales {
        if is_missing(context.platform, root, locale)? {
            context.log.warning(format!(
                "the system does not seem to have the locale {locale}, so its programs will use C: generate it in the \
                 reference (locale-gen, or a package with the language)"
            ));
        }
    }
    Ok(())
}

/// Whether the system's library certainly lacks a locale: each is a folder, or lies in one archive with all that are listed in
/// `locale.gen`. Of an archive without a list, and of libraries other than glibc, nothing is known.
fn is_missing(platform: &dyn Platform, root: &Path, locale: &str) -> platform::Result<bool> {
    let folders = platform.list(&root.join(FOLDER))?;
    let is_it = |name: &str| normal(name) == normal(locale);
    if folders.is_empty() || ["C", "POSIX"].contains(&before_codeset(locale)) {
        return Ok(false);
    }
    if folders.iter().any(|name| is_it(name)) {
        return Ok(false);
    }
    if !folders.iter().any(|name| name == "locale-archive") {
        return Ok(true);
    }
    let Some(list) = platform.read(&root.join("etc/locale.gen"))? else {
        return Ok(false);
    };
    let list = String::from_utf8_lossy(&list).into_owned();
    Ok(!list
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .any(is_it))
}

fn before_codeset(locale: &str) -> &str {
    locale.split('.').next().unwrap_or(locale)
}

/// As glibc compares names: `en_US.UTF-8` is `en_US.utf8`.
fn normal(locale: &str) -> String {
    let Some((language, rest)) = locale.split_once('.') else {
        return locale.to_owned();
    };
    let (codeset, variant) = rest.split_at(rest.find('@').unwrap_or(rest.len()));
    format!("{language}.{}{variant}", codeset.replace('-', "").to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_language_is_converted() {
        for (written, expected) in [
            ("en-US", "en_US.UTF-8"),
            ("nl_NL", "nl_NL.UTF-8"),
            ("C", "C.UTF-8"),
            ("POSIX", "POSIX"),
            ("C.UTF-8", "C.UTF-8"),
            ("en_US.UTF-8", "en_US.UTF-8"),
            ("en-US.ISO-8859-1", "en_US.ISO-8859-1"),
            ("de-DE@euro", "de_DE@euro"),
            ("sr-RS.UTF-8@latin", "sr_RS.UTF-8@latin"),
        ] {
            assert_eq!(full_name(written), expected);
        }
    }

    #[test]
    fn names_are_compared_as_glibc_does() {
        assert_eq!(normal("sr_RS.UTF-8@latin"), "sr_RS.utf8@latin");
        assert_eq!(normal("en_US.ISO-8859-1"), normal("en_US.iso88591"));
        assert_ne!(normal("en_US.UTF-8"), normal("en_GB.UTF-8"));
    }
}
