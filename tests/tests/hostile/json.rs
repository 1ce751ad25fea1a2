//! JSON: manifest, index of the drivers, what the workers and the console say, registry keys of a boot store; and the journal, which
//! has JSON in it.

use media_format::drivers::DriverIndex;
use media_format::event::Event;
use media_format::hive::Key;
use media_format::{Manifest, hive, journal, wim};
use runtime::journal::Journal;
use serde_json::Value;
use tests::hostile::{Case, Parser, Seeded, cuts, either, extremes, read, refused};
use windows_setup::bcd::{Store, edits};

use super::{said, with};

const MANIFEST: Parser = Parser {
    name: "manifest",
    read: |bytes| {
        let manifest = Manifest::parse(bytes).map_err(said)?;
        let files = manifest
            .packages
            .iter()
            .map(|package| manifest.files_of(package).count());
        let _any_number_is_right = files.max();
        Ok(())
    },
};
const DRIVERS: Parser = Parser {
    name: "driver-index",
    read: |bytes| DriverIndex::parse(bytes).map(drop).map_err(said),
};
const WORKERS: Parser = Parser {
    name: "worker-lines",
    read: |bytes| {
        let read = [
            serde_json::from_slice::<wim::protocol::Message>(bytes).err(),
            serde_json::from_slice::<wim::protocol::Request>(bytes).err(),
            serde_json::from_slice::<hive::protocol::Message>(bytes).err(),
            serde_json::from_slice::<hive::protocol::Request>(bytes).err(),
        ];
        let errors: Vec<_> = read.into_iter().flatten().map(said).collect();
        if errors.len() < 4 {
            Ok(())
        } else {
            Err(errors.join("; "))
        }
    },
};
const EVENTS: Parser = Parser {
    name: "events",
    read: |bytes| {
        Event::from_line(&String::from_utf8_lossy(bytes))
            .map(drop)
            .ok_or("no event".into())
    },
};
const STORE: Parser = Parser {
    name: "boot-store",
    read: |bytes| {
        let key: Key = serde_json::from_slice(bytes).map_err(said)?;
        let store = Store::read(&key).map_err(said)?;
        let _there_may_be_none = edits(&Store::default(), &store);
        Ok(())
    },
};
const JOURNAL: Parser = Parser {
    name: "journal",
    read: |bytes| match Journal::read(bytes) {
        Ok(Some(_)) => Ok(()),
        Ok(None) => Err("no valid slot".into()),
        Err(error) => Err(said(error)),
    },
};

pub(crate) fn parsers() -> Vec<Seeded> {
    vec![
        (MANIFEST, vec![manifest().into()]),
        (DRIVERS, vec![DRIVER.into()]),
        (WORKERS, [DONE, REQUEST, ANSWER].map(Vec::from).into()),
        (EVENTS, vec![EVENT.into()]),
        (STORE, vec![STORED.into()]),
        (JOURNAL, vec![slots(1, SAVED)]),
    ]
}

pub(crate) fn check() -> usize {
    use tests::hostile::check;
    let good = [
        check(DRIVERS, vec![read("as it is made", DRIVER)]),
        check(
            WORKERS,
            [DONE, REQUEST, ANSWER]
                .map(|text| read("as it is said", text))
                .into(),
        ),
        check(EVENTS, vec![read("as it is said", EVENT)]),
        check(STORE, stores()),
        check(MANIFEST, manifests()),
        check(JOURNAL, journals()),
    ];
    let bad = [MANIFEST, DRIVERS, WORKERS, EVENTS, STORE].map(|parser| check(parser, no_json()));
    good.iter().chain(&bad).sum()
}

const DRIVER: &str = r#"{"format":1,"infs":[{"package":"p","path":"a.inf","class":"Net","class-guid":"{0}","provider":"P",
    "date":[2023,1,2],"version":[1,2,3,4],"signature":{"state":"listed","catalog":"a.cat","signer":"S"},"boot-critical":false,
    "manufacturers":[{"name":"M","models":[]}]}],"refused":[{"package":"p","path":"b.inf","reason":"r"}]}"#;
