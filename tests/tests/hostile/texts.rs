//! TOML and other texts: projects, task sequences, the boot state, tables of a Linux, what the firmware says of the machine.

use media_builder::project::Project;
use media_format::state::BootState;
use runtime::platform::smbios;
use runtime::{fstab, shadow};
use task_sequence::{MediaFacts, parse, referenced_packages, render, validate};
use tests::hostile::{Case, Parser, Seeded, cuts, either, extremes, read, refused};

use super::{said, with};

const SEQUENCE: Parser = Parser {
    name: "task-sequence",
    read: |bytes| {
        let text = std::str::from_utf8(bytes).map_err(said)?;
        let sequence = parse("hostile.toml", text).map_err(|found| render(&found))?;
        let problems = validate(&sequence, &MediaFacts::default());
        let _there_may_be_none = referenced_packages(&sequence, &MediaFacts::default());
        sequence.to_toml().map_err(said)?;
        if problems.is_empty() {
            Ok(())
        } else {
            Err(format!("{problems:?}"))
        }
    },
};
const PROJECT: Parser = Parser {
    name: "project",
    read: |bytes| {
        let file = tempfile::NamedTempFile::new().map_err(said)?;
        std::fs::write(file.path(), bytes).map_err(said)?;
        Project::read(file.path())
            .map(drop)
            .map_err(|error| format!("{error:?}"))
    },
};
const STATE: Parser = Parser {
    name: "boot-state",
    read: |bytes| {
        let state = BootState::decode(bytes).map_err(said)?;
        let _either_is_right = (state.next(), state.encode());
        Ok(())
    },
};
const TABLES: Parser = Parser {
    name: "tables-of-linux",
    read: |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let entries = fstab::parse(&text);
        let _any_is_right: Vec<_> = entries
            .iter()
            .map(|entry| (entry.is_volume(), entry.subvolume()))
            .collect();
        let _always_text = shadow::set_password(&text, "root", "x");
        Ok(())
    },
};
const SMBIOS: Parser = Parser {
    name: "smbios",
    read: |bytes| {
        let _always_something = (smbios::of_windows(bytes), smbios::of_linux(bytes, bytes));
        Ok(())
    },
};

pub(crate) fn parsers() -> Vec<Seeded> {
    vec![
        (
            SEQUENCE,
            vec![
                STEPS.into(),
                include_bytes!("../../../task-sequence/tests/example.toml").into(),
            ],
        ),
        (PROJECT, vec![MEDIA.into()]),
        (STATE, vec![state(b"media=m\nnext=os\n")]),
        (
            TABLES,
            [FSTAB, "root:*:19000:0:99999:7:::\nuser:!:1::::::\n"]
                .map(Vec::from)
                .into(),
        ),
        (SMBIOS, vec![firmware()]),
    ]
}

pub(crate) fn check() -> usize {
    use tests::hostile::check;
    let texts = [(SEQUENCE, STEPS), (PROJECT, MEDIA)].map(|(parser, good)| check(parser, tomls(good)));
    texts.iter().sum::<usize>()
        + check(SEQUENCE, sequences())
        + check(PROJECT, projects())
        + check(STATE, states())
        + check(TABLES, tables())
        + check(SMBIOS, firmwares())
}

const STEPS: &str = "name = \"s\"\noperating-system = \"linux\"\n[[steps]]\ntype = \"run-command-line\"\nname = \"a\"\ncommand = \"true\"\n";
const MEDIA: &str = "name = \"m\"\nsequences = [\"a.toml\"]\n[usb]\nfree = \"40 MiB\"\n[variables]\nA = \"b\"\n[[packages]]\nid = \"tool\"\nkind = \"files\"\nsource = \"tool\"\n";
const FSTAB: &str =
    "# c\nUUID=1-2 / ext4 defaults,subvol=@ 0 1\n/dev/sda2\t/home\\040x\tauto noauto 0 2\nproc /proc proc\n";

