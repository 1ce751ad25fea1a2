//! From a started machine to a run: the media, the task sequence, the journal, the secrets.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Context as _, anyhow, bail};
use media_format::event::{Environment, Event};
use media_format::manifest::{SequenceEntry, hex};
use sha2::{Digest as _, Sha256};
use task_sequence::{Action, Declared, TaskSequence, Variables};

use crate::context::{Masked, Reporter};
use crate::journal::{Journal, Saved};
use crate::log::Log;
use crate::media::Media;
use crate::platform::{Platform, Result};
use crate::questions::Questions;
use crate::run::{Finished, Run};
use crate::{boot_state, finished, running};

/// Asks the person at the machine.
pub trait Operator {
    /// Shows text and reads a line; `hidden` shows nothing of what is typed.
    ///
    /// # Errors
    /// When nobody can be asked.
    fn ask(&self, question: &str, hidden: bool) -> Result<String>;
}

/// What a start of the runtime works with.
pub struct Start<'a> {
    /// The machine.
    pub platform: &'a dyn Platform,
    /// The media.
    pub media: &'a Media,
    /// Boot image or installed system.
    pub here: Environment,
    /// Inside a system: somebody has started the program there, so a new run may begin. In the boot image it always may.
    pub begins: bool,
    /// The log.
    pub log: &'a Log,
    /// The log follows the journal to the target, so that it survives restarts.
    pub log_on_target: bool,
    /// Screen and serial port.
    pub reporter: &'a dyn Reporter,
    /// Who is at the machine.
    pub operator: &'a dyn Operator,
    /// Serial console, for the part of the run inside the installed system.
    pub serial_console: Option<String>,
}

/// Begins or continues the run of this media on this machine, to its next restart or its end.
///
/// # Errors
/// When the media is damaged, or an earlier part of the run cannot be continued.
pub fn go(start: &Start<'_>) -> Result<Finished> {
    let media = start.media;
    media.refuse_copies(&start.platform.disks()?)?;
    let found = match boot_state::find(start.platform, &media.manifest.media_id)? {
        Some((saved, _)) if is_given_up(start, &saved) => {
            start.log.warning(
                "the run that was kept after a failure is given up, because the media was built anew since: a new one begins",
            );
            None
        }
        Some(found) => Some(found),
        None if start.here == Environment::Os && boot_state::clean_again(start.platform)? => {
            return Ok(cleaned(start));
        }
        None => {
            nothing_to_resume(start)?;
            None
        }
    };
    let entry = choose(start, found.as_ref().map(|(saved, _)| saved.sequence.as_str()))?;
    let (sequence, digest) = read_sequence(start, entry)?;
    let journal = match found {
        Some((saved, number)) => resume(start, saved, number, &digest)?,
        None => {
            if start.here == Environment::Os && !running::confirm(start)? {
                start
                    .log
                    .info("the run was not begun: the person at the machine said no");
                return Ok(Finished::NotBegun);
            }
            begin(start, entry, &digest)
        }
    };
    let questions = Questions::new(start.operator, media);
    let variables = variables(start, &questions, &sequence, &journal)?;
    let began = (Instant::now(), journal.saved.elapsed);
    let reporter = Masked {
        reporter: start.reporter,
        log: start.log,
    };
    let mut run = Run {
        platform: start.platform,
        media,
        sequence: &sequence,
        here: start.here,
        begins: start.begins,
        log: start.log,
        log_home: start.log.folder(),
        log_on_target: start.log_on_target,
        log_copies: Vec::new(),
        destination: Default::default(),
        reporter: &reporter,
        journal,
        variables,
        questions,
        views: Default::default(),
        exit_code: Default::default(),
        ended_by_person: false,
        began,
    };
    Ok(run.go())
}

/// Media that were corrected after the failure are there to build again, and cannot go on with what others have begun.
fn is_given_up(start: &Start<'_>, saved: &Saved) -> bool {
    let ours = saved.target.as_ref().is_some_and(|target| target.ours);
    start.here == Environment::Pe && ours && saved.failures > 0 && !is_of_media(start, saved)
}

