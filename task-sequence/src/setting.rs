//! Settings that may be a value or a text with `%VARIABLES%`, and how they are resolved.

use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

use crate::variables::{MissingSecret, Variables};

/// A type that is written as one word or number.
pub trait FromText: Sized {
    /// Reads the text of a setting; the error says what is wrong and what is possible.
    fn from_text(text: &str) -> Result<Self, String>;

    /// Reads the value of a ConfigMgr variable, whose spelling may differ from ours.
    fn from_variable(text: &str) -> Result<Self, String> {
        Self::from_text(text)
    }
}

impl FromText for u32 {
    fn from_text(text: &str) -> Result<Self, String> {
        text.trim()
            .parse()
            .map_err(|_| format!("`{text}` is not a whole number"))
    }
}

impl FromText for i64 {
    fn from_text(text: &str) -> Result<Self, String> {
        text.trim()
            .parse()
            .map_err(|_| format!("`{text}` is not a whole number"))
    }
}

impl FromText for bool {
    fn from_text(text: &str) -> Result<Self, String> {
        match text.trim().to_ascii_lowercase().as_str() {
            "true" | "yes" | "1" => Ok(true),
            "false" | "no" | "0" => Ok(false),
            _ => Err(format!("`{text}` is neither true nor false")),
        }
    }
}

impl FromText for String {
    fn from_text(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }
}

/// A setting: absent, a value, or a text whose `%VARIABLES%` give the value when the step runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Setting<T> {
    /// Not given in the sequence.
    #[default]
    Absent,
    /// Given, and valid.
    Value(T),
    /// Contains `%VARIABLES%`.
    Text(String),
}

/// The value of a setting is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct SettingError(pub String);

impl<T> Setting<T> {
    /// Whether the sequence does not give this setting.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// The value, if it is known without variables (always so after [`Resolve::resolve`]).
    pub fn get(&self) -> Option<&T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Text(_) => None,
        }
    }
}

impl<T: Clone> Setting<T> {
    /// The value of a resolved setting, or `default`.
    pub fn unwrap_or(&self, default: T) -> T {
        self.get().cloned().unwrap_or(default)
    }
}

impl<T: FromText> Setting<T> {
    fn from_written(text: &str) -> Result<Self, String> {
        if has_variable(text) {
            return Ok(Self::Text(text.to_owned()));
        }
        T::from_text(text).map(Self::Value)
    }
}

/// Whether the text contains something that looks like `%NAME%`.
pub(crate) fn has_variable(text: &str) -> bool {
    let mut pieces = text.split('%').skip(1);
    pieces.next().is_some_and(|name| !name.is_empty()) && pieces.next().is_some()
}

impl<T: fmt::Display> Serialize for Setting<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Absent => serializer.serialize_none(),
            Self::Value(value) => serializer.collect_str(value),
            Self::Text(text) => serializer.serialize_str(text),
        }
    }
}

impl<'de, T: FromText> Deserialize<'de> for Setting<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SettingVisitor(PhantomData))
    }
}

struct SettingVisitor<T>(PhantomData<T>);

impl<T: FromText> de::Visitor<'_> for SettingVisitor<T> {
    type Value = Setting<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a number, true or false")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Setting::from_written(text).map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_bool<E: de::Error>(self, flag: bool) -> Result<Self::Value, E> {
        self.visit_str(if flag { "true" } else { "false" })
    }
}

impl<T: JsonSchema> JsonSchema for Setting<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("Setting_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<T>();
        schemars::json_schema!({
            "anyOf": [value, { "type": "string", "pattern": "%[^%]+%" }]
        })
    }
}

/// A password or another text that no log, journal or listing may show.
///
/// It serializes as asterisks unless it consists of `%VARIABLES%` only, which are names, not
/// secrets; so a literal secret never leaves this crate by accident.
#[derive(Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Secret(String);

pub(crate) const MASK: &str = "********";

impl Secret {
    /// Wraps a secret text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself: for the one call that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether it names a variable instead of carrying the secret itself.
    pub fn is_reference(&self) -> bool {
        let inner = self.0.strip_prefix('%').and_then(|text| text.strip_suffix('%'));
        inner.is_some_and(|name| !name.is_empty() && !name.contains('%'))
    }

    fn shown(&self) -> &str {
        if self.is_reference() { &self.0 } else { MASK }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({})", self.shown())
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.shown())
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.shown())
    }
}

