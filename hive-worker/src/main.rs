//! Reads and edits registry hives with libhivex, in a process of its own.
//!
//! A process of its own, because libhivex reads files that a stranger may have made, and because the runtime is static
//! and cannot link it: memory and time are capped, it can be killed, and its crash is an error message of the caller.
//! The protocol is `media_format::hive::protocol`.

mod base_block;
mod edit;
mod empty;
mod failure;
mod libhivex;
mod read;
mod replace;
mod write;

use std::io::{Read as _, Write as _};
use std::process::ExitCode;

use media_format::hive::protocol::{Answer, Message, Operation, Request};
use rustix::process::{Resource, Rlimit, setrlimit};

use failure::Failure;

/// Plans have hundreds of edits; this is room for a hundred thousand.
const MOST_REQUEST: u64 = 64 << 20;

fn main() -> ExitCode {
    if std::env::args_os().len() > 1 {
        eprintln!("usage: hive-worker < request.json (media-runtime starts it)");
        return ExitCode::from(2);
    }
    let (message, code) = match read_request().and_then(|request| serve(&request)) {
        Ok(answers) => (Message::Done { answers }, ExitCode::SUCCESS),
        Err(failure) => (failure.into_message(), ExitCode::FAILURE),
    };
    match send(&message) {
        Ok(()) => code,
        Err(_) => ExitCode::FAILURE,
    }
}

fn read_request() -> Result<Request, Failure> {
    let mut text = String::new();
    let stdin = std::io::stdin()
        .lock()
        .take(MOST_REQUEST)
        .read_to_string(&mut text);
    stdin.map_err(|e| Failure::io("reading the request from standard input", &e))?;
    serde_json::from_str(&text).map_err(|e| Failure::new(format!("reading the request: {e}")))
}

fn serve(request: &Request) -> Result<Vec<Answer>, Failure> {
    limit(Resource::As, request.memory_limit, "memory to bytes")?;
    limit(Resource::Cpu, request.time_limit, "processor time to seconds")?;
    match &request.operation {
        Operation::Read(read) => read::run(read),
        Operation::Write(write) => write::run(write).map(|()| Vec::new()),
    }
}

fn limit(resource: Resource, most: Option<u64>, what: &str) -> Result<(), Failure> {
    let Some(most) = most else { return Ok(()) };
    let limit = Rlimit {
        current: Some(most),
        maximum: Some(most),
    };
    setrlimit(resource, limit).map_err(|e| Failure::io(format!("limiting {what}: {most}"), &e.into()))
}

fn send(message: &Message) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    let mut out = std::io::stdout().lock();
    out.write_all(&line)?;
    out.flush()
}
