//! Shares, and who opens them.

use std::path::{Path, PathBuf};

use super::Result;

/// An account with its password.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// `user`, `DOMAIN\user`, `user@domain`, or empty for a guest.
    pub user: String,
    /// Password.
    pub password: String,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}:********", self.user)
    }
}

/// Shares.
pub trait Network {
    /// Mounts a share (`//server/share`) and gives the folder: that one where it is given, also when the share is mounted
    /// elsewhere already; else one where it is. A second call gives the same one.
    fn connect(&self, share: &str, account: &Account, at: Option<&Path>) -> Result<PathBuf>;
    /// Unmounts the share that is mounted on that folder.
    fn disconnect(&self, folder: &Path) -> Result<()>;
    /// The domain that the running system is a member of; a system without a way to be one is in none.
    fn domain(&self) -> Result<Option<String>>;
}
