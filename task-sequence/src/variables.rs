//! The variables of a running sequence.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use thiserror::Error;

use crate::hidden::Hidden;
use crate::setting::MASK;

/// Variables with case-insensitive names; the first spelling of a name is kept.
///
/// `Debug` and `Serialize` leave secret values out: nothing written from here can disclose one.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Variables {
    values: BTreeMap<String, Entry>,
    /// Names declared secret, also before they have a value; lower case.
    secret: BTreeSet<String>,
}

#[derive(Clone, PartialEq, Eq)]
struct Entry {
    name: String,
    value: String,
}

/// A variable could not be set.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SetError {
    /// The name belongs to the engine.
    #[error("variable {0} is read-only: names that begin with _SMSTS, _OSD or _TS are set by the engine")]
    ReadOnly(String),
    /// The name cannot be written between percent signs.
    #[error(
        "`{0}` is not a name of a variable: it is empty or has a `%`, a `=` or a control character in it"
    )]
    Name(String),
    /// The value refers to a secret that is not known.
    #[error(transparent)]
    Missing(#[from] MissingSecret),
}

/// A text refers to a secret variable that has no value: its name must not be taken for the secret.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "the secret variable {0} has no value here: give it one under [secrets] in media.toml, or set it in a step before \
     this one"
)]
pub struct MissingSecret(pub String);

/// What the engine and the steps set. Other names with a prefix of theirs, such as ConfigMgr's `_SMSTSUserStarted`, stay without a
/// value.
const SET_BY_ENGINE: [&str; 32] = [
    "_OSDDetectedWinDir",
    "_OSDDetectedWinDrive",
    "_SMSTSAssetTag",
    "_SMSTSBootImageID",
    "_SMSTSBootUEFI",
    "_SMSTSCaptureFolder",
    "_SMSTSClientCache",
    "_SMSTSCurrentActionName",
    "_SMSTSDefaultGateways",
    "_SMSTSIPAddresses",
    "_SMSTSInWinPE",
    "_SMSTSLastActionName",
    "_SMSTSLastActionRetCode",
    "_SMSTSLastActionSucceeded",
    "_SMSTSLaunchMode",
    "_SMSTSLogPath",
    "_SMSTSMDataPath",
    "_SMSTSMacAddresses",
    "_SMSTSMachineName",
    "_SMSTSMake",
    "_SMSTSMediaType",
    "_SMSTSModel",
    "_SMSTSOrgName",
    "_SMSTSPackageID",
    "_SMSTSPackageName",
    "_SMSTSSerialNumber",
    "_SMSTSUUID",
    "_TSAppInstallFailed",
    "_TSAppInstallNext",
    "_TSAppInstallStatus",
    "_TSPackageInstallNext",
    "_TSSecureBoot",
];

const READ_ONLY_PREFIXES: [&str; 3] = ["_smsts", "_osd", "_ts"];
/// What ConfigMgr's engine chooses and ours is told: the folder that stays where a volume is emptied.
const USER_STATE: &str = "_smstsuserstatepath";

impl Variables {
    /// No variables.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a variable on behalf of the sequence or a script.
    pub fn set(&mut self, name: &str, value: impl Into<String>) -> Result<(), SetError> {
        if Self::is_read_only(name) {
            return Err(SetError::ReadOnly(name.to_owned()));
        }
        self.set_by_engine(name, value)
    }

    /// Sets a variable on behalf of the engine: read-only names too.
    pub fn set_by_engine(&mut self, name: &str, value: impl Into<String>) -> Result<(), SetError> {
        if !Self::is_name(name) {
            return Err(SetError::Name(name.to_owned()));
        }
        let entry = self.values.entry(name.to_lowercase());
        let entry = entry.or_insert_with(|| Entry {
            name: name.to_owned(),
            value: String::new(),
        });
        entry.value = value.into();
        Ok(())
    }

    /// Sets a variable and declares it secret.
    pub fn set_secret(&mut self, name: &str, value: impl Into<String>) -> Result<(), SetError> {
        self.set(name, value)?;
        self.declare_secret(name);
        Ok(())
    }

    /// From now on the value of this name is masked everywhere.
    pub fn declare_secret(&mut self, name: &str) {
        self.secret.insert(name.to_lowercase());
    }

    /// Removes a variable on behalf of the sequence; a declaration as secret stays.
    pub fn unset(&mut self, name: &str) -> Result<(), SetError> {
        if Self::is_read_only(name) {
            return Err(SetError::ReadOnly(name.to_owned()));
        }
        self.values.remove(&name.to_lowercase());
        Ok(())
    }

