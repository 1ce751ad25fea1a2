//! Driver packages in memory, with catalogs that openssl signs.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use media_format::drivers::{Architecture, DriverIndex, DriverInf, FORMAT, RefusedInf};
use sha1::{Digest, Sha1};
use sha2::Sha256;
use windows_setup::drivers::{Listing, System, index_inf};

/// An INF file of the fixtures.
pub(crate) fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/packages")
        .join(name);
    fs::read_to_string(&path).unwrap()
}

pub(crate) const WINDOWS_11: System = System {
    architecture: Architecture::Amd64,
    major: 10,
    minor: 0,
    build: 22631,
    product_type: System::WORKSTATION,
    suites: 0,
};

/// A package's files by path.
#[derive(Default)]
pub(crate) struct Package(BTreeMap<String, Vec<u8>>);

impl Package {
    pub(crate) fn with(mut self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        self.0.insert(path.to_owned(), content.into());
        self
    }

    /// Adds an INF file and a catalog that lists it.
    pub(crate) fn signed(self, path: &str, inf: &str, catalog: &str) -> Self {
        self.with(path, inf)
            .with(catalog, sign(&list(inf.as_bytes(), true)))
    }

    pub(crate) fn index(&self, id: &str) -> (Vec<DriverInf>, Vec<RefusedInf>) {
        let listing = Listing::new(id, self.0.keys().cloned());
        let (mut infs, mut refused) = (vec![], vec![]);
        for (path, bytes) in self.0.iter().filter(|(path, _)| path.ends_with(".inf")) {
            match index_inf(&listing, path, bytes, &mut |path| self.0.get(path).cloned()) {
                Ok(inf) => infs.push(inf),
                Err(error) => refused.push(error),
            }
        }
        (infs, refused)
    }
}

/// An index of several packages.
pub(crate) fn index(packages: &[(&str, &Package)]) -> DriverIndex {
    let mut index = DriverIndex {
        format: FORMAT,
        infs: vec![],
        refused: vec![],
    };
    for (id, package) in packages {
        let (infs, refused) = package.index(id);
        index.infs.extend(infs);
        index.refused.extend(refused);
    }
    index
}

/// A list of digests as catalogs nest them: a SEQUENCE with the digest as an octet string. Old ones have SHA-1, new
/// ones SHA-256.
pub(crate) fn list(file: &[u8], new: bool) -> Vec<u8> {
    let digest = if new {
        Sha256::digest(file).to_vec()
    } else {
        Sha1::digest(file).to_vec()
    };
    let octets = [&[4, digest.len() as u8], &digest[..]].concat();
    [&[0x30, octets.len() as u8], &octets[..]].concat()
}

/// The list, signed by a certificate of the name "Test Hardware Compatibility", in the form that Microsoft's tools
/// write: the content is a SEQUENCE and not octets around one.
pub(crate) fn sign(list: &[u8]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(path("list"), &list[2..]).unwrap();
    let (key, certificate, input, output) = (path("key"), path("certificate"), path("list"), path("catalog"));
    openssl(&[
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-subj",
        "/O=Test/CN=Test Hardware Compatibility",
        "-keyout",
        &key,
        "-out",
        &certificate,
    ]);
    openssl(&[
        "cms",
        "-sign",
        "-binary",
        "-nodetach",
        "-outform",
        "DER",
        "-md",
        "sha256",
        "-econtent_type",
        "1.3.6.1.4.1.311.10.1",
        "-signer",
        &certificate,
        "-inkey",
        &key,
        "-in",
        &input,
        "-out",
        &output,
    ]);
    let mut catalog = fs::read(path("catalog")).unwrap();
    let octets = [&[4, list[1]], &list[2..]].concat();
    let place = catalog
        .windows(octets.len())
        .position(|window| window == octets)
        .unwrap();
    catalog[place] = 0x30;
    catalog
}

fn openssl(arguments: &[&str]) {
    let status = Command::new("openssl")
        .args(arguments)
        .stderr(Stdio::null())
        .status();
    assert!(
        status
            .unwrap_or_else(|error| panic!("openssl is needed by this test: {error}"))
            .success()
    );
}
