//! External programs.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::deadline::Deadline;
use super::{Account, Result};

/// A command to run. Secrets go in `stdin` or `environment`, never in `arguments`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Command {
    /// Program, looked up in the search path.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// On Windows: what follows them on the command line as it is, for programs that split it by rules of their own.
    pub raw: String,
    /// Working folder.
    pub folder: Option<PathBuf>,
    /// Environment variables besides the inherited ones.
    pub environment: BTreeMap<String, String>,
    /// What it reads.
    pub stdin: Vec<u8>,
    /// Of what it writes, only lines with one of these texts count, whatever their case; all where there are none.
    pub only: Vec<String>,
    /// It is stopped after this time, whatever time the step has left.
    pub timeout: Option<Duration>,
    /// Runs inside this root.
    pub root: Option<PathBuf>,
    /// Runs as this account of the system; on Linux the password is not needed.
    pub account: Option<Account>,
    /// What the log shows instead of program and arguments.
    pub shown: Option<String>,
    /// The command line is not shown in the log.
    pub hidden: bool,
}

/// What a command said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Output {
    /// Exit code; 128 + signal when a signal ended it.
    pub code: i64,
    /// What it wrote, up to a limit.
    pub stdout: String,
    /// The end of what it wrote to the error stream.
    pub stderr: String,
}

/// External programs.
pub trait Processes {
    /// Runs a command to its end.
    fn run(&self, command: &Command) -> Result<Output>;
    /// Until when everything has to end that is started from now on: programs without a time limit of their own, and the workers.
    fn set_deadline(&self, deadline: Option<Deadline>);
    /// Until when that is.
    fn deadline(&self) -> Option<Deadline>;
}
