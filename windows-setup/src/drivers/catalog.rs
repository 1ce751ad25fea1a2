//! Catalog files: a signed list of digests (Catalog Files and Digital Signatures). What is proven here: the catalog
//! is a PKCS #7 message, its list is the one that was signed, and it has the digest of the INF file. Whether the
//! signer is to be trusted is for Windows to judge, whose certificates are not at hand.

use cms::cert::x509::Certificate;
use cms::cert::x509::der::asn1::{AnyRef, ObjectIdentifier, OctetStringRef};
use cms::cert::x509::der::{Decode, Encode, Reader, SliceReader, Tag, TagNumber, Tagged};
use cms::content_info::ContentInfo;
use cms::signed_data::{EncapsulatedContentInfo, SignerIdentifier, SignerInfo};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use thiserror::Error;

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");

/// What a catalog file says of another file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Whether it lists the file.
    pub listed: bool,
    /// Common name in the signer's certificate; `unknown` where the catalog does not carry that.
    pub signer: String,
}

/// Why a catalog file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CatalogError {
    /// Not a signed message.
    #[error("it is no signed list of files ({0})")]
    NotSignedData(String),
    /// Nobody signed it.
    #[error("nobody signed it")]
    NoSigner,
    /// The list is not the one that was signed.
    #[error("its list was changed after it was signed")]
    Altered,
}

/// Looks a file up in a catalog, by the SHA-1 and SHA-256 of its bytes, which is how files other than programs are
/// listed.
///
/// # Errors
/// When the catalog is damaged, altered or not signed.
pub fn look_up(catalog: &[u8], file: &[u8]) -> Result<Found, CatalogError> {
    let message = SignedMessage::read(catalog)?;
    let signer = message.signers.first().ok_or(CatalogError::NoSigner)?;
    if !message
        .signers
        .iter()
        .any(|signer| is_digest_of(signer, &message.list))
    {
        return Err(CatalogError::Altered);
    }
    let listed =
        has_octets(&message.list, &Sha1::digest(file)) || has_octets(&message.list, &Sha256::digest(file));
    let signer = message.name_of(signer).unwrap_or_else(|| "unknown".to_owned());
    Ok(Found { listed, signer })
}

/// The parts of a signed message that matter here. Certificates that the library cannot read are left out: a
/// catalog is not worse for carrying an odd one.
struct SignedMessage {
    list: Vec<u8>,
    certificates: Vec<Certificate>,
    signers: Vec<SignerInfo>,
}

type DerResult<T> = cms::cert::x509::der::Result<T>;

impl SignedMessage {
    fn read(bytes: &[u8]) -> Result<Self, CatalogError> {
        let damaged = |error: cms::cert::x509::der::Error| CatalogError::NotSignedData(error.to_string());
        let info = ContentInfo::from_der(bytes).map_err(damaged)?;
        if info.content_type != SIGNED_DATA {
            return Err(CatalogError::NotSignedData(info.content_type.to_string()));
        }
        let content = info.content.to_der().map_err(damaged)?;
        let mut reader = SliceReader::new(&content).map_err(damaged)?;
        let message = reader.sequence(|body| {
            let _version = AnyRef::decode(body)?;
            let _digest_algorithms = AnyRef::decode(body)?;
            let content = EncapsulatedContentInfo::decode(body)?;
            let parts = all(body)?;
            Ok(Self {
                list: content
                    .econtent
                    .map(|list| list.value().to_vec())
                    .unwrap_or_default(),
                certificates: certificates(&parts),
                signers: signers(&parts),
            })
        });
        message.map_err(damaged)
    }

