//! The model of a task sequence, as it was read.

use std::fmt;

use schemars::JsonSchema;
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};

use crate::condition::Condition;
use crate::setting::{MASK, words};
use crate::steps::Action;
use crate::time::TimeSpan;
use crate::variables::{SetError, Variables};

words! {
    /// Which kind of system the sequence installs or captures.
    OperatingSystem {
        /// A Linux distribution.
        Linux = "linux",
        /// Windows.
        Windows = "windows",
    }
}

words! {
    /// What happens to a step that was running when the machine lost power.
    AfterCut {
        /// It runs again from its beginning.
        Repeat = "repeat",
        /// It looks whether its work is done, and repeats what is not. Only `setup-os`, `install-applications`,
        /// `join-domain-or-workgroup` and `prepare-os-for-capture` can, and do it unless they are to stop.
        Probe = "probe",
        /// The sequence stops and says which step it was.
        Stop = "stop",
    }
}

/// A task sequence.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct TaskSequence {
    /// Its name; 50 characters at most.
    pub name: String,
    /// What it is for; 256 characters at most.
    pub description: String,
    /// Which kind of system it is about.
    pub operating_system: OperatingSystem,
    /// The menu does not offer it: only other sequences run it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub hidden: bool,
    /// Variables that are set before the first step, in the order of the file.
    #[serde(serialize_with = "declared_as_map")]
    pub variables: Vec<Declared>,
    /// What runs, in order.
    pub steps: Vec<Node>,
}

/// A variable with the value that the sequence gives it.
#[derive(Clone, PartialEq, Eq)]
pub struct Declared {
    /// The name, in the spelling of the file.
    pub name: String,
    /// The value; absent for a secret that is asked for at the machine.
    pub value: Option<String>,
    /// Whether the value must never be shown.
    pub secret: bool,
}

impl fmt::Debug for Declared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self
            .value
            .as_deref()
            .map(|value| if self.secret { MASK } else { value });
        write!(f, "{} = {value:?}", self.name)
    }
}

fn declared_as_map<S: Serializer>(variables: &[Declared], serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(variables.len()))?;
    for variable in variables {
        map.serialize_entry(&variable.name, &DeclaredValue(variable))?;
    }
    map.end()
}

/// A plain value, or a table that says `secret`; the secret itself is not written.
struct DeclaredValue<'a>(&'a Declared);

impl Serialize for DeclaredValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (&self.0.value, self.0.secret) {
            (Some(value), false) => serializer.serialize_str(value),
            (_, secret) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("secret", &secret)?;
                map.end()
            }
        }
    }
}

/// A step, or a group of nodes.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
// A sequence has some dozens of nodes: indirection would cost more clarity than it saves memory.
#[allow(clippy::large_enum_variant)]
pub enum Node {
    /// Nodes under one name and one condition.
    Group(Group),
    /// One thing to do.
    Step(Step),
}

impl Node {
    /// The settings that groups and steps have in common.
    pub fn common(&self) -> &Common {
        match self {
            Self::Group(group) => &group.common,
            Self::Step(step) => &step.common,
        }
    }

    /// The name of the group or step.
    pub fn name(&self) -> &str {
        match self {
            Self::Group(group) => &group.name,
            Self::Step(step) => step.name(),
        }
    }
}

/// Settings of every node.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Common {
    /// A note for the reader; 256 characters at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The node is not run.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub disabled: bool,
    /// A failure here does not end the sequence; nor does a condition that cannot be evaluated, which counts as one.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub continue_on_error: bool,
    /// The node runs only if this holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<Condition>,
}

/// A group of nodes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Group {
    /// Its name.
    #[serde(rename = "group")]
    pub name: String,
    /// The settings that it shares with steps.
    #[serde(flatten)]
    pub common: Common,
    /// What it contains, in order.
    pub steps: Vec<Node>,
}

/// How often a failing step is tried again. The count begins anew behind a restart that the step asks for, and after a cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Retry {
    /// How many more times, after the first.
    pub count: u32,
    /// How long to wait before each.
    #[serde(default)]
    pub delay: TimeSpan,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Step {
    /// Its name, where the sequence gives one; see [`Step::name`].
    #[serde(rename = "name", skip_serializing_if = "Option::is_none")]
    pub own_name: Option<String>,
    /// The settings that it shares with groups.
    #[serde(flatten)]
    pub common: Common,
    /// How often it is tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// How long it may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<TimeSpan>,
    /// What the sequence says about a power cut; see [`Step::after_cut`].
    #[serde(rename = "after-cut", skip_serializing_if = "Option::is_none")]
    pub own_after_cut: Option<AfterCut>,
    /// What it does.
    #[serde(flatten)]
    pub action: Action,
}

