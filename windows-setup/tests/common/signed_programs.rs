//! Programs of UEFI that sbsign signs, and the firmware's lists.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::fs;
use std::process::{Command, Stdio};

use tempfile::TempDir;
use uuid::Uuid;

/// EFI_CERT_X509_GUID.
pub(crate) const X509: &str = "a5c059a1-94e4-4aa7-87b5-ab155c2bf072";
/// EFI_CERT_SHA256_GUID.
pub(crate) const SHA256: &str = "c1c41626-504c-4092-aca9-41f936934328";
/// EFI_CERT_X509_SHA256_GUID.
pub(crate) const X509_SHA256: &str = "3bd2a492-96c0-4079-b420-fcf98ef103ed";

/// An authority, and somebody called "Microsoft Windows" whom it has certified.
pub(crate) struct Authority {
    folder: TempDir,
    /// The authority's certificate (DER).
    pub(crate) certificate: Vec<u8>,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let extensions = "basicConstraints=critical,CA:TRUE";
        let request = ["req", "-newkey", "rsa:2048", "-nodes", "-sha256"];
        let own = ["-x509", "-days", "9", "-addext", extensions, "-subj"];
        let subject = format!("/O=Microsoft Corporation/CN={name}");
        let files = ["-keyout", &path("ca.key"), "-out", &path("ca.pem")];
        run("openssl", &[&request[..], &own, &[&subject], &files].concat());
        let files = ["-keyout", &path("key"), "-out", &path("request")];
        let subject = ["-subj", "/O=Microsoft Corporation/CN=Microsoft Windows"];
        run("openssl", &[&request[..], &subject, &files].concat());
        let (ca, key) = (path("ca.pem"), path("ca.key"));
        let sign = [
            "x509",
            "-req",
            "-days",
            "9",
            "-CAcreateserial",
            "-in",
            &path("request"),
        ];
        let by = ["-CA", &ca, "-CAkey", &key, "-out", &path("pem")];
        run("openssl", &[&sign[..], &by].concat());
        run(
            "openssl",
            &["x509", "-in", &ca, "-outform", "DER", "-out", &path("der")],
        );
        let certificate = fs::read(path("der")).unwrap();
        Self { folder, certificate }
    }

    /// The program, signed; its own certificate and the authority's go along.
    pub(crate) fn sign(&self, program: &[u8]) -> Vec<u8> {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        fs::write(path("program"), program).unwrap();
        let by = [
            "--key",
            &path("key"),
            "--cert",
            &path("pem"),
            "--addcert",
            &path("ca.pem"),
        ];
        let files = ["--output", &path("signed"), &path("program")];
        run("sbsign", &[&by[..], &files].concat());
        fs::read(path("signed")).unwrap()
    }
}

fn run(program: &str, arguments: &[&str]) {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let status = command.status();
    let status = status.unwrap_or_else(|error| panic!("{program} is needed by this test: {error}"));
    assert!(status.success(), "{program} {arguments:?}");
}

/// A list of the firmware with entries of one kind.
pub(crate) fn list(kind: &str, entries: &[&[u8]]) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in entries {
        let size = 16 + entry.len() as u32;
        all.extend(Uuid::parse_str(kind).unwrap().to_bytes_le());
        for number in [28 + size, 0, size] {
            all.extend(number.to_le_bytes());
        }
        all.extend([7; 16]);
        all.extend(*entry);
    }
    all
}

/// The smallest program: headers, and a section with that text.
pub(crate) fn program(text: &str) -> Vec<u8> {
    let mut file = vec![0; 0x400];
    let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"MZ");
    put(0x3c, &[0x40]);
    put(0x40, b"PE\0\0");
    // x64, one section, 240 bytes of optional header, an executable image.
    put(0x44, &0x8664_u16.to_le_bytes());
    put(0x46, &[1]);
    put(0x54, &[240, 0, 0x22, 0]);
    let optional = 0x58;
    let numbers: [(usize, u32); 10] = [
        (0, 0x20b),
        (4, 0x200),
        (16, 0x1000),
        (20, 0x1000),
        (32, 0x1000),
        (36, 0x200),
        (56, 0x2000),
        (60, 0x200),
        // An application of UEFI.
        (68, 10),
        (108, 16),
    ];
    for (at, number) in numbers {
        put(optional + at, &number.to_le_bytes());
    }
    let section = optional + 240;
    put(section, b".text");
    for (at, number) in [
        (8, 0x200_u32),
        (12, 0x1000),
        (16, 0x200),
        (20, 0x200),
        (36, 0x6000_0020),
    ] {
        put(section + at, &number.to_le_bytes());
    }
    put(0x200, text.as_bytes());
    file
}
