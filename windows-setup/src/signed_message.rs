//! Signed messages (PKCS #7), as far as what they say is to be told: catalog files of drivers and the signatures of
//! programs are such messages. Whether a signature is sound is for Windows and the firmware to judge.

use cms::cert::x509::Certificate;
use cms::cert::x509::der::asn1::{AnyRef, ObjectIdentifier};
use cms::cert::x509::der::{Decode, Encode, Reader, SliceReader, Tag, TagNumber, Tagged};
use cms::cert::x509::name::Name;
use cms::content_info::ContentInfo;
use cms::signed_data::{EncapsulatedContentInfo, SignerIdentifier, SignerInfo};

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");

/// The parts of a signed message that matter here. Certificates that the library cannot read are left out: a
/// message is not worse for carrying an odd one.
pub(crate) struct SignedMessage {
    pub(crate) content: Vec<u8>,
    pub(crate) certificates: Vec<Certificate>,
    pub(crate) signers: Vec<SignerInfo>,
}

type DerResult<T> = cms::cert::x509::der::Result<T>;

impl SignedMessage {
    /// Reads a message; what follows it, such as the padding behind a program's signature, does not matter.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, String> {
        let damaged = |error: cms::cert::x509::der::Error| error.to_string();
        let mut reader = SliceReader::new(bytes).map_err(damaged)?;
        let info = ContentInfo::decode(&mut reader).map_err(damaged)?;
        if info.content_type != SIGNED_DATA {
            return Err(info.content_type.to_string());
        }
        let content = info.content.to_der().map_err(damaged)?;
        let mut reader = SliceReader::new(&content).map_err(damaged)?;
        let message = reader.sequence(|body| {
            let _version = AnyRef::decode(body)?;
            let _digest_algorithms = AnyRef::decode(body)?;
            let content = EncapsulatedContentInfo::decode(body)?;
            let parts = all(body)?;
            Ok(Self {
                content: content
                    .econtent
                    .map(|content| content.value().to_vec())
                    .unwrap_or_default(),
                certificates: certificates(&parts),
                signers: signers(&parts),
            })
        });
        message.map_err(damaged)
    }

    /// The certificate of a signer, where the message carries it.
    pub(crate) fn certificate(&self, signer: &SignerInfo) -> Option<&Certificate> {
        let SignerIdentifier::IssuerAndSerialNumber(id) = &signer.sid else {
            return None;
        };
        self.certificates.iter().find(|certificate| {
            let body = &certificate.tbs_certificate;
            body.issuer == id.issuer && body.serial_number == id.serial_number
        })
    }

    pub(crate) fn signer_name(&self, signer: &SignerInfo) -> Option<String> {
        common_name(&self.certificate(signer)?.tbs_certificate.subject)
    }
}

/// What a person or an authority is called; where no common name says so, all of the name.
pub(crate) fn called(name: &Name) -> String {
    common_name(name).unwrap_or_else(|| name.to_string())
}

fn common_name(name: &Name) -> Option<String> {
    let mut attributes = name.0.iter().flat_map(|part| part.0.iter());
    let found = attributes.find(|attribute| attribute.oid == COMMON_NAME)?;
    let text = match found.value.tag() {
        Tag::BmpString => {
            let pairs = found.value.value().chunks_exact(2);
            let units = pairs.map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            char::decode_utf16(units)
                .map(|c| c.unwrap_or('\u{FFFD}'))
                .collect()
        }
        _ => String::from_utf8_lossy(found.value.value()).into_owned(),
    };
    Some(text)
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
