//! Where a captured image goes.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::disk::DiskSelector;
use crate::setting::{FromText, Resolve, ResolveError};
use crate::variables::Variables;

/// Where a captured image goes: `"media:debian.wim"` (in the folder `captures` of the data partition), `'\\server\share\debian.wim'`, or
/// `{ disk = { serial = "…" }, partition = 1, path = "debian.wim" }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaptureDestination {
    /// A file in the folder `captures` of the media's data partition.
    Media {
        /// The path below that folder, or below the root of the partition where it begins with the folder.
        path: String,
    },
    /// A file on a share.
    Share {
        /// The UNC path of the file, with backslashes.
        path: String,
    },
    /// A file on another disk of the machine.
    Disk {
        /// Which disk.
        disk: DiskSelector,
        /// Which partition of it, by its number in the table, counted from 1 (on an MBR disk logical ones from 5); without it, the only one with a file system.
        partition: Option<u32>,
        /// The path below the root of that partition.
        path: String,
    },
    /// A text with `%VARIABLES%`, read when the step runs.
    Text(String),
}

#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Written {
    disk: DiskSelector,
    #[serde(skip_serializing_if = "Option::is_none")]
    partition: Option<u32>,
    path: String,
}

impl FromText for CaptureDestination {
    fn from_text(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("media:") {
            return Ok(Self::Media {
                path: path.trim_start_matches(['/', '\\']).to_owned(),
            });
        }
        let unc = text.strip_prefix("smb:").unwrap_or(text).replace('/', "\\");
        if unc.starts_with("\\\\") {
            return share(&unc);
        }
        if crate::setting::has_variable(text) {
            return Ok(Self::Text(text.to_owned()));
        }
        Err(format!(
            "`{text}` is not a destination: write \"media:NAME.wim\", '\\\\SERVER\\SHARE\\NAME.wim', \
             or {{ disk = {{ … }}, path = \"NAME.wim\" }}"
        ))
    }
}

fn share(unc: &str) -> Result<CaptureDestination, String> {
    let parts: Vec<&str> = unc[2..].split('\\').collect();
    if parts.len() < 3 || parts.iter().any(|part| part.is_empty()) {
        return Err(format!(
            "`{unc}` does not name a file on a share: write '\\\\SERVER\\SHARE\\NAME.wim'"
        ));
    }
    Ok(CaptureDestination::Share { path: unc.to_owned() })
}

impl CaptureDestination {
    /// The path of the file, below the root of where it goes; a share's is the whole UNC path.
    pub fn path(&self) -> &str {
        match self {
            Self::Media { path } | Self::Share { path } | Self::Disk { path, .. } | Self::Text(path) => path,
        }
    }
}

impl Resolve for CaptureDestination {
    fn resolve(&mut self, variables: &Variables) -> Result<(), ResolveError> {
        match self {
            Self::Text(text) => {
                let read = Self::from_text(&variables.expand(text));
                *self = read.map_err(|why| ResolveError {
                    setting: String::new(),
                    why,
                })?;
                Ok(())
            }
            Self::Media { path } | Self::Share { path } => path.resolve(variables),
            Self::Disk { disk, path, .. } => {
                disk.resolve(variables)?;
                path.resolve(variables)
            }
        }
    }
}

impl Serialize for CaptureDestination {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Media { path } => serializer.collect_str(&format_args!("media:{path}")),
            Self::Share { path } | Self::Text(path) => serializer.serialize_str(path),
            Self::Disk {
                disk,
                partition,
                path,
            } => Written {
                disk: disk.clone(),
                partition: *partition,
                path: path.clone(),
            }
            .serialize(serializer),
        }
    }
}

struct DestinationVisitor;

impl<'de> de::Visitor<'de> for DestinationVisitor {
    type Value = CaptureDestination;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a destination: a text, or a table with `disk`, `partition` and `path`")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<CaptureDestination, E> {
        CaptureDestination::from_text(text).map_err(E::custom)
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<CaptureDestination, A::Error> {
        let Written {
            disk,
            partition,
            path,
        } = Written::deserialize(MapAccessDeserializer::new(map))?;
        Ok(CaptureDestination::Disk {
            disk,
            partition,
            path,
        })
    }
}

impl<'de> Deserialize<'de> for CaptureDestination {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DestinationVisitor)
    }
}

impl JsonSchema for CaptureDestination {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "CaptureDestination".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let disk = generator.subschema_for::<Written>();
        json_schema!({ "anyOf": [{ "type": "string" }, disk] })
    }
}
