//! Our settings in files of users, whose values win and whose text stays.

use roxmltree::Document;
use task_sequence::{Secret, Variables};
use windows_setup::unattend::{
    Administrator, Error, Membership, Merged, Settings, SetupCommand, answer_file, merge,
};

use crate::AMD64;

/// What somebody who writes answer files by hand has: comments, a namespace at the root, other passes and
/// architectures, values that stand where ours would, and values that are missing.
const OWN: &str = "<?xml version='1.0' encoding='utf-8'?>
<!-- Reference %OSDComputerName% -->
<unattend xmlns=\"urn:schemas-microsoft-com:unattend\" xmlns:wcm=\"http://schemas.microsoft.com/WMIConfig/2002/State\">
    <settings pass=\"windowsPE\">
        <component name=\"Microsoft-Windows-Setup\" processorArchitecture=\"amd64\" publicKeyToken=\"31bf3856ad364e35\" language=\"neutral\" versionScope=\"nonSxS\">
            <UserData><AcceptEula>true</AcceptEula></UserData>
        </component>
    </settings>
    <settings pass=\"specialize\">
        <component name=\"Microsoft-Windows-Shell-Setup\" processorArchitecture=\"x86\" publicKeyToken=\"31bf3856ad364e35\" language=\"neutral\" versionScope=\"nonSxS\">
            <ComputerName>OTHER</ComputerName>
        </component>
        <component name=\"Microsoft-Windows-Shell-Setup\" processorArchitecture=\"amd64\" publicKeyToken=\"31bf3856ad364e35\" language=\"neutral\" versionScope=\"nonSxS\">
            <ComputerName>%OSDComputerName%</ComputerName>
            <RegisteredOwner></RegisteredOwner>
            <!-- the lab's --><TimeZone>UTC</TimeZone>
        </component>
        <component name=\"Microsoft-Windows-Deployment\" processorArchitecture=\"amd64\" publicKeyToken=\"31bf3856ad364e35\" language=\"neutral\" versionScope=\"nonSxS\">
            <RunSynchronous>
                <RunSynchronousCommand wcm:action=\"add\"><Order>3</Order><Path>cmd /c ver &gt; C:\\v.txt</Path></RunSynchronousCommand>
            </RunSynchronous>
        </component>
    </settings>
    <cpi:offlineImage cpi:source=\"wim:install.wim#1\" xmlns:cpi=\"urn:schemas-microsoft-com:cpi\" />
</unattend>
";

fn settings() -> Settings {
    let command = |line: &str| SetupCommand {
        description: line.into(),
        line: line.into(),
    };
    Settings {
        computer_name: Some("OURS".into()),
        registered_user: Some("us & them".into()),
        registered_organization: Some("Lab".into()),
        time_zone: Some("Europe/Amsterdam".into()),
        commands: vec![command("first"), command("second")],
        ..Settings::default()
    }
}

fn variables() -> Variables {
    let mut variables = Variables::new();
    variables.set("OSDComputerName", "REF-01").unwrap();
    variables
}

fn merged(own: &str, settings: &Settings) -> Merged {
    merge(own.as_bytes(), &variables(), settings, &AMD64).unwrap()
}

fn kept(merged: &Merged) -> Vec<String> {
    merged.kept.iter().map(ToString::to_string).collect()
}

