//! Wine, which plays Windows, and the programs of the tests for it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use tempfile::TempDir;

/// Starting Wine takes seconds, and many of them where other tests run beside it.
pub const PATIENCE: Duration = Duration::from_secs(240);

/// The first start of Wine makes a prefix, which takes half a minute: each machine has a copy of it. It lies in a folder of the
/// build, which the next run replaces: nothing removes what is static when a program ends.
static MADE: LazyLock<PathBuf> = LazyLock::new(|| {
    let prefix = Path::new(env!("CARGO_TARGET_TMPDIR")).join("wine-prefix");
    let _ = fs::remove_dir_all(&prefix);
    fs::create_dir_all(&prefix).expect("a folder for the prefix");
    let output = wine(&prefix, &["wineboot", "-i"], PATIENCE);
    assert!(prefix.join("drive_c/windows").is_dir(), "{output:?}");
    for program in ["shutdown", "unprivileged"] {
        compile(program, &prefix.join("drive_c/windows/system32"));
    }
    end_wine(&prefix);
    prefix
});

/// A new prefix, which nothing has used.
pub fn prefix() -> TempDir {
    let made = MADE.join(".");
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder for the prefix");
    let copied = Command::new("cp").arg("-a").args([&made, folder.path()]).status();
    assert!(copied.expect("cp").success(), "copying the prefix");
    folder
}

/// A program of the tests, for Windows.
pub fn compile(name: &str, folder: &Path) -> PathBuf {
    compile_as("-municode", name, &folder.join(format!("{name}.exe")))
}

pub fn compile_as(kind: &str, name: &str, program: &Path) -> PathBuf {
    let _ = fs::remove_file(program);
    let source = format!("tests/windows_exe/{name}.c");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(source);
    let compiled = Command::new("x86_64-w64-mingw32-gcc")
        .args([kind, "-o"])
        .args([program, &source])
        .output();
    let compiled = compiled.expect("x86_64-w64-mingw32-gcc (make setup installs it)");
    assert!(compiled.status.success(), "{compiled:?}");
    program.to_owned()
}

/// A Wine of this prefix; what it says of its own troubles is left out.
pub fn command(prefix: &Path) -> Command {
    let mut command = Command::new("timeout");
    command
        .env("WINEPREFIX", prefix)
        .env("WINEDEBUG", "-all")
        .env("LC_ALL", "C.UTF-8")
        .env(
            "WINEDLLOVERRIDES",
            "mscoree,mshtml,winemenubuilder.exe=;shutdown.exe=n;netapi32=n,b",
        )
        .env_remove("DISPLAY");
    command
}

/// Runs a program of this prefix. On a machine under load Wine at times does not bring a program's process into being, and
/// says so: nothing of the program has run then, and it is started again.
pub fn wine(prefix: &Path, arguments: &[&str], limit: Duration) -> Output {
    const NOT_STARTED: &str = "ShellExecuteEx failed: Internal error";
    let mut attempts = 1;
    loop {
        let output = command(prefix)
            .args(["--kill-after=5", &limit.as_secs().to_string(), "wine"])
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .expect("timeout of coreutils");
        let said = String::from_utf8_lossy(&output.stdout);
        if attempts == 3 || !said.contains(NOT_STARTED) {
            return output;
        }
        attempts += 1;
    }
}

/// Ends everything of this prefix, as a power cut would.
pub fn end_wine(prefix: &Path) {
    for argument in ["-k", "-w"] {
        let _ = command(prefix).args(["60", "wineserver", argument]).output();
    }
}
