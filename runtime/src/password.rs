//! Password hashes as /etc/shadow keeps them.

use anyhow::anyhow;

use crate::platform::Result;

/// The `$6$` hash of crypt(5).
///
/// # Errors
/// When the library refuses the password.
pub fn sha512_crypt(password: &str, salt: &[u8]) -> Result<String> {
    use sha_crypt::{PasswordHasher as _, ShaCrypt};
    let hash = ShaCrypt::SHA512.hash_password_with_salt(password.as_bytes(), salt);
    hash.map(|hash| hash.to_string())
        .map_err(|error| anyhow!("hashing the administrator's password: {error}"))
}