/// All texts of the elements of this name, in order.
fn values(xml: &str, name: &str) -> Vec<String> {
    let document = Document::parse(xml).unwrap();
    let nodes = document
        .descendants()
        .filter(|node| node.tag_name().name() == name);
    nodes
        .map(|node| node.text().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn the_values_of_the_file_win_and_are_named() {
    let merged = merged(OWN, &settings());
    assert_eq!(
        kept(&merged),
        [
            "specialize / Microsoft-Windows-Shell-Setup / ComputerName",
            "specialize / Microsoft-Windows-Shell-Setup / TimeZone",
        ]
    );
    assert_eq!(values(&merged.text, "ComputerName"), ["OTHER", "REF-01"]);
    assert!(!merged.joins_domain);
    // What the file leaves empty is filled, what it does not have is added.
    assert_eq!(values(&merged.text, "RegisteredOwner"), ["us & them"]);
    assert_eq!(values(&merged.text, "RegisteredOrganization"), ["Lab"]);
    // We would give the zone in two passes; the later would undo what the file says in the earlier.
    assert_eq!(values(&merged.text, "TimeZone"), ["UTC"]);
}

#[test]
fn commands_run_after_those_of_the_file_and_only_once() {
    let once = merged(OWN, &settings());
    assert_eq!(
        values(&once.text, "Path"),
        ["cmd /c ver > C:\\v.txt", "first", "second"]
    );
    assert_eq!(values(&once.text, "Order"), ["3", "4", "5"]);
    let twice = merged(&once.text, &settings());
    assert_eq!(twice.text, once.text);
}

#[test]
fn all_else_in_the_file_stays_to_the_letter() {
    let merged = merged(OWN, &settings());
    let ours = |line: &&str| !OWN.contains(line.trim());
    let new: Vec<&str> = merged.text.lines().filter(ours).map(str::trim).collect();
    for line in OWN
        .lines()
        .skip(1)
        .filter(|line| !line.contains("%OSDComputerName%</") && !line.contains("RegisteredOwner"))
    {
        assert!(merged.text.contains(line), "{line}\n{}", merged.text);
    }
    assert!(
        new.contains(&"<RegisteredOrganization>Lab</RegisteredOrganization>"),
        "{new:?}"
    );
    assert!(merged.text.contains("<!-- Reference %OSDComputerName% -->"));
    let column = |name: &str| {
        merged
            .text
            .lines()
            .find(|line| line.contains(name))
            .map(|line| line.find('<'))
            .unwrap()
    };
    assert_eq!(
        column("RegisteredOrganization"),
        column("RegisteredOwner"),
        "our lines stand as deep as theirs"
    );
}

#[test]
fn a_file_that_says_the_same_is_not_named() {
    let settings = Settings {
        computer_name: Some("REF-01".into()),
        ..Settings::default()
    };
    let merged = merged(OWN, &settings);
    assert_eq!(kept(&merged), Vec::<String>::new());
    assert_eq!(
        merged.text,
        OWN.replace("<ComputerName>%OSDComputerName%", "<ComputerName>REF-01")
            .replace('\'', "\"")
            .replace("lab\"s", "lab's")
    );
}

fn file(inside: &str) -> String {
    format!("<unattend xmlns=\"urn:schemas-microsoft-com:unattend\">{inside}</unattend>")
}

const JOIN: &str = "name=\"Microsoft-Windows-UnattendedJoin\" processorArchitecture=\"AMD64\"";

#[test]
fn a_membership_is_taken_whole() {
    let own = file(&format!(
        "<settings pass=\"specialize\"><component {JOIN}><Identification><JoinDomain>theirs.example</JoinDomain>\
         </Identification></component></settings>"
    ));
    let settings = Settings {
        membership: Some(Membership::Workgroup("WORKGROUP".into())),
        ..Settings::default()
    };
    let merged = merged(&own, &settings);
    assert!(!merged.text.contains("JoinWorkgroup"));
    assert!(merged.joins_domain, "what the file says counts");
    assert_eq!(
        kept(&merged),
        ["specialize / Microsoft-Windows-UnattendedJoin / Identification"]
    );
}

#[test]
fn elements_without_content_and_files_without_lines_are_filled() {
    let ours = Settings {
        computer_name: Some("OURS".into()),
        ..Settings::default()
    };
    let shell = "name=\"Microsoft-Windows-Shell-Setup\" processorArchitecture=\"amd64\"";
    for own in [
        file(""),
        "<unattend xmlns='urn:schemas-microsoft-com:unattend' />".into(),
        file("<settings pass='specialize'/>"),
        file(&format!(
            "<settings pass='specialize'><component a='/>' {shell}/></settings>"
        )),
        file(&format!(
            "<settings pass='specialize'><component {shell}></component></settings>"
        )),
        file(&format!(
            "<settings pass='specialize'><component {shell}><ComputerName/></component></settings>"
        )),
        file(&format!(
            "<settings pass='specialize'><component {shell}><![CDATA[ ]]></component ></settings>"
        )),
        // ConfigMgr writes its passes without the namespace.
        file(&format!(
            "<settings xmlns='' pass='specialize'><component {shell}><ComputerName> </ComputerName></component></settings>"
        )),
    ] {
        let merged = merged(&own, &ours);
        assert_eq!(
            values(&merged.text, "ComputerName"),
            ["OURS"],
            "{own}\n{}",
            merged.text
        );
        assert_eq!(kept(&merged), Vec::<String>::new());
    }
}

#[test]
fn prefixes_of_the_file_are_used_and_those_of_lists_declared() {
    let own = "<u:unattend xmlns:u=\"urn:schemas-microsoft-com:unattend\">\r\n\t<u:settings pass=\"specialize\">\r\n\
        \t\t<u:component name=\"Microsoft-Windows-Deployment\" processorArchitecture=\"amd64\">\r\n\
        \t\t\t<u:RunSynchronous/>\r\n\t\t</u:component>\r\n\t</u:settings>\r\n</u:unattend>";
    let merged = merged(own, &settings());
    let document = Document::parse(&merged.text).unwrap();
    let named = |name: &'static str| {
        document
            .descendants()
            .filter(move |node| node.tag_name().name() == name)
    };
    let commands: Vec<_> = named("RunSynchronousCommand").collect();
    assert_eq!(commands.len(), 2);
    for command in commands {
        let action = command.attribute(("http://schemas.microsoft.com/WMIConfig/2002/State", "action"));
        assert_eq!(
            (action, command.tag_name().namespace()),
            (Some("add"), Some("urn:schemas-microsoft-com:unattend"))
        );
    }
    let names = named("ComputerName").next().unwrap();
    assert_eq!(
        names.tag_name().namespace(),
        Some("urn:schemas-microsoft-com:unattend")
    );
    assert!(
        !merged.text.replace("\r\n", "").contains('\n'),
        "line ends are those of the file"
    );
}

#[test]
fn a_value_that_the_file_gives_in_another_pass_wins_too() {
    let component = |name: &str, inside: &str| {
        format!(
            "<component name=\"Microsoft-Windows-{name}\" processorArchitecture=\"amd64\">{inside}</component>"
        )
    };
    let own = file(&format!(
        "<settings pass='specialize'>{}</settings><settings pass='oobeSystem'>{}</settings><settings pass='auditUser'>{}</settings>",
        component(
            "International-Core",
            "<UserLocale>fr-FR</UserLocale><SystemLocale/>"
        ),
        component("Shell-Setup", "<RegisteredOwner>them</RegisteredOwner>"),
        component(
            "Shell-Setup",
            "<RegisteredOrganization>not read in a start</RegisteredOrganization>"
        ),
    ));
    let mut settings = settings();
    settings.languages.user_locale = Some("nl-NL".into());
    settings.languages.system_locale = Some("nl-NL".into());
    let merged = merged(&own, &settings);
    assert_eq!(
        kept(&merged),
        [
            "oobeSystem / Microsoft-Windows-Shell-Setup / RegisteredOwner",
            "specialize / Microsoft-Windows-International-Core / UserLocale",
        ]
    );
    assert_eq!(values(&merged.text, "UserLocale"), ["fr-FR"]);
    assert_eq!(values(&merged.text, "RegisteredOwner"), ["them"]);
    assert_eq!(values(&merged.text, "SystemLocale"), ["", "nl-NL"]);
    assert_eq!(
        values(&merged.text, "RegisteredOrganization"),
        ["Lab", "not read in a start"]
    );
}

#[test]
fn two_parts_of_one_pass_are_one_pass() {
    let shell = "name=\"Microsoft-Windows-Shell-Setup\" processorArchitecture=\"amd64\"";
    let own = file(&format!(
        "<settings pass='specialize'/><settings pass='specialize'><component {shell}><ComputerName>THEIRS</ComputerName>\
         </component></settings>"
    ));
    let merged = merged(&own, &settings());
    assert_eq!(values(&merged.text, "ComputerName"), ["THEIRS"]);
}

#[test]
fn an_adapter_of_the_file_is_found_by_its_address() {
    let adapter = |mac: &str| windows_setup::unattend::Adapter {
        mac: mac.into(),
        dhcp: true,
        ..Default::default()
    };
    let settings = |mac: &str| Settings {
        adapters: vec![adapter(mac)],
        ..Settings::default()
    };
    let own = answer_file(&settings("aa:bb:cc:00:11:22"), &AMD64)
        .unwrap()
        .replace(">true<", ">false<");
    let same = merged(&own, &settings("AA-BB-CC-00-11-22"));
    assert_eq!(
        kept(&same),
        ["specialize / Microsoft-Windows-TCPIP / Interfaces / Interface AA-BB-CC-00-11-22"]
    );
    let other = merged(&own, &settings("02:00:00:00:00:01"));
    assert_eq!(
        values(&other.text, "Identifier"),
        ["AA-BB-CC-00-11-22", "02-00-00-00-00-01"]
    );
}

#[test]
fn all_encodings_of_windows_editors_are_read() {
    let expected = merged(OWN, &settings()).text;
    let mut with_mark = vec![0xef, 0xbb, 0xbf];
    with_mark.extend(OWN.as_bytes());
    let wide = OWN.replace("'utf-8'", "'utf-16'");
    let little: Vec<u8> = [0xfeff]
        .into_iter()
        .chain(wide.encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    let big: Vec<u8> = [0xfeff]
        .into_iter()
        .chain(wide.encode_utf16())
        .flat_map(u16::to_be_bytes)
        .collect();
    for bytes in [with_mark, little, big] {
        let merged = merge(&bytes, &variables(), &settings(), &AMD64).unwrap();
        assert_eq!(merged.text, expected);
    }
}

fn refused(own: &[u8]) -> Error {
    merge(own, &variables(), &settings(), &AMD64).unwrap_err()
}

fn place(error: &Error) -> (u32, u32) {
    match error {
        Error::File { line, column, .. } => (*line, *column),
        other => panic!("{other}"),
    }
}

#[test]
fn what_is_no_answer_file_is_refused_with_its_place() {
    let wrong_end = refused(b"<unattend xmlns='urn:schemas-microsoft-com:unattend'>\n  <a></b>\n</unattend>");
    assert_eq!(place(&wrong_end), (2, 6), "{wrong_end}");
    let doctype = refused(b"<!-- <!DOCTYPE a> -->\n <!DOCTYPE unattend [<!ENTITY a 'b'>]>\n<unattend/>");
    assert_eq!(place(&doctype), (2, 2));
    assert!(doctype.to_string().contains("DOCTYPE"));
    let other = refused(b"\n<sequence/>");
    assert_eq!(place(&other), (2, 1));
    assert!(other.to_string().contains("`sequence`"));
    assert_eq!(place(&refused(b"<a>\nb\xff</a>")), (2, 2));
    assert!(refused(b"").to_string().contains("root"));
    for bytes in [b"\xff\xfe<".as_slice(), b"\xff\xfe\x00\xd8", b"<\0u\0"] {
        assert!(refused(bytes).to_string().contains("UTF-8"));
    }
    let latin = "<?xml version='1.0' encoding='iso-8859-1'?><unattend xmlns='urn:schemas-microsoft-com:unattend'>é</unattend>";
    assert!(refused(latin.as_bytes()).to_string().contains("UTF-8"));
}

#[test]
fn a_file_that_is_too_deep_or_too_long_is_no_trouble() {
    let deep = file(&format!("{}{}", "<a>".repeat(30_000), "</a>".repeat(30_000)));
    assert!(merged(&deep, &settings()).text.contains("OURS"));
    let long = file(&"<a/>".repeat(200_000));
    assert!(refused(long.as_bytes()).to_string().contains("limit"));
}

#[test]
fn values_of_the_file_that_windows_would_cut_or_refuse_are_errors() {
    for (value, wanted) in [
        ("<ComputerName>SIXTEEN-CHARS-XX</ComputerName>", "16 characters"),
        ("<ProductKey>BCDFG</ProductKey>", "five groups of five"),
    ] {
        let own = file(&format!("\n {value}"));
        let why = refused(own.as_bytes());
        assert_eq!(place(&why), (2, 2));
        assert!(why.to_string().contains(wanted), "{why}");
    }
    for value in ["*", "%COMPUTERNAME%-X", ""] {
        merged(
            &file(&format!("<ComputerName>{value}</ComputerName>")),
            &settings(),
        );
    }
    let mut variables = variables();
    variables.set("BAD", "a\u{1}b").unwrap();
    let why = merge(file("<a>%BAD%</a>").as_bytes(), &variables, &settings(), &AMD64).unwrap_err();
    assert!(why.to_string().contains("after the variables"), "{why}");
}

#[test]
fn a_password_that_stays_is_named_but_not_shown() {
    let with = |password: &str| Settings {
        administrator: Some(Administrator::Enabled(Secret::new(password))),
        ..Settings::default()
    };
    let own = answer_file(&with("theirs"), &AMD64).unwrap();
    let merged = merged(&own, &with("ours"));
    assert_eq!(
        kept(&merged),
        ["oobeSystem / Microsoft-Windows-Shell-Setup / UserAccounts / AdministratorPassword"]
    );
    assert_eq!(merged.text, own);
    let value = values(&own, "Value").remove(0);
    assert!(!format!("{merged:?}").contains(&value));
}
