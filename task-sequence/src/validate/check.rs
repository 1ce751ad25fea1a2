//! The checks that steps make on their own settings.

use std::collections::BTreeSet;

use super::{MediaFacts, PackageKind, Placed, Problem, Severity, names};
use crate::model::{Declared, TaskSequence};
use crate::package::PackageId;
use crate::setting::{Secret, Setting, has_variable, nearest};
use crate::steps::{Action, JoinKind, Place, VolumeSelector};
use crate::variables::Variables;

/// What is known of the variables before the run: those that the sequence gives.
pub(crate) struct Given {
    /// Variables with the values that the sequence declares, as long as no step changes them.
    values: Variables,
    /// Names that have a value in some machine; lower case.
    names: BTreeSet<String>,
}

impl Given {
    /// The packages that a step names by a literal id or through a base variable.
    pub(crate) fn packages(&self, action: &Action) -> Vec<PackageId> {
        let written = action
            .packages()
            .into_iter()
            .filter(|id| !is_open(id.as_str()))
            .cloned();
        let base = match action {
            Action::InstallApplications(options) => options.base_variable.as_deref().map(|base| (base, 2)),
            Action::InstallPackage(options) => options.base_variable.as_deref().map(|base| (base, 3)),
            _ => None,
        };
        let listed = base
            .map(|(base, digits)| self.numbered(base, digits))
            .unwrap_or_default();
        // A package is followed by its program; an application stands alone.
        let ids = listed
            .iter()
            .map(|text| PackageId::new(text.split(':').next().unwrap_or(text)));
        written.chain(ids.filter(|id| !is_open(id.as_str()))).collect()
    }

    /// The values of PREFIX01, PREFIX02, … up to the first that is absent.
    fn numbered(&self, base: &str, digits: usize) -> Vec<String> {
        let values = (1_u32..).map(|number| self.values.get(&format!("{base}{number:0digits$}")));
        values
            .map_while(|value| value.filter(|value| !value.is_empty()).map(str::to_owned))
            .collect()
    }
}

pub(crate) fn given_variables(sequence: &TaskSequence, enabled: &[Placed<'_>]) -> Given {
    let mut values = sequence.initial_variables().unwrap_or_default();
    let mut names: BTreeSet<String> = sequence
        .variables
        .iter()
        .map(|one| one.name.to_lowercase())
        .collect();
    for placed in enabled {
        if let Action::SetVariables(options) = &placed.step.action {
            let of_rules = options.rules.iter().flat_map(|rule| &rule.variables.0);
            for Declared { name, secret, .. } in options.variables.0.iter().chain(of_rules) {
                if *secret {
                    values.declare_secret(name);
                }
                names.insert(name.to_lowercase());
                // Its value depends on the run from here on.
                values.unset_by_engine(name);
            }
        }
    }
    Given { values, names }
}

/// Whether a text still depends on variables.
pub(crate) fn is_open(text: &str) -> bool {
    has_variable(text)
}

/// Membership as two types of steps have it.
pub(crate) struct Join<'a> {
    pub(crate) kind: &'a Setting<JoinKind>,
    pub(crate) kind_variable: &'static str,
    pub(crate) workgroup: bool,
    pub(crate) domain: bool,
    pub(crate) account: bool,
    pub(crate) unit: Option<&'a str>,
}

/// One step, with what is known around it and where its problems go.
pub(crate) struct Check<'a> {
    placed: &'a Placed<'a>,
    media: &'a MediaFacts,
    given: &'a Given,
    problems: &'a mut Vec<Problem>,
}

impl<'a> Check<'a> {
    pub(crate) fn new(
        placed: &'a Placed<'a>,
        media: &'a MediaFacts,
        given: &'a Given,
        problems: &'a mut Vec<Problem>,
    ) -> Self {
        Self {
            placed,
            media,
            given,
            problems,
        }
    }

