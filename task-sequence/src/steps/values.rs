//! Values that several types of steps share.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::model::Declared;
use crate::setting::{MASK, words};

words! {
    /// What a machine becomes a member of. ConfigMgr's variables say 0 for a domain, 1 for a workgroup.
    JoinKind {
        /// A workgroup.
        Workgroup = "workgroup" | "1",
        /// A domain.
        Domain = "domain" | "0",
    }
}

/// The value of a variable in a sequence: `"text"`, or `{ value = "text", secret = true }`.
#[derive(Clone, PartialEq, Eq)]
pub struct VariableValue {
    /// The value; absent for a secret that is asked for at the machine.
    pub value: Option<String>,
    /// Whether it must never be shown.
    pub secret: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    value: Option<Scalar>,
    #[serde(default)]
    secret: bool,
}

struct Scalar(String);

impl VariableValue {
    /// A value that may be shown.
    pub fn plain(value: impl Into<String>) -> Self {
        Self {
            value: Some(value.into()),
            secret: false,
        }
    }

    pub(crate) fn declare(self, name: &str) -> Declared {
        Declared {
            name: name.to_owned(),
            value: self.value,
            secret: self.secret,
        }
    }
}

impl fmt::Debug for VariableValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(_) if self.secret => f.write_str(MASK),
            value => write!(f, "{value:?}"),
        }
    }
}

impl Serialize for VariableValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.value {
            Some(value) if !self.secret => serializer.serialize_str(value),
            _ => {
                use serde::ser::SerializeMap;
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("secret", &self.secret)?;
                map.end()
            }
        }
    }
}

struct ValueVisitor;

impl<'de> de::Visitor<'de> for ValueVisitor {
    type Value = VariableValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a number, true, false, or a table with `value` and `secret`")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<VariableValue, E> {
        Ok(VariableValue::plain(text))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<VariableValue, E> {
        Ok(VariableValue::plain(number.to_string()))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<VariableValue, E> {
        Ok(VariableValue::plain(number.to_string()))
    }

    fn visit_bool<E: de::Error>(self, flag: bool) -> Result<VariableValue, E> {
        Ok(VariableValue::plain(if flag { "true" } else { "false" }))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<VariableValue, A::Error> {
        let written = Written::deserialize(MapAccessDeserializer::new(map))?;
        if written.value.is_none() && !written.secret {
            return Err(de::Error::custom(
                "a variable without a `value` is possible only with `secret = true`",
            ));
        }
        Ok(VariableValue {
            value: written.value.map(|scalar| scalar.0),
            secret: written.secret,
        })
    }
}

impl<'de> Deserialize<'de> for VariableValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = VariableValue::deserialize(deserializer)?;
        match value.value {
            Some(text) if !value.secret => Ok(Self(text)),
            _ => Err(de::Error::custom("a text, a number, true or false is expected")),
        }
    }
}

impl JsonSchema for VariableValue {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "VariableValue".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let scalar = ["string", "number", "boolean"];
        json_schema!({
            "anyOf": [
                { "type": scalar },
                {
                    "type": "object",
                    "properties": { "value": { "type": scalar }, "secret": { "type": "boolean" } },
                    "additionalProperties": false
                }
            ]
        })
    }
}
