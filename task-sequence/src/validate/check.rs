//! The checks that steps make on their own settings.

use super::given::{Given, Named};
use super::{EnabledStep, MediaFacts, PackageKind, Problem, Severity, names};
use crate::model::Declared;
use crate::package::PackageId;
use crate::setting::{FromText, Secret, Setting, has_variable, nearest};
use crate::steps::{Action, JoinKind, Place, VolumeSelector};
use crate::variables::Variables;

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
    placed: &'a EnabledStep<'a>,
    media: &'a MediaFacts,
    given: &'a Given,
    problems: &'a mut Vec<Problem>,
}

impl<'a> Check<'a> {
    pub(crate) fn new(
        placed: &'a EnabledStep<'a>,
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
        self.problems
            .push(Problem::of_step(severity, self.placed, message));
    }

    pub(crate) fn error(&mut self, message: impl Into<String>) {
        self.report(Severity::Error, message.into());
    }

    pub(crate) fn warning(&mut self, message: impl Into<String>) {
        self.report(Severity::Warning, message.into());
    }

    /// Whether the media or the sequence gives the variable somewhere, or a script may.
    pub(crate) fn is_given(&self, variable: &str) -> bool {
        self.given.contains(variable) || self.given.has_unseen_scripts()
    }

    /// Reports a setting that is not written, unless its variable gives it.
    pub(crate) fn missing(&mut self, variable: &str, message: &str) {
        if self.given.contains(variable) {
            return;
        }
        if self.given.has_unseen_scripts() {
            self.warning(format!("{message}; else a script has to set {variable}"));
        } else {
            self.error(message);
        }
    }

    /// The value of a setting, or of the variable that gives it, where that is the same in the whole run.
    pub(crate) fn value<T: FromText + Clone>(&self, setting: &Setting<T>, variable: &str) -> Option<T> {
        self.given.value(setting, variable)
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
        let packages = self.given.packages(action);
        for named in &packages.named {
            match self.media.package(&named.id) {
                None => self.missing_package(&named.id),
                Some(facts) => self.package_kind(named, facts.kind),
            }
        }
        for (text, wanted) in &packages.open {
            self.open_package(text, *wanted);
        }
        if let Some(first) = packages.no_list {
            self.warning(format!(
                "nothing gives `{first}` a value: the list of `base-variable` is empty"
            ));
        }
    }

    fn missing_package(&mut self, id: &PackageId) {
        let near = nearest(id.as_str(), self.media.packages.keys().map(PackageId::as_str));
        let help = near
            .map(|near| format!(": did you mean `{near}`?"))
            .unwrap_or_default();
        self.error(format!("package `{id}` is not on the media{help}"));
    }

    fn package_kind(&mut self, named: &Named, kind: Option<PackageKind>) {
        if let (Some(kind), Some(wanted)) = (kind, named.wanted)
            && kind != wanted
        {
            self.error(format!(
                "package `{}` contains {kind}, but the step needs {wanted}",
                named.id
            ));
        }
    }

    /// What only the run knows may be any package of the kind: all of them have to travel.
    fn open_package(&mut self, text: &str, wanted: Option<PackageKind>) {
        let all: Vec<&str> = self.media.of_kind(wanted).map(PackageId::as_str).collect();
        let kind = wanted.map_or(String::new(), |kind| format!(" of kind {kind}"));
        if all.is_empty() {
            self.error(format!(
                "only the run knows which package `{text}` is, and the media has none{kind}"
            ));
        } else {
            self.warning(format!(
                "only the run knows which package `{text}` is: all packages{kind} travel ({})",
                all.join(", ")
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
        for id in self.given.texts(package.as_str()).into_iter().flatten() {
            let facts = self.media.package(&PackageId::new(id.as_str()));
            let images = facts.and_then(|facts| facts.images.as_ref());
            if let Some(images) = images.filter(|images| *index as usize > images.len()) {
                let named: Vec<String> = (1..)
                    .zip(images)
                    .map(|(number, name)| format!("{number} {name}"))
                    .collect();
                self.error(format!(
                    "`index`: image {index} does not exist, the file of package `{id}` has {}: {}",
                    images.len(),
                    named.join(", ")
                ));
            }
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
        let values = self.given.values();
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

    /// The same for a variable that a step sets.
    pub(crate) fn set_secret(&mut self, declared: &Declared) {
        if let Some(message) = self.given.in_the_clear(declared) {
            self.warning(message);
        }
    }

    /// Whether the text refers to a variable that the sequence or the media declares secret.
    pub(crate) fn refers_to_secret(&self, text: &str) -> bool {
        self.given.values().refers_to_secret(text)
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
        let Some(known) = &self.media.sequences else {
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

/// Where the step may run, in words.
pub(super) fn place_in_words(place: Place) -> &'static str {
    match place {
        Place::Pe | Place::PeToOs => "the boot image",
        Place::Os | Place::OsToPe => "the installed system",
        Place::Both => "both",
    }
}
