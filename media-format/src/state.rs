//! The boot state: a GRUB environment block of exactly 1024 bytes on the target's boot partition.
//!
//! The media's GRUB reads it before it shows anything (GRUB manual, "The GRUB environment block").

use std::collections::BTreeMap;

use thiserror::Error;

/// Length of an environment block in bytes; GRUB accepts no other.
pub const LENGTH: usize = 1024;

const SIGNATURE: &str = "# GRUB Environment Block\n";

/// What the next start of the machine is to reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The installed system.
    Os,
    /// The boot image.
    Pe,
}

impl Next {
    /// The value in the block.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Os => "os",
            Self::Pe => "pe",
        }
    }
}

/// What can be wrong with a block.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum StateError {
    /// Not an environment block.
    #[error("not a GRUB environment block of {LENGTH} bytes")]
    NotABlock,
    /// The variables do not fit.
    #[error("the boot state needs {0} bytes and a GRUB environment block has {LENGTH}")]
    TooLong(usize),
    /// A value that GRUB could not read back.
    #[error("the boot state's {0} contains a line break or a backslash")]
    BadValue(String),
}

/// The variables of the block by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BootState {
    /// All variables, also those that we do not know.
    pub variables: BTreeMap<String, String>,
}

impl BootState {
    /// The state of a run of the given media.
    pub fn new(media_id: &str, next: Next) -> Self {
        let mut state = Self::default();
        state.variables.insert("media".into(), media_id.into());
        state.set_next(next);
        state
    }

    /// The target of the next start, if the block names one that we know.
    pub fn next(&self) -> Option<Next> {
        match self.variables.get("next").map(String::as_str) {
            Some("os") => Some(Next::Os),
            Some("pe") => Some(Next::Pe),
            _ => None,
        }
    }

    /// Sets the target of the next start.
    pub fn set_next(&mut self, next: Next) {
        self.variables.insert("next".into(), next.as_str().into());
    }

    /// The media whose run this is.
    pub fn media_id(&self) -> Option<&str> {
        self.variables.get("media").map(String::as_str)
    }

    /// Encodes the block.
    ///
    /// # Errors
    /// When a value has a line break or a backslash, or the variables do not fit.
    pub fn encode(&self) -> Result<Vec<u8>, StateError> {
        let mut block = SIGNATURE.to_owned();
        for (name, value) in &self.variables {
            if value.contains(['\n', '\\']) || name.contains(['\n', '\\', '=']) {
                return Err(StateError::BadValue(name.clone()));
            }
            block.push_str(&format!("{name}={value}\n"));
        }
        if block.len() > LENGTH {
            return Err(StateError::TooLong(block.len()));
        }
        let mut bytes = block.into_bytes();
        bytes.resize(LENGTH, b'#');
        Ok(bytes)
    }

    /// Decodes a block.
    ///
    /// # Errors
    /// When the bytes are no environment block.
    pub fn decode(bytes: &[u8]) -> Result<Self, StateError> {
        let text = std::str::from_utf8(bytes).map_err(|_| StateError::NotABlock)?;
        let body = text.strip_prefix(SIGNATURE).filter(|_| bytes.len() == LENGTH);
        let body = body.ok_or(StateError::NotABlock)?;
        let variables = body
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Ok(Self { variables })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_comes_back_and_has_grubs_length() {
        let state = BootState::new("4b2c", Next::Os);
        let block = state.encode().unwrap();
        assert_eq!(block.len(), LENGTH);
        assert_eq!(BootState::decode(&block).unwrap(), state);
        assert_eq!(state.next(), Some(Next::Os));
    }

    #[test]
    fn what_grub_could_not_read_is_refused() {
        let mut state = BootState::new("m", Next::Pe);
        state.variables.insert("loader".into(), "a\\b".into());
        assert_eq!(state.encode(), Err(StateError::BadValue("loader".into())));
        state.variables.insert("loader".into(), "x".repeat(1024));
        assert!(matches!(state.encode(), Err(StateError::TooLong(_))));
        assert_eq!(BootState::decode(b"short"), Err(StateError::NotABlock));
    }
}
