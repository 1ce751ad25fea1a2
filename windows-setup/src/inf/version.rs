//! What an INF file is for (INF Version section).

use media_format::drivers::{Architecture, DriverDate, DriverVersion};
use uuid::Uuid;

use super::error::{InfError, InfProblem};
use super::{Entry, Inf};

/// The `[Version]` section.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Version {
    /// Name of the device setup class.
    pub class: String,
    /// Its GUID in lower case and braces; empty where there is none.
    pub class_guid: String,
    /// Who provides the package.
    pub provider: String,
    /// Date of the package.
    pub date: DriverDate,
    /// Version of the package.
    pub version: DriverVersion,
    /// Whether Windows keeps programs from changing the driver's files.
    pub pnp_lockdown: bool,
    /// Id of an extension INF (Using an Extension INF File).
    pub extension: Option<String>,
    /// Catalog files by their decoration in lower case.
    catalogs: Vec<(String, String)>,
}

/// Only two signatures are accepted; they mean the same.
pub(super) fn check_signature(inf: &Inf) -> Result<(), InfError> {
    let section = inf
        .section("Version")
        .ok_or(InfProblem::NoSection("Version").at(0))?;
    let signature = section.value("Signature");
    let accepted = ["$windows nt$", "$chicago$"];
    if accepted.contains(&signature.to_lowercase().as_str()) {
        return Ok(());
    }
    let line = section
        .entry("Signature")
        .map_or(section.line, |entry| entry.line);
    Err(InfProblem::Signature(signature.to_owned()).at(line))
}

impl Version {
    /// Reads the section.
    ///
    /// # Errors
    /// When a GUID is none.
    pub fn read(inf: &Inf) -> Result<Self, InfError> {
        let Some(section) = inf.section("Version") else {
            return Err(InfProblem::NoSection("Version").at(0));
        };
        let extension = section.entry("ExtensionId").map(guid).transpose()?;
        let (date, version) = section.entry("DriverVer").map(driver_ver).unwrap_or_default();
        let catalog = |entry: &Entry| {
            let key = entry.key.as_deref()?.to_lowercase();
            let decoration = key
                .strip_prefix("catalogfile")?
                .trim_start_matches('.')
                .to_owned();
            let file = entry.value(0);
            (!file.is_empty()).then(|| (decoration, file.to_owned()))
        };
        Ok(Self {
            class: section.value("Class").to_owned(),
            class_guid: section
                .entry("ClassGuid")
                .map(guid)
                .transpose()?
                .unwrap_or_default(),
            provider: section.value("Provider").to_owned(),
            date,
            version,
            pnp_lockdown: super::number(section.value("PnpLockdown")) == Some(1),
            extension: extension.filter(|id| !id.is_empty()),
            catalogs: section.entries.iter().filter_map(catalog).collect(),
        })
    }

    /// The catalog file for an architecture: the decorated entry, else `.nt`, else the undecorated one.
    pub fn catalog(&self, architecture: Architecture) -> Option<&str> {
        let of = |decoration: &str| {
            let found = self.catalogs.iter().find(|(name, _)| name == decoration);
            found.map(|(_, file)| file.as_str())
        };
        of(&format!("nt{architecture}"))
            .or_else(|| of("nt"))
            .or_else(|| of(""))
    }
}

fn guid(entry: &Entry) -> Result<String, InfError> {
    let text = entry.value(0);
    if text.is_empty() {
        return Ok(String::new());
    }
    let problem = || InfProblem::Guid(text.to_owned()).at(entry.line);
    let inner = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
    let guid = inner
        .and_then(|inner| Uuid::try_parse(inner).ok())
        .ok_or_else(problem)?;
    Ok(guid.braced().to_string())
}

/// `mm/dd/yyyy[,w.x.y.z]` (INF DriverVer directive); an invalid date counts as none.
fn driver_ver(entry: &Entry) -> (DriverDate, DriverVersion) {
    (date(entry.value(0)).unwrap_or_default(), version(entry.value(1)))
}

fn date(text: &str) -> Option<DriverDate> {
    let mut parts = text.split(['/', '-']).map(str::trim);
    let month: u8 = parts.next()?.parse().ok()?;
    let day: u8 = parts.next()?.parse().ok()?;
    let year: u16 = parts.next()?.parse().ok()?;
    let valid = (1..=12).contains(&month) && (1..=31).contains(&day) && parts.next().is_none();
    valid.then_some(DriverDate(year, month, day))
}

fn version(text: &str) -> DriverVersion {
    let mut version = DriverVersion::default();
    for (number, part) in version.0.iter_mut().zip(text.split('.')) {
        *number = part.trim().parse().unwrap_or(0);
    }
    version
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Version, InfError> {
        Version::read(&Inf::parse(
            format!("[VERSION]\n{text}\n[Strings]\nMe=\"Us, Inc.\"").as_bytes(),
        )?)
    }

    #[test]
    fn everything_in_the_section_is_read() {
        let version = read(
            "Signature=\"$WINDOWS NT$\"\nClass=SCSIAdapter\nClassGUID={4D36E97B-E325-11CE-BFC1-08002BE10318}\n\
             Provider=%me%\nDriverVer=06/21/2006,10.0.19041.1\nPnpLockdown=1\nCatalogFile=a.cat\nCatalogFile.NTamd64=b.cat",
        )
        .unwrap();
        assert_eq!(version.class_guid, "{4d36e97b-e325-11ce-bfc1-08002be10318}");
        assert_eq!(
            (version.class.as_str(), version.provider.as_str()),
            ("SCSIAdapter", "Us, Inc.")
        );
        assert_eq!(version.date, DriverDate(2006, 6, 21));
        assert_eq!(version.version.to_string(), "10.0.19041.1");
        assert!(version.pnp_lockdown && version.extension.is_none());
        assert_eq!(version.catalog(Architecture::Amd64), Some("b.cat"));
        assert_eq!(version.catalog(Architecture::Arm64), Some("a.cat"));
    }

    #[test]
    fn an_invalid_date_counts_as_none_and_hyphens_separate_too() {
        let of = |text: &str| {
            let version = read(&format!("Signature=$Chicago$\nDriverVer={text}")).unwrap();
            (version.date.to_string(), version.version.to_string())
        };
        assert_eq!(of("1-2-2020, 3.4"), ("2020-01-02".into(), "3.4.0.0".into()));
        assert_eq!(of("13/01/2020,70000.1"), ("0000-00-00".into(), "0.1.0.0".into()));
    }

    #[test]
    fn what_windows_does_not_accept_is_refused_with_its_line() {
        assert_eq!(
            read("Signature=$Windows 95$").unwrap_err().to_string(),
            "line 2: the signature `$Windows 95$` is neither $Windows NT$ nor $Chicago$"
        );
        assert_eq!(
            Inf::parse(b"[x]").unwrap_err().to_string(),
            "there is no section [Version]"
        );
        let error = read("Signature=$Chicago$\nClassGuid=4D36E97B").unwrap_err();
        assert_eq!(error, InfProblem::Guid("4D36E97B".into()).at(3));
    }
}
