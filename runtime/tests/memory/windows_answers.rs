//! What Windows set-up is told, as the first start of the applied Windows reads it.

use media_format::manifest::MediaLayout;

use crate::driver::{run_to_end, run_to_system};
use crate::hives::value;
use crate::windows::SYSTEM_HIVE;
use crate::windows_runs::{
    BUILD_AND_CAPTURE, DEPLOY, INSIDE, captured, media, template, template_of, with_controller,
};
use crate::world::Node;

const PLACE: &str = "Windows/Panther/Unattend/Unattend.xml";

/// The template that deploys, without the steps of those types.
fn deploys(without: &[&str]) -> String {
    let text = DEPLOY.replace("\"reference\"", "\"windows\"");
    template_of(&text, &[&INSIDE, without].concat())
}

/// The answer file of a sequence, with the user's own beside it.
fn answers(sequence: &str, own: &str) -> String {
    let mut media = media(MediaLayout::Iso, sequence);
    media.add_wim("answers", own.as_bytes());
    let (world, report) = run_to_system(with_controller(&media));
    let bytes = world.drives[0].parts[2].volume.bytes(PLACE);
    let bytes = bytes.unwrap_or_else(|| panic!("no answer file: {}", report.log));
    String::from_utf8_lossy(bytes).into_owned()
}

/// An answer file of the user's own with a setting of that component.
fn own(pass: &str, component: &str, setting: &str) -> String {
    format!(
        "<unattend xmlns=\"urn:schemas-microsoft-com:unattend\"><settings pass=\"{pass}\"><component \
         name=\"Microsoft-Windows-{component}\" processorArchitecture=\"amd64\" publicKeyToken=\"31bf3856ad364e35\" \
         language=\"neutral\" versionScope=\"nonSxS\">{setting}</component></settings></unattend>"
    )
}

/// The sequence with that answer file.
fn with_own(sequence: &str) -> String {
    let step = "  package = \"windows\"\n";
    assert!(sequence.contains(step));
    let named = format!("{step}  answer-package = \"answers\"\n  answer-file = \"own.xml\"\n");
    sequence.replace(step, &named)
}

/// The file is named by ConfigMgr's variable, and has variables itself.
#[test]
fn the_users_own_answer_file_has_its_variables_expanded_and_the_log_says_what_it_decides() {
    let sequence = deploys(&[]);
    let step = "  package = \"windows\"\n";
    assert!(sequence.contains(step));
    let named = sequence.replace(step, &format!("{step}  answer-package = \"answers\"\n"));
    let own = own(
        "specialize",
        "Shell-Setup",
        "<ComputerName>X-%OSDComputerName%</ComputerName>",
    );
    let mut media = media(MediaLayout::Iso, &named);
    media.add_wim("answers", b"");
    media.put_image_folder(
        "answers",
        &[("own.xml", own.into()), ("other.xml", b"other".into())],
    );
    let variables = &mut media.options.variables;
    variables.insert("OSDConfigFileName".into(), "own.xml".into());
    let (world, report) = run_to_system(with_controller(&media));
    let told = world.drives[0].parts[2].volume.bytes(PLACE);
    let told = String::from_utf8_lossy(told.unwrap_or_else(|| panic!("{}", report.log)));
    // The sequence says COMPUTER.
    assert!(told.contains("<ComputerName>X-COMPUTER</ComputerName>"), "{told}");
    assert_eq!(told.matches("<ComputerName>").count(), 1, "{told}");
    let decides = "the answer file decides, not the step: ";
    let kept: Vec<&str> = report.log.lines().filter(|line| line.contains(decides)).collect();
    assert!(
        kept.len() == 1 && kept[0].contains("ComputerName"),
        "{}",
        report.log
    );
}

/// The four without which the first start asks, in order.
fn locales(answers: &str) -> [Vec<&str>; 4] {
    ["InputLocale", "SystemLocale", "UILanguage", "UserLocale"].map(|name| {
        let parts = answers.split(&format!("<{name}>")).skip(1).collect::<Vec<_>>();
        parts
            .iter()
            .map(|part| part.split('<').next().unwrap_or_default())
            .collect()
    })
}

#[test]
fn the_first_start_asks_for_no_language_where_no_step_names_one() {
    let told = answers(&deploys(&["apply-os-settings", "apply-network-settings"]), "none");
    // The language of the image.
    assert_eq!(locales(&told), [["nl-NL"]; 4], "{told}");
    let oobe = told.find("oobeSystem").unwrap();
    assert!(told.find("InputLocale").unwrap() > oobe, "{told}");
}

#[test]
fn a_language_of_the_sequence_stays_and_the_others_are_those_of_the_image() {
    let text = deploys(&[]);
    let without = |text: &str, name: &str| {
        let line = format!("  {name} = \"en-US\"\n");
        assert!(text.contains(&line));
        text.replace(&line, "")
    };
    assert!(
        !text.contains("\n  ui-language"),
        "what an image may lack is not in the template"
    );
    let names = ["system-locale", "user-locale"];
    let text = names.iter().fold(text, |text, name| without(&text, name));
    let told = answers(&text, "none");
    assert_eq!(
        locales(&told),
        [["en-US"], ["nl-NL"], ["nl-NL"], ["nl-NL"]],
        "{told}"
    );
}

#[test]
fn the_users_own_answer_file_decides_on_languages() {
    let own = own(
        "oobeSystem",
        "International-Core",
        "<UserLocale>fr-FR</UserLocale>",
    );
    let told = answers(&with_own(&deploys(&["apply-os-settings"])), &own);
    assert_eq!(
        locales(&told),
        [["nl-NL"], ["nl-NL"], ["nl-NL"], ["fr-FR"]],
        "{told}"
    );
}

const PREVENTED: &str = "<PreventDeviceEncryption>true</PreventDeviceEncryption>";

/// What the captured image says of the encryption of its volume.
fn prevented_in_image(sequence: &str, own: &str) -> bool {
    let mut media = media(MediaLayout::Iso, sequence);
    media.add_wim("answers", own.as_bytes());
    let (world, report) = run_to_end(with_controller(&media));
    report.assert_succeeded();
    let tree = captured(&world).images[0].tree().clone();
    let Node::File(hive, _) = &tree[SYSTEM_HIVE] else {
        panic!("no hive")
    };
    value(
        hive,
        r"ControlSet001\Control\BitLocker",
        "PreventDeviceEncryption",
    )
    .is_some()
}

#[test]
fn a_reference_does_not_encrypt_its_volume_and_its_image_does_as_windows_does() {
    let captures = template(BUILD_AND_CAPTURE, &INSIDE);
    let told = answers(&captures, "none");
    assert!(told.contains(PREVENTED), "{told}");
    assert!(told.find(PREVENTED).unwrap() < told.find("oobeSystem").unwrap());
    assert!(!prevented_in_image(&captures, "none"));
    // What is not captured is nobody's business.
    assert!(!answers(&deploys(&[]), "none").contains("PreventDeviceEncryption"));
}

#[test]
fn the_users_own_answer_file_decides_on_encryption_for_the_image_too() {
    let captures = with_own(&template(BUILD_AND_CAPTURE, &INSIDE));
    let own = |value: &str| {
        let setting = format!("<PreventDeviceEncryption>{value}</PreventDeviceEncryption>");
        own("oobeSystem", "SecureStartup-FilterDriver", &setting)
    };
    assert!(prevented_in_image(&captures, &own("true")));
    assert!(!answers(&captures, &own("false")).contains(PREVENTED));
}
