//! Evaluating a condition on the facts of a machine.

use super::compare::{Comparison, compare_values, compare_versions, like};
use super::facts::{FactError, Facts, FileFact, OperatingSystemFact, SoftwareFact, VersionScheme};
use super::{Condition, PathTest, Test};

impl Condition {
    /// Whether the condition holds. Later parts of `all` and `any` are not looked at once the
    /// answer is known.
    pub fn evaluate(&self, facts: &dyn Facts) -> Result<bool, FactError> {
        match self {
            Self::All(inner) => Ok(!any(inner, facts, false)?),
            Self::Any(inner) => any(inner, facts, true),
            Self::None(inner) => Ok(!any(inner, facts, true)?),
            Self::Test(test) => test.evaluate(facts),
        }
    }
}

/// Whether one of the conditions evaluates to `wanted`.
fn any(conditions: &[Condition], facts: &dyn Facts, wanted: bool) -> Result<bool, FactError> {
    for condition in conditions {
        if condition.evaluate(facts)? == wanted {
            return Ok(true);
        }
    }
    Ok(false)
}

impl Test {
    fn evaluate(&self, facts: &dyn Facts) -> Result<bool, FactError> {
        let expand = |text: &str| facts.variables().expand(text);
        match self {
            Self::Variable {
                name,
                exists,
                comparisons,
            } => Ok(variable(facts, &expand(name), *exists, comparisons)),
            Self::File(test) => {
                let path = expand(&test.path);
                Ok(fits(test, facts.file(&path)?)
                    && (test.version.is_empty() || version(test, &path, facts)?))
            }
            Self::Folder(test) => Ok(fits(test, facts.folder(&expand(&test.path))?)),
            Self::Registry { .. } => self.registry(facts),
            Self::Software {
                name,
                exists,
                version,
            } => {
                let name = expand(name);
                let installed = facts.software()?;
                let found = installed.iter().any(|one| software(one, &name, version, facts));
                Ok(found == exists.unwrap_or(true))
            }
            Self::OperatingSystem { .. } => Ok(self.operating_system(&facts.operating_system()?, facts)),
            Self::Query(query) => {
                let rows = facts.rows(query.class())?;
                Ok(rows.iter().any(|row| query.fits(row, &expand)))
            }
            Self::Firmware(firmware) => Ok(facts.firmware()? == *firmware),
            Self::Memory(least) => Ok(facts.memory()? >= least.bytes()),
        }
    }

    fn registry(&self, facts: &dyn Facts) -> Result<bool, FactError> {
        let Self::Registry {
            key,
            value,
            exists,
            kind,
            comparisons,
        } = self
        else {
            return Ok(false);
        };
        let expand = |text: &str| facts.variables().expand(text);
        let value = value.as_deref().map(expand);
        let Some(fact) = facts.registry(&expand(key), value.as_deref())? else {
            return Ok(*exists == Some(false));
        };
        let kind_fits = kind
            .as_ref()
            .is_none_or(|kind| kind.eq_ignore_ascii_case(&fact.kind));
        Ok(*exists != Some(false) && kind_fits && all_hold(&fact.data, comparisons, facts))
    }

    fn operating_system(&self, actual: &OperatingSystemFact, facts: &dyn Facts) -> bool {
        let Self::OperatingSystem {
            name,
            version,
            architecture,
            language,
        } = self
        else {
            return false;
        };
        let fits = |wanted: &Option<String>, actual: &str| {
            wanted
                .as_ref()
                .is_none_or(|pattern| like(actual, &facts.variables().expand(pattern)))
        };
        fits(name, &actual.name)
            && fits(architecture, &actual.architecture)
            && fits(language, &actual.language)
            && versions_hold(VersionScheme::Dotted, &actual.version, version, facts)
    }
}

/// A variable that does not exist compares like an empty one only in the negative: as ConfigMgr
/// does it, `not-equals` holds and everything else does not.
fn variable(facts: &dyn Facts, name: &str, exists: Option<bool>, comparisons: &[Comparison]) -> bool {
    use super::Operator::{NotEquals, NotLike};
    match (facts.variables().get(name), exists) {
        (Some(_), Some(false)) | (None, Some(true)) => false,
        (Some(value), _) => all_hold(value, comparisons, facts),
        (None, _) => comparisons
            .iter()
            .all(|one| matches!(one.operator, NotEquals | NotLike)),
    }
}

fn all_hold(actual: &str, comparisons: &[Comparison], facts: &dyn Facts) -> bool {
    let holds =
        |one: &Comparison| compare_values(actual, one.operator, &facts.variables().expand(&one.value));
    comparisons.iter().all(holds)
}

fn versions_hold(scheme: VersionScheme, actual: &str, comparisons: &[Comparison], facts: &dyn Facts) -> bool {
    let wanted = |one: &Comparison| facts.variables().expand(&one.value);
    comparisons
        .iter()
        .all(|one| compare_versions(scheme, actual, one.operator, &wanted(one)))
}

/// Whether the file or folder is there, or not, as wanted, and changed when it is to be.
fn fits(test: &PathTest, fact: Option<FileFact>) -> bool {
    let Some(fact) = fact else {
        return test.exists == Some(false);
    };
    let before = test
        .modified_before
        .is_none_or(|date| fact.modified.is_some_and(|at| at < date.moment()));
    let after = test
        .modified_after
        .is_none_or(|date| fact.modified.is_some_and(|at| at > date.moment()));
    test.exists != Some(false) && before && after
}

/// Whether the version of a file that fits otherwise is one that is wanted.
fn version(test: &PathTest, path: &str, facts: &dyn Facts) -> Result<bool, FactError> {
    if test.exists == Some(false) {
        return Ok(true);
    }
    let actual = facts.file_version(path)?;
    Ok(actual.is_some_and(|actual| versions_hold(VersionScheme::Dotted, &actual, &test.version, facts)))
}

fn software(one: &SoftwareFact, name: &str, version: &[Comparison], facts: &dyn Facts) -> bool {
    let named = like(&one.name, name) || one.product_code.as_deref().is_some_and(|code| like(code, name));
    named && versions_hold(one.scheme, &one.version, version, facts)
}
