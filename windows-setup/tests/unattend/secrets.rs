//! What must not stay when Windows has used an answer file.

use task_sequence::{Secret, Variables};
use windows_setup::unattend::{
    Administrator, LEFT_BEHIND, Membership, PLACE, REMOVED, Settings, answer_file, merge, remove_secrets,
};

use crate::AMD64;

const CANARY: &str = "Canary-4711";
const KEY: &str = "BCDFG-HJKMN-PQRTV-WXY23-46789";

fn secretive() -> String {
    let settings = Settings {
        computer_name: Some("REF".into()),
        product_key: Some(Secret::new(KEY)),
        administrator: Some(Administrator::Enabled(Secret::new(CANARY))),
        membership: Some(Membership::Domain {
            name: "lab.example".into(),
            unit: None,
            account: "joiner".into(),
            password: Secret::new(CANARY),
        }),
        ..Settings::default()
    };
    answer_file(&settings, &AMD64).unwrap()
}

#[test]
fn every_secret_that_we_write_is_found_and_removed() {
    let before = secretive();
    let cleaned = remove_secrets(before.as_bytes(), &[]).unwrap();
    assert_eq!(
        cleaned.removed,
        [
            "unattend/settings/component/ProductKey",
            "unattend/settings/component/Identification/Credentials/Password",
            "unattend/settings/component/UserAccounts/AdministratorPassword/Value",
        ]
    );
    assert_eq!(cleaned.text.matches(REMOVED).count(), 3);
    for secret in [CANARY, KEY, "AGEAcgB5AC0"] {
        assert!(!cleaned.text.contains(secret), "{secret} in\n{}", cleaned.text);
    }
    assert!(cleaned.text.contains("<ComputerName>REF</ComputerName>"));
    let again = remove_secrets(cleaned.text.as_bytes(), &[]).unwrap();
    assert_eq!(
        (again.removed.as_slice(), again.text.as_str()),
        ([].as_slice(), cleaned.text.as_str())
    );
}

/// Secrets as users and Windows set-up have them in files of their own.
const OTHERS: &str = "<unattend xmlns='urn:schemas-microsoft-com:unattend'>
  <AutoLogon><Username>u</Username><Password><Value>s1</Value><PlainText>true</PlainText></Password></AutoLogon>
  <LocalAccount><Password><!-- s2-x --><Value><![CDATA[s2-x]]></Value></Password><Name>n</Name></LocalAccount>
  <UserData><ProductKey><Key>s3</Key><WillShowUI>Never</WillShowUI></ProductKey></UserData>
  <Identification><MachinePassword>s4</MachinePassword><Provisioning><AccountData>s5</AccountData></Provisioning></Identification>
  <Password>*SENSITIVE*DATA*DELETED*</Password><Password/><Password> </Password>
</unattend>";

#[test]
fn secrets_of_other_settings_are_removed_too() {
    let cleaned = remove_secrets(OTHERS.as_bytes(), &["s2-x"]).unwrap();
    assert_eq!(cleaned.removed.len(), 6);
    for secret in ["s1", "s2-x", "s3", "s4", "s5"] {
        assert!(!cleaned.text.contains(secret), "{secret} in\n{}", cleaned.text);
    }
    for other in [
        "<Username>u<",
        "<PlainText>true<",
        "<WillShowUI>Never<",
        "<Name>n<",
    ] {
        assert!(cleaned.text.contains(other), "{other}");
    }
}

#[test]
fn a_known_secret_is_removed_wherever_it_stands() {
    let file = "<unattend xmlns='urn:schemas-microsoft-com:unattend' a='x&amp;yz'>\n\
        <!-- for x&yz --><Path>net user a \"x&amp;yz\" /add &amp; exit</Path><Path><![CDATA[x&yz]]><!-- x&yz --></Path></unattend>";
    let cleaned = remove_secrets(file.as_bytes(), &["x&yz", ""]).unwrap();
    assert!(
        !cleaned.text.contains("x&yz") && !cleaned.text.contains("x&amp;yz"),
        "{}",
        cleaned.text
    );
    assert!(
        cleaned
            .text
            .contains(&format!("net user a \"{REMOVED}\" /add &amp; exit")),
        "{}",
        cleaned.text
    );
    assert_eq!(cleaned.removed.len(), 4);
}

#[test]
fn a_cleaned_file_is_still_an_answer_file() {
    for file in [secretive(), OTHERS.to_owned()] {
        let cleaned = remove_secrets(file.as_bytes(), &[]).unwrap();
        // A product key that was removed is no product key: nobody sets Windows up from this file again.
        let cleaned = cleaned.text.replace(REMOVED, "");
        merge(
            cleaned.as_bytes(),
            &Variables::new(),
            &Settings::default(),
            &AMD64,
        )
        .unwrap();
    }
    assert!(remove_secrets(b"<other/>", &[]).is_err());
}

#[test]
fn the_file_that_we_write_is_among_those_that_are_looked_at() {
    assert!(LEFT_BEHIND.contains(&PLACE));
}
