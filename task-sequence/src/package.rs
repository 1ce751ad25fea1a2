//! The id by which a sequence refers to a package of the media.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::setting::{FromText, Resolve, ResolveError};
use crate::variables::Variables;

/// The id of a package in `media.toml`; `%VARIABLES%` in it are expanded when the step runs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct PackageId(String);

impl PackageId {
    /// Takes any text; whether the package exists is decided by [`validate`](crate::validate()).
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// The id as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PackageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for PackageId {
    fn from(id: &str) -> Self {
        Self::new(id)
    }
}

impl FromText for PackageId {
    fn from_text(text: &str) -> Result<Self, String> {
        Ok(Self::new(text))
    }
}

impl Resolve for PackageId {
    fn resolve(&mut self, variables: &Variables) -> Result<(), ResolveError> {
        self.0 = variables.expand(&self.0);
        Ok(())
    }
}