const DONE: &str =
    r#"{"message":"done","summary":{"files":1,"directories":2,"bytes":3,"wim_bytes":4,"warnings":0}}"#;
const REQUEST: &str = r#"{"operation":{"apply":{"wim":"a.wim","index":1,"target":{"folder":"/x"}}}}"#;
const ANSWER: &str = r#"{"message":"done","answers":[{"key":{"name":"","keys":[],"values":[{"name":"n","value":{"dword":1}}]}}]}"#;
const EVENT: &str = r#"[ 1.0] @media-runtime {"event":"restart","target":"os"}"#;
const STORED: &str = r#"{"name":"","values":[],"keys":[{"name":"Objects","values":[],"keys":[
    {"name":"{9dea862c-5cdd-4e70-acc1-f32b344d4795}","values":[],"keys":[
    {"name":"Description","values":[{"name":"Type","value":{"dword":269484034}}],"keys":[]},
    {"name":"Elements","values":[],"keys":[{"name":"11000001","keys":[],"values":[{"name":"Element","value":{"binary":"00"}}]}]}]}]}]}"#;
const SAVED: &str = r#"{"format":1,"media-id":"m","sequence":"s","sequence-digest":"d","variables":{},"secrets":[],
    "progress":{"position":0,"started":false,"part":0,"restart":null,"restarts":0,"groups":{},"results":[]},"target":null,"captured":null,"serial-console":null}"#;

fn manifest() -> String {
    let digest = "0".repeat(64);
    format!(
        r#"{{"format":1,"media-id":"6f0e","name":"n","layout":"iso","builder":"0","boot-image":"x","options":{{}},
        "sequences":[{{"id":"a","name":"A","path":"a.toml"}}],"packages":[{{"id":"p","name":"P","kind":"files","path":"packages/p",
        "install":{{"command":"c"}}}}],"files":[{{"path":"packages/p/1","volume":"boot","size":1,"sha256":"{digest}",
        "role":"package"}}],"regions":[{{"offset":0,"length":1,"sha256":"{digest}"}}]}}"#
    )
}

/// What is no JSON, or JSON that nobody can hold.
fn no_json() -> Vec<Case> {
    let deep = |open: &str| open.repeat(100_000);
    vec![
        refused("nothing", ""),
        refused("a zero", "\0"),
        refused("null", "null"),
        refused("a list", "[]"),
        refused("no UTF-8", [0xFF, 0xFE, b'{', b'}']),
        refused("UTF-16", [0xFF, 0xFE, b'{', 0, b'}', 0]),
        refused("100,000 lists in one another", deep("[")),
        refused("100,000 objects in one another", deep("{\"format\":")),
        refused(
            "100,000 unknown objects in one another",
            format!("{{\"format\":1,\"x\":{}", deep("{\"x\":")),
        ),
        refused(
            "100,000 keys in one another",
            deep("{\"name\":\"\",\"values\":[],\"keys\":["),
        ),
        refused(
            "a number of a million digits",
            format!("{{\"format\":{}}}", "9".repeat(1_000_000)),
        ),
        refused("a number of 10^999999999", "{\"format\":1e999999999}"),
        refused(
            "a text without end",
            format!("{{\"format\":\"{}", "x".repeat(1 << 20)),
        ),
        refused("half a character", "{\"format\":\"\\ud800\"}"),
    ]
}