    /// Removes a variable on behalf of the engine.
    pub fn unset_by_engine(&mut self, name: &str) {
        self.values.remove(&name.to_lowercase());
    }

    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values
            .get(&name.to_lowercase())
            .map(|entry| entry.value.as_str())
    }

    /// Whether the variable has a value, an empty one included.
    pub fn contains(&self, name: &str) -> bool {
        self.values.contains_key(&name.to_lowercase())
    }

    /// Whether the engine gives this name a value, in some part of a run.
    pub fn is_set_by_engine(name: &str) -> bool {
        SET_BY_ENGINE.iter().any(|known| known.eq_ignore_ascii_case(name))
    }

    /// The names that the engine gives a value, in some part of a run.
    pub(crate) fn names_of_engine() -> impl Iterator<Item = &'static str> {
        SET_BY_ENGINE.into_iter()
    }

    /// Whether only the engine may set this name.
    pub fn is_read_only(name: &str) -> bool {
        let name = name.to_lowercase();
        name != USER_STATE && READ_ONLY_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    }

    /// Whether the text can be a name.
    pub fn is_name(name: &str) -> bool {
        !name.trim().is_empty() && !name.chars().any(|c| c == '%' || c == '=' || c.is_control())
    }

    /// Whether the value of this name is masked: declared so, named `OSD…Password…` or `…Password`.
    pub fn is_secret(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        let by_name = name.ends_with("password") || (name.starts_with("osd") && name.contains("password"));
        // OSDRandomAdminPassword is a switch, not a password.
        (by_name && name != "osdrandomadminpassword") || self.secret.contains(&name)
    }

    /// Whether the text refers to this variable.
    pub fn refers_to(text: &str, name: &str) -> bool {
        references(text).any(|found| found.eq_ignore_ascii_case(name))
    }

    /// Whether the text refers to a secret variable, with a value or without.
    pub fn refers_to_secret(&self, text: &str) -> bool {
        references(text).any(|name| self.is_secret(name))
    }

    /// Like [`Variables::expand`], for texts that are used: a secret that is not known is an error, because what would be
    /// used in its place is its name.
    ///
    /// # Errors
    /// The first secret variable without a value.
    pub fn expand_known(&self, text: &str) -> Result<String, MissingSecret> {
        let missing = references(text).find(|name| self.is_secret(name) && !self.contains(name));
        missing.map_or_else(
            || Ok(self.expand(text)),
            |name| Err(MissingSecret(name.to_owned())),
        )
    }

    /// Sets a variable to an expanded text on behalf of the sequence. What is made of a secret is secret.
    ///
    /// # Errors
    /// When the name cannot be set, or the text refers to a secret that is not known.
    pub fn set_expanded(&mut self, name: &str, text: &str) -> Result<(), SetError> {
        let value = self.expand_known(text)?;
        if self.refers_to_secret(text) {
            self.declare_secret(name);
        }
        self.set(name, value)
    }

    /// Name, value and whether it is secret, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, bool)> {
        self.values.values().map(|entry| {
            (
                entry.name.as_str(),
                entry.value.as_str(),
                self.is_secret(&entry.name),
            )
        })
    }

    /// Replaces every `%NAME%` whose variable is known; all else is left as written.
    pub fn expand(&self, text: &str) -> String {
        let mut expanded = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find('%') {
            expanded.push_str(&rest[..start]);
            let after = &rest[start + 1..];
            match after
                .find('%')
                .and_then(|end| Some((end, self.get(&after[..end])?)))
            {
                Some((end, value)) => {
                    expanded.push_str(value);
                    rest = &after[end + 1..];
                }
                // The second percent sign may begin a name: only the first one is passed over.
                None => {
                    expanded.push('%');
                    rest = after;
                }
            }
        }
        expanded.push_str(rest);
        expanded
    }

    /// Replaces every secret value that occurs in the text, also a line of one, by asterisks.
    pub fn mask(&self, text: &str) -> String {
        self.hidden().mask(text)
    }

    /// The values that no text may show.
    pub fn hidden(&self) -> Hidden {
        let secrets = self.iter().filter(|(_, _, secret)| *secret);
        Hidden::new(secrets.map(|(_, value, _)| value))
    }
}