impl Step {
    /// A step with the defaults of its type.
    pub fn new(action: Action) -> Self {
        Self {
            own_name: None,
            common: Common::default(),
            retry: None,
            timeout: None,
            own_after_cut: None,
            action,
        }
    }

    /// The name of the step: its own, or the title of its type.
    pub fn name(&self) -> &str {
        self.own_name.as_deref().unwrap_or(self.action.kind().title)
    }

    /// What happens to it after a power cut: what the sequence says, or the default of its type.
    pub fn after_cut(&self) -> AfterCut {
        self.own_after_cut.unwrap_or(self.action.kind().after_cut)
    }
}

/// A step that is not disabled and lies in no disabled group.
#[derive(Debug, Clone)]
pub struct EnabledStep<'a> {
    /// The step.
    pub step: &'a Step,
    /// The names of the groups around it, the outermost first, and its own.
    pub path: Vec<&'a str>,
    /// Its place: the positions among their siblings, counted from 0, of the groups around it and its own.
    pub node: Vec<usize>,
    /// What must hold for it to run: the conditions of the groups around it, the outermost first, and its own.
    pub conditions: Vec<&'a Condition>,
}

impl TaskSequence {
    /// The variables as they are when the sequence starts. Values may refer to earlier variables.
    ///
    /// # Errors
    /// When a name cannot be set.
    pub fn initial_variables(&self) -> Result<Variables, SetError> {
        let mut variables = Variables::new();
        self.set_initial(&mut variables)?;
        Ok(variables)
    }

    /// Whether a condition of a step that can run, or of a group around it, refers to the variable.
    pub fn decides_by(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        let refers = |condition: &Condition| {
            let text = serde_json::to_string(condition)
                .unwrap_or_default()
                .to_lowercase();
            text.contains(&format!("\"{name}\"")) || text.contains(&format!("%{name}%"))
        };
        let steps = self.enabled_steps();
        let mut conditions = steps.iter().flat_map(|enabled| &enabled.conditions);
        conditions.any(|condition| refers(condition))
    }

    /// Adds the sequence's variables to those that are known before it. One that is made of a secret that is not known
    /// has no value either.
    ///
    /// # Errors
    /// When a name cannot be set.
    pub fn set_initial(&self, variables: &mut Variables) -> Result<(), SetError> {
        for declared in &self.variables {
            if declared.secret {
                variables.declare_secret(&declared.name);
            }
            let set = declared
                .value
                .as_ref()
                .map_or(Ok(()), |value| variables.set_expanded(&declared.name, value));
            match set {
                Err(SetError::Missing(_)) => variables.declare_secret(&declared.name),
                set => set?,
            }
        }
        Ok(())
    }

    /// Every step in order, those inside groups included.
    pub fn all_steps(&self) -> Vec<&Step> {
        let mut found = Vec::new();
        collect_steps(&self.steps, &mut found);
        found
    }

    /// Every step that can run, in order: those that are disabled, by themselves or by a group around them, are left out.
    pub fn enabled_steps(&self) -> Vec<EnabledStep<'_>> {
        let mut found = Vec::new();
        collect_enabled(&self.steps, (&[], &[]), &[], &mut found);
        found
    }

    /// The sequence as a TOML file that [`parse`](crate::parse()) reads. Literal secrets are not written.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(self)
    }
}

fn collect_steps<'a>(nodes: &'a [Node], found: &mut Vec<&'a Step>) {
    for node in nodes {
        match node {
            Node::Group(group) => collect_steps(&group.steps, found),
            Node::Step(step) => found.push(step),
        }
    }
}

fn collect_enabled<'a>(
    nodes: &'a [Node],
    (names, places): (&[&'a str], &[usize]),
    around: &[&'a Condition],
    found: &mut Vec<EnabledStep<'a>>,
) {
    let enabled = nodes
        .iter()
        .enumerate()
        .filter(|(_, node)| !node.common().disabled);
    for (place, node) in enabled {
        let path: Vec<_> = names.iter().copied().chain([node.name()]).collect();
        let place: Vec<_> = places.iter().copied().chain([place]).collect();
        let conditions: Vec<_> = around.iter().copied().chain(&node.common().when).collect();
        match node {
            Node::Group(group) => collect_enabled(&group.steps, (&path, &place), &conditions, found),
            Node::Step(step) => found.push(EnabledStep {
                step,
                path,
                node: place,
                conditions,
            }),
        }
    }
}