fn manifests() -> Vec<Case> {
    let good = manifest();
    let changed = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        good.replacen(from, to, 1)
    };
    let mut cases = vec![
        read("as it is made", good.clone()),
        refused("format 2", changed("\"format\":1", "\"format\":2")),
        refused("format -1", changed("\"format\":1", "\"format\":-1")),
        refused("format 2^32", changed("\"format\":1", "\"format\":4294967296")),
        refused(
            "a format twice",
            changed("\"format\":1", "\"format\":1,\"format\":1"),
        ),
        refused("a file of -1 bytes", changed("\"size\":1", "\"size\":-1")),
        refused(
            "a file of 2^64 bytes",
            changed("\"size\":1", "\"size\":18446744073709551616"),
        ),
        read(
            "a file of 2^64 - 1 bytes",
            changed("\"size\":1", "\"size\":18446744073709551615"),
        ),
        refused("a file of 1.5 bytes", changed("\"size\":1", "\"size\":1.5")),
        refused(
            "an unknown role",
            changed("\"role\":\"package\"", "\"role\":\"x\""),
        ),
        refused("an unknown key", changed("\"regions\"", "\"areas\"")),
        refused("something behind it", format!("{good}x")),
        read(
            "a package of all files",
            changed("\"path\":\"packages/p\"", "\"path\":\"\""),
        ),
    ];
    let places = (0..good.len()).step_by(good.len() / 12);
    cases.extend(cuts(good.as_bytes(), places));
    cases
}

fn stores() -> Vec<Case> {
    let changed = |from: &str, to: &str| {
        assert!(STORED.contains(from), "{from}");
        STORED.replacen(from, to, 1)
    };
    vec![
        read("as it is read", STORED),
        refused("no objects", changed("Objects", "Objekte")),
        refused("an object of no GUID", changed("{9dea862c", "{9dea862")),
        refused("an object without a type", changed("Type", "Art")),
        refused(
            "a type of 2^32",
            changed("{\"dword\":269484034}", "{\"qword\":4294967296}"),
        ),
        refused(
            "a type that is text",
            changed("{\"dword\":269484034}", "{\"sz\":\"x\"}"),
        ),
        read("an element of no number", changed("11000001", "zzz")),
        read("an element of 2^32", changed("11000001", "111000001")),
        read("an element of all ones", changed("11000001", "ffffffff")),
        refused("half a byte", changed("\"binary\":\"00\"", "\"binary\":\"0\"")),
        refused(
            "a byte of no digits",
            changed("\"binary\":\"00\"", "\"binary\":\"é\""),
        ),
    ]
}

/// A journal of one slot.
fn slots(sequence: u64, payload: &str) -> Vec<u8> {
    let mut file = vec![0; journal::FILE_LENGTH];
    super::put(
        &mut file,
        journal::offset(sequence) as usize,
        &journal::encode(sequence, payload.as_bytes()).unwrap(),
    );
    file
}

fn journals() -> Vec<Case> {
    let good = slots(2, SAVED);
    let progress: Value = serde_json::from_str(SAVED).unwrap();
    let fields = [("number of the write", 8, 8), ("bytes of the payload", 16, 8)];
    let mut cases = extremes(&good, &fields, |_| ());
    cases.extend([
        read("as it is written", good.clone()),
        refused("nothing", ""),
        refused("zeros", vec![0; journal::FILE_LENGTH]),
        refused("ones", vec![0xFF; journal::FILE_LENGTH]),
        refused("a payload of 2^64 bytes", with(&good, 16, &[0xFF; 8])),
        refused(
            "a payload that ends at 2^64",
            with(&good, 16, &(u64::MAX - 55).to_le_bytes()),
        ),
        refused("a number that nothing can follow", slots(u64::MAX, SAVED)),
        read("a number that one can follow", slots(u64::MAX - 1, SAVED)),
        refused("another digest", with(&good, 30, &[0, 0, 0, 0, 0])),
        refused("a payload that is no JSON", slots(1, "x")),
        refused("a payload of nothing", slots(1, "")),
        refused("100,000 lists in one another", slots(1, &"[".repeat(100_000))),
        refused(
            "another format",
            slots(1, &SAVED.replace("\"format\":1", "\"format\":2")),
        ),
        either(
            "lists instead of tables",
            slots(1, &progress.to_string().replace("{}", "[]")),
        ),
    ]);
    cases.extend(cuts(&good, [0, 1, 8, 23, 24, 55, 56, 100]));
    cases
}
