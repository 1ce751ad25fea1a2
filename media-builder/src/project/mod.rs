//! `media.toml`: what the user wants on the media.

mod secret;
mod size;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use media_format::manifest::{self, Finish, PackageKind};
use schemars::{JsonSchema, Schema, json_schema};
use serde::Deserialize;
use toml::Spanned;
use uuid::Uuid;

pub use secret::Secret;
pub use size::Size;

use crate::problem::Problems;
use crate::toml_problem::{Place, TomlProblem};

/// The name of the file in a project's folder.
pub const FILE_NAME: &str = "media.toml";

/// A project as it was read.
#[derive(Debug)]
pub struct Project {
    /// The file.
    pub path: PathBuf,
    /// Its folder, which relative paths start from.
    pub folder: PathBuf,
    /// Its text.
    pub text: String,
    /// What it says.
    pub settings: Settings,
}

/// The keys of `media.toml`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Settings {
    /// Name of the media, as the machine's screen shows it.
    pub name: String,
    /// Name of the organization, on the machine's screen and in the variable `_SMSTSOrgName`.
    #[serde(default)]
    pub organization: String,
    /// The boot image; without it the one in the cache folder.
    #[serde(default)]
    #[schemars(with = "Option<PathBuf>")]
    pub boot_image: Option<Spanned<PathBuf>>,
    /// Files of the task sequences. Unattended media run the first one that is not hidden, others ask which.
    #[schemars(with = "Vec<PathBuf>")]
    pub sequences: Vec<Spanned<PathBuf>>,
    /// Starts on the machine without a question.
    #[serde(default)]
    pub unattended: bool,
    /// Allows a shell in the boot image, which F8 shows.
    #[serde(default)]
    pub shell: bool,
    /// What the machine does when the run has ended well: `shutdown`, `restart` or `wait`.
    #[serde(default)]
    #[schemars(schema_with = "finish_schema")]
    pub finish: Finish,
    /// Network of the boot image: `dhcp`, `none` or `ADDRESS/PREFIX,GATEWAY,DNS`.
    #[serde(default = "dhcp")]
    #[schemars(with = "String")]
    pub network: Spanned<String>,
    /// Id of the media; without it, it follows from this file, the sequences, the boot image, and the names and sizes of the
    /// packages' files.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub id: Option<Uuid>,
    /// Task sequence variables. They take the place of those that a sequence declares, so that a template serves as it is; values
    /// are texts, such as `"true"` and `"1"`.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// Secret task sequence variables and where their values come from.
    #[serde(default)]
    pub secrets: BTreeMap<String, Secret>,
    /// Settings of an ISO.
    #[serde(default)]
    pub iso: Iso,
    /// Settings of a stick.
    #[serde(default)]
    pub usb: Usb,
    /// What the sequences install, apply or run.
    #[serde(default)]
    pub packages: Vec<Package>,
}

/// Settings of an ISO.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Iso {
    /// Whether Windows' view of the names (Joliet) is written; unless set, it is where all names fit.
    #[serde(default)]
    pub joliet: Option<bool>,
}

/// Settings of a stick.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Usb {
    /// Room on the data partition for captured images and logs (8 GB unless set).
    #[serde(default)]
    pub free: Option<Size>,
    /// Size of the whole image, instead of `free`.
    #[serde(default)]
    pub size: Option<Size>,
}

/// A package.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Package {
    /// Id, as the task sequence names it.
    #[schemars(with = "String")]
    pub id: Spanned<String>,
    /// Name, as the log and the screen show it; the id unless set.
    #[serde(default)]
    pub name: Option<String>,
    /// Version, free text.
    #[serde(default)]
    pub version: String,
    /// What it is for.
    #[schemars(schema_with = "kind_schema")]
    pub kind: PackageKind,
    /// A file or a folder.
    #[serde(default)]
    #[schemars(with = "Option<PathBuf>")]
    pub source: Option<Spanned<PathBuf>>,
    /// Ids of packages that are installed before this one.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub depends: Vec<Spanned<String>>,
    /// How it is installed.
    #[serde(default)]
    pub install: Option<Install>,
    /// Named programs, for `install-package`. Those called `prepare` and `remove` of a client package are run by
    /// `prepare-client-for-capture`.
    #[serde(default)]
    pub programs: BTreeMap<String, String>,
    /// Exit codes that mean success.
    #[serde(default = "manifest::success_codes")]
    pub success_codes: Vec<i64>,
    /// Exit codes that mean success once the machine has been restarted.
    #[serde(default = "manifest::restart_codes")]
    pub restart_codes: Vec<i64>,
    /// Of a package with drivers: leaves out INF files that cannot be read, with a warning, instead of refusing the package.
    #[serde(default)]
    #[schemars(with = "Option<bool>")]
    pub skip_broken_drivers: Option<Spanned<bool>>,
}

/// How a package is installed.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Install {
    /// A command line, run in the package's folder.
    Command(String),
    /// Debian packages by name, from a repository package of the media.
    Apt {
        /// Id of the package that is the repository.
        repository: String,
        /// Names of the Debian packages.
        packages: Vec<String>,
    },
    /// Package files (.deb) of the package's folder, in this order.
    Deb(Vec<String>),
    /// RPM packages by name, from a repository package of the media, by the system's dnf or zypper.
    Dnf {
        /// Id of the package that is the repository.
        repository: String,
        /// Names of the RPM packages.
        packages: Vec<String>,
    },
    /// Package files (.rpm) of the package's folder, all at once.
    Rpm(Vec<String>),
    /// Installers of Windows (.msi, .msp, .msu, .cab, .msix, .appx, their bundles, .ps1) of the package's folder, in this
    /// order.
    Windows(Vec<String>),
}

