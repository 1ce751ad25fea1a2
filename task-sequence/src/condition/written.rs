//! Conditions as they are written: one flat table of optional keys.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::compare::{Comparison, Operator};
use super::date::Date;
use super::wql::Query;
use super::{Condition, Firmware, PathTest, Test, version};
use crate::size::Size;
use crate::steps::VariableValue;

/// A condition: exactly one of `all`, `any`, `none`, `variable`, `file`, `folder`, `registry`,
/// `software`, `operating-system`, `query`, `firmware` and `memory`, with the keys that belong to it.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Written {
    /// Every one of these holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    all: Option<Vec<Condition>>,
    /// At least one of these holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    any: Option<Vec<Condition>>,
    /// None of these holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    none: Option<Vec<Condition>>,
    /// The name of a variable.
    #[serde(skip_serializing_if = "Option::is_none")]
    variable: Option<String>,
    /// The path of a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    /// The path of a folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    folder: Option<String>,
    /// A key of the registry.
    #[serde(skip_serializing_if = "Option::is_none")]
    registry: Option<String>,
    /// The name or product code of installed software.
    #[serde(skip_serializing_if = "Option::is_none")]
    software: Option<String>,
    /// The name of the running operating system; may be empty with `architecture` and others. The Linux boot image has
    /// none of these but its architecture.
    #[serde(skip_serializing_if = "Option::is_none")]
    operating_system: Option<String>,
    /// A hardware query in WQL.
    #[serde(skip_serializing_if = "Option::is_none")]
    query: Option<String>,
    /// The kind of firmware.
    #[serde(skip_serializing_if = "Option::is_none")]
    firmware: Option<Firmware>,
    /// At least this much installed memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<Size>,

    /// Whether the thing must exist.
    #[serde(skip_serializing_if = "Option::is_none")]
    exists: Option<bool>,
    /// The value in the registry key.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    /// The type of the value in the registry, such as `REG_SZ`.
    #[serde(skip_serializing_if = "Option::is_none")]
    value_type: Option<String>,
    /// The version: a text that it must equal, or a table such as `{ greater-or-equal = "10.0" }`. Those of Debian packages have
    /// dpkg's order (epoch, version, revision: `1.0~rc1` is before `1.0`, and `1.0-1` after it), those of RPM packages rpm's (one
    /// that is written without a release means all its releases); in all others each part between dots counts as a number.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "version::read")]
    #[schemars(schema_with = "version::schema")]
    version: Option<WrittenVersion>,
    /// The thing was changed before this moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    modified_before: Option<Date>,
    /// The thing was changed after this moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    modified_after: Option<Date>,
    /// The architecture of the operating system.
    #[serde(skip_serializing_if = "Option::is_none")]
    architecture: Option<String>,
    /// The language of the operating system.
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<String>,

    /// The same value.
    #[serde(skip_serializing_if = "Option::is_none")]
    equals: Option<VariableValue>,
    /// Another value.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_equals: Option<VariableValue>,
    /// A greater value.
    #[serde(skip_serializing_if = "Option::is_none")]
    greater: Option<VariableValue>,
    /// A greater value or the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    greater_or_equal: Option<VariableValue>,
    /// A smaller value.
    #[serde(skip_serializing_if = "Option::is_none")]
    less: Option<VariableValue>,
    /// A smaller value or the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    less_or_equal: Option<VariableValue>,
    /// A value that fits this pattern; `*` and `?` are wildcards.
    #[serde(skip_serializing_if = "Option::is_none")]
    like: Option<VariableValue>,
    /// A value that does not fit this pattern.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_like: Option<VariableValue>,
}

/// Comparisons of a version.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct WrittenVersion {
    /// The same version.
    #[serde(skip_serializing_if = "Option::is_none")]
    equals: Option<VariableValue>,
    /// Another version.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_equals: Option<VariableValue>,
    /// A later version.
    #[serde(skip_serializing_if = "Option::is_none")]
    greater: Option<VariableValue>,
    /// This version or a later one.
    #[serde(skip_serializing_if = "Option::is_none")]
    greater_or_equal: Option<VariableValue>,
    /// An earlier version.
    #[serde(skip_serializing_if = "Option::is_none")]
    less: Option<VariableValue>,
    /// This version or an earlier one.
    #[serde(skip_serializing_if = "Option::is_none")]
    less_or_equal: Option<VariableValue>,
    /// A version that fits this pattern.
    #[serde(skip_serializing_if = "Option::is_none")]
    like: Option<VariableValue>,
    /// A version that does not fit this pattern.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_like: Option<VariableValue>,
}

