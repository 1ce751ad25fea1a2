//! What is known of the variables before the run: what gives them values, and which values these are.

use std::collections::{BTreeMap, BTreeSet};

use super::{EnabledStep, MediaFacts, PackageKind};
use crate::model::{Declared, TaskSequence};
use crate::package::PackageId;
use crate::setting::{FromText, Resolve, Setting, fill_field, has_variable};
use crate::steps::Action;
use crate::variables::{Variables, references};

/// More texts than these are as good as unknown.
const MOST_TEXTS: usize = 1000;

/// The environment variable that names the file in which a script sets variables; lower case.
const VARIABLES_FILE: &str = "smsts_variables_file";

/// What a text may be in a run; nothing where only the run knows it.
type Texts = Option<BTreeSet<String>>;

/// What is known of the variables before the run.
pub(crate) struct Given {
    /// Variables with the values that they have in the whole run.
    values: Variables,
    /// Everything that gets a value from the media or from a step; lower case.
    texts: BTreeMap<String, Texts>,
    /// The names as they are written.
    names: BTreeSet<String>,
    /// Some step runs a script that lies in a package, which may set any variable.
    unseen_scripts: bool,
}

/// A package that a step names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) id: PackageId,
    /// The program of it that is run.
    pub(crate) program: Option<String>,
    /// What it has to contain.
    pub(crate) wanted: Option<PackageKind>,
}

/// The packages that a step names, as far as they are known before the run.
#[derive(Debug, Default)]
pub(crate) struct Packages {
    pub(crate) named: Vec<Named>,
    /// What names further packages that only the run knows, and what they have to contain.
    pub(crate) open: Vec<(String, Option<PackageKind>)>,
    /// The first variable of a list that nothing gives a value.
    pub(crate) no_list: Option<String>,
}

impl Given {
    /// The values of the sequence, then those of the media, as the run sets them; and what steps set.
    pub(crate) fn new(sequence: &TaskSequence, enabled: &[EnabledStep<'_>], media: &MediaFacts) -> Self {
        let mut given = Self {
            values: Variables::new(),
            texts: BTreeMap::new(),
            names: media.variables.keys().cloned().collect(),
            unseen_scripts: false,
        };
        given.set_initial(sequence, media);
        for placed in enabled {
            given.follow(&placed.step.action);
        }
        given
    }

    fn set_initial(&mut self, sequence: &TaskSequence, media: &MediaFacts) {
        media
            .secrets
            .iter()
            .for_each(|name| self.values.declare_secret(name));
        // Names that cannot be set are reported elsewhere.
        let _reported = sequence.set_initial(&mut self.values);
        for (name, value) in &media.variables {
            let _reported = self.values.set_expanded(name, value);
        }
        for (name, value, secret) in self.values.iter() {
            let known = !secret && !has_variable(value);
            let texts = known.then(|| BTreeSet::from([value.to_owned()]));
            self.texts.insert(name.to_lowercase(), texts);
        }
        for declared in &sequence.variables {
            self.texts.entry(declared.name.to_lowercase()).or_insert(None);
            self.names.insert(declared.name.clone());
        }
        media.secrets.iter().for_each(|name| self.changes(name, None));
    }

    /// From here on a variable may have other values too.
    fn changes(&mut self, name: &str, to: Texts) {
        self.values.unset_by_engine(name);
        self.names.insert(name.to_owned());
        let known = self.texts.entry(name.to_lowercase());
        let known = known.or_insert_with(|| Some(BTreeSet::new()));
        match (known.as_mut(), to) {
            (Some(known), Some(to)) => known.extend(to),
            _ => *known = None,
        }
    }

    fn follow(&mut self, action: &Action) {
        match action {
            Action::SetVariables(options) => options.declared().for_each(|declared| self.declare(declared)),
            Action::RunCommandLine(options) => {
                self.runs(&options.command, options.package.is_some());
                self.receives(options.output_variable.as_deref());
            }
            Action::RunScript(options) => {
                let text = options.inline.as_deref().unwrap_or_default();
                self.runs(text, options.file.is_some());
                self.receives(options.output_variable.as_deref());
            }
            Action::FormatAndPartitionDisk(options) => {
                let variables = options.partitions.iter();
                variables.for_each(|partition| self.receives(partition.variable.as_deref()));
            }
            _ => {}
        }
    }

    /// A script sets variables by lines NAME=VALUE in a file.
    fn runs(&mut self, text: &str, of_package: bool) {
        self.unseen_scripts |= of_package;
        if text.to_lowercase().contains(VARIABLES_FILE) {
            assigned(text).for_each(|name| self.changes(name, None));
        }
    }

    fn declare(&mut self, Declared { name, value, secret }: &Declared) {
        if *secret {
            self.values.declare_secret(name);
        }
        let value = value.as_ref().filter(|_| !self.values.is_secret(name));
        let texts = value.and_then(|value| self.texts(value));
        self.changes(name, texts);
    }

    fn receives(&mut self, variable: Option<&str>) {
        if let Some(name) = variable {
            self.changes(name, None);
        }
    }

    /// Whether something gives the variable a value.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.texts.contains_key(&name.to_lowercase())
    }

    /// Whether scripts that are not seen here may set variables.
    pub(crate) fn has_unseen_scripts(&self) -> bool {
        self.unseen_scripts
    }

    /// The names of everything that gets a value.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// Variables with the values that they have in the whole run.
    pub(crate) fn values(&self) -> &Variables {
        &self.values
    }

