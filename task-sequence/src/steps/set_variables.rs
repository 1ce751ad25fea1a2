//! `set-variables`: sets variables, by rules where wanted.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Place, StepOptions, StepType, VariableValue};
use crate::condition::Condition;
use crate::model::{AfterCut, Declared};
use crate::setting::{Resolve, ResolveError, settings};
use crate::validate::Check;
use crate::variables::Variables;

/// Sets variables; rules are looked at in order, and every one that holds is applied.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct SetVariables {
    /// The variables, in order.
    #[serde(skip_serializing_if = "VariableMap::is_empty")]
    pub variables: VariableMap,
    /// Further variables for the machines that a rule fits.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
}

/// Variables for the machines that fit everything that the rule gives.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Rule {
    /// The maker of the machine; `*` and `?` are wildcards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub make: Option<String>,
    /// The model; `*` and `?` are wildcards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The machine: its serial number, asset tag, UUID or a MAC address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub computer: Option<String>,
    /// Any other condition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<Condition>,
    /// The variables, in order.
    pub variables: VariableMap,
}

/// Variables with their values, in the order of the file.
///
/// Resolving a step leaves them as written: a later one may use an earlier one of the same step.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct VariableMap(pub Vec<Declared>);

impl VariableMap {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

settings!(SetVariables { variables, rules });

impl SetVariables {
    /// Everything that the step may set, in the order of the file.
    pub(crate) fn declared(&self) -> impl Iterator<Item = &Declared> {
        let of_rules = self.rules.iter().flat_map(|rule| &rule.variables.0);
        self.variables.0.iter().chain(of_rules)
    }
}

impl Resolve for Rule {
    fn resolve(&mut self, variables: &Variables) -> Result<(), ResolveError> {
        self.make.resolve(variables)?;
        self.model.resolve(variables)?;
        self.computer.resolve(variables)
    }
}

impl StepOptions for SetVariables {
    const TYPE: StepType = StepType {
        name: "set-variables",
        title: "Set Task Sequence Variable",
        place: Place::Both,
        after_cut: AfterCut::Repeat,
        destructive: false,
    };
    const MAPPED: &'static [(&'static str, &'static str)] = Self::VARIABLES;

    fn check(&self, check: &mut Check<'_>) {
        if self.variables.is_empty() && self.rules.is_empty() {
            check.error("it sets nothing: give `variables` or `rules`");
        }
        for declared in self.declared() {
            check.settable("variables", Some(&declared.name));
            check.set_secret(declared);
        }
        for rule in &self.rules {
            check_rule(rule, check);
        }
    }
}

fn check_rule(rule: &Rule, check: &mut Check<'_>) {
    if rule.make.is_none() && rule.model.is_none() && rule.computer.is_none() && rule.when.is_none() {
        check.error("a rule fits every machine: give `make`, `model`, `computer` or `when`");
    }
    if rule.variables.is_empty() {
        check.error("a rule sets nothing: give its `variables`");
    }
}

impl fmt::Debug for VariableMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(&self.0).finish()
    }
}

impl Serialize for VariableMap {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for Declared { name, value, secret } in &self.0 {
            map.serialize_entry(name, &VariableValue { value: value.clone(), secret: *secret })?;
        }
        map.end()
    }
}

struct MapVisitor;

impl<'de> de::Visitor<'de> for MapVisitor {
    type Value = VariableMap;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table of variables")
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<VariableMap, A::Error> {
        let mut declared = Vec::new();
        while let Some((name, value)) = map.next_entry::<String, VariableValue>()? {
            declared.push(value.declare(&name));
        }
        Ok(VariableMap(declared))
    }
}

impl<'de> Deserialize<'de> for VariableMap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MapVisitor)
    }
}

impl JsonSchema for VariableMap {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "VariableMap".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<VariableValue>();
        json_schema!({ "type": "object", "additionalProperties": value })
    }
}