/// Whether it began with the very media; one of an older release does not say.
fn is_of_media(start: &Start<'_>, saved: &Saved) -> bool {
    let known = &saved.manifest_digest;
    known.is_empty() || *known == start.media.manifest_digest
}

/// A run whose journal is lost cannot go on: its traces must not keep the machine from beginning anew.
fn nothing_to_resume(start: &Start<'_>) -> Result<()> {
    let media_id = &start.media.manifest.media_id;
    let lost = !boot_state::states(start.platform, media_id)?.is_empty();
    match (start.here, lost) {
        (Environment::Pe, false) => finished::check(start),
        (Environment::Pe, true) => {
            start.log.warning(
                "the journal of an earlier run is damaged, so that run cannot go on: a new one begins",
            );
            boot_state::clear_lost(start.platform, media_id)
        }
        (Environment::Os, lost) if start.begins => {
            if lost {
                start
                    .log
                    .warning("the journal of an earlier run is damaged: a new run begins");
                boot_state::give_up(start.platform, start.log, media_id)?;
            }
            Ok(())
        }
        (Environment::Os, true) => {
            boot_state::give_up(start.platform, start.log, media_id)?;
            bail!(
                "both copies of the run's journal are damaged, so the run cannot go on; start the machine from the \
                 media to build it from the beginning"
            )
        }
        (Environment::Os, false) => bail!("the journal of the run is on no disk of the machine"),
    }
}

/// A cut came while the traces of a successful run were removed.
fn cleaned(start: &Start<'_>) -> Finished {
    start
        .log
        .info("the run was complete; what was left of it is removed");
    start.reporter.event(&Event::Ended {
        succeeded: true,
        reason: None,
        captured: None,
        log: None,
    });
    Finished::Over {
        failure: None,
        finish: start.media.manifest.options.finish,
    }
}

/// The sequence with those that it runs, and the digest of all of them.
fn read_sequence(start: &Start<'_>, entry: &SequenceEntry) -> Result<(TaskSequence, String)> {
    let mut texts = BTreeMap::new();
    let mut parsed = BTreeMap::new();
    for entry in &start.media.manifest.sequences {
        let text = start.media.sequence(start.platform, entry)?;
        let sequence = task_sequence::parse(&entry.path, &text);
        let sequence = sequence.map_err(|problems| anyhow!("{}", task_sequence::render(&problems)))?;
        parsed.insert(entry.id.clone(), sequence);
        texts.insert(&entry.id, text);
    }
    let chosen = parsed.get(&entry.id).context("the media has no task sequence")?;
    let embedded = task_sequence::embed(&entry.id, chosen, &parsed);
    if let Some(problem) = embedded.problems.first() {
        bail!("{}: {problem}", entry.path);
    }
    let mut digest = Sha256::new();
    for id in std::iter::once(&entry.id).chain(&embedded.runs) {
        digest.update(&texts[id]);
    }
    Ok((embedded.sequence, hex(&digest.finalize())))
}

/// The sequence of the journal, else the only one, else the one that somebody chooses.
fn choose<'a>(start: &'a Start<'_>, resumed: Option<&str>) -> Result<&'a SequenceEntry> {
    let manifest = &start.media.manifest;
    if let Some(id) = resumed {
        let found = manifest.sequences.iter().find(|entry| entry.id == id);
        return found.with_context(|| format!("the run's task sequence \"{id}\" is not on the media"));
    }
    let offered: Vec<_> = manifest.sequences.iter().filter(|entry| !entry.hidden).collect();
    let first = *offered.first().context("the media has no task sequence")?;
    if manifest.options.unattended {
        return Ok(first);
    }
    let list: String = offered
        .iter()
        .enumerate()
        .map(|(n, entry)| format!("  {}  {}\n", n + 1, entry.name))
        .collect();
    loop {
        let question = format!(
            "\n{}\n\n{list}\nNumber of the task sequence to run: ",
            manifest.name
        );
        let answer = start.operator.ask(&question, false)?;
        let number: usize = answer.trim().parse().unwrap_or(0);
        if let Some(entry) = number.checked_sub(1).and_then(|index| offered.get(index)) {
            return Ok(entry);
        }
    }
}

