//! Password hashes as /etc/shadow keeps them.

use anyhow::anyhow;

use crate::platform::Result;

/// Bytes of a salt. In base64 it has the 16 characters that crypt(5) takes: of a longer one it keeps so many, and what it compares
/// with the stored hash is another text then.
pub const SALT: usize = 12;

/// The `$6$` hash of crypt(5).
///
/// # Errors
/// When the library refuses the password.
pub fn sha512_crypt(password: &str, salt: &[u8; SALT]) -> Result<String> {
    use sha_crypt::{PasswordHasher as _, ShaCrypt};
    let hash = ShaCrypt::SHA512.hash_password_with_salt(password.as_bytes(), salt);
    hash.map(|hash| hash.to_string())
        .map_err(|error| anyhow!("hashing the administrator's password: {error}"))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// As a system does that lets somebody in: by crypt(3) with the stored hash as the setting.
    #[test]
    fn the_password_opens_the_account_and_no_other_does() {
        let stored = sha512_crypt("Passw0rd Ümlaut", b"\x00\xff0123456789").unwrap();
        let crypt = |password: &str| {
            let output = Command::new("perl")
                .args(["-e", "print crypt($ARGV[0], $ARGV[1])", password, &stored])
                .output();
            String::from_utf8(output.unwrap().stdout).unwrap()
        };
        assert_eq!(crypt("Passw0rd Ümlaut"), stored);
        assert_ne!(crypt("Passw0rd"), stored);
    }
}
