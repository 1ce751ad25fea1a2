//! Secrets that are asked for at the machine: when something needs them, and not again in the same start. Nothing of them
//! survives a restart, because whatever could keep them could be read by who finds it.

use std::cell::RefCell;
use std::collections::BTreeSet;

use anyhow::{Context as _, bail};
use task_sequence::{Action, TaskSequence, Variables};

use crate::media::Media;
use crate::platform::Result;
use crate::start::Operator;
use crate::steps::all_variables;

/// What is still to be asked in this start of the runtime.
pub struct Questions<'a> {
    operator: &'a dyn Operator,
    media: &'a Media,
    open: RefCell<BTreeSet<String>>,
}

impl<'a> Questions<'a> {
    /// The secrets that the media asks for, none of them asked yet.
    pub fn new(operator: &'a dyn Operator, media: &'a Media) -> Self {
        let open = RefCell::new(media.manifest.options.ask.clone());
        Self {
            operator,
            media,
            open,
        }
    }

    /// Who can be asked.
    pub fn operator(&self) -> &'a dyn Operator {
        self.operator
    }

    /// The secrets that have not been asked for.
    pub fn open(&self) -> BTreeSet<String> {
        self.open.borrow().clone()
    }

    /// Of the secrets that have not been asked for, those that the step uses.
    pub fn needed(&self, action: &Action, variables: &Variables) -> Vec<String> {
        let open = self.open.borrow();
        let needed = open
            .iter()
            .filter(|name| uses(action, name, variables, self.media));
        needed.cloned().collect()
    }

    /// Asks for what the step uses; gives whether there was something.
    ///
    /// # Errors
    /// When nobody can be asked.
    pub fn ask_for(&self, action: &Action, variables: &mut Variables) -> Result<bool> {
        let mut asked = false;
        loop {
            // An answer may show that another one is needed.
            let needed = self.needed(action, variables);
            if needed.is_empty() {
                return Ok(asked);
            }
            for name in needed {
                self.ask(&name, variables)?;
                asked = true;
            }
        }
    }

    /// Asks for a secret.
    ///
    /// # Errors
    /// When nobody can be asked.
    pub fn ask(&self, name: &str, variables: &mut Variables) -> Result<()> {
        if self.media.manifest.options.unattended {
            bail!(
                "the secret {name} is to be asked for at the machine, but the media is unattended: nobody would answer. \
                 Build it with `unattended = false`, or take the secret from the environment or a file of the build"
            );
        }
        let answer = self
            .operator
            .ask(&format!("\n  {name} (typed without being shown): "), true);
        variables.set_secret(name, answer.with_context(|| format!("asking for {name}"))?)?;
        self.open.borrow_mut().remove(name);
        Ok(())
    }

    /// Asks for what is needed before any step: for the variables that are made of a secret, and for conditions.
    ///
    /// # Errors
    /// When nobody can be asked.
    pub fn ask_at_start<'t>(
        &self,
        sequence: &TaskSequence,
        texts: impl Iterator<Item = &'t str>,
        variables: &mut Variables,
    ) -> Result<()> {
        let texts: Vec<&str> = texts.collect();
        for name in self.open() {
            let in_text = texts.iter().any(|text| Variables::refers_to(text, &name));
            if in_text || sequence.decides_by(&name) {
                self.ask(&name, variables)?;
            }
        }
        Ok(())
    }
}

/// Whether a step comes out differently with this secret than without it.
fn uses(action: &Action, name: &str, variables: &Variables, media: &Media) -> bool {
    let mut with = variables.clone();
    if with.set_secret(name, "?").is_err() {
        return false;
    }
    let own = match action {
        Action::SetVariables(options) => all_variables(options)
            .filter_map(|declared| declared.value.as_deref())
            .any(|value| Variables::refers_to(value, name)),
        Action::InstallApplications(_) | Action::InstallPackage(_) | Action::SetupOs(_) => {
            packages_use(media, name)
        }
        _ => false,
    };
    own || action.resolve(variables) != action.resolve(&with)
}

/// Whether any package's command lines refer to it: which of them are run is only known when they are.
fn packages_use(media: &Media, name: &str) -> bool {
    media.manifest.packages.iter().any(|package| {
        let own = match &package.install {
            Some(media_format::manifest::Install::Command(line)) => Some(line),
            _ => None,
        };
        own.into_iter()
            .chain(package.programs.values())
            .any(|line| Variables::refers_to(line, name))
    })
}
