//! `run-script`: runs a script, from a package or written in the sequence.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::AfterCut;
use crate::package::PackageId;
use crate::setting::{Secret, Setting, settings, words};
use crate::validate::Check;
use super::{Place, StepOptions, StepType};

/// Runs a script, from a package or written in the sequence.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct RunScript {
    /// What runs the script; by the name of the file where absent.
    #[serde(skip_serializing_if = "Setting::is_absent")]
    pub interpreter: Setting<Interpreter>,
    /// The package with the script.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package: Option<PackageId>,
    /// The path of the script in the package.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The script itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inline: Option<String>,
    /// What the script is called with.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<String>,
    /// The working folder; relative to the package where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub working_folder: Option<String>,
    /// The name of the variable that receives the output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_variable: Option<String>,
    /// The exit codes that mean success; 0 and 3010 where absent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub success_codes: Vec<i64>,
    /// The account that it runs as, only in the installed system: in Windows `user` (the machine's own), `domain\\user` or
    /// `user@domain`; in Linux one of the machine's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The password of the account, better a `%VARIABLE%` than the password itself; only for Windows: Linux needs none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
}

words! {
    /// What runs a script.
    Interpreter {
        /// PowerShell.
        PowerShell = "powershell",
        /// The POSIX shell.
        Sh = "sh",
    }
}

settings!(RunScript { interpreter, package, file, inline, arguments, working_folder, output_variable, success_codes, account, password });

impl StepOptions for RunScript {
    const TYPE: StepType = StepType {
        name: "run-script",
        title: "Run PowerShell Script",
        place: Place::Both,
        after_cut: AfterCut::Stop,
        destructive: false,
    };
    const MAPPED: &'static [(&'static str, &'static str)] = Self::VARIABLES;

    fn packages(&self) -> Vec<&PackageId> {
        self.package.iter().collect()
    }

    fn check(&self, check: &mut Check<'_>) {
        match (&self.file, &self.inline) {
            (None, None) => check.error("it has no script: write `package` and `file`, or `inline`"),
            (Some(_), Some(_)) => check.error("`file` and `inline` exclude each other"),
            (Some(_), None) if self.package.is_none() => check.error("`file` needs `package`"),
            (None, Some(_)) if self.interpreter.is_absent() => {
                check.error("`inline` needs `interpreter`: \"sh\" or \"powershell\"");
            }
            _ => {}
        }
        if self.arguments.iter().any(|argument| check.refers_to_secret(argument)) {
            check.error(
                "`arguments` refer to a secret, which the list of processes would show: write it into an `inline` script",
            );
        }
        check.settable("output-variable", self.output_variable.as_deref());
        check.secret("password", self.password.as_ref());
    }
}
