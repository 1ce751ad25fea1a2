//! A machine whose firmware trusts one key only: that of Debian's `ovmf`, which is published for tests.

use std::path::Path;
use std::process::Command;

const KEY: &str = "/usr/share/ovmf/PkKek-1-snakeoil";
const PASSWORD: &str = "pass:snakeoil";
/// Where firmware looks on a stick.
const LOADER: &str = "::/EFI/BOOT/BOOTX64.EFI";
/// Its variables have that key in PK, KEK and db, and Secure Boot is on.
pub(crate) const VARIABLES: &str = "--firmware-variables=/usr/share/OVMF/OVMF_VARS_4M.snakeoil.fd";

fn run(program: &str, arguments: &[&str]) -> String {
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let output = Command::new(program).args(arguments).env("PATH", path).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error} (make setup installs it)"));
    assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Microsoft has signed the shim of a stick; the machine's owner signs it too. What shim starts is Debian's.
pub(crate) fn sign_loader(stick: &Path) {
    let volume = format!("{}@@{}", stick.display(), boot_volume(stick));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = |name: &str| folder.path().join(name).display().to_string();
    let (key, shim, signed) = (file("key"), file("shim"), file("signed"));
    let (private, certificate) = (format!("{KEY}.key"), format!("{KEY}.pem"));
    run(
        "openssl",
        &["rsa", "-in", &private, "-passin", PASSWORD, "-out", &key],
    );
    run("mcopy", &["-i", &volume, LOADER, &shim]);
    run(
        "sbsign",
        &["--key", &key, "--cert", &certificate, "--output", &signed, &shim],
    );
    run("mcopy", &["-o", "-i", &volume, &signed, LOADER]);
}

/// Where the EFI system partition begins, in bytes.
fn boot_volume(stick: &Path) -> u64 {
    let table = run("sfdisk", &["--dump", &stick.display().to_string()]);
    let partition = table
        .lines()
        .find(|line| line.contains("C12A7328-F81F-11D2-BA4B-00A0C93EC93B"));
    let start = partition.and_then(|line| line.split("start=").nth(1)?.split(',').next());
    let sector: u64 = start
        .and_then(|text| text.trim().parse().ok())
        .expect("an EFI system partition");
    sector * 512
}
