//! The registry hives of a Windows on a mounted volume.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use media_format::hive::protocol::{Answer, Operation, Query, Read, Source, Write};
use media_format::hive::{Edit, Key, Value};

use super::volume;
use crate::platform::{Platform, Result};

/// A hive.
pub struct Hive<'a> {
    platform: &'a dyn Platform,
    path: PathBuf,
}

impl<'a> Hive<'a> {
    /// The hive at a path of Windows, on the volume that is mounted at `root`.
    ///
    /// # Errors
    /// When the path leads over a link.
    pub fn at(platform: &'a dyn Platform, root: &Path, path: &str) -> Result<Self> {
        let path = volume::locate(platform, root, path)?;
        Ok(Self { platform, path })
    }

    /// A value.
    ///
    /// # Errors
    /// When the hive cannot be read.
    pub fn value(&self, query: Query) -> Result<Option<Value>> {
        match self.ask([query])? {
            [Answer::Value(value)] => Ok(value),
            [Answer::Key(_)] => Err(self.wrong()),
        }
    }

    /// A key.
    ///
    /// # Errors
    /// When the hive cannot be read.
    pub fn key(&self, query: Query) -> Result<Option<Key>> {
        let [key] = self.keys([query])?;
        Ok(key)
    }

    /// Several keys at once: Windows PE loads the hive anew each time that it is asked.
    ///
    /// # Errors
    /// When the hive cannot be read.
    pub fn keys<const N: usize>(&self, queries: [Query; N]) -> Result<[Option<Key>; N]> {
        let answers = self.ask(queries)?.into_iter();
        let keys = answers.map(|answer| match answer {
            Answer::Key(key) => Ok(key),
            Answer::Value(_) => Err(self.wrong()),
        });
        keys.collect::<Result<Vec<_>>>()?
            .try_into()
            .map_err(|_| self.wrong())
    }

    fn ask<const N: usize>(&self, queries: [Query; N]) -> Result<[Answer; N]> {
        let read = Operation::Read(Read {
            hive: self.path.clone(),
            queries: queries.into(),
        });
        let answers = self.platform.hive(&read);
        let answers = answers.with_context(|| format!("reading {}", self.path.display()))?;
        answers.try_into().map_err(|_| self.wrong())
    }

    fn wrong(&self) -> anyhow::Error {
        anyhow!(
            "reading {}: the worker has answered something else",
            self.path.display()
        )
    }

    /// Changes the hive: all edits or none. Without edits nothing is written.
    ///
    /// # Errors
    /// When the hive cannot be changed.
    pub fn edit(&self, edits: Vec<Edit>) -> Result<()> {
        if edits.is_empty() {
            return Ok(());
        }
        write(self.platform, &self.path, Source::Itself, edits)
    }
}

/// Writes a hive from a source.
///
/// # Errors
/// When the source cannot be read or the hive not be written.
pub fn write(platform: &dyn Platform, hive: &Path, source: Source, edits: Vec<Edit>) -> Result<()> {
    let write = Operation::Write(Write {
        hive: hive.to_owned(),
        source,
        edits,
    });
    let written = platform.hive(&write).map(drop);
    written.with_context(|| format!("writing {}", hive.display()))
}
