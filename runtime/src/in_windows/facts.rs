//! What conditions ask of a running Windows.

use task_sequence::condition::{OperatingSystemFact, RegistryFact, SoftwareFact};

use super::registry::text;
use crate::platform::{Registry, Result};

const VERSION: &str = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion";
const ENVIRONMENT: &str = r"HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Environment";
const LANGUAGES: &str = r"HKLM\SYSTEM\CurrentControlSet\Control\MUI\UILanguages";
/// What is installed, by programs of both widths.
const UNINSTALL: [&str; 2] = [
    r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall",
    r"HKLM\SOFTWARE\WOW6432Node\Microsoft\Windows\CurrentVersion\Uninstall",
];

/// A value, or a key where `value` is absent.
///
/// # Errors
/// When it is there and cannot be read.
pub fn registry(
    registry: &(impl Registry + ?Sized),
    key: &str,
    value: Option<&str>,
) -> Result<Option<RegistryFact>> {
    let Some(name) = value else {
        return Ok(registry.has_key(key)?.then(RegistryFact::default));
    };
    Ok(registry.value(key, name)?.map(|data| RegistryFact {
        kind: data.kind().into(),
        data: data.as_text(),
    }))
}

/// Everything that has an entry for its removal.
///
/// # Errors
/// When the registry cannot be read.
pub fn software(registry: &(impl Registry + ?Sized)) -> Result<Vec<SoftwareFact>> {
    let mut found = Vec::new();
    for above in UNINSTALL {
        for name in registry.keys(above)? {
            found.extend(installed(registry, above, &name)?);
        }
    }
    Ok(found)
}

fn installed(registry: &(impl Registry + ?Sized), above: &str, entry: &str) -> Result<Option<SoftwareFact>> {
    let key = format!(r"{above}\{entry}");
    let Some(name) = text(registry, &key, "DisplayName")?.filter(|name| !name.is_empty()) else {
        return Ok(None);
    };
    let is_product = entry.len() == 38 && entry.starts_with('{') && entry.ends_with('}');
    Ok(Some(SoftwareFact {
        name,
        version: text(registry, &key, "DisplayVersion")?.unwrap_or_default(),
        product_code: is_product.then(|| entry.to_owned()),
        ..SoftwareFact::default()
    }))
}

/// Name, version, architecture and language.
///
/// # Errors
/// When the registry cannot be read.
pub fn operating_system(registry: &(impl Registry + ?Sized)) -> Result<OperatingSystemFact> {
    let version = |name: &str| text(registry, VERSION, name).map(Option::unwrap_or_default);
    let build = version("CurrentBuildNumber")?;
    // Since Windows 10; before that, the version is one text.
    let (major, minor) = (
        version("CurrentMajorVersionNumber")?,
        version("CurrentMinorVersionNumber")?,
    );
    let number = if major.is_empty() {
        version("CurrentVersion")?
    } else {
        format!("{major}.{minor}")
    };
    Ok(OperatingSystemFact {
        name: product(&version("ProductName")?, &build),
        version: format!("{number}.{build}"),
        architecture: architecture(
            &text(registry, ENVIRONMENT, "PROCESSOR_ARCHITECTURE")?.unwrap_or_default(),
        ),
        language: registry.keys(LANGUAGES)?.into_iter().next().unwrap_or_default(),
    })
}

/// Windows 11 calls itself 10 there, for programs that are older.
fn product(name: &str, build: &str) -> String {
    const FIRST_OF_11: u32 = 22_000;
    let is_11 = build.parse().is_ok_and(|build: u32| build >= FIRST_OF_11);
    if is_11 {
        name.replace("Windows 10", "Windows 11")
    } else {
        name.to_owned()
    }
}

fn architecture(name: &str) -> String {
    match name.to_ascii_uppercase().as_str() {
        "X86" => "x86".into(),
        "ARM64" => "arm64".into(),
        _ => "x86-64".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::*;
    use crate::platform::Data;

    #[test]
    fn windows_11_is_known_as_such() {
        let machine = Fake::default();
        for (name, data) in [
            ("ProductName", Data::Text("Windows 10 Pro".into())),
            ("CurrentBuildNumber", Data::Text("26100".into())),
            ("CurrentMajorVersionNumber", Data::Number(10)),
            ("CurrentMinorVersionNumber", Data::Number(0)),
        ] {
            machine.put_value(VERSION, name, data);
        }
        machine.put_value(ENVIRONMENT, "PROCESSOR_ARCHITECTURE", Data::Text("AMD64".into()));
        machine.put_key(&format!(r"{LANGUAGES}\nl-nl"));
        let found = operating_system(&machine).unwrap();
        assert_eq!(
            (found.name.as_str(), found.version.as_str()),
            ("Windows 11 Pro", "10.0.26100")
        );
        assert_eq!(
            (found.architecture.as_str(), found.language.as_str()),
            ("x86-64", "nl-nl")
        );
        let old = Fake::default();
        old.put_value(VERSION, "CurrentVersion", Data::Text("6.1".into()));
        old.put_value(VERSION, "CurrentBuildNumber", Data::Text("7601".into()));
        assert_eq!(operating_system(&old).unwrap().version, "6.1.7601");
    }

    #[test]
    fn software_of_both_widths_is_found_by_name_and_product() {
        let machine = Fake::default();
        let code = "{0a1b2c3d-0000-4000-8000-000000000001}";
        let entry = format!(r"{}\{code}", UNINSTALL[1]);
        machine.put_value(&entry, "DisplayName", Data::Text("Tool".into()));
        machine.put_value(&entry, "DisplayVersion", Data::Text("1.2".into()));
        machine.put_key(&format!(r"{}\hidden update", UNINSTALL[0]));
        let found = software(&machine).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].name.as_str(), found[0].product_code.as_deref()),
            ("Tool", Some(code))
        );
    }

    #[test]
    fn a_value_has_its_type_and_a_key_none() {
        let machine = Fake::default();
        machine.put_value(r"HKLM\SOFTWARE\Example", "Number", Data::Number(7));
        let fact = registry(&machine, r"HKLM\SOFTWARE\Example", Some("Number"))
            .unwrap()
            .unwrap();
        assert_eq!((fact.kind.as_str(), fact.data.as_str()), ("REG_DWORD", "7"));
        assert_eq!(
            registry(&machine, r"HKLM\SOFTWARE\Example", Some("Other")).unwrap(),
            None
        );
        assert!(
            registry(&machine, r"HKLM\SOFTWARE\Example", None)
                .unwrap()
                .is_some()
        );
        assert_eq!(registry(&machine, r"HKLM\SOFTWARE\Nothing", None).unwrap(), None);
    }
}