impl From<Install> for manifest::Install {
    fn from(install: Install) -> Self {
        match install {
            Install::Command(line) => Self::Command(line),
            Install::Apt { repository, packages } => Self::Apt { repository, packages },
            Install::Deb(files) => Self::Deb(files),
            Install::Dnf { repository, packages } => Self::Dnf { repository, packages },
            Install::Rpm(files) => Self::Rpm(files),
            Install::Windows(files) => Self::Windows(files),
        }
    }
}

impl Project {
    /// Reads a project.
    ///
    /// # Errors
    /// When there is no such file, or when it says something that media.toml cannot say.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let path = if path.is_dir() {
            path.join(FILE_NAME)
        } else {
            path.to_owned()
        };
        let text = read_text(&path).with_context(|| {
            format!(
                "reading the project {} (a project is a folder with {FILE_NAME}, or that file)",
                path.display()
            )
        })?;
        let folder = path.parent().map(Path::to_owned).unwrap_or_default();
        let settings = parse(&path.display().to_string(), &text)?;
        Ok(Self {
            path,
            folder,
            text,
            settings,
        })
    }

    /// A place in the project's text, for a problem that is found later.
    pub fn place<T>(&self, value: &Spanned<T>) -> Place {
        Place {
            file: self.path.display().to_string(),
            text: self.text.clone(),
            span: value.span(),
        }
    }
}

/// Reads a TOML file.
///
/// # Errors
/// When it cannot be read or is no UTF-8 text.
pub fn read_text(path: &Path) -> std::io::Result<String> {
    use std::io::{Error, ErrorKind};
    std::fs::read_to_string(path).map_err(|error| match error.kind() {
        ErrorKind::InvalidData => Error::new(
            ErrorKind::InvalidData,
            "it is not in UTF-8, as TOML is: save it in that encoding",
        ),
        _ => error,
    })
}

fn parse(file: &str, text: &str) -> Result<Settings, Problems> {
    toml::from_str(text).map_err(|error| {
        let mut problems = Problems(vec![]);
        problems.push_diagnostic(TomlProblem::new(file, text, &error));
        problems
    })
}

fn dhcp() -> Spanned<String> {
    Spanned::new(0..0, "dhcp".into())
}

fn finish_schema(_: &mut schemars::SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "enum": ["shutdown", "restart", "wait"], "default": "shutdown"})
}

fn kind_schema(_: &mut schemars::SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "enum": ["image", "application", "updates", "driver", "client", "files"]})
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINIMAL: &str = "name = \"m\"\nsequences = [\"a.toml\"]\n";

    fn problem(text: &str) -> String {
        let problems = parse("media.toml", text).unwrap_err();
        format!("{:?}", problems.0[0])
    }

    #[test]
    fn the_smallest_project_has_the_documented_defaults() {
        let settings = parse("media.toml", MINIMAL).unwrap();
        assert_eq!(settings.network.get_ref(), "dhcp");
        assert_eq!(settings.finish, Finish::Shutdown);
        assert!(!settings.unattended && !settings.shell);
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line_and_the_nearest_key() {
        let text = format!("{MINIMAL}\n[[packages]]\nid = \"a\"\nkind = \"files\"\nsorce = \"x\"\n");
        let problem = problem(&text);
        assert!(problem.contains("media.toml:7:1"), "{problem}");
        assert!(problem.contains("did you mean `source`?"), "{problem}");
    }

    #[test]
    fn a_secret_in_the_clear_is_refused_and_never_printed() {
        let text = format!("{MINIMAL}[secrets]\nOSDJoinPassword = \"hunter2\"\n");
        let error = parse("media.toml", &text).unwrap_err().to_string();
        assert!(error.contains("env"), "{error}");
        assert!(!problem(&text).contains("hunter2"), "{}", problem(&text));
    }

    #[test]
    fn a_secret_comes_from_one_place() {
        for (source, good) in [
            ("{ env = \"X\" }", true),
            ("{ file = \"x\" }", true),
            ("{ ask = true }", true),
            ("{ ask = false }", false),
            ("{}", false),
            ("{ env = \"X\", ask = true }", false),
            ("{ ask = true, env = \"X\" }", false),
            ("{ asks = true }", false),
        ] {
            let text = format!("{MINIMAL}[secrets]\nToken = {source}\n");
            assert_eq!(parse("media.toml", &text).is_ok(), good, "{source}");
        }
    }

    #[test]
    fn every_way_to_install_is_understood() {
        let text = format!(
            "{MINIMAL}[[packages]]\nid = \"a\"\nkind = \"application\"\ninstall = {{ command = \"x\" }}\n\
             [[packages]]\nid = \"b\"\nkind = \"application\"\ninstall = {{ apt = {{ repository = \"r\", packages = [\"b\"] }} }}\n\
             [[packages]]\nid = \"c\"\nkind = \"application\"\ninstall = {{ deb = [\"c.deb\"] }}\n\
             [[packages]]\nid = \"d\"\nkind = \"application\"\ninstall = {{ windows = [\"d.msi\"] }}\n\
             [[packages]]\nid = \"e\"\nkind = \"application\"\ninstall = {{ dnf = {{ repository = \"r\", packages = [\"e\"] }} }}\n\
             [[packages]]\nid = \"f\"\nkind = \"application\"\ninstall = {{ rpm = [\"f.rpm\"] }}\n"
        );
        let settings = parse("media.toml", &text).unwrap();
        assert!(settings.packages.iter().all(|package| package.install.is_some()));
    }
}
