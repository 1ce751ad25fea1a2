//! The version in a condition: a text that it must equal, or a table of comparisons.

use std::fmt;

use schemars::{Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::{Deserialize as _, Deserializer, de};

use super::compare::{Comparison, Operator};
use super::written::WrittenVersion;

struct VersionVisitor;

impl<'de> de::Visitor<'de> for VersionVisitor {
    type Value = Option<WrittenVersion>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a version: a text, a number, or a table such as { greater-or-equal = \"10.0\" }")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        let equals = Comparison {
            operator: Operator::Equals,
            value: text.to_owned(),
        };
        Ok(WrittenVersion::from_comparisons(vec![equals]))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        WrittenVersion::deserialize(MapAccessDeserializer::new(map)).map(Some)
    }
}

/// Reads a version as it is written.
pub(super) fn read<'de, D: Deserializer<'de>>(from: D) -> Result<Option<WrittenVersion>, D::Error> {
    from.deserialize_any(VersionVisitor)
}

/// What `read` reads.
pub(super) fn schema(generator: &mut SchemaGenerator) -> Schema {
    let table = generator.subschema_for::<WrittenVersion>();
    json_schema!({ "anyOf": [{ "type": ["string", "integer"] }, table] })
}
