//! Any text that a user can think of arrives in Windows as it was written, or is refused.

use proptest::prelude::*;
use roxmltree::Document;
use task_sequence::{Secret, Variables};
use windows_setup::unattend::{Administrator, Membership, Settings, answer_file, merge, remove_secrets};

use crate::AMD64;

/// Texts with what XML, TOML and shells give a meaning to.
fn text() -> impl Strategy<Value = String> {
    prop_oneof!["\\PC{0,40}", "[<>&\"' %;\\]\\[!\\-a-z]{0,30}", any::<String>()]
}

fn read(xml: &str, name: &str) -> Option<String> {
    let document = Document::parse(xml).expect("well-formed");
    let node = document
        .descendants()
        .find(|node| node.tag_name().name() == name)?;
    Some(node.text().unwrap_or_default().to_owned())
}

fn possible(text: &str) -> bool {
    !text.is_empty()
        && !text
            .chars()
            .any(|c| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}'))
}

proptest! {
    #[test]
    fn values_arrive_or_are_refused(user in text(), unit in text(), password in text()) {
        let settings = Settings {
            registered_user: Some(user.clone()),
            membership: Some(Membership::Domain {
                name: "d".into(),
                unit: Some(unit.clone()),
                account: "a".into(),
                password: Secret::new(password.clone()),
            }),
            administrator: Some(Administrator::Enabled(Secret::new(password.clone()))),
            ..Settings::default()
        };
        match answer_file(&settings, &AMD64) {
            Ok(xml) => {
                let unit = unit.strip_prefix("LDAP://").unwrap_or(&unit).to_owned();
                prop_assert!(possible(&user) && possible(&unit) && possible(&password));
                prop_assert_eq!(read(&xml, "RegisteredOwner"), Some(user));
                prop_assert_eq!(read(&xml, "Password"), Some(password));
                prop_assert_eq!(read(&xml, "MachineObjectOU"), Some(unit));
            }
            Err(_) => prop_assert!(!(possible(&user) && possible(&unit) && possible(&password))),
        }
    }

    #[test]
    fn variables_arrive_in_the_users_file(value in "\\PC{0,40}") {
        let own = "<unattend xmlns=\"urn:schemas-microsoft-com:unattend\"><a b=\"%X%\">%x%</a></unattend>";
        let mut variables = Variables::new();
        variables.set("X", value.clone()).expect("a name");
        if let Ok(merged) = merge(own.as_bytes(), &variables, &Settings::default(), &AMD64) {
            let document = Document::parse(&merged.text).expect("well-formed");
            let node = document.root_element().first_element_child().expect("an element");
            prop_assert_eq!(node.attribute("b"), Some(value.as_str()));
            prop_assert_eq!(node.text().unwrap_or_default(), value);
        } else {
            prop_assert!(value.contains(['\u{fffe}', '\u{ffff}']), "{}", value);
        }
    }

    #[test]
    fn no_bytes_make_a_panic(bytes in any::<Vec<u8>>(), text in "[<>/a-z!?\\-\\[\\]=\"%& \n]{0,80}") {
        let file = format!("<unattend xmlns=\"urn:schemas-microsoft-com:unattend\">{text}</unattend>");
        for file in [bytes.as_slice(), text.as_bytes(), file.as_bytes()] {
            let _ = merge(file, &Variables::new(), &Settings::default(), &AMD64);
            let _ = remove_secrets(file, &["a", "x"]);
        }
    }

    #[test]
    fn a_known_secret_is_nowhere_in_what_is_left(secret in "[a-zA-Z0-9<>&\"']{6,20}") {
        let escaped = quick_xml::escape::escape(secret.as_str());
        let file = format!(
            "<unattend xmlns=\"urn:schemas-microsoft-com:unattend\"><Password>{escaped}</Password>\
             <Path a=\"net user x {escaped}\">net user x {escaped} /add</Path></unattend>"
        );
        let cleaned = remove_secrets(file.as_bytes(), &[&secret]).expect("an answer file");
        prop_assert_eq!(cleaned.removed.len(), 3);
        prop_assert!(!cleaned.text.contains(secret.as_str()) && !cleaned.text.contains(&*escaped));
        prop_assert!(Document::parse(&cleaned.text).is_ok());
    }
}
