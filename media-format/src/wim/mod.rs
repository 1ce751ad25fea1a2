//! WIM files: the protocol that is spoken with the worker, a reader of header and XML metadata, and a writer of the images' properties.

pub mod header;
pub mod info;
pub mod properties;
pub mod protocol;
pub mod reparse;
#[cfg(test)]
mod tests;
pub mod warnings;
mod xml;