fn begin(start: &Start<'_>, entry: &SequenceEntry, digest: &str) -> Journal {
    let mut journal = Journal::begin(start.media, &entry.id, digest);
    journal.saved.serial_console.clone_from(&start.serial_console);
    journal
}

fn resume(start: &Start<'_>, saved: Saved, number: u64, digest: &str) -> Result<Journal> {
    let changed = |what| {
        anyhow!(
            "{what} since this run began, so it cannot go on; start the media as it was, or erase the target's disk to \
             build from the beginning"
        )
    };
    if saved.sequence_digest != digest {
        return Err(changed("the task sequence was changed"));
    }
    if !is_of_media(start, &saved) {
        return Err(changed("the media was built anew with other content"));
    }
    let state = saved
        .target
        .as_ref()
        .map(|target| target.state.clone())
        .context("the journal names no target")?;
    let (_, device, _) = crate::context::find_partition(start.platform, &state)?;
    start.platform.recover(&device)?;
    let boot = start.platform.mount(&device, true)?;
    Ok(Journal::resume(saved, number, &boot))
}

/// The sequence's variables, then the media's, then what the run has set; secrets that travel are known before all of
/// them, since others may be made of them, and those that are asked for when they are needed.
fn variables(
    start: &Start<'_>,
    questions: &Questions<'_>,
    sequence: &TaskSequence,
    journal: &Journal,
) -> Result<Variables> {
    let options = &start.media.manifest.options;
    let carried = start.media.secrets(start.platform)?;
    let mut variables = Variables::new();
    let declared = options.secrets.iter().chain(&options.ask);
    for name in declared.chain(&journal.saved.secrets) {
        variables.declare_secret(name);
    }
    set_secrets(&mut variables, &carried)?;
    let given = given_secrets(sequence, journal);
    questions.ask_at_start(sequence, made_of(start, sequence, &given), &mut variables)?;
    let asked = variables.clone();
    sequence.set_initial(&mut variables)?;
    for (name, value) in &options.variables {
        variables.set_expanded(name, value)?;
    }
    for (name, value) in &journal.saved.variables {
        variables.set_by_engine(name, value.clone())?;
    }
    set_secrets(&mut variables, &carried)?;
    for name in &options.ask {
        // What the sequence may have given to it is not the answer.
        variables.unset(name)?;
        asked
            .get(name)
            .map_or(Ok(()), |answer| variables.set(name, answer))?;
    }
    for declared in given {
        let value = declared.value.as_deref().unwrap_or_default();
        variables.declare_secret(&declared.name);
        variables.set_expanded(&declared.name, value)?;
    }
    Ok(variables)
}

fn set_secrets(variables: &mut Variables, secrets: &BTreeMap<String, String>) -> Result<()> {
    for (name, value) in secrets {
        variables.set_secret(name, value.clone())?;
    }
    Ok(())
}

/// The secret variables that steps have set before a restart, as the sequence has them.
fn given_secrets<'a>(sequence: &'a TaskSequence, journal: &Journal) -> Vec<&'a Declared> {
    let steps = sequence.all_steps();
    let given = journal.saved.given_secrets.iter();
    given
        .filter_map(|given| match &steps.get(given.step)?.action {
            Action::SetVariables(options) => crate::steps::all_variables(options).nth(given.ordinal),
            _ => None,
        })
        .collect()
}

/// The texts that variables are made of before the first step of this start.
fn made_of<'a>(
    start: &'a Start<'_>,
    sequence: &'a TaskSequence,
    given: &'a [&Declared],
) -> impl Iterator<Item = &'a str> {
    let of_sequence = sequence.variables.iter().chain(given.iter().copied());
    let of_media = start.media.manifest.options.variables.values();
    of_sequence
        .filter_map(|declared| declared.value.as_deref())
        .chain(of_media.map(String::as_str))
}
