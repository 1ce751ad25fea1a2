//! A program of UEFI, and who has signed it.

use cms::cert::x509::Certificate;
use goblin::pe::certificate_table::{AttributeCertificate, AttributeCertificateType};
use goblin::pe::header::Header;
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::sbat;
use crate::signed_message::{SignedMessage, called};

/// From the PE signature to the optional header.
pub(super) const OPTIONAL_HEADER: usize = 24;
/// Of the optional header: the checksum, and the entry of the certificate table (in 32 and in 64 bits).
const CHECKSUM: usize = 64;
const TABLE_ENTRY: (usize, usize) = (128, 144);
/// Longer chains are none.
const LONGEST_CHAIN: usize = 8;

/// A program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// What is signed.
    pub(super) digest: [u8; 32],
    /// Its signatures; several are allowed.
    pub signatures: Vec<Signature>,
}

/// A signature of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// Who signed.
    pub signer: String,
    /// Who says that it was them.
    pub authority: String,
    /// The signer's certificate and those above it, as far as the program carries them; at least the first one.
    pub(super) chain: Vec<Certificate>,
}

/// Why something is no program.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("it is no program of UEFI ({0})")]
pub struct NoProgram(pub(super) String);

/// What somebody should know of a program that UEFI starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// Who has signed it, for people.
    pub signers: String,
    /// By what shim revokes it: components with their generations (`shim,4`).
    pub sbat: Vec<String>,
}

impl About {
    /// Reads it from a program; nothing where that is for another system.
    ///
    /// # Errors
    /// When it is no program, or is damaged.
    pub fn read(bytes: &[u8]) -> Result<Option<Self>, NoProgram> {
        // Applications and drivers, PE format, "Windows subsystem".
        const OF_UEFI: std::ops::RangeInclusive<u16> = 10..=12;
        let program = Program::read(bytes)?;
        let header = Header::parse(bytes).map_err(|error| NoProgram(error.to_string()))?;
        let fields = header.optional_header.map(|optional| optional.windows_fields);
        if !fields.is_some_and(|fields| OF_UEFI.contains(&fields.subsystem)) {
            return Ok(None);
        }
        Ok(Some(Self {
            signers: program.signers(),
            sbat: sbat::entries(bytes, &header)?,
        }))
    }
}

impl Program {
    /// Reads a program.
    ///
    /// # Errors
    /// When it is none, or its table of certificates leads out of it.
    pub fn read(bytes: &[u8]) -> Result<Self, NoProgram> {
        let damaged = |error: goblin::error::Error| NoProgram(error.to_string());
        let header = Header::parse(bytes).map_err(damaged)?;
        let optional = header
            .optional_header
            .ok_or_else(|| NoProgram("an object".into()))?;
        let table = optional.data_directories.get_certificate_table();
        let table = table.map_or((0, 0), |table| {
            (table.virtual_address as usize, table.size as usize)
        });
        let begin = header.dos_header.pe_pointer as usize + OPTIONAL_HEADER;
        let entry = match optional.container().map_err(damaged)?.is_big() {
            true => begin + TABLE_ENTRY.1,
            false => begin + TABLE_ENTRY.0,
        };
        let end = if table.1 == 0 { bytes.len() } else { table.0 };
        let signed = [
            (0, begin + CHECKSUM),
            (begin + CHECKSUM + 4, entry),
            (entry + 8, end),
        ];
        Ok(Self {
            digest: digest(bytes, &signed).ok_or_else(|| NoProgram("it is cut off".into()))?,
            signatures: signatures(bytes, table)?,
        })
    }

    /// Who has signed it, for people.
    #[must_use]
    pub fn signers(&self) -> String {
        let signers = self.signatures.iter();
        let told: Vec<_> = signers
            .map(|signature| format!("{} ({})", signature.signer, signature.authority))
            .collect();
        if told.is_empty() {
            "nobody".into()
        } else {
            told.join(", ")
        }
    }
}

/// Of everything but the checksum, the entry of the table and the table, which signing changes.
fn digest(bytes: &[u8], parts: &[(usize, usize)]) -> Option<[u8; 32]> {
    let mut digest = Sha256::new();
    for (from, to) in parts {
        digest.update(bytes.get(*from..*to)?);
    }
    Some(digest.finalize().into())
}

fn signatures(bytes: &[u8], (start, length): (usize, usize)) -> Result<Vec<Signature>, NoProgram> {
    let end = start.saturating_add(length);
    if end > bytes.len() {
        return Err(NoProgram("it is cut off".into()));
    }
    let (mut at, mut found) = (start, Vec::new());
    while at < end {
        let entry = AttributeCertificate::parse(bytes, &mut at);
        let entry = entry.map_err(|error| NoProgram(error.to_string()))?;
        if entry.certificate_type == AttributeCertificateType::PkcsSignedData {
            let message = SignedMessage::read(entry.certificate).map_err(NoProgram)?;
            found.extend(signature(&message));
        }
    }
    Ok(found)
}

fn signature(message: &SignedMessage) -> Option<Signature> {
    let signer = message.signers.first()?;
    let mut chain = vec![message.certificate(signer)?.clone()];
    while let Some(above) = chain.last().and_then(|last| above(message, last)) {
        if chain.len() == LONGEST_CHAIN || chain.contains(above) {
            break;
        }
        chain.push(above.clone());
    }
    let first = &chain[0].tbs_certificate;
    Some(Signature {
        signer: called(&first.subject),
        authority: called(&first.issuer),
        chain,
    })
}

fn above<'a>(message: &'a SignedMessage, below: &Certificate) -> Option<&'a Certificate> {
    let issuer = &below.tbs_certificate.issuer;
    let mut all = message.certificates.iter();
    all.find(|certificate| certificate.tbs_certificate.subject == *issuer)
}