/// TOML that nobody can hold, before and behind what is right.
fn tomls(good: &str) -> Vec<Case> {
    const MANY: usize = 100_000;
    let behind = |text: &str| format!("{good}{text}");
    let before = |text: &str| format!("{text}\n{good}");
    let cut = (1..good.len())
        .step_by(7)
        .filter(|at| !good[*at..].trim().is_empty());
    let mut cases: Vec<Case> = cut
        .map(|at| either(format!("cut off at {at}"), &good.as_bytes()[..at]))
        .collect();
    cases.extend([
        read("as it should be", good),
        refused("nothing", ""),
        refused("a zero", behind("\0")),
        refused("no UTF-8", [good.as_bytes(), &[0xFF]].concat()),
        refused(
            "UTF-16",
            good.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>(),
        ),
        either("a byte-order mark", format!("\u{FEFF}{good}")),
        either("returns only", good.replace('\n', "\r")),
        refused(
            "100,000 lists in one another",
            before(&format!("x = {}", "[".repeat(MANY))),
        ),
        refused(
            "100,000 tables in one another",
            before(&format!("x = {}", "{x=".repeat(MANY))),
        ),
        refused(
            "a key of 100,000 parts",
            before(&format!("x{} = 1", ".x".repeat(MANY))),
        ),
        refused(
            "a table of 100,000 parts",
            behind(&format!("[x{}]", ".x".repeat(MANY))),
        ),
        refused(
            "a list of tables of 100,000 parts",
            behind(&format!("[[x{}]]", ".x".repeat(MANY))),
        ),
        refused(
            "20,000 unknown keys",
            before(&(0..20_000).map(|n| format!("x{n} = 1\n")).collect::<String>()),
        ),
        refused(
            "20,000 unknown tables",
            behind(&(0..20_000).map(|n| format!("[x{n}]\n")).collect::<String>()),
        ),
        refused("a key twice", before("name = \"x\"")),
        refused("a key in upper case", before("NAME = \"x\"")),
        refused("a text without end", before("x = \"\"\"")),
        refused("a list without end", before("x = [")),
        refused(
            "a number of a million digits",
            before(&format!("x = {}", "9".repeat(1_000_000))),
        ),
        refused("a date that is none", before("x = 9999-99-99T99:99:99Z")),
        refused("a character of 2^32", before("x = \"\\UFFFFFFFF\"")),
        refused("half a character", before("x = \"\\uD800\"")),
        refused(
            "a name that is a number",
            good.replacen("name = \"", "name = 1 # ", 1),
        ),
        refused(
            "a name that is a table",
            good.replacen("name = \"", "name = {} # ", 1),
        ),
        read("a comment of 4 MB", behind(&format!("# {}", "x".repeat(4 << 20)))),
    ]);
    cases
}

fn step(text: &str) -> String {
    format!("name = \"s\"\noperating-system = \"linux\"\n[[steps]]\nname = \"a\"\n{text}\n")
}

fn command(text: &str) -> String {
    step(&format!(
        "type = \"run-command-line\"\ncommand = \"true\"\n{text}"
    ))
}

fn sequences() -> Vec<Case> {
    let query = |text: &str| command(&format!("when = {{ query = \"{text}\" }}"));
    let size = |text: &str| {
        step(&format!(
            "type = \"format-and-partition-disk\"\ndisk = 0\npartitions = [{{ type = \"primary\", size = {text} }}]"
        ))
    };
    let groups = |times: usize| {
        let (open, close) = ("[{group = 'g', steps = ".repeat(times), "}]".repeat(times));
        format!("name = 's'\noperating-system = 'linux'\nsteps = {open}[]{close}")
    };
    let conditions = |times: usize| {
        command(&format!(
            "when = {}{{all=[]}}{}",
            "{all=[".repeat(times),
            "]}".repeat(times)
        ))
    };
    vec![
        refused("groups in 3,000 groups", groups(3000)),
        refused("conditions in 3,000 conditions", conditions(3000)),
        refused(
            "a query of 100,000 brackets",
            query(&format!("select * from Win32_BIOS where {}", "(".repeat(100_000))),
        ),
        refused(
            "a query of 100,000 times not",
            query(&format!(
                "select * from Win32_BIOS where {}x=1",
                "not ".repeat(100_000)
            )),
        ),
        either(
            "a query of 20,000 times or",
            query(&format!(
                "select * from Win32_BIOS where {}Version='1'",
                "Version='1' or ".repeat(20_000)
            )),
        ),
        refused("a query of nothing", query("")),
        either(
            "a query with a pattern of 10,000 stars",
            query(&format!(
                "select * from Win32_BIOS where Version like '{}'",
                "%_".repeat(10_000)
            )),
        ),
        refused("a size of 2^64 bytes", size("\"18446744073709551616\"")),
        refused("a size of 2^64 TB", size("\"18446744073709551615 TB\"")),
        refused("a size of -1", size("-1")),
        refused("a size of 101 %", size("\"101 %\"")),
        refused("a size of half a byte", size("\"0.5\"")),
        refused("a size that is no number", size("nan")),
        refused(
            "a time without end",
            command("time-limit = \"18446744073709551615 h\""),
        ),
        refused("a time of less than nothing", command("time-limit = \"-1 s\"")),
        refused("a step of a type that is a path", step("type = \"../../etc\"")),
        refused("a package that is a path", command("package = \"../../etc\"")),
        refused("an absolute package", command("package = \"/etc\"")),
        either(
            "10,000 steps",
            format!(
                "{STEPS}{}",
                "[[steps]]\ntype = \"run-command-line\"\nname = \"a\"\ncommand = \"true\"\n".repeat(2000)
            ),
        ),
        refused(
            "20,000 steps without a type",
            format!("{STEPS}{}", "[[steps]]\n".repeat(20_000)),
        ),
        either(
            "30,000 variables",
            format!(
                "{STEPS}[variables]\n{}",
                (0..30_000).map(|n| format!("x{n} = \"\"\n")).collect::<String>()
            ),
        ),
        either(
            "a command of a million variables",
            command("").replace("true", &"%A%".repeat(300_000)),
        ),
        either(
            "a variable that is itself",
            step("type = \"set-variables\"\nvariables = { A = \"%A%%A%\" }"),
        ),
    ]
}

