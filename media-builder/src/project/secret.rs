//! Where the value of a secret variable comes from: never from `media.toml` itself.

use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::de::{self, MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer};

/// The source of a secret's value.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "kebab-case")]
pub enum Secret {
    /// An environment variable of the build.
    Env(String),
    /// A file; a line break at its end does not count.
    File(PathBuf),
    /// The operator, at the machine.
    Ask(bool),
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Written {
    env: Option<String>,
    file: Option<PathBuf>,
    ask: Option<bool>,
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SecretVisitor)
    }
}

struct SecretVisitor;

impl<'de> Visitor<'de> for SecretVisitor {
    type Value = Secret;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("where the secret comes from: { env = \"NAME\" }, { file = \"PATH\" } or { ask = true }")
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<Secret, E> {
        Err(E::custom(
            "the value of a secret does not belong in media.toml, which is shared and kept in version control: \
             use { env = \"NAME\" }, { file = \"PATH\" } or { ask = true }",
        ))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Secret, A::Error> {
        let Written { env, file, ask } = Written::deserialize(MapAccessDeserializer::new(map))?;
        match (env, file, ask) {
            (Some(name), None, None) => Ok(Secret::Env(name)),
            (None, Some(path), None) => Ok(Secret::File(path)),
            (None, None, Some(true)) => Ok(Secret::Ask(true)),
            (None, None, Some(false)) => Err(de::Error::custom(
                "`ask = false` names no place that the value comes from",
            )),
            _ => Err(de::Error::custom(
                "a secret comes from one place: `env`, `file` or `ask = true`",
            )),
        }
    }
}
