//! `run-command-line`: runs a command.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::AfterCut;
use crate::package::PackageId;
use crate::setting::{Secret, Setting, settings};
use crate::validate::Check;
use super::{Place, StepOptions, StepType};

/// Runs a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RunCommandLine {
    /// The command with its arguments, for `sh` in the Linux PE and in Linux, for `cmd /c` in Windows and Windows PE. The Linux PE has no
    /// programs of Windows, in a sequence for Windows either: such a step belongs behind `setup-os`.
    pub command: String,
    /// The package whose folder is the working folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<PackageId>,
    /// The working folder; relative to the package where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_folder: Option<String>,
    /// The name of the variable that receives the output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_variable: Option<String>,
    /// The exit codes that mean success; 0 and 3010 where absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub success_codes: Vec<i64>,
    /// The account that it runs as, only in the installed system: in Windows `user` (the machine's own), `domain\\user` or
    /// `user@domain`; in Linux one of the machine's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The password of the account, better a `%VARIABLE%` than the password itself; only for Windows: Linux needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// Whether the command is left out of logs and screen.
    #[serde(default, skip_serializing_if = "Setting::is_absent")]
    pub hide_command: Setting<bool>,
}

settings!(RunCommandLine { command, package, working_folder, output_variable, success_codes, account, password, hide_command });

impl StepOptions for RunCommandLine {
    const TYPE: StepType = StepType {
        name: "run-command-line",
        title: "Run Command Line",
        place: Place::Both,
        after_cut: AfterCut::Stop,
        destructive: false,
    };
    const MAPPED: &'static [(&'static str, &'static str)] = Self::VARIABLES;

    fn packages(&self) -> Vec<&PackageId> {
        self.package.iter().collect()
    }

    fn check(&self, check: &mut Check<'_>) {
        if self.command.trim().is_empty() {
            check.error("`command` is empty");
        }
        if check.refers_to_secret(&self.command) {
            check.warning(
                "`command` refers to a secret: a program that gets it as an argument shows it in the list of \
                 processes; hand it over through standard input, as in: printf %s '%SECRET%' | program",
            );
        }
        check.settable("output-variable", self.output_variable.as_deref());
        check.secret("password", self.password.as_ref());
    }
}