fn projects() -> Vec<Case> {
    let sized = |text: &str| MEDIA.replace("\"40 MiB\"", text);
    vec![
        refused("2^64 bytes free", sized("\"18446744073709551616\"")),
        refused("2^64 TB free", sized("\"18446744073709551615 TB\"")),
        refused("-1 bytes free", sized("-1")),
        refused("infinitely many bytes free", sized("inf")),
        refused(
            "a package of an unknown kind",
            MEDIA.replace("\"files\"", "\"../..\""),
        ),
        refused("an unknown key in a package", MEDIA.replace("source", "sources")),
        refused(
            "exit codes of 2^64",
            format!("{MEDIA}success-codes = [18446744073709551616]\n"),
        ),
        refused("a secret in the clear", format!("{MEDIA}[secrets]\nA = \"x\"\n")),
    ]
}

/// A block of GRUB's, with that content.
fn state(content: &[u8]) -> Vec<u8> {
    let mut block = [b"# GRUB Environment Block\n", content].concat();
    block.resize(1024, b'#');
    block
}

fn states() -> Vec<Case> {
    let good = state(b"media=m\nnext=os\n");
    let mut cases = vec![
        read("as GRUB writes it", good.clone()),
        refused("nothing", ""),
        refused("zeros", vec![0; 1024]),
        refused("a block of 1025 bytes", [&good[..], b"#"].concat()),
        refused("a block of 1 MiB", state(b"").repeat(1024)),
        refused("no UTF-8", with(&good, 30, &[0xFF])),
        refused("another signature", with(&good, 2, b"grub")),
        read("an unknown next start", state(b"next=../../x\n")),
        read("variables without names", state(b"=\n==\n=x\n")),
        read("a variable a hundred times", state(&b"next=os\n".repeat(100))),
        read("a variable in a continued line", state(b"a=b\\\nnext=pe\n")),
        read("zeros in a value", state(b"next=o\0s\n")),
        read("no line end", with(&good, 25, &[b'a'; 999])),
    ];
    cases.extend(cuts(&good, [1, 24, 25, 1023]));
    cases
}

fn tables() -> Vec<Case> {
    let texts: [(&str, String); 8] = [
        ("as Linux has them", FSTAB.into()),
        ("nothing", String::new()),
        ("a line of 4 MB", "x".repeat(4 << 20)),
        ("a million empty lines", "\n".repeat(1_000_000)),
        ("escapes without end", "\\040".repeat(100_000)),
        ("half an escape", "a /\\04\n\\ /\\ x\n".into()),
        ("colons only", ":".repeat(1_000_000)),
        ("slashes only", format!("/ {}\n", "/".repeat(1_000_000))),
    ];
    texts.map(|(name, text)| read(name, text)).into()
}

/// A maker, and the end.
fn firmware() -> Vec<u8> {
    let mut tables = vec![0, 3, 3, 0, 0, 0, 0, 0];
    tables.extend([1, 27, 1, 0, 1, 2, 0, 3]);
    tables.extend([7; 17]);
    tables.extend([0, 0]);
    tables.extend(b"Maker\0Model\0Serial\0\0");
    tables.extend([17, 34, 2, 0]);
    tables.extend([1; 30]);
    tables.extend(b"Slot\0\0\x7F\x04\0\0\0\0");
    tables
}

fn firmwares() -> Vec<Case> {
    let good = firmware();
    let mut cases = extremes(
        &good,
        &[("kind", 8, 1), ("length", 9, 1), ("number of a text", 12, 1)],
        |_| (),
    );
    let texts: [(&str, Vec<u8>); 7] = [
        ("as firmware has them", good.clone()),
        ("nothing", vec![]),
        (
            "a structure without texts and end",
            vec![0, 0, 0, 0, 0, 0, 0, 0, 1, 4, 0, 0],
        ),
        ("texts without end", [&good[..40], &[b'x'; 1 << 20]].concat()),
        ("100,000 structures of no bytes", vec![0; 800_000]),
        ("100,000 small structures", [1, 4, 0, 0, 0, 0].repeat(100_000)),
        ("ones", vec![0xFF; 1 << 20]),
    ];
    cases.extend(texts.map(|(name, bytes)| read(name, bytes)));
    cases.extend(
        (0..good.len())
            .step_by(5)
            .map(|at| read(format!("cut off at {at}"), &good[..at])),
    );
    cases
}