/// Takes the comparisons out of a table, or puts them into one.
macro_rules! comparisons {
    ($type:ident) => {
        impl $type {
            fn take_comparisons(&mut self) -> Vec<Comparison> {
                use Operator::*;
                let written = [
                    (Equals, self.equals.take()),
                    (NotEquals, self.not_equals.take()),
                    (Greater, self.greater.take()),
                    (GreaterOrEqual, self.greater_or_equal.take()),
                    (Less, self.less.take()),
                    (LessOrEqual, self.less_or_equal.take()),
                    (Like, self.like.take()),
                    (NotLike, self.not_like.take()),
                ];
                let given = written
                    .into_iter()
                    .filter_map(|(operator, value)| Some((operator, value?.value?)));
                given
                    .map(|(operator, value)| Comparison { operator, value })
                    .collect()
            }

            fn put_comparisons(&mut self, comparisons: Vec<Comparison>) {
                for Comparison { operator, value } in comparisons {
                    let place = match operator {
                        Operator::Equals => &mut self.equals,
                        Operator::NotEquals => &mut self.not_equals,
                        Operator::Greater => &mut self.greater,
                        Operator::GreaterOrEqual => &mut self.greater_or_equal,
                        Operator::Less => &mut self.less,
                        Operator::LessOrEqual => &mut self.less_or_equal,
                        Operator::Like => &mut self.like,
                        Operator::NotLike => &mut self.not_like,
                    };
                    *place = Some(VariableValue::plain(value));
                }
            }
        }
    };
}

comparisons!(Written);
comparisons!(WrittenVersion);

impl WrittenVersion {
    pub(super) fn from_comparisons(comparisons: Vec<Comparison>) -> Option<Self> {
        let mut written = Self::default();
        let given = !comparisons.is_empty();
        written.put_comparisons(comparisons);
        given.then_some(written)
    }
}

/// The key that says what a condition is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subject {
    Combination,
    Variable,
    File,
    Folder,
    Registry,
    Software,
    OperatingSystem,
    Alone,
}

impl Subject {
    /// The keys that may stand beside it.
    fn companions(self) -> &'static [&'static str] {
        match self {
            Self::Combination | Self::Alone => &[],
            Self::Variable => &["exists", "comparisons"],
            Self::File => &["exists", "version", "modified-before", "modified-after"],
            Self::Folder => &["exists", "modified-before", "modified-after"],
            Self::Registry => &["exists", "value", "value-type", "comparisons"],
            Self::Software => &["exists", "version"],
            Self::OperatingSystem => &["version", "architecture", "language"],
        }
    }
}

impl Written {
    fn subjects(&self) -> Vec<(&'static str, Subject)> {
        let given = [
            ("all", Subject::Combination, self.all.is_some()),
            ("any", Subject::Combination, self.any.is_some()),
            ("none", Subject::Combination, self.none.is_some()),
            ("variable", Subject::Variable, self.variable.is_some()),
            ("file", Subject::File, self.file.is_some()),
            ("folder", Subject::Folder, self.folder.is_some()),
            ("registry", Subject::Registry, self.registry.is_some()),
            ("software", Subject::Software, self.software.is_some()),
            (
                "operating-system",
                Subject::OperatingSystem,
                self.operating_system.is_some(),
            ),
            ("query", Subject::Alone, self.query.is_some()),
            ("firmware", Subject::Alone, self.firmware.is_some()),
            ("memory", Subject::Alone, self.memory.is_some()),
        ];
        given
            .into_iter()
            .filter(|(.., is)| *is)
            .map(|(key, subject, _)| (key, subject))
            .collect()
    }

    /// The one key that says what the condition is about.
    fn subject(&self) -> Result<(&'static str, Subject), String> {
        match self.subjects()[..] {
            [one] => Ok(one),
            [] => Err(
                "the condition tests nothing: give one of `all`, `any`, `none`, `variable`, `file`, \
                       `folder`, `registry`, `software`, `operating-system`, `query`, `firmware`, `memory`"
                    .into(),
            ),
            [(one, _), (other, _), ..] => Err(format!(
                "the condition has `{one}` and `{other}`: put them into `all = [{{ … }}, {{ … }}]` or `any`"
            )),
        }
    }

    /// Refuses keys that say nothing about the subject.
    fn check_companions(
        &self,
        key: &str,
        subject: Subject,
        comparisons: &[Comparison],
    ) -> Result<(), String> {
        let given = [
            ("exists", self.exists.is_some()),
            ("value", self.value.is_some()),
            ("value-type", self.value_type.is_some()),
            ("version", self.version.is_some()),
            ("modified-before", self.modified_before.is_some()),
            ("modified-after", self.modified_after.is_some()),
            ("architecture", self.architecture.is_some()),
            ("language", self.language.is_some()),
            ("comparisons", !comparisons.is_empty()),
        ];
        let mut stray = given
            .iter()
            .filter(|(name, is)| *is && !subject.companions().contains(name));
        match stray.next() {
            None => Ok(()),
            Some(("comparisons", _)) => Err(format!("a test of `{key}` has no value to compare")),
            Some((name, _)) => Err(format!("`{name}` does not belong to a test of `{key}`")),
        }
    }
}

impl TryFrom<Written> for Condition {
    type Error = String;

