//! The JSON Schema of a sequence, for editors.

use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use crate::model::{AfterCut, Common, OperatingSystem, Retry};
use crate::parse::{LONGEST_DESCRIPTION, LONGEST_NAME};
use crate::steps::{self, StepType, VariableValue};
use crate::time::TimeSpan;

/// The JSON Schema of a task sequence file.
pub fn schema() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let nodes = nodes(&mut generator);
    let variable = subschema::<VariableValue>(&mut generator);
    let operating_system = subschema::<OperatingSystem>(&mut generator);
    let mut definitions = generator.take_definitions(true);
    definitions.insert("Node".into(), nodes);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Task sequence",
        "type": "object",
        "additionalProperties": false,
        "required": ["name", "operating-system", "steps"],
        "properties": {
            "name": { "type": "string", "maxLength": LONGEST_NAME, "description": "The name of the sequence." },
            "description": {
                "type": "string", "maxLength": LONGEST_DESCRIPTION, "description": "What it is for."
            },
            "operating-system": operating_system,
            "hidden": {
                "type": "boolean", "description": "The menu does not offer it: only other sequences run it."
            },
            "variables": {
                "type": "object",
                "additionalProperties": variable,
                "description": "Variables that are set before the first step."
            },
            "steps": { "type": "array", "items": { "$ref": "#/$defs/Node" } }
        },
        "$defs": definitions
    })
}

fn subschema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    generator.subschema_for::<T>().to_value()
}

/// A group, or a step of one of the types.
fn nodes(generator: &mut SchemaGenerator) -> Value {
    let common = properties(&Common::json_schema(generator).to_value());
    let mut variants = vec![group(&common)];
    let options = steps::option_schemas(generator);
    let mut of_step = common;
    of_step.insert(
        "name".into(),
        json!({ "type": "string", "maxLength": LONGEST_NAME }),
    );
    of_step.insert("retry".into(), subschema::<Retry>(generator));
    of_step.insert("timeout".into(), subschema::<TimeSpan>(generator));
    of_step.insert("after-cut".into(), subschema::<AfterCut>(generator));
    variants.extend(
        options
            .into_iter()
            .map(|(kind, schema)| step(&kind, &schema.to_value(), &of_step)),
    );
    json!({ "oneOf": variants })
}

fn properties(schema: &Value) -> Map<String, Value> {
    schema
        .get("properties")
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default()
}

fn group(common: &Map<String, Value>) -> Value {
    let mut all = common.clone();
    all.insert(
        "group".into(),
        json!({ "type": "string", "maxLength": LONGEST_NAME }),
    );
    all.insert(
        "steps".into(),
        json!({ "type": "array", "items": { "$ref": "#/$defs/Node" } }),
    );
    json!({
        "title": "Group", "type": "object", "additionalProperties": false, "required": ["group"], "properties": all
    })
}

fn step(kind: &StepType, options: &Value, of_step: &Map<String, Value>) -> Value {
    let mut all = of_step.clone();
    all.insert("type".into(), json!({ "const": kind.name }));
    all.extend(properties(options));
    let own = options
        .get("required")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let required: Vec<Value> = std::iter::once(json!("type")).chain(own).collect();
    json!({
        "title": kind.title,
        "description": options.get("description"),
        "type": "object",
        "additionalProperties": false,
        "required": required,
        "properties": all,
        // What a variable gives where the sequence does not; for the reference.
        "x-variables": steps::variables_of(kind.name)
    })
}
