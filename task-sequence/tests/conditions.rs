//! Conditions, from their text to their answer.

// What cannot go on in a test fails it.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, UNIX_EPOCH};

use task_sequence::condition::{FactError, FileFact, OperatingSystemFact, RegistryFact, Row, SoftwareFact};
use task_sequence::{Facts, Firmware, Variables, parse, render};

struct Machine(Variables);

impl Facts for Machine {
    fn variables(&self) -> &Variables {
        &self.0
    }
    fn file(&self, path: &str) -> Result<Option<FileFact>, FactError> {
        let modified = Some(UNIX_EPOCH + Duration::from_secs(1_769_860_800));
        Ok((path == "/etc/ten").then_some(FileFact { modified }))
    }
    fn file_version(&self, path: &str) -> Result<Option<String>, FactError> {
        assert_eq!(path, "/etc/ten");
        Ok(Some("10.2".into()))
    }
    fn folder(&self, path: &str) -> Result<Option<FileFact>, FactError> {
        match path {
            "/broken" => Err(FactError::new(path, "input/output error")),
            path => Ok((path == "/etc").then(FileFact::default)),
        }
    }
    fn registry(&self, key: &str, value: Option<&str>) -> Result<Option<RegistryFact>, FactError> {
        let found = RegistryFact {
            kind: "REG_DWORD".into(),
            data: "12".into(),
        };
        Ok((key == r"HKLM\SOFTWARE\X" && value.is_none_or(|value| value == "Count")).then_some(found))
    }
    fn software(&self) -> Result<Vec<SoftwareFact>, FactError> {
        let named = |name: &str| SoftwareFact {
            name: name.into(),
            version: "2.10".into(),
            ..SoftwareFact::default()
        };
        Ok(vec![named("Editor 2"), named("Tool_7 [x64] 100%")])
    }
    fn operating_system(&self) -> Result<OperatingSystemFact, FactError> {
        Ok(OperatingSystemFact {
            name: "Debian GNU/Linux".into(),
            version: "13.1".into(),
            architecture: "x86-64".into(),
            language: "en-US".into(),
        })
    }
    fn rows(&self, class: &str) -> Result<Vec<Row>, FactError> {
        assert_eq!(class, "Win32_ComputerSystem");
        Ok(vec![
            [("Model", "Latitude 7420"), ("TotalPhysicalMemory", "17179869184")]
                .into_iter()
                .collect(),
        ])
    }
    fn firmware(&self) -> Result<Firmware, FactError> {
        Ok(Firmware::Uefi)
    }
    fn memory(&self) -> Result<u64, FactError> {
        Ok(2 << 30)
    }
}

fn evaluate(when: &str) -> Result<bool, FactError> {
    let text =
        format!("name = 's'\noperating-system = 'linux'\n[[steps]]\ntype = 'setup-os'\nwhen = {{ {when} }}");
    let sequence = parse("s.toml", &text).unwrap_or_else(|found| panic!("{}", render(&found)));
    let written = sequence.to_toml().unwrap();
    let again = parse("w.toml", &written).unwrap_or_else(|found| panic!("{}", render(&found)));
    assert_eq!(again, sequence, "{written}");
    let mut variables = Variables::new();
    for (name, value) in [
        ("Count", "10"),
        ("Name", "PC-1"),
        ("Empty", ""),
        ("Folder", "/etc"),
    ] {
        variables.set(name, value).unwrap();
    }
    sequence.all_steps()[0]
        .common
        .when
        .as_ref()
        .unwrap()
        .evaluate(&Machine(variables))
}

#[test]
fn what_holds() {
    for when in [
        "variable = 'count', greater = 9",
        "variable = 'Count', greater = '9', less-or-equal = '10.0'",
        "variable = 'Name', equals = 'pc-1'",
        "variable = 'Name', like = 'PC-*'",
        "variable = 'Name', not-like = 'PC-??'",
        "variable = 'Absent', exists = false",
        "variable = 'Absent', not-equals = 'x'",
        "variable = 'Empty', exists = true",
        "file = '%Folder%/ten', version = { greater = '9.9' }",
        "file = '/etc/ten', modified-after = 2026-01-31, modified-before = '2026-02-01'",
        "file = '/etc/none', exists = false",
        "folder = '/etc'",
        "registry = 'HKLM\\SOFTWARE\\X', value = 'Count', value-type = 'reg_dword', greater = 9",
        "registry = 'HKLM\\SOFTWARE\\Y', exists = false",
        "software = 'Editor*', version = { greater-or-equal = '2.9' }",
        "software = 'Editor*', version = '2.10'",
        "software = 'tool_7 [x64] 100%'",
        "software = 'Tool_? [x64]*'",
        "software = 'Other', exists = false",
        "operating-system = 'Debian*', version = { greater-or-equal = 13 }, architecture = 'x86-64', language = 'en-*'",
        "query = \"select * from Win32_ComputerSystem where Model like 'Latitude%'\"",
        "firmware = 'uefi'",
        "memory = '2 GB'",
        "all = [{ firmware = 'uefi' }, { none = [{ memory = '4 GB' }, { folder = '/none' }] }]",
        "any = [{ firmware = 'bios' }, { firmware = 'uefi' }, { folder = '/broken' }]",
    ] {
        assert_eq!(evaluate(when), Ok(true), "{when}");
    }
}

#[test]
fn what_does_not_hold() {
    for when in [
        "variable = 'Count', greater = '9', less = '10'",
        "variable = 'Absent', equals = ''",
        "variable = 'Absent', less = 1",
        "variable = 'Count', exists = false",
        "file = '/etc/ten', version = { less = '10' }",
        "file = '/etc/ten', modified-before = 2026-01-31",
        "file = '/etc/ten', exists = false",
        "folder = '/etc', modified-after = 1970-01-01",
        "software = 'Editor_2'",
        "software = 'Edit%'",
        "software = 'Tool_7 [a-z]*'",
        "variable = 'Name', like = 'PC_%'",
        "registry = 'HKLM\\SOFTWARE\\X', value = 'Count', value-type = 'REG_SZ'",
        "software = 'Editor*', version = { less = '2.9' }",
        "operating-system = 'Windows*'",
        "operating-system = 'Debian*', version = 13",
        "query = \"select * from Win32_ComputerSystem where TotalPhysicalMemory < 1000\"",
        "memory = '2049 MB'",
        "all = [{ firmware = 'bios' }, { folder = '/broken' }]",
        "none = [{ firmware = 'uefi' }]",
    ] {
        assert_eq!(evaluate(when), Ok(false), "{when}");
    }
}

#[test]
fn what_cannot_be_found_out_is_an_error() {
    let error = evaluate("none = [{ folder = '/broken' }]").unwrap_err();
    assert!(
        error.to_string().contains("/broken: input/output error"),
        "{error}"
    );
}

#[test]
fn a_folder_has_no_version() {
    let text = "name = 's'\noperating-system = 'windows'\n[[steps]]\ntype = 'setup-os'\n\
                when = { folder = 'C:\\Tool', version = '1.0' }";
    let shown = render(&parse("s.toml", text).unwrap_err());
    assert!(
        shown.contains("`version` does not belong to a test of `folder`"),
        "{shown}"
    );
}
