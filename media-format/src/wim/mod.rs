//! WIM files: the protocol that is spoken with the worker, and a reader of header and XML metadata.

pub mod header;
pub mod info;
pub mod protocol;
pub mod reparse;
#[cfg(test)]
mod tests;
mod xml;