    fn report(&mut self, severity: Severity, message: String) {
        self.problems.push(Problem {
            severity,
            path: self.placed.path.clone(),
            message,
        });
    }

    pub(crate) fn error(&mut self, message: impl Into<String>) {
        self.report(Severity::Error, message.into());
    }

    pub(crate) fn warning(&mut self, message: impl Into<String>) {
        self.report(Severity::Warning, message.into());
    }

    /// Whether the sequence gives the variable somewhere.
    pub(crate) fn is_given(&self, variable: &str) -> bool {
        self.given.names.contains(&variable.to_lowercase())
    }

    pub(crate) fn length(&mut self, setting: &str, text: Option<&str>, longest: usize) {
        let length = text.map_or(0, |text| text.chars().count());
        if length > longest {
            self.error(format!(
                "`{setting}` has {length} characters: {longest} are possible"
            ));
        }
    }

    /// Every package that the step names is on the media and is of the right kind.
    pub(crate) fn packages(&mut self, action: &Action) {
        for id in self.given.packages(action) {
            match self.media.packages.get(&id) {
                None => self.missing_package(&id),
                Some(facts) => self.package_kind(&id, facts.kind, wanted_kind(action, &id)),
            }
        }
    }

    fn missing_package(&mut self, id: &PackageId) {
        let near = nearest(id.as_str(), self.media.packages.keys().map(PackageId::as_str));
        let help = near
            .map(|near| format!(": did you mean `{near}`?"))
            .unwrap_or_default();
        self.error(format!("package `{id}` is not on the media{help}"));
    }

    fn package_kind(&mut self, id: &PackageId, kind: Option<PackageKind>, wanted: Option<PackageKind>) {
        if let (Some(kind), Some(wanted)) = (kind, wanted)
            && kind != wanted
        {
            self.error(format!(
                "package `{id}` contains {kind}, but the step needs {wanted}"
            ));
        }
    }

    pub(crate) fn image(&mut self, package: &PackageId, index: &Setting<u32>, all: bool) {
        if all && !index.is_absent() {
            self.error("`index` and `all-volumes` exclude each other");
        }
        let Some(index) = index.get() else { return };
        if *index == 0 {
            self.error("`index` is 0: images are counted from 1");
        }
        let images = self.media.packages.get(package).and_then(|facts| facts.images);
        if let Some(images) = images.filter(|images| index > images) {
            self.error(format!(
                "image {index} does not exist: the file of package `{package}` has {images}"
            ));
        }
    }

    pub(crate) fn volume(&mut self, volume: &VolumeSelector) {
        if let Some(why) = volume.contradiction() {
            self.error(format!("`destination`: {why}"));
        }
    }

    /// A name that NetBIOS can carry; longer ones are dropped silently by other tools.
    pub(crate) fn computer_name(&mut self, written: Option<&str>) {
        let Some(name) = self.known(written, "OSDComputerName") else {
            return;
        };
        if let Err(why) = names::computer_name(&name) {
            self.error(why);
        }
    }

    /// A key that is known before the run has the shape of one.
    pub(crate) fn product_key(&mut self, written: Option<&Secret>) {
        let text = written.map(Secret::expose);
        let key = self.known(text, "OSDProductKey");
        if let Some(Err(why)) = key.map(|key| names::product_key(&key)) {
            self.error(format!("`product-key`: {why}"));
        }
    }

    /// A name that a Windows network can carry.
    pub(crate) fn workgroup(&mut self, written: Option<&str>, variable: &str) {
        let name = self.known(written, variable);
        if let Some(Err(why)) = name.map(|name| names::workgroup_name(&name)) {
            self.error(why);
        }
    }

    /// The value of a setting, or of the variable that fills it; `None` where only the run knows it.
    fn known(&self, written: Option<&str>, variable: &str) -> Option<String> {
        let values = &self.given.values;
        let text = written.or_else(|| values.get(variable).filter(|value| !value.is_empty()))?;
        let text = values.expand(text);
        (!is_open(&text)).then_some(text)
    }

