//! Applies, captures, changes and verifies WIM files with libwim, in a process of its own.
//!
//! A process of its own, because libwim reads files that a stranger may have made: its memory is capped, it can be
//! killed, and its crash is an error message of the caller. The protocol is `media_format::wim::protocol`.

mod apply;
mod capture;
mod extract;
mod failure;
mod find;
mod flush;
mod inject;
mod libwim;
mod printed;
mod reparse;
mod report;
mod scan;
mod split;
mod streams;
mod verify;

use std::io::Read;
use std::process::ExitCode;
use std::sync::Arc;

use media_format::wim::protocol::{Message, Operation, Request, Summary, Volume};
use rustix::process::{Resource, Rlimit, Signal, set_parent_process_death_signal, setrlimit};

use failure::Failure;
use printed::Printed;
use report::Report;

/// A request with thousands of exclusions is far smaller.
const MOST_REQUEST: u64 = 16 << 20;

fn main() -> ExitCode {
    if std::env::args_os().len() > 1 {
        eprintln!("usage: wim-worker < request.json (media-runtime and media-builder start it)");
        return ExitCode::from(2);
    }
    // Whoever started it and was killed cannot end it any more, and it may be writing to a disk that is used again.
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    let report = Arc::new(Report::new(Box::new(std::io::stdout())));
    match read_request().and_then(|request| serve(&request, &report)) {
        Ok(summary) => {
            report.send(&Message::Done { summary });
            ExitCode::SUCCESS
        }
        Err(failure) => {
            report.send(&failure.into_message());
            ExitCode::FAILURE
        }
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

fn serve(request: &Request, report: &Arc<Report>) -> Result<Summary, Failure> {
    if let Some(limit) = request.memory_limit {
        limit_memory(limit)?;
    }
    libwim::init(ignores_case(&request.operation)).map_err(|e| Failure::lib("starting libwim", &e))?;
    let printed = Printed::start(Arc::clone(report))?;
    let result = perform(&request.operation, report);
    let errors = printed.finish();
    let summary = result.map_err(|failure| failure.because(&errors))?;
    Ok(Summary {
        warnings: report.warnings(),
        ..summary
    })
}

fn perform(operation: &Operation, report: &Arc<Report>) -> Result<Summary, Failure> {
    match operation {
        Operation::Apply(apply) => apply::run(apply, report),
        Operation::Capture(capture) => capture::run(capture, report),
        Operation::Verify(verify) => verify::run(verify, report),
        Operation::Info(info) => verify::info(&info.wim),
        Operation::Find(find) => find::run(find, report),
        Operation::Extract(extract) => extract::run(extract, report),
        Operation::Inject(inject) => inject::run(inject, report),
        Operation::Split(split) => split::run(split, report),
    }
}

/// Exclusions of Windows, and its files, are named without regard to case; those of Linux are not.
fn ignores_case(operation: &Operation) -> bool {
    match operation {
        Operation::Capture(capture) => capture.images.iter().any(|image| is_ntfs(&image.source)),
        Operation::Find(_) | Operation::Extract(_) | Operation::Inject(_) => true,
        Operation::Apply(_) | Operation::Verify(_) | Operation::Info(_) | Operation::Split(_) => false,
    }
}

fn is_ntfs(volume: &Volume) -> bool {
    matches!(volume, Volume::NtfsVolume(_))
}

fn limit_memory(bytes: u64) -> Result<(), Failure> {
    let limit = Rlimit {
        current: Some(bytes),
        maximum: Some(bytes),
    };
    setrlimit(Resource::As, limit)
        .map_err(|e| Failure::io(format!("limiting memory to {bytes} bytes"), &e.into()))
}
