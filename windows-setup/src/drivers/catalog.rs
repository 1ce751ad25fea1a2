//! Catalog files: a signed list of digests (Catalog Files and Digital Signatures). What is proven here: the catalog
//! is a PKCS #7 message, its list is the one that was signed, and it has the digest of the INF file. Whether the
//! signer is to be trusted is for Windows to judge, whose certificates are not at hand.

use cms::cert::x509::der::asn1::{ObjectIdentifier, OctetStringRef};
use cms::signed_data::SignerInfo;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::signed_message::SignedMessage;

const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");

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
    let message = SignedMessage::read(catalog).map_err(CatalogError::NotSignedData)?;
    let signer = message.signers.first().ok_or(CatalogError::NoSigner)?;
    if !message
        .signers
        .iter()
        .any(|signer| is_digest_of(signer, &message.content))
    {
        return Err(CatalogError::Altered);
    }
    let listed = has_octets(&message.content, &Sha1::digest(file))
        || has_octets(&message.content, &Sha256::digest(file));
    let signer = message
        .signer_name(signer)
        .unwrap_or_else(|| "unknown".to_owned());
    Ok(Found { listed, signer })
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