    fn name_of(&self, signer: &SignerInfo) -> Option<String> {
        let SignerIdentifier::IssuerAndSerialNumber(id) = &signer.sid else {
            return None;
        };
        let of_signer = |certificate: &&Certificate| {
            let body = &certificate.tbs_certificate;
            body.issuer == id.issuer && body.serial_number == id.serial_number
        };
        let certificate = self.certificates.iter().find(of_signer)?;
        let names = certificate.tbs_certificate.subject.0.iter();
        let mut attributes = names.flat_map(|name| name.0.iter());
        let name = attributes.find(|attribute| attribute.oid == COMMON_NAME)?;
        let text = match name.value.tag() {
            Tag::BmpString => {
                let units = name
                    .value
                    .value()
                    .chunks_exact(2)
                    .map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
                char::decode_utf16(units)
                    .map(|c| c.unwrap_or('\u{FFFD}'))
                    .collect()
            }
            _ => String::from_utf8_lossy(name.value.value()).into_owned(),
        };
        Some(text)
    }
}

fn all<'a>(reader: &mut impl Reader<'a>) -> DerResult<Vec<AnyRef<'a>>> {
    let mut parts = Vec::new();
    while !reader.is_finished() {
        parts.push(AnyRef::decode(reader)?);
    }
    Ok(parts)
}

fn inner<'a>(part: &AnyRef<'a>) -> Vec<AnyRef<'a>> {
    let reader = SliceReader::new(part.value());
    reader.and_then(|mut reader| all(&mut reader)).unwrap_or_default()
}

/// `[0] IMPLICIT CertificateSet`.
fn certificates(parts: &[AnyRef<'_>]) -> Vec<Certificate> {
    let tag = Tag::ContextSpecific {
        constructed: true,
        number: TagNumber::N0,
    };
    let set = parts.iter().find(|part| part.tag() == tag);
    set.into_iter()
        .flat_map(inner)
        .filter_map(|part| Certificate::from_der(&part.to_der().ok()?).ok())
        .collect()
}

fn signers(parts: &[AnyRef<'_>]) -> Vec<SignerInfo> {
    let set = parts.iter().find(|part| part.tag() == Tag::Set);
    set.into_iter()
        .flat_map(inner)
        .filter_map(|part| SignerInfo::from_der(&part.to_der().ok()?).ok())
        .collect()
}

/// Whether a signer signed this list: its message digest is one of the list's.
fn is_digest_of(signer: &SignerInfo, list: &[u8]) -> bool {
    let attributes = signer
        .signed_attrs
        .iter()
        .flat_map(|attributes| attributes.iter());
    let mut digests = attributes
        .filter(|attribute| attribute.oid == MESSAGE_DIGEST)
        .flat_map(|a| a.values.iter());
    digests.any(|digest| {
        let Ok(digest) = digest.decode_as::<OctetStringRef<'_>>() else {
            return false;
        };
        digest.as_bytes() == &Sha1::digest(list)[..] || digest.as_bytes() == &Sha256::digest(list)[..]
    })
}

/// Whether a list has an octet string of these bytes. Lists nest their digests in several ways, old and new.
fn has_octets(list: &[u8], digest: &[u8]) -> bool {
    let is_it =
        |window: &[u8]| window[0] == 4 && usize::from(window[1]) == digest.len() && &window[2..] == digest;
    list.windows(digest.len() + 2).any(is_it)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_catalog_is_an_error() {
        assert!(matches!(
            look_up(b"not DER", b""),
            Err(CatalogError::NotSignedData(_))
        ));
        assert!(matches!(look_up(b"", b""), Err(CatalogError::NotSignedData(_))));
        // ContentInfo with the type "data".
        let data = [
            0x30, 0x0F, 6, 9, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 7, 1, 0xA0, 2, 4, 0,
        ];
        assert!(matches!(look_up(&data, b""), Err(CatalogError::NotSignedData(_))));
    }

    #[test]
    fn digests_are_found_as_octet_strings_only() {
        let digest = Sha1::digest(b"x");
        let list = [&[0x30, 0x16, 4, 20], &digest[..]].concat();
        assert!(has_octets(&list, &digest));
        assert!(!has_octets(&list[3..], &digest));
        assert!(!has_octets(&[], &digest));
    }
}