    fn try_from(mut written: Written) -> Result<Self, String> {
        let comparisons = written.take_comparisons();
        let (key, subject) = written.subject()?;
        written.check_companions(key, subject, &comparisons)?;
        if subject == Subject::Variable && written.exists.is_none() && comparisons.is_empty() {
            return Err(
                "the test of a variable compares nothing: give `exists`, `equals`, `greater` or another \
                        comparison"
                    .into(),
            );
        }
        let version = written
            .version
            .take()
            .map(|mut version| version.take_comparisons())
            .unwrap_or_default();
        if written.exists == Some(false) && !(comparisons.is_empty() && version.is_empty()) {
            return Err("what does not exist has no value to compare: leave `exists = false` out".into());
        }
        match subject {
            Subject::Combination => combination(written),
            _ => test(written, comparisons, version).map(Condition::Test),
        }
    }
}

fn combination(written: Written) -> Result<Condition, String> {
    let Written { all, any, none, .. } = written;
    let is_empty = [&all, &any, &none].into_iter().flatten().any(Vec::is_empty);
    if is_empty {
        return Err("the list of conditions is empty".into());
    }
    match (all, any, none) {
        (Some(inner), _, _) => Ok(Condition::All(inner)),
        (_, Some(inner), _) => Ok(Condition::Any(inner)),
        (_, _, inner) => Ok(Condition::None(inner.unwrap_or_default())),
    }
}

/// Splits over what the files and registries hold and what the machine is.
fn test(written: Written, comparisons: Vec<Comparison>, version: Vec<Comparison>) -> Result<Test, String> {
    if written.operating_system.is_some() || written.software.is_some() {
        return Ok(test_of_software(written, version));
    }
    let Written {
        exists,
        modified_before,
        modified_after,
        ..
    } = written;
    let path = |path| PathTest {
        path,
        exists,
        version,
        modified_before,
        modified_after,
    };
    if let Some(file) = written.file {
        return Ok(Test::File(path(file)));
    }
    if let Some(folder) = written.folder {
        return Ok(Test::Folder(path(folder)));
    }
    if let Some(name) = written.variable {
        return Ok(Test::Variable {
            name,
            exists,
            comparisons,
        });
    }
    if let Some(key) = written.registry {
        let (value, kind) = (written.value, written.value_type);
        return Ok(Test::Registry {
            key,
            value,
            exists,
            kind,
            comparisons,
        });
    }
    if let Some(query) = written.query {
        return Query::parse(&query).map(Test::Query);
    }
    if let Some(firmware) = written.firmware {
        return Ok(Test::Firmware(firmware));
    }
    Ok(Test::Memory(written.memory.unwrap_or(Size(0))))
}

fn test_of_software(written: Written, version: Vec<Comparison>) -> Test {
    let Written {
        exists,
        architecture,
        language,
        ..
    } = written;
    match written.software {
        Some(name) => Test::Software {
            name,
            exists,
            version,
        },
        None => {
            let name = written.operating_system.filter(|name| !name.is_empty());
            Test::OperatingSystem {
                name,
                version,
                architecture,
                language,
            }
        }
    }
}

impl From<Condition> for Written {
    fn from(condition: Condition) -> Self {
        match condition {
            Condition::All(inner) => Self {
                all: Some(inner),
                ..Self::default()
            },
            Condition::Any(inner) => Self {
                any: Some(inner),
                ..Self::default()
            },
            Condition::None(inner) => Self {
                none: Some(inner),
                ..Self::default()
            },
            Condition::Test(test) => test.into(),
        }
    }
}

impl From<Test> for Written {
    fn from(test: Test) -> Self {
        let mut written = Self::default();
        match test {
            Test::File(path) => {
                written.file = Some(path.path.clone());
                written.put_path_test(path);
            }
            Test::Folder(path) => {
                written.folder = Some(path.path.clone());
                written.put_path_test(path);
            }
            Test::Query(query) => written.query = Some(query.text().to_owned()),
            Test::Firmware(firmware) => written.firmware = Some(firmware),
            Test::Memory(size) => written.memory = Some(size),
            Test::Variable {
                name,
                exists,
                comparisons,
            } => {
                (written.variable, written.exists) = (Some(name), exists);
                written.put_comparisons(comparisons);
            }
            Test::Registry {
                key,
                value,
                exists,
                kind,
                comparisons,
            } => {
                (written.registry, written.value) = (Some(key), value);
                (written.exists, written.value_type) = (exists, kind);
                written.put_comparisons(comparisons);
            }
            Test::Software {
                name,
                exists,
                version,
            } => {
                (written.software, written.exists) = (Some(name), exists);
                written.version = WrittenVersion::from_comparisons(version);
            }
            Test::OperatingSystem {
                name,
                version,
                architecture,
                language,
            } => {
                written.operating_system = Some(name.unwrap_or_default());
                written.version = WrittenVersion::from_comparisons(version);
                (written.architecture, written.language) = (architecture, language);
            }
        }
        written
    }
}

impl Written {
    fn put_path_test(&mut self, test: PathTest) {
        self.exists = test.exists;
        self.version = WrittenVersion::from_comparisons(test.version);
        (self.modified_before, self.modified_after) = (test.modified_before, test.modified_after);
    }
}