    /// A literal secret in a file that lies on the media can be read by whoever finds the media.
    pub(crate) fn secret(&mut self, setting: &str, secret: Option<&Secret>) {
        if secret.is_some_and(|secret| !is_open(secret.expose())) {
            self.warning(format!(
                "`{setting}` is written in the sequence: whoever finds the media can read it; \
                 name a variable instead, such as \"%PASSWORD%\""
            ));
        }
    }

    /// Whether the text refers to a variable that the sequence or the media declares secret.
    pub(crate) fn refers_to_secret(&self, text: &str) -> bool {
        let of_media = &self.media.secrets;
        self.given.values.refers_to_secret(text)
            || of_media.iter().any(|name| Variables::refers_to(text, name))
    }

    pub(crate) fn list_or_base(&mut self, setting: &str, empty: bool, base: Option<&str>) {
        match base {
            Some(base) if base.trim().is_empty() => self.error("`base-variable` is empty"),
            None if empty => self.error(format!(
                "`{setting}` is empty: name packages, or give `base-variable`"
            )),
            _ => {}
        }
    }

    pub(crate) fn join(&mut self, join: &Join<'_>) {
        match join.kind.get() {
            Some(JoinKind::Workgroup) if !join.workgroup => self.error("`workgroup` is missing"),
            Some(JoinKind::Domain) if !join.domain => self.error("`domain` is missing"),
            Some(JoinKind::Domain) if !join.account => {
                self.error("`account` is missing: who may join the domain")
            }
            None if join.kind.is_absent()
                && (join.domain || join.workgroup)
                && !self.is_given(join.kind_variable) =>
            {
                self.error("`join` is missing: write \"workgroup\" or \"domain\"");
            }
            _ => {}
        }
        if let Some(unit) = join
            .unit
            .filter(|unit| !is_open(unit) && !names::is_ldap_name(unit))
        {
            self.error(format!(
                "`organizational-unit`: `{unit}` is not an LDAP name such as OU=x,DC=example,DC=org"
            ));
        }
    }

    /// A variable that a step sets has a possible name and is not the engine's.
    pub(crate) fn settable(&mut self, setting: &str, name: Option<&str>) {
        if let Some(Err(why)) = name.map(|name| Variables::new().set(name, "")) {
            self.error(format!("`{setting}`: {why}"));
        }
    }

    pub(crate) fn wim_path(&mut self, path: &str) {
        if !is_open(path) && !path.to_lowercase().ends_with(".wim") {
            self.error(format!("`destination`: `{path}` does not end in .wim"));
        }
        if path.split(['/', '\\']).any(|part| part == "..") {
            self.error(format!("`destination`: `{path}` leaves its folder"));
        }
    }

    pub(crate) fn unc_path(&mut self, setting: &str, path: &str) {
        let normal = path.replace('/', "\\");
        let parts = normal
            .trim_start_matches('\\')
            .split('\\')
            .filter(|part| !part.is_empty())
            .count();
        let is_share = normal.starts_with("\\\\") && parts >= 2;
        if !is_open(path) && !is_share {
            self.error(format!(
                "`{setting}`: `{path}` is not a share such as '\\\\server\\share'"
            ));
        }
    }

    pub(crate) fn sequence(&mut self, id: &str) {
        let Some(known) = self.media.sequences.as_ref().filter(|_| !is_open(id)) else {
            return;
        };
        if !known.contains(id) {
            let near = nearest(id, known.iter().map(String::as_str));
            let help = near
                .map(|near| format!(": did you mean `{near}`?"))
                .unwrap_or_default();
            self.error(format!("sequence `{id}` is not on the media{help}"));
        }
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

/// Where the step may run, in words.
pub(super) fn place_in_words(place: Place) -> &'static str {
    match place {
        Place::Pe | Place::PeToOs => "the boot image",
        Place::Os | Place::OsToPe => "the installed system",
        Place::Both => "both",
    }
}
