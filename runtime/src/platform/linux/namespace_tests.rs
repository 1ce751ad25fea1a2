//! A mount namespace for tests that run what changes a system: what is written below /run, and to /var's lists of
//! packages, caches and logs, stays in memory.

use std::path::Path;
use std::process::Command;

/// Says that a test is in its namespace, and where it has room.
const ROOM: &str = "MEDIA_RUNTIME_TEST_ROOM";
/// The program may lie in what is covered.
const INSIDE: &str = "set -e
    exec 9<\"$1\"
    shift
    for folder in \"$MEDIA_RUNTIME_TEST_ROOM\" /run /var/lib /var/cache /var/log; do
        mount -t tmpfs -o mode=755 none \"$folder\"
    done
    cd \"$MEDIA_RUNTIME_TEST_ROOM\"
    mkdir tmp
    export HOME=\"$PWD\"
    printf '%s\\n' '%_dbpath /var/lib/rpm' \"%_tmppath $PWD/tmp\" >.rpmmacros
    exec /proc/self/fd/9 \"$@\"";

/// Runs a test in a namespace: the program starts itself there. Nothing happens for an account that may make none; where root
/// cannot, the test fails, so that it is never passed over unseen.
pub(super) fn apart(module: &str, name: &str, test: impl FnOnce(&Path)) {
    if let Some(room) = std::env::var_os(ROOM) {
        return test(Path::new(&room));
    }
    let root = rustix::process::geteuid().is_root();
    let with: &[&str] = if root {
        &["--mount"]
    } else {
        &["--mount", "--user", "--map-root-user"]
    };
    let may = Command::new("unshare").args(with).arg("true").status().unwrap();
    if !may.success() {
        assert!(!root, "root may make no mount namespace");
        eprintln!("{name}: this account may make no mount namespace");
        return;
    }
    let (_, module) = module.split_once("::").unwrap();
    let room = tempfile::tempdir().unwrap();
    let output = Command::new("unshare")
        .args(with)
        .args(["sh", "-c", INSIDE, "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &format!("{module}::{name}"), "--nocapture"])
        .env(ROOM, room.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