impl FromText for Secret {
    fn from_text(text: &str) -> Result<Self, String> {
        Ok(Self::new(text))
    }
}

/// A setting could not be resolved when its step was about to run.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("setting `{setting}`: {why}")]
pub struct ResolveError {
    /// The setting, as written in the sequence.
    pub setting: String,
    /// What is wrong with its value.
    pub why: String,
}

/// Options whose absent settings come from variables and whose texts are expanded.
pub trait Resolve {
    /// Expands `%VARIABLES%` in place; afterwards no [`Setting::Text`] is left.
    fn resolve(&mut self, variables: &Variables) -> Result<(), ResolveError>;
}

/// A field of an options struct that a ConfigMgr variable fills where the sequence does not.
pub(crate) trait FillFromVariable {
    fn fill(&mut self, text: &str) -> Result<(), String>;
}

fn unnamed(why: String) -> ResolveError {
    ResolveError {
        setting: String::new(),
        why,
    }
}

fn missing(secret: MissingSecret) -> ResolveError {
    unnamed(secret.to_string())
}

impl Resolve for String {
    fn resolve(&mut self, variables: &Variables) -> Result<(), ResolveError> {
        *self = variables.expand_known(self).map_err(missing)?;
        Ok(())
    }
}

impl Resolve for Secret {
    fn resolve(&mut self, variables: &Variables) -> Result<(), ResolveError> {
        self.0 = variables.expand_known(&self.0).map_err(missing)?;
        Ok(())
    }
}

/// Types without text in them have nothing to resolve.
macro_rules! resolves_to_itself {
    ($($type:ty),*) => {
        $(impl Resolve for $type {
            fn resolve(&mut self, _: &Variables) -> Result<(), ResolveError> {
                Ok(())
            }
        })*
    };
}

resolves_to_itself!(bool, i64, crate::steps::PartitionKind, crate::steps::VariableMap);

impl<T: FromText> Resolve for Setting<T> {
    fn resolve(&mut self, variables: &Variables) -> Result<(), ResolveError> {
        if let Self::Text(text) = self {
            let value = T::from_variable(&variables.expand_known(text).map_err(missing)?).map_err(unnamed)?;
            *self = Self::Value(value);
        }
        Ok(())
    }
}

impl<T: Resolve> Resolve for Option<T> {
    fn resolve(&mut self, variables: &Variables) -> Result<(), ResolveError> {
        self.iter_mut().try_for_each(|inner| inner.resolve(variables))
    }
}

impl<T: Resolve> Resolve for Vec<T> {
    fn resolve(&mut self, variables: &Variables) -> Result<(), ResolveError> {
        self.iter_mut().try_for_each(|inner| inner.resolve(variables))
    }
}

impl<T: FromText> FillFromVariable for Setting<T> {
    fn fill(&mut self, text: &str) -> Result<(), String> {
        if self.is_absent() {
            *self = Self::Value(T::from_variable(text)?);
        }
        Ok(())
    }
}

impl<T: FromText> FillFromVariable for Option<T> {
    fn fill(&mut self, text: &str) -> Result<(), String> {
        if self.is_none() {
            *self = Some(T::from_variable(text)?);
        }
        Ok(())
    }
}

/// A list is written into a variable with commas between its items.
impl<T: FromText> FillFromVariable for Vec<T> {
    fn fill(&mut self, text: &str) -> Result<(), String> {
        if self.is_empty() {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            *self = items.map(T::from_variable).collect::<Result<_, _>>()?;
        }
        Ok(())
    }
}

pub(crate) fn fill_field<T: FillFromVariable>(
    field: &mut T,
    variable: &str,
    variables: &Variables,
) -> Result<(), ResolveError> {
    match variables.get(variable) {
        None | Some("") => Ok(()),
        Some(text) => field
            .fill(text)
            .map_err(|why| unnamed(format!("the value of variable {variable} is wrong: {why}"))),
    }
}

/// Puts the name of a field before the name of what is wrong inside it.
pub(crate) fn in_field(error: ResolveError, field: &str) -> ResolveError {
    let field = field.replace('_', "-");
    let setting = if error.setting.is_empty() {
        field
    } else {
        format!("{field}.{}", error.setting)
    };
    ResolveError { setting, ..error }
}

