//! Starts the worker, and reads hives with the tools of libhivex's own project.
#![allow(dead_code, reason = "each test program uses a part")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use media_format::hive::protocol::{Answer, Message, Operation, Query, Read, Request, Source, Write};
use media_format::hive::{Edit, Value};

pub(crate) fn worker() -> Command {
    Command::new(env!("CARGO_BIN_EXE_hive-worker"))
}

/// The worker behind a shell command that prepares its surroundings.
pub(crate) fn behind(shell: &str) -> Command {
    let mut command = Command::new("sh");
    command.args([
        "-c",
        &format!("{shell}; exec \"$0\""),
        env!("CARGO_BIN_EXE_hive-worker"),
    ]);
    command
}

/// Runs a command that execs the worker; no message when it was killed.
pub(crate) fn answer_of(mut command: Command, request: &Request) -> (Option<Message>, Output) {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let json = serde_json::to_string(request).unwrap();
    child.stdin.take().unwrap().write_all(json.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let lines = String::from_utf8(output.stdout.clone()).unwrap();
    let message = lines
        .lines()
        .last()
        .map(|line| serde_json::from_str(line).unwrap());
    (message, output)
}

pub(crate) fn request(operation: Operation) -> Request {
    Request {
        memory_limit: None,
        time_limit: None,
        operation,
    }
}

pub(crate) fn writing(hive: &Path, source: Source, edits: Vec<Edit>) -> Operation {
    Operation::Write(Write {
        hive: hive.into(),
        source,
        edits,
    })
}

/// Writes a hive, which must succeed.
pub(crate) fn write(hive: &Path, source: Source, edits: Vec<Edit>) {
    let (message, _) = answer_of(worker(), &request(writing(hive, source, edits)));
    assert_eq!(message, Some(Message::Done { answers: Vec::new() }));
}

/// Asks one question, which must be answered.
pub(crate) fn ask(hive: &Path, query: Query) -> Answer {
    let read = Read {
        hive: hive.into(),
        queries: vec![query],
    };
    match answer_of(worker(), &request(Operation::Read(read))).0 {
        Some(Message::Done { mut answers }) if answers.len() == 1 => answers.remove(0),
        other => panic!("not answered: {other:?}"),
    }
}

/// Error and hint of work that must fail.
pub(crate) fn failed(operation: Operation) -> (String, String) {
    refused(answer_of(worker(), &request(operation)))
}

pub(crate) fn refused((message, output): (Option<Message>, Output)) -> (String, String) {
    assert_eq!(output.status.code(), Some(1));
    match message {
        Some(Message::Failed { error, hint }) => (error, hint.unwrap_or_default()),
        other => panic!("did not fail: {other:?}"),
    }
}

/// Runs a foreign tool that must succeed.
pub(crate) fn judge(program: &str, arguments: &[&str]) -> String {
    // The tools are in Perl, which else prints what fits Latin-1 as Latin-1.
    let output = Command::new(program)
        .args(arguments)
        .env("PERL_UNICODE", "S")
        .output();
    let output = output.unwrap_or_else(|e| panic!("{program} is needed for this test: {e}"));
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.success() && errors.is_empty(),
        "{program} {arguments:?}: {errors}"
    );
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Everything in a hive as `hivexregedit` exports it: keys by their path, each with its values by their name.
pub(crate) type Export = BTreeMap<String, BTreeMap<String, Value>>;

pub(crate) fn export(hive: &Path) -> Export {
    let lines = judge(
        "hivexregedit",
        &["--export", "--prefix", "HIVE", text(hive), "\\"],
    );
    let mut keys = Export::new();
    let mut key = String::new();
    for line in lines.lines().skip(1).filter(|line| !line.is_empty()) {
        match line
            .strip_prefix("[HIVE\\")
            .and_then(|line| line.strip_suffix(']'))
        {
            Some(path) => {
                key = path.to_owned();
                keys.insert(key.clone(), BTreeMap::new());
            }
            None => {
                let (name, value) = exported_value(line);
                keys.get_mut(&key).unwrap().insert(name, value);
            }
        }
    }
    keys
}

/// `"name"=dword:00000001`, `"name"=hex(3):00,01` or `@=…` for the default value.
fn exported_value(line: &str) -> (String, Value) {
    let (name, data) = match line.strip_prefix("@=") {
        Some(data) => ("", data),
        None => line[1..].split_once("\"=").unwrap(),
    };
    let value = match data.strip_prefix("dword:") {
        Some(digits) => Value::Dword(u32::from_str_radix(digits, 16).unwrap()),
        None => {
            let (kind, bytes) = data.strip_prefix("hex(").unwrap().split_once("):").unwrap();
            let byte = |digits| u8::from_str_radix(digits, 16).unwrap();
            let bytes = bytes
                .split(',')
                .filter(|digits| !digits.is_empty())
                .map(byte)
                .collect();
            Value::decode(u32::from_str_radix(kind, 16).unwrap(), bytes)
        }
    };
    (name.replace("\\\\", "\\").replace("\\\"", "\""), value)
}
