//! Linux has no registry: nothing exists in it, so that conditions on it do not hold.

use anyhow::bail;

use super::Linux;
use crate::platform::{Data, Registry, Result};

impl Registry for Linux {
    fn value(&self, _key: &str, _name: &str) -> Result<Option<Data>> {
        Ok(None)
    }

    fn has_key(&self, _key: &str) -> Result<bool> {
        Ok(false)
    }

    fn values(&self, _key: &str) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn keys(&self, _key: &str) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn set_value(&self, key: &str, name: &str, _data: &Data) -> Result<()> {
        bail!("Linux has no registry: {name} of {key} cannot be written")
    }

    fn remove_key(&self, _key: &str) -> Result<()> {
        Ok(())
    }

    fn remove_value(&self, _key: &str, _name: &str) -> Result<()> {
        Ok(())
    }
}
