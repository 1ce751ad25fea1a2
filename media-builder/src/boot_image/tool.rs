//! The one place that runs external programs: it keeps the end of what they print and makes a readable error of it.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use super::{Error, Result};

const TAIL_LINES: usize = 15;

/// A host program and the package that has it.
pub(super) const HOST_TOOLS: [(&str, &str); 2] = [("apt-get", "apt"), ("dpkg-deb", "dpkg")];

/// Fails, with what to install, unless every host program is in the search path.
pub(super) fn preflight(search_path: &std::ffi::OsStr) -> Result<()> {
    for (tool, package) in HOST_TOOLS {
        if !std::env::split_paths(search_path).any(|folder| folder.join(tool).is_file()) {
            return Err(Error::ToolMissing { tool, package });
        }
    }
    Ok(())
}

/// Runs a program to its end and returns what it wrote to its standard output.
pub(super) fn output(command: &mut Command, what: &str) -> Result<String> {
    let mut lines = String::new();
    each_line(command, what, |line| {
        lines.push_str(line);
        lines.push('\n');
    })?;
    Ok(lines)
}

/// Runs a program, hands on each line that it writes (both streams, joined), and fails when it does.
pub(super) fn each_line(command: &mut Command, what: &str, mut on_line: impl FnMut(&str)) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let io = |source| Error::Io {
        doing: "starting",
        path: program.clone().into(),
        source,
    };
    let (reader, writer) = std::io::pipe().map_err(io)?;
    command.env("LC_ALL", "C").stdin(Stdio::null());
    command.stdout(writer.try_clone().map_err(io)?).stderr(writer);
    let mut child = command.spawn().map_err(io)?;
    // The command keeps the pipe's writing ends: without this the reader would never see the end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut tail = VecDeque::with_capacity(TAIL_LINES);
    for line in BufReader::new(reader).split(b'\n') {
        let line = String::from_utf8_lossy(&line.map_err(io)?).into_owned();
        on_line(&line);
        if tail.len() == TAIL_LINES {
            tail.pop_front();
        }
        tail.push_back(line);
    }
    let status = child.wait().map_err(io)?;
    if status.success() {
        return Ok(());
    }
    let tail = tail
        .into_iter()
        .map(|line| format!("  {line}"))
        .collect::<Vec<_>>()
        .join("\n");
    Err(Error::ToolFailed {
        what: what.to_owned(),
        program,
        status: status.to_string(),
        tail,
    })
}

/// A program of the packages, run by the packages' own dynamic loader: the host's libraries may be too old for it.
pub(super) fn foreign(loader: &Path, library_folders: &[std::path::PathBuf], program: &Path) -> Command {
    let folders = library_folders
        .iter()
        .map(|folder| folder.to_string_lossy())
        .collect::<Vec<_>>()
        .join(":");
    let mut command = Command::new(loader);
    command.arg("--library-path").arg(folders).arg(program);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_shows_the_end_of_the_output() {
        let mut command = Command::new("sh");
        command.args(["-c", "seq 1 100; echo 'E: the reason' >&2; exit 7"]);
        let text = output(&mut command, "resolving packages")
            .unwrap_err()
            .to_string();
        assert!(
            text.contains("resolving packages: sh failed (exit status: 7)"),
            "{text}"
        );
        assert!(
            text.contains("E: the reason") && text.contains("  100") && !text.contains("  80\n"),
            "{text}"
        );
    }

    #[test]
    fn a_missing_tool_names_its_package() {
        let empty = tempfile::tempdir().unwrap();
        let text = preflight(empty.path().as_os_str()).unwrap_err().to_string();
        assert!(
            text.contains("apt-get") && text.contains("install the package apt"),
            "{text}"
        );
    }
}