    /// The value of a setting, or of the variable that gives it, where that is the same in the whole run. The step's other settings
    /// are not looked at: a password is often known to the run alone.
    pub(crate) fn value<T: FromText + Clone>(&self, setting: &Setting<T>, variable: &str) -> Option<T> {
        let mut setting = setting.clone();
        fill_field(&mut setting, variable, &self.values).ok()?;
        setting.resolve(&self.values).ok()?;
        setting.get().cloned()
    }

    /// A secret whose value is written in the sequence can be read by whoever finds the media.
    pub(crate) fn in_the_clear(&self, declared: &Declared) -> Option<String> {
        let Declared { name, value, secret } = declared;
        let written = value
            .as_deref()
            .is_some_and(|value| !value.is_empty() && !has_variable(value));
        (written && (*secret || self.values.is_secret(name))).then(|| {
            format!(
                "the value of the secret `{name}` is written in the sequence: whoever finds the media can read it; name \
                 it under [secrets] in media.toml instead"
            )
        })
    }

    /// The same, for who needs nothing else.
    pub(crate) fn into_values(self) -> Variables {
        self.values
    }

    /// What a text with `%VARIABLES%` may be in the run.
    pub(crate) fn texts(&self, text: &str) -> Texts {
        let mut texts = BTreeSet::from([text.to_owned()]);
        for name in references(text) {
            let values = self.texts.get(&name.to_lowercase())?.as_ref()?;
            let written = format!("%{name}%");
            let replaced = texts
                .iter()
                .flat_map(|text| values.iter().map(|value| text.replace(&written, value)));
            texts = replaced.take(MOST_TEXTS + 1).collect();
            if texts.len() > MOST_TEXTS {
                return None;
            }
        }
        Some(texts)
    }

    /// The packages that a step names itself, through variables, or through a list of them.
    pub(crate) fn packages(&self, action: &Action) -> Packages {
        let mut found = Packages::default();
        for id in action.packages() {
            let wanted = wanted_kind(action, id);
            match self.texts(id.as_str()) {
                Some(texts) => found.name(texts.iter().map(String::as_str), program(action), wanted),
                None => found.open.push((id.to_string(), wanted)),
            }
        }
        if let Some((base, digits)) = list(action) {
            self.listed(action, base, digits, &mut found);
        }
        found
    }

    fn listed(&self, action: &Action, base: &str, digits: usize, found: &mut Packages) {
        let wanted = list_kind(action);
        let Some(bases) = self.texts(base) else {
            return found.open.push((base.to_owned(), wanted));
        };
        for base in &bases {
            for number in 1_u32.. {
                let name = format!("{base}{number:0digits$}");
                match self.texts.get(&name.to_lowercase()) {
                    Some(Some(texts)) => texts.iter().for_each(|text| found.entry(text, wanted)),
                    Some(None) => found.open.push((format!("%{name}%"), wanted)),
                    None if number == 1 && self.unseen_scripts => {
                        found.open.push((format!("%{name}%"), wanted));
                        break;
                    }
                    None if number == 1 => return found.no_list = Some(name),
                    None => break,
                }
            }
        }
    }
}

impl Packages {
    fn name<'a>(
        &mut self,
        ids: impl Iterator<Item = &'a str>,
        program: Option<&str>,
        wanted: Option<PackageKind>,
    ) {
        let named = ids.filter(|id| !id.is_empty()).map(|id| Named {
            id: PackageId::new(id),
            program: program.map(str::to_owned),
            wanted,
        });
        self.named.extend(named);
    }

    /// In a list a package may be followed by its program; an application stands alone.
    fn entry(&mut self, text: &str, wanted: Option<PackageKind>) {
        let (id, program) = match text.split_once(':') {
            Some((id, program)) => (id, Some(program)),
            None => (text, None),
        };
        self.name([id].into_iter(), program, wanted);
    }
}

/// What stands before an equals sign and can be a name.
fn assigned(text: &str) -> impl Iterator<Item = &str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let before = text.match_indices('=').map(|(at, _)| &text[..at]);
    let names = before.map(move |before| before.rsplit(|c| !is_part(c)).next().unwrap_or_default());
    names.filter(|name| Variables::is_name(name))
}

/// The base variable of a list, and how many digits its numbers have.
fn list(action: &Action) -> Option<(&str, usize)> {
    match action {
        Action::InstallApplications(options) => options.base_variable.as_deref().map(|base| (base, 2)),
        Action::InstallPackage(options) => options.base_variable.as_deref().map(|base| (base, 3)),
        _ => None,
    }
}

fn list_kind(action: &Action) -> Option<PackageKind> {
    matches!(action, Action::InstallApplications(_)).then_some(PackageKind::Application)
}

/// The program that a step runs of the package that it names itself.
fn program(action: &Action) -> Option<&str> {
    match action {
        Action::InstallPackage(options) => options.program.as_deref().filter(|name| !has_variable(name)),
        _ => None,
    }
}

/// What the step wants to find in a package.
fn wanted_kind(action: &Action, id: &PackageId) -> Option<PackageKind> {
    match action {
        Action::ApplyOperatingSystemImage(options) if *id == options.package => Some(PackageKind::Image),
        Action::ApplyDataImage(_) => Some(PackageKind::Image),
        Action::AutoApplyDrivers(_) | Action::ApplyDriverPackage(_) => Some(PackageKind::Drivers),
        Action::InstallApplications(_) => Some(PackageKind::Application),
        Action::InstallUpdates(_) => Some(PackageKind::Updates),
        _ => None,
    }
}
