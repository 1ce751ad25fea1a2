//! Answer files of Windows set-up, the user's own or what an image has left.

use task_sequence::Variables;
use tests::hostile::{Case, Parser, Seeded, cuts, either, read, refused};
use windows_setup::unattend::{Architecture, Image, Settings, SetupCommand, merge, remove_secrets, says};

use super::said;

const IMAGE: Image = Image {
    architecture: Architecture::Amd64,
    version: (10, 0),
};
const ANSWERS: Parser = Parser {
    name: "answer-file",
    read: |bytes| {
        let _either_is_right = says(bytes, "JoinDomain");
        remove_secrets(bytes, &["hunter2"]).map_err(said)?;
        let mut variables = Variables::new();
        variables
            .set("A", "<&>]]>\"'")
            .map_err(|error| format!("{error:?}"))?;
        let settings = Settings {
            computer_name: Some("PC".into()),
            registered_user: Some("<&>".into()),
            commands: vec![SetupCommand {
                description: "<&>".into(),
                line: "cmd /c \"x\"".into(),
            }],
            ..Settings::default()
        };
        merge(bytes, &variables, &settings, &IMAGE)
            .map(drop)
            .map_err(said)
    },
};

pub(crate) fn parsers() -> Vec<Seeded> {
    vec![(ANSWERS, vec![file(INSIDE).into()])]
}

pub(crate) fn check() -> usize {
    tests::hostile::check(ANSWERS, cases())
}

const INSIDE: &str = "<!-- %A% --><settings pass=\"specialize\"><component name=\"Microsoft-Windows-Shell-Setup\" \
    processorArchitecture=\"amd64\" language=\"neutral\" publicKeyToken=\"31bf3856ad364e35\" versionScope=\"nonSxS\">\
    <RegisteredOwner>%A%</RegisteredOwner><TimeZone><![CDATA[UTC %A%]]></TimeZone><ProductKey/></component></settings>\
    <settings pass=\"oobeSystem\"><component name=\"Microsoft-Windows-Shell-Setup\" processorArchitecture=\"amd64\">\
    <UserAccounts><AdministratorPassword><Value>hunter2</Value><PlainText>true</PlainText></AdministratorPassword>\
    </UserAccounts></component></settings>";

fn file(inside: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<unattend xmlns=\"urn:schemas-microsoft-com:unattend\">{inside}</unattend>\n"
    )
}

fn wide(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
    "\u{FEFF}"
        .encode_utf16()
        .chain(text.encode_utf16())
        .flat_map(unit)
        .collect()
}

fn value(name: &str, value: &str) -> String {
    let component = "<component name=\"Microsoft-Windows-Shell-Setup\" processorArchitecture=\"amd64\">";
    file(&format!(
        "<settings pass=\"specialize\">{component}<{name}>{value}</{name}></component></settings>"
    ))
}

/// With these commands, where our own are put, too.
fn deployed(commands: &str) -> String {
    value("x", "")
        .replace("Shell-Setup", "Deployment")
        .replace("<x></x>", &format!("<RunSynchronous>{commands}</RunSynchronous>"))
}

