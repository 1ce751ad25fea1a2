//! What an installation says of itself in its SOFTWARE hive.

use media_format::hive::protocol::Query;
use media_format::hive::{Key, Value};
use thiserror::Error;

/// Below, the product's name is right.
const FIRST_WINDOWS_11: u32 = 22_000;

/// Version and edition of an installation. Facts: the key's values as public inventories list them, and that
/// `ProductName` of Windows 11 still says 10.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    /// `Windows 10 Pro`, as the hive says.
    pub product_name: String,
    /// `Professional`: also the `FLAGS` of an image.
    pub edition: String,
    /// `Client`, `Server`, `Server Core`, `Nano Server`, `WindowsPE`.
    pub kind: String,
    /// 10 of 10.0.19045.3803.
    pub major: u32,
    /// 0 of 10.0.19045.3803.
    pub minor: u32,
    /// 19045 of 10.0.19045.3803.
    pub build: u32,
    /// 3803 of 10.0.19045.3803; 0 before Windows 8.1.
    pub revision: u32,
    /// `22H2`, or `1909`, where there is one.
    pub release: Option<String>,
}

/// The hive is not that of an installation.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "the SOFTWARE hive does not say {0} of its Windows: it is damaged, or not that of an installed Windows"
)]
pub struct NotAnInstallation(&'static str);

impl Installation {
    /// What [`Installation::read`] needs.
    #[must_use]
    pub fn query() -> Query {
        Query::Key {
            key: r"Microsoft\Windows NT\CurrentVersion".into(),
            depth: 0,
        }
    }

    /// Reads the answer.
    pub fn read(answer: Option<&Key>) -> Result<Self, NotAnInstallation> {
        let value = |name: &str| answer.and_then(|key| key.value(name));
        let text = |name| value(name).and_then(Value::text).filter(|text| !text.is_empty());
        let number = |name| {
            value(name)
                .and_then(Value::number)
                .and_then(|number| u32::try_from(number).ok())
        };
        let build = text("CurrentBuild").or_else(|| text("CurrentBuildNumber"));
        let build = build
            .and_then(|build| build.parse().ok())
            .ok_or(NotAnInstallation("the build"))?;
        // The numbers exist since Windows 10; before it, the text was right.
        let named = text("CurrentVersion").unwrap_or_default();
        let version = number("CurrentMajorVersionNumber").zip(number("CurrentMinorVersionNumber"));
        let (major, minor) = version
            .or_else(|| parse_version(&named))
            .ok_or(NotAnInstallation("the version"))?;
        Ok(Self {
            product_name: text("ProductName").ok_or(NotAnInstallation("the product's name"))?,
            edition: text("EditionID").ok_or(NotAnInstallation("the edition"))?,
            kind: text("InstallationType").unwrap_or_default(),
            major,
            minor,
            build,
            revision: number("UBR").unwrap_or_default(),
            release: text("DisplayVersion").or_else(|| text("ReleaseId")),
        })
    }

    /// `10.0.19045.3803`
    #[must_use]
    pub fn version(&self) -> String {
        format!("{}.{}.{}.{}", self.major, self.minor, self.build, self.revision)
    }

    /// The product's name with the number under which it is sold.
    #[must_use]
    pub fn name(&self) -> String {
        match self.build >= FIRST_WINDOWS_11 && !self.is_server() {
            true => self.product_name.replacen("Windows 10", "Windows 11", 1),
            false => self.product_name.clone(),
        }
    }

    /// A server, with a desktop or without.
    #[must_use]
    pub fn is_server(&self) -> bool {
        self.kind.to_ascii_lowercase().contains("server")
    }
}

fn parse_version(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// How far set-up of an installation is. Facts: Microsoft, "Windows Setup States".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageState {
    /// Set up, and bound to its machine.
    Complete,
    /// In a phase of set-up that has not ended, or failed in it.
    Undeployable,
    /// Generalized; set-up goes on with the first-run pages.
    GeneralizedForOobe,
    /// Generalized; set-up goes on in audit mode.
    GeneralizedForAudit,
    /// Specialized; set-up goes on with the first-run pages.
    SpecializedForOobe,
    /// Specialized; set-up goes on in audit mode.
    SpecializedForAudit,
    /// Another state.
    Other(String),
}

impl ImageState {
    /// What [`ImageState::read`] needs.
    #[must_use]
    pub fn query() -> Query {
        Query::Value {
            key: r"Microsoft\Windows\CurrentVersion\Setup\State".into(),
            name: "ImageState".into(),
        }
    }

    /// Reads the answer; none when the hive does not say.
    #[must_use]
    pub fn read(answer: Option<&Value>) -> Option<Self> {
        let text = answer?.text()?;
        Some(match text.as_str() {
            "IMAGE_STATE_COMPLETE" => Self::Complete,
            "IMAGE_STATE_UNDEPLOYABLE" => Self::Undeployable,
            "IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE" => Self::GeneralizedForOobe,
            "IMAGE_STATE_GENERALIZE_RESEAL_TO_AUDIT" => Self::GeneralizedForAudit,
            "IMAGE_STATE_SPECIALIZE_RESEAL_TO_OOBE" => Self::SpecializedForOobe,
            "IMAGE_STATE_SPECIALIZE_RESEAL_TO_AUDIT" => Self::SpecializedForAudit,
            _ => Self::Other(text),
        })
    }

    /// Can be deployed to other machines.
    #[must_use]
    pub fn is_generalized(&self) -> bool {
        matches!(self, Self::GeneralizedForOobe | Self::GeneralizedForAudit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use media_format::hive::NamedValue;

    fn key(values: &[(&str, Value)]) -> Key {
        let named = |(name, value): &(&str, Value)| NamedValue {
            name: (*name).into(),
            value: value.clone(),
        };
        Key {
            values: values.iter().map(named).collect(),
            ..Key::default()
        }
    }

    fn sz(text: &str) -> Value {
        Value::Sz(text.into())
    }

    /// As Windows 11 24H2 has it: the old names still say 6.3 and 10.
    fn windows_11() -> Vec<(&'static str, Value)> {
        vec![
            ("ProductName", sz("Windows 10 Pro")),
            ("CurrentVersion", sz("6.3")),
            ("CurrentBuild", sz("26100")),
            ("CurrentMajorVersionNumber", Value::Dword(10)),
            ("CurrentMinorVersionNumber", Value::Dword(0)),
            ("UBR", Value::Dword(2033)),
            ("EditionID", sz("Professional")),
            ("InstallationType", sz("Client")),
            ("ReleaseId", sz("2009")),
            ("DisplayVersion", sz("24H2")),
        ]
    }

    #[test]
    fn windows_11_is_called_so() {
        let found = Installation::read(Some(&key(&windows_11()))).unwrap();
        assert_eq!(found.version(), "10.0.26100.2033");
        assert_eq!(
            (found.name().as_str(), found.edition.as_str()),
            ("Windows 11 Pro", "Professional")
        );
        assert_eq!(found.release.as_deref(), Some("24H2"));
        assert!(!found.is_server());
    }

    #[test]
    fn older_ones_and_servers_are_read() {
        let seven = key(&[
            ("ProductName", sz("Windows 7 Enterprise")),
            ("CurrentVersion", sz("6.1")),
            ("CurrentBuildNumber", sz("7601")),
            ("EditionID", sz("Enterprise")),
            ("InstallationType", sz("Client")),
        ]);
        let found = Installation::read(Some(&seven)).unwrap();
        assert_eq!((found.version().as_str(), found.release), ("6.1.7601.0", None));
        let mut server = windows_11();
        server[0].1 = sz("Windows Server 2025 Standard");
        server[7].1 = sz("Server Core");
        let found = Installation::read(Some(&key(&server))).unwrap();
        assert!(found.is_server());
        assert_eq!(found.name(), "Windows Server 2025 Standard");
    }

    #[test]
    fn another_hive_is_no_installation() {
        assert_eq!(Installation::read(None), Err(NotAnInstallation("the build")));
        for missing in ["ProductName", "EditionID", "CurrentBuild"] {
            let mut values = windows_11();
            values.retain(|(name, _)| *name != missing);
            assert!(Installation::read(Some(&key(&values))).is_err(), "{missing}");
        }
        let mut odd = windows_11();
        odd[2].1 = sz("26100x");
        assert!(Installation::read(Some(&key(&odd))).is_err());
    }

    #[test]
    fn states_are_told_apart() {
        let state = |text: &str| ImageState::read(Some(&sz(text)));
        assert!(
            state("IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE")
                .unwrap()
                .is_generalized()
        );
        assert!(
            state("IMAGE_STATE_GENERALIZE_RESEAL_TO_AUDIT")
                .unwrap()
                .is_generalized()
        );
        for other in [
            "COMPLETE",
            "UNDEPLOYABLE",
            "SPECIALIZE_RESEAL_TO_OOBE",
            "SPECIALIZE_RESEAL_TO_AUDIT",
        ] {
            let state = state(&format!("IMAGE_STATE_{other}")).unwrap();
            assert!(
                !state.is_generalized() && !matches!(state, ImageState::Other(_)),
                "{other}"
            );
        }
        assert_eq!(state("new"), Some(ImageState::Other("new".into())));
        assert_eq!(ImageState::read(None), None);
        assert_eq!(ImageState::read(Some(&Value::Dword(1))), None);
    }
}