/// What stands between two percent signs and can be a name; as in an expansion, a sign that ends one name may begin another.
pub(crate) fn references(text: &str) -> impl Iterator<Item = &str> {
    let mut pieces = text.split('%');
    // Before the first sign and after the last one there is no name.
    pieces.next();
    pieces.next_back();
    pieces.filter(|name| Variables::is_name(name))
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self
            .iter()
            .map(|(name, value, secret)| (name, if secret { MASK } else { value }));
        f.debug_map().entries(shown).finish()
    }
}

/// A map of names to values, as the journal keeps it: secret variables are absent.
impl Serialize for Variables {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value, _) in self.iter().filter(|(_, _, secret)| !secret) {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> Variables {
        let mut variables = Variables::new();
        pairs
            .iter()
            .for_each(|(name, value)| variables.set_by_engine(name, *value).unwrap());
        variables
    }

    #[test]
    fn names_ignore_case_and_keep_their_spelling() {
        let mut v = variables(&[("OSDComputerName", "A")]);
        v.set("osdcomputername", "B").unwrap();
        assert_eq!(v.get("OSDCOMPUTERNAME"), Some("B"));
        assert_eq!(v.iter().next().unwrap(), ("OSDComputerName", "B", false));
    }

    #[test]
    fn only_the_engine_sets_read_only_names() {
        let mut v = Variables::new();
        for name in ["_SMSTSInWinPE", "_osdDetectedWinDir", "_TSAppInstallStatus"] {
            assert_eq!(v.set(name, "x"), Err(SetError::ReadOnly(name.to_owned())));
            assert!(v.unset(name).is_err());
            v.set_by_engine(name, "x").unwrap();
        }
        assert!(matches!(v.set("a%b", ""), Err(SetError::Name(_))));
        assert!(matches!(v.set(" ", ""), Err(SetError::Name(_))));
    }

    #[test]
    fn expansion_leaves_the_unknown_as_written() {
        let v = variables(&[("Name", "x"), ("other", "%Name%")]);
        assert_eq!(v.expand("a %NAME% %unknown% 100% %%"), "a x %unknown% 100% %%");
        assert_eq!(v.expand("%unknown%NAME%"), "%unknownx");
        assert_eq!(v.expand("%other%"), "%Name%", "values are not expanded again");
        assert_eq!(v.expand("50%%name%"), "50%x");
    }

    #[test]
    fn a_secret_without_a_value_is_no_text() {
        let mut v = variables(&[("Known", "x")]);
        v.declare_secret("Token");
        assert_eq!(
            v.expand_known("%known% %unknown% 100%"),
            Ok("x %unknown% 100%".into())
        );
        for text in [
            "a %TOKEN%",
            "50%%token%",
            "%OSDJoinPassword%",
            "%SMSConnectNetworkFolderPassword%",
        ] {
            assert!(v.expand_known(text).is_err(), "{text}");
        }
        v.set("token", "geheim").unwrap();
        assert_eq!(v.expand_known("a %TOKEN%"), Ok("a geheim".into()));
    }

    #[test]
    fn what_is_made_of_a_secret_is_secret() {
        let mut v = Variables::new();
        v.set_secret("Token", "geheim").unwrap();
        v.set_expanded("Header", "Bearer %token%").unwrap();
        v.set_expanded("Line", "curl -H %Header%").unwrap();
        v.set_expanded("Plain", "100%").unwrap();
        assert_eq!(v.get("Line"), Some("curl -H Bearer geheim"));
        assert_eq!(v.mask("Bearer geheim"), "********");
        assert_eq!(serde_json::to_string(&v).unwrap(), r#"{"Plain":"100%"}"#);
        assert!(matches!(
            v.set_expanded("More", "%OSDJoinPassword%"),
            Err(SetError::Missing(_))
        ));
    }

    #[test]
    fn secrets_are_masked_and_stay_out_of_the_journal() {
        let mut v = variables(&[
            ("OSDJoinPassword", "geheim"),
            ("Plain", "p"),
            ("OSDRandomAdminPassword", "true"),
        ]);
        v.set_secret("Token", "geheim-lang").unwrap();
        v.set("SMSConnectNetworkFolderPassword", "share-geheim").unwrap();
        assert_eq!(v.mask("a geheim-lang geheim"), "a ******** ********");
        assert!(!format!("{v:?}").contains("geheim"));
        let json = serde_json::to_string(&v).unwrap();
        assert_eq!(json, r#"{"OSDRandomAdminPassword":"true","Plain":"p"}"#);
    }

    #[test]
    fn the_manual_names_what_the_engine_sets() {
        let manual = include_str!("../../docs/how-to.md");
        for name in SET_BY_ENGINE {
            assert!(manual.contains(&format!("`{name}`")), "{name}");
        }
    }
}