fn cases() -> Vec<Case> {
    let doctype = |entities: &str, inside: &str| {
        file(inside).replacen("<unattend", &format!("<!DOCTYPE u [{entities}]><unattend"), 1)
    };
    let good = file(INSIDE);
    let nested = |times: usize| format!("{}{}", "<a>".repeat(times), "</a>".repeat(times));
    let component = |times: usize| {
        let open = "<settings pass=\"specialize\"><component name=\"x\" processorArchitecture=\"amd64\">";
        format!(
            "{}{}",
            open.repeat(times),
            "</component></settings>".repeat(times)
        )
    };
    let cut = (1..good.len() - 12)
        .step_by(29)
        .filter(|at| good.is_char_boundary(*at));
    let mut cases = cuts(good.as_bytes(), cut);
    cases.extend([
        read("as it should be", good.clone()),
        read("in UTF-16", wide(&good, u16::to_le_bytes)),
        read("in UTF-16 of the other order", wide(&good, u16::to_be_bytes)),
        refused("UTF-16 with half a unit", [wide(&good, u16::to_le_bytes), vec![0]].concat()),
        refused("UTF-16 with half a character", [wide(&good, u16::to_le_bytes), vec![0, 0xD8]].concat()),
        refused("UTF-16 without a mark", wide(&good, u16::to_le_bytes)[2..].to_vec()),
        refused("a mark only", [0xFF, 0xFE]),
        refused("nothing", ""),
        refused("no UTF-8", [good.as_bytes(), &[0xFF]].concat()),
        refused("a zero", good.replace("UTC", "U\0TC")),
        refused("another root", "<a/>"),
        refused("another namespace", good.replacen("urn:schemas", "urn:shemas", 1)),
        refused("entities that multiply", {
            doctype("<!ENTITY a \"aaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\">", "<x>&b;&b;&b;</x>")
        }),
        refused("an entity that is itself", doctype("<!ENTITY a \"&a;\">", "&a;")),
        refused("an entity that is a file", doctype("<!ENTITY a SYSTEM \"file:///etc/passwd\">", "&a;")),
        refused("a document type from elsewhere", {
            file("").replacen("<unattend", "<!DOCTYPE u SYSTEM \"http://localhost/u.dtd\"><unattend", 1)
        }),
        refused("a document type behind a million comments", {
            file("").replacen("<unattend", &format!("{}<!DOCTYPE u><unattend", "<!---->".repeat(1_000_000)), 1)
        }),
        either("90,000 comments", file(&"<!---->".repeat(90_000))),
        either("90,000 sections of text", file(&"<a><![CDATA[]]></a>".repeat(45_000))),
        either("90,000 instructions", file(&"<?a?>".repeat(90_000))),
        refused("half a million elements", file(&"<a/>".repeat(500_000))),
        either("40,000 elements in one another", file(&nested(40_000))),
        either("10,000 components in one another", file(&component(10_000))),
        either("2,000 components that are the same", {
            file(&"<settings pass=\"specialize\"><component name=\"Microsoft-Windows-Shell-Setup\" processorArchitecture=\"amd64\"/></settings>".repeat(2000))
        }),
        refused("elements without end", file(&"<a>".repeat(50_000))),
        refused("a comment without end", file("<!--")),
        refused("a section without end", file("<![CDATA[")),
        refused("a tag without end", file("<a b=\"")),
        refused("an attribute twice", file("<a b=\"\" b=\"\"/>")),
        refused("5,000 attributes", {
            let all: String = (0..5000).map(|number| format!("b{number}=\"\" ")).collect();
            file(&format!("<a {all}/>"))
        }),
        refused("20,000 namespaces", {
            let all: String = (0..20_000).map(|number| format!("<a xmlns:a{number}=\"{number}\">")).collect();
            file(&format!("{all}{}", "</a>".repeat(20_000)))
        }),
        either("a larger sign in an attribute", file("<a b='>' c=\"/>\"/>")),
        refused("a name of a machine of 16 letters", value("ComputerName", "ABCDEFGHIJKLMNOP")),
        refused("a name of a machine that is a path", value("ComputerName", "..\\x")),
        refused("a product key that is none", value("ProductKey", "1")),
        either("an order of 2^64", value("RunSynchronous", "<RunSynchronousCommand><Order>18446744073709551616</Order></RunSynchronousCommand>")),
        read("an order of 2^64 - 1", deployed( "<RunSynchronousCommand><Order>18446744073709551615</Order></RunSynchronousCommand>")),
        read("an order of 65535", deployed("<RunSynchronousCommand><Order>65535</Order></RunSynchronousCommand>")),
        either("variables without end", value("RegisteredOwner", &"%A%".repeat(100_000))),
        either("percent signs only", value("RegisteredOwner", &"%".repeat(1_000_001))),
        either("a prefix for all elements", file(INSIDE).replace("<unattend xmlns=", "<u:unattend xmlns:u=").replace("</unattend", "</u:unattend")),
    ]);
    cases
}
