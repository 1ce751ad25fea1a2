//! The registry of the Windows that runs.

use super::Result;

/// Data of a value of the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// `REG_SZ`.
    Text(String),
    /// `REG_EXPAND_SZ`.
    Expandable(String),
    /// `REG_MULTI_SZ`.
    Texts(Vec<String>),
    /// `REG_DWORD`.
    Number(u32),
    /// `REG_QWORD`.
    Long(u64),
    /// `REG_BINARY` and everything else.
    Binary(Vec<u8>),
}

/// The registry of the running Windows; keys are written `HKLM\…`. On Linux nothing exists in it.
pub trait Registry {
    /// A value; `""` is the key's own. Nothing where the key or the value does not exist.
    fn value(&self, key: &str, name: &str) -> Result<Option<Data>>;
    /// Whether a key exists.
    fn has_key(&self, key: &str) -> Result<bool>;
    /// The names of a key's values; none where it does not exist.
    fn values(&self, key: &str) -> Result<Vec<String>>;
    /// The names of the keys below it; none where it does not exist.
    fn keys(&self, key: &str) -> Result<Vec<String>>;
    /// Writes a value; the key is made.
    fn set_value(&self, key: &str, name: &str, data: &Data) -> Result<()>;
    /// Removes a key with everything below it; nothing happens where it does not exist.
    fn remove_key(&self, key: &str) -> Result<()>;
    /// Removes a value; nothing happens where it does not exist.
    fn remove_value(&self, key: &str, name: &str) -> Result<()>;
}
