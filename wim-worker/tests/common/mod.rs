//! Starts the worker, and compares trees of files.
#![allow(dead_code, reason = "each test program uses a part")]

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use media_format::wim::protocol::{
    Apply, Capture, CaptureImage, Compression, Message, OnBadName, Operation, Request, Summary, Verify,
    Volume,
};

pub(crate) fn worker() -> Command {
    Command::new(env!("CARGO_BIN_EXE_wim-worker"))
}

/// Runs a command that execs the worker, and gives what it wrote.
pub(crate) fn messages_of(mut command: Command, request: &Request) -> (Vec<Message>, Output) {
    let mut child = start(&mut command, request);
    drop(child.stdin.take());
    let output = child.wait_with_output().unwrap();
    let lines = String::from_utf8(output.stdout.clone()).unwrap();
    (
        lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect(),
        output,
    )
}

pub(crate) fn start(command: &mut Command, request: &Request) -> Child {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin
        .write_all(serde_json::to_string(request).unwrap().as_bytes())
        .unwrap();
    child
}

pub(crate) fn run(operation: Operation) -> Vec<Message> {
    messages_of(worker(), &request(operation)).0
}

pub(crate) fn request(operation: Operation) -> Request {
    Request {
        memory_limit: None,
        operation,
    }
}

/// The summary of work that must succeed.
pub(crate) fn done(messages: &[Message]) -> &Summary {
    match messages.last() {
        Some(Message::Done { summary }) => summary,
        other => panic!("not done: {other:?}"),
    }
}

/// Code, error and hint of work that must fail.
pub(crate) fn failed(messages: &[Message]) -> (i32, String, String) {
    match messages.last() {
        Some(Message::Failed { code, error, hint }) => {
            (*code, error.clone(), hint.clone().unwrap_or_default())
        }
        other => panic!("did not fail: {other:?}"),
    }
}

/// The paths and texts of all warnings.
pub(crate) fn warnings(messages: &[Message]) -> Vec<String> {
    let text = |message: &Message| match message {
        Message::Warning { path, text } => Some(format!("{}: {text}", path.as_deref().unwrap_or("-"))),
        _ => None,
    };
    messages.iter().filter_map(text).collect()
}

pub(crate) fn image(source: &Path, name: &str) -> CaptureImage {
    CaptureImage {
        unix_data: true,
        ..CaptureImage::new(Volume::Folder(source.into()), name)
    }
}

pub(crate) fn capture(wim: &Path, images: Vec<CaptureImage>) -> Capture {
    Capture {
        wim: wim.into(),
        compression: Compression::Xpress,
        threads: None,
        images,
        on_bad_name: OnBadName::Refuse,
        verify: true,
    }
}

pub(crate) fn apply(wim: &Path, index: u32, folder: &Path) -> Apply {
    let target = Volume::Folder(folder.into());
    Apply {
        wim: wim.into(),
        parts: Vec::new(),
        index,
        target,
        inside: Vec::new(),
        unix_data: true,
    }
}

pub(crate) fn verify(wim: &Path) -> Vec<Message> {
    run(Operation::Verify(Verify {
        wim: wim.into(),
        parts: Vec::new(),
    }))
}

/// Runs a foreign tool that must succeed.
pub(crate) fn judge(program: &str, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(program)
        .args(arguments)
        .env("LC_ALL", "C.UTF-8")
        .output();
    let output = output.unwrap_or_else(|e| panic!("{program} is needed for this test: {e}"));
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program} {arguments:?}: {errors}");
    output.stdout
}

/// An empty NTFS volume in a file.
pub(crate) fn make_volume(path: &Path, megabytes: u64) {
    std::fs::File::create(path)
        .unwrap()
        .set_len(megabytes << 20)
        .unwrap();
    judge(
        "mkntfs",
        &[
            "-F",
            "-q",
            "-Q",
            "-p",
            "2048",
            "-H",
            "255",
            "-S",
            "63",
            "-s",
            "512",
            "-L",
            "Windows",
            text(path),
        ],
    );
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// All that a WIM with Unix data keeps of a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    mode: u32,
    owner: (u32, u32),
    device: Option<u64>,
    /// 100 ns, as exactly as a WIM keeps it.
    modified: (i64, i64),
    content: Vec<u8>,
    same_file_as: Option<PathBuf>,
    attribute: Option<Vec<u8>>,
}

/// Everything below a folder, and the folder itself.
pub(crate) fn snapshot(root: &Path) -> BTreeMap<PathBuf, Entry> {
    let (mut entries, mut first, mut todo) = (BTreeMap::new(), BTreeMap::new(), vec![PathBuf::new()]);
    while let Some(relative) = todo.pop() {
        let path = root.join(&relative);
        let found = path.symlink_metadata().unwrap();
        if found.is_dir() {
            let mut names: Vec<_> = std::fs::read_dir(&path)
                .unwrap()
                .map(|e| e.unwrap().file_name())
                .collect();
            names.sort_by(|a, b| b.cmp(a));
            todo.extend(names.into_iter().map(|name| relative.join(name)));
        }
        let same = first
            .entry(found.ino())
            .or_insert_with(|| relative.clone())
            .clone();
        entries.insert(
            relative.clone(),
            entry(&path, &found, (same != relative).then_some(same)),
        );
    }
    entries
}

fn entry(path: &Path, found: &std::fs::Metadata, same_file_as: Option<PathBuf>) -> Entry {
    let kind = found.file_type();
    let content = match () {
        () if kind.is_file() => std::fs::read(path).unwrap(),
        () if kind.is_symlink() => std::fs::read_link(path)
            .unwrap()
            .into_os_string()
            .into_encoded_bytes(),
        () => Vec::new(),
    };
    let mut value = [0; 64];
    let length = rustix::fs::lgetxattr(path, "user.note", &mut value[..]);
    Entry {
        mode: found.permissions().mode(),
        owner: (found.uid(), found.gid()),
        device: (kind.is_char_device() || kind.is_block_device()).then(|| found.rdev()),
        modified: (found.mtime(), found.mtime_nsec() / 100),
        content,
        same_file_as,
        attribute: length.ok().map(|length| value[..length].to_vec()),
    }
}