/// Implements [`Resolve`] for an options struct: every field is named, and beside it the ConfigMgr
/// variable that fills it. A field that is forgotten does not compile.
macro_rules! settings {
    ($type:ident { $($field:ident $(= $variable:literal)? $(=> $numbered:path)?),* $(,)? }) => {
        impl $crate::setting::Resolve for $type {
            fn resolve(
                &mut self,
                variables: &$crate::variables::Variables,
            ) -> Result<(), $crate::setting::ResolveError> {
                let Self { $($field),* } = self;
                $(
                    $($crate::setting::fill_field($field, $variable, variables)
                        .map_err(|error| $crate::setting::in_field(error, stringify!($field)))?;)?
                    $(if $field.is_empty() { *$field = $numbered(variables)?; })?
                    $crate::setting::Resolve::resolve($field, variables)
                        .map_err(|error| $crate::setting::in_field(error, stringify!($field)))?;
                )*
                let _ = variables;
                Ok(())
            }
        }
        impl $type {
            #[allow(dead_code, reason = "parts of options have no mapping of their own")]
            pub(crate) const VARIABLES: &'static [(&'static str, &'static str)] =
                &[$($(($variable, stringify!($field)),)?)*];
        }
    };
}
pub(crate) use settings;

/// Serde and schema of a type that is written as one text, through `FromText` and `Display`.
macro_rules! text_serde {
    ($type:ty, $what:literal) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'_, str>>::deserialize(deserializer)?;
                <Self as $crate::setting::FromText>::from_text(&text).map_err(serde::de::Error::custom)
            }
        }
        impl schemars::JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "description": $what })
            }
        }
    };
}
pub(crate) use text_serde;

/// An enum that is written as one word; further spellings are those of ConfigMgr's variables.
macro_rules! words {
    (
        $(#[$meta:meta])* $name:ident {
            $($(#[$variant_meta:meta])* $variant:ident = $word:literal $(| $other:literal)*),* $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, schemars::JsonSchema)]
        pub enum $name {
            $($(#[$variant_meta])* #[serde(rename = $word)] $variant),*
        }

        impl $name {
            /// The word that stands for it in a sequence.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl $crate::setting::FromText for $name {
            fn from_text(text: &str) -> Result<Self, String> {
                match text.trim().to_ascii_lowercase().as_str() {
                    $($word => Ok(Self::$variant),)*
                    _ => Err($crate::setting::not_a_word(text, &[$($word),*])),
                }
            }

            fn from_variable(text: &str) -> Result<Self, String> {
                $($(if text.trim().eq_ignore_ascii_case($other) { return Ok(Self::$variant); })*)*
                Self::from_text(text)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'_, str>>::deserialize(deserializer)?;
                <Self as $crate::setting::FromText>::from_text(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use words;

pub(crate) fn not_a_word(text: &str, words: &[&str]) -> String {
    let listed = words
        .iter()
        .map(|word| format!("`{word}`"))
        .collect::<Vec<_>>()
        .join(", ");
    match nearest(text, words.iter().copied()) {
        Some(near) => format!("`{text}` is unknown: did you mean `{near}`? ({listed} are known)"),
        None => format!("`{text}` is unknown: {listed} are known"),
    }
}

/// The known word that is most like `text`, if one is like it at all.
pub(crate) fn nearest<'a>(text: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let text = text.to_lowercase();
    let scored = known
        .into_iter()
        .map(|word| (strsim::jaro_winkler(&text, &word.to_lowercase()), word));
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 > 0.75).then_some(best.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_is_checked_at_once_and_a_text_with_variables_later() {
        assert_eq!(Setting::<u32>::from_written("3"), Ok(Setting::Value(3)));
        assert!(Setting::<u32>::from_written("three").is_err());
        let mut setting = Setting::<u32>::from_written("%INDEX%").unwrap();
        let mut variables = Variables::new();
        assert!(
            setting
                .clone()
                .resolve(&variables)
                .unwrap_err()
                .why
                .contains("%INDEX%")
        );
        variables.set("index", "4").unwrap();
        setting.resolve(&variables).unwrap();
        assert_eq!(setting.get(), Some(&4));
    }

    #[test]
    fn a_literal_secret_is_never_shown() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret} {secret:?}"), "******** Secret(********)");
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"********\"");
        let reference = Secret::new("%OSDJoinPassword%");
        assert_eq!(
            serde_json::to_string(&reference).unwrap(),
            "\"%OSDJoinPassword%\""
        );
        assert!(!Secret::new("%a% and %b%").is_reference());
    }
}
