//! The user's own answer files for Windows set-up: whether they can be used, with what the steps add to them.

use std::fs;

use anyhow::{Context as _, anyhow, bail};
use media_format::wim::info::WindowsInfo;
use task_sequence::steps::{ApplyNetworkSettings, ApplyOperatingSystemImage, ApplyOsSettings};
use task_sequence::{Action, MediaFacts, Variables};
use windows_setup::unattend::{self, Architecture, Image, Machine, Settings};

use super::packages::ResolvedPackage;
use super::sequences::{self, Sequence};
use super::sources::Sources;
use crate::problem::Problems;

/// Merges every answer file as the machine will do it, as far as the values of variables are known here.
pub(super) fn check(
    sequences: &[Sequence],
    facts: &MediaFacts,
    packages: &[ResolvedPackage],
    sources: &Sources,
    problems: &mut Problems,
) {
    for sequence in sequences::offered(sequences).filter(|sequence| sequence.is_for_windows()) {
        let variables = task_sequence::known_variables(&sequence.parsed, facts);
        let actions = actions(sequence, &variables);
        let applied = actions.iter().filter_map(|action| match action {
            Action::ApplyOperatingSystemImage(options) => Some(options),
            _ => None,
        });
        for options in applied {
            let Some(file) = &options.answer_file else {
                continue;
            };
            let looked_at = Look {
                options,
                file,
                packages,
                sources,
            };
            if let Err(error) = looked_at.check(&actions, &variables) {
                let text = format!("{}: the answer file {file}: {error:#}", sequence.file);
                problems.push(text);
            }
        }
    }
}

/// Of the enabled steps, those whose settings need nothing of the machine.
fn actions(sequence: &Sequence, variables: &Variables) -> Vec<Action> {
    let steps = sequence.parsed.all_steps().into_iter();
    let enabled = steps.filter(|step| !step.common.disabled);
    enabled
        .filter_map(|step| step.action.resolve(variables).ok())
        .collect()
}

struct Look<'a> {
    options: &'a ApplyOperatingSystemImage,
    file: &'a str,
    packages: &'a [ResolvedPackage],
    sources: &'a Sources,
}

impl Look<'_> {
    fn check(&self, actions: &[Action], variables: &Variables) -> anyhow::Result<()> {
        let Some(own) = self.content()? else { return Ok(()) };
        let image = self.image();
        // What is wrong with the steps alone, and what needs the machine, is said elsewhere.
        let settings = settings(actions)
            .filter(|settings| unattend::answer_file(settings, &image).is_ok())
            .unwrap_or_default();
        let merged = unattend::merge(&own, variables, &settings, &image)?;
        let is_capture = |action: &Action| matches!(action, Action::CaptureOperatingSystemImage(_));
        if merged.joins_domain && actions.iter().any(is_capture) {
            bail!("the machine is captured and must not be a member of a domain");
        }
        Ok(())
    }

    /// Nothing where the package is not known: that is said elsewhere.
    fn content(&self) -> anyhow::Result<Option<Vec<u8>>> {
        let package = self.options.answer_package.as_ref();
        let Some(package) = package.and_then(|id| self.package(id.as_str())) else {
            return Ok(None);
        };
        let base = &package.entry.path;
        let wanted = self.file.replace('\\', "/").to_lowercase();
        // The package is a folder, or the file itself.
        let is_it = |path: &str| match path.strip_prefix(base.as_str()) {
            Some("") => true,
            Some(rest) => rest.trim_start_matches('/').to_lowercase() == wanted.trim_start_matches('/'),
            None => false,
        };
        let found = package.files().find(|(path, _)| is_it(path));
        let (_, id) = found.ok_or_else(|| anyhow!("package \"{}\" does not have it", package.entry.id))?;
        let path = self.sources.path(id);
        let bytes = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        Ok(Some(bytes))
    }

    fn package(&self, id: &str) -> Option<&ResolvedPackage> {
        let mut packages = self.packages.iter();
        packages.find(|package| package.entry.id.eq_ignore_ascii_case(id))
    }

    /// The Windows that is applied; a usual one where the image does not say.
    fn image(&self) -> Image {
        let wim = self
            .package(self.options.package.as_str())
            .and_then(|package| package.wim.as_ref());
        let index = self.options.index.unwrap_or(1);
        let found = wim.and_then(|wim| wim.images.iter().find(|image| image.index == index));
        let windows = found.and_then(|image| image.windows.as_ref());
        Image {
            architecture: windows
                .and_then(|windows| Architecture::from_wim(windows.arch?))
                .unwrap_or(Architecture::Amd64),
            version: windows.and_then(version).unwrap_or((10, 0)),
        }
    }
}

fn version(windows: &WindowsInfo) -> Option<(u32, u32)> {
    let mut numbers = windows.version.as_ref()?.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

fn settings(actions: &[Action]) -> Option<Settings> {
    let (mut os, mut network) = (ApplyOsSettings::default(), ApplyNetworkSettings::default());
    for action in actions {
        match action {
            Action::ApplyOsSettings(options) => os = options.clone(),
            Action::ApplyNetworkSettings(options) => network = options.clone(),
            _ => {}
        }
    }
    // Every adapter finds one.
    let macs = (0..network.adapters.len()).map(|number| format!("02:00:00:00:00:{number:02x}"));
    let machine = Machine {
        macs: macs.collect(),
        random: [0; 24],
    };
    Settings::from_steps(&os, &network, &machine).ok()
}
