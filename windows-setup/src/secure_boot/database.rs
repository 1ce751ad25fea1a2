//! The firmware's lists: certificates and digests of programs that it starts (db) or refuses (dbx).

use cms::cert::x509::Certificate;
use cms::cert::x509::der::{Decode, Encode};
use sha2::{Digest, Sha256};
use thiserror::Error;
use uuid::{Uuid, uuid};

use super::program::{Program, Signature};
use crate::signed_message::called;

/// EFI_CERT_X509_GUID: a certificate.
const X509: Uuid = uuid!("a5c059a1-94e4-4aa7-87b5-ab155c2bf072");
/// EFI_CERT_SHA256_GUID: the digest of a program.
const SHA256: Uuid = uuid!("c1c41626-504c-4092-aca9-41f936934328");
/// EFI_CERT_X509_SHA256_GUID: the digest of a certificate's body, and when it was revoked.
const X509_SHA256: Uuid = uuid!("3bd2a492-96c0-4079-b420-fcf98ef103ed");
/// Of an EFI_SIGNATURE_LIST: type, and three lengths.
const HEADER: usize = 28;
/// Of each entry: who added it.
const OWNER: usize = 16;

/// A list of the firmware.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Database {
    certificates: Vec<Certificate>,
    revoked: Vec<[u8; 32]>,
    programs: Vec<[u8; 32]>,
    unknown: usize,
}

/// A list whose lengths do not fit together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the list is damaged at byte {0}")]
pub struct Damaged(usize);

impl Database {
    /// Reads the content of the variable `db` or `dbx`.
    ///
    /// # Errors
    /// When its lengths do not fit together.
    pub fn read(bytes: &[u8]) -> Result<Self, Damaged> {
        let mut all = Self::default();
        let mut at = 0;
        while at < bytes.len() {
            let list = List::read(&bytes[at..]).ok_or(Damaged(at))?;
            list.entries.for_each(|entry| all.add(list.kind, entry));
            at += list.length;
        }
        Ok(all)
    }

    fn add(&mut self, kind: Uuid, entry: &[u8]) {
        let Some(data) = entry.get(OWNER..) else { return };
        let digest = data.first_chunk::<32>().copied();
        match (kind, digest) {
            (X509, _) => match Certificate::from_der(data) {
                Ok(certificate) => self.certificates.push(certificate),
                Err(_) => self.unknown += 1,
            },
            (SHA256, Some(digest)) => self.programs.push(digest),
            (X509_SHA256, Some(digest)) => self.revoked.push(digest),
            _ => self.unknown += 1,
        }
    }

    /// Whether every entry is understood: else a program can be in it for another reason.
    #[must_use]
    pub fn is_understood(&self) -> bool {
        self.unknown == 0
    }

    /// Whom its certificates name.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let subjects = self
            .certificates
            .iter()
            .map(|known| &known.tbs_certificate.subject);
        subjects.map(called).collect()
    }

    pub(super) fn has_program(&self, program: &Program) -> bool {
        self.programs.contains(&program.digest)
    }

    /// Whether one of its certificates is in the signature's chain, or has issued what is.
    pub(super) fn covers(&self, signature: &Signature) -> bool {
        self.anchors(signature).next().is_some()
    }

    fn anchors<'a>(&'a self, signature: &'a Signature) -> impl Iterator<Item = &'a Certificate> {
        let of_chain = |known: &&Certificate| {
            signature
                .chain
                .iter()
                .any(|link| link == *known || link.tbs_certificate.issuer == known.tbs_certificate.subject)
        };
        self.certificates.iter().filter(of_chain)
    }

    /// Whether it has a certificate of the chain, which ends in a certificate of the other list, or a digest of one.
    pub(super) fn revokes(&self, signature: &Signature, trusted: &Self) -> bool {
        let chain = signature.chain.iter().chain(trusted.anchors(signature));
        let digests = chain.filter_map(|link| link.tbs_certificate.to_der().ok());
        let mut digests = digests.map(|body| <[u8; 32]>::from(Sha256::digest(body)));
        self.covers(signature) || digests.any(|digest| self.revoked.contains(&digest))
    }
}

struct List<'a> {
    kind: Uuid,
    length: usize,
    entries: std::slice::ChunksExact<'a, u8>,
}

impl<'a> List<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let number = |at: usize| {
            let four = bytes.get(at..at + 4)?.first_chunk::<4>()?;
            usize::try_from(u32::from_le_bytes(*four)).ok()
        };
        let kind = Uuid::from_bytes_le(*bytes.first_chunk()?);
        let (length, header, entry) = (number(16)?, number(20)?, number(24)?);
        let data = bytes.get(HEADER.checked_add(header)?..length)?;
        (entry > OWNER).then(|| Self {
            kind,
            length,
            entries: data.chunks_exact(entry),
        })
    }
}
