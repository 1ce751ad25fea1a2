//! A Windows for tests: registry and files in memory, and programs that do what a test says.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use sha2::{Digest as _, Sha256};

use crate::platform::deadline::Deadline;
use crate::platform::{
    Account, Command, Data, Files, Machine, Network, Output, Processes, Registry, Result, System,
};

type Act = Box<dyn Fn(&Fake)>;

/// The machine.
#[derive(Default)]
pub(crate) struct Fake {
    registry: RefCell<BTreeMap<String, BTreeMap<String, Data>>>,
    files: RefCell<BTreeMap<String, Vec<u8>>>,
    answers: RefCell<BTreeMap<String, Vec<Output>>>,
    acts: RefCell<BTreeMap<String, Act>>,
    ran: RefCell<Vec<Command>>,
    changes: RefCell<Vec<String>>,
    slept: Cell<Duration>,
    deadline: Cell<Option<Deadline>>,
    pub(crate) domain: RefCell<Option<String>>,
    /// Files that CompactOS has compressed; they need not be there.
    pub(crate) packed: RefCell<BTreeSet<String>>,
    /// Volumes with the tags of their reparse points; what is not known of others cannot be asked.
    pub(crate) tags: RefCell<BTreeMap<String, BTreeSet<u32>>>,
}

fn key(text: &str) -> String {
    text.to_lowercase()
}

fn place(path: &Path) -> String {
    path.display()
        .to_string()
        .replace('\\', "/")
        .replace("//", "/")
        .to_lowercase()
}

fn base(program: &str) -> String {
    let name = program.rsplit(['/', '\\']).next().unwrap_or(program);
    name.to_lowercase()
}

impl Fake {
    /// A program ends with that code. Of several answers each is given once, and the last one for ever.
    pub(crate) fn ends(self, program: &str, code: i64, stdout: &str) -> Self {
        let output = Output {
            code,
            stdout: stdout.into(),
            stderr: String::new(),
        };
        self.answers
            .borrow_mut()
            .entry(program.into())
            .or_default()
            .push(output);
        self
    }

    /// A program says that.
    pub(crate) fn says(self, program: &str, stdout: &str) -> Self {
        self.ends(program, 0, stdout)
    }

    /// A program does that; `sleep` is whatever goes on while the runtime waits.
    pub(crate) fn does(self, program: &str, act: impl Fn(&Self) + 'static) -> Self {
        self.acts.borrow_mut().insert(program.into(), Box::new(act));
        self
    }

    pub(crate) fn put_value(&self, path: &str, name: &str, data: Data) {
        self.registry
            .borrow_mut()
            .entry(key(path))
            .or_default()
            .insert(key(name), data);
    }

    pub(crate) fn put_key(&self, path: &str) {
        self.registry.borrow_mut().entry(key(path)).or_default();
    }

    pub(crate) fn put_file(&self, path: &str, bytes: &[u8]) {
        self.files
            .borrow_mut()
            .insert(place(Path::new(path)), bytes.to_vec());
    }

    /// The programs that ran.
    pub(crate) fn ran(&self) -> Vec<Command> {
        self.ran.borrow().clone()
    }

    /// What was changed.
    pub(crate) fn changes(&self) -> Vec<String> {
        self.changes.borrow().clone()
    }

    pub(crate) fn slept(&self) -> Duration {
        self.slept.get()
    }

    fn changed(&self, what: String) {
        self.changes.borrow_mut().push(what);
    }
}

impl Registry for Fake {
    fn value(&self, path: &str, name: &str) -> Result<Option<Data>> {
        let registry = self.registry.borrow();
        Ok(registry
            .get(&key(path))
            .and_then(|values| values.get(&key(name)))
            .cloned())
    }

    fn has_key(&self, path: &str) -> Result<bool> {
        Ok(self.registry.borrow().contains_key(&key(path)))
    }

    fn values(&self, path: &str) -> Result<Vec<String>> {
        let registry = self.registry.borrow();
        let values = registry.get(&key(path));
        Ok(values
            .map(|values| values.keys().cloned().collect())
            .unwrap_or_default())
    }

    fn keys(&self, path: &str) -> Result<Vec<String>> {
        let prefix = format!("{}\\", key(path));
        let registry = self.registry.borrow();
        let below = registry.keys().filter_map(|known| known.strip_prefix(&prefix));
        let mut names: Vec<String> = below
            .map(|rest| rest.split('\\').next().unwrap_or(rest).to_owned())
            .collect();
        names.dedup();
        Ok(names)
    }

    fn set_value(&self, path: &str, name: &str, data: &Data) -> Result<()> {
        self.changed(format!("{path} {name}"));
        self.put_value(path, name, data.clone());
        Ok(())
    }

    fn remove_key(&self, path: &str) -> Result<()> {
        self.changed(path.to_owned());
        let (exact, below) = (key(path), format!("{}\\", key(path)));
        self.registry
            .borrow_mut()
            .retain(|known, _| *known != exact && !known.starts_with(&below));
        Ok(())
    }

    fn remove_value(&self, path: &str, name: &str) -> Result<()> {
        self.changed(format!("{path} {name}"));
        if let Some(values) = self.registry.borrow_mut().get_mut(&key(path)) {
            values.remove(&key(name));
        }
        Ok(())
    }
}

impl Processes for Fake {
    fn run(&self, command: &Command) -> Result<Output> {
        self.ran.borrow_mut().push(command.clone());
        let name = base(&command.program);
        if let Some(act) = self.acts.borrow().get(&name) {
            act(self);
        }
        let mut answers = self.answers.borrow_mut();
        let Some(answers) = answers.get_mut(&name) else {
            return Ok(Output::default());
        };
        Ok(if answers.len() > 1 {
            answers.remove(0)
        } else {
            answers[0].clone()
        })
    }

    fn set_deadline(&self, deadline: Option<Deadline>) {
        self.deadline.set(deadline);
    }

    fn deadline(&self) -> Option<Deadline> {
        self.deadline.get()
    }
}

impl Files for Fake {
    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>> {
        Ok(self.files.borrow().get(&place(path)).cloned())
    }

    fn write(&self, path: &Path, bytes: &[u8], _mode: u32) -> Result<()> {
        self.changed(place(path));
        self.files.borrow_mut().insert(place(path), bytes.to_vec());
        Ok(())
    }

    fn write_at(&self, path: &Path, _offset: u64, _bytes: &[u8]) -> Result<()> {
        bail!("{}: nothing here writes into files", path.display())
    }

    fn link(&self, path: &Path, _to: &str) -> Result<()> {
        bail!("{}: no links", path.display())
    }

    fn remove(&self, path: &Path) -> Result<()> {
        self.changed(place(path));
        let (exact, below) = (place(path), format!("{}/", place(path)));
        self.files
            .borrow_mut()
            .retain(|known, _| *known != exact && !known.starts_with(&below));
        Ok(())
    }

    fn wipe(&self, path: &Path) -> Result<()> {
        self.remove(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let Some(bytes) = self.files.borrow_mut().remove(&place(from)) else {
            bail!("{}: no such file", from.display())
        };
        self.write(to, &bytes, 0)
    }

    fn copy(&self, from: &Path, to: &Path) -> Result<()> {
        let Some(bytes) = self.read(from)? else {
            bail!("{}: no such file", from.display())
        };
        self.write(to, &bytes, 0)
    }

    fn exists(&self, path: &Path) -> bool {
        self.files.borrow().contains_key(&place(path)) || self.is_folder(path)
    }

    fn list(&self, path: &Path) -> Result<Vec<String>> {
        let prefix = format!("{}/", place(path));
        let files = self.files.borrow();
        let below = files.keys().filter_map(|known| known.strip_prefix(&prefix));
        let mut names: Vec<String> = below
            .map(|rest| rest.split('/').next().unwrap_or(rest).to_owned())
            .collect();
        names.dedup();
        Ok(names)
    }

    fn is_folder(&self, path: &Path) -> bool {
        self.list(path).is_ok_and(|names| !names.is_empty())
    }

    fn is_link(&self, _path: &Path) -> bool {
        false
    }

    fn modified(&self, _path: &Path) -> Option<std::time::SystemTime> {
        None
    }

    fn digest(&self, path: &Path, _progress: &mut dyn FnMut(u64)) -> Result<([u8; 32], u64)> {
        let Some(bytes) = self.read(path)? else {
            bail!("{}: no such file", path.display())
        };
        Ok((Sha256::digest(&bytes).into(), bytes.len() as u64))
    }

    fn is_packed(&self, path: &Path) -> Result<bool> {
        Ok(self.packed.borrow().contains(&place(path)))
    }

    fn reparse_tags(&self, root: &Path) -> Result<BTreeSet<u32>> {
        let tags = self.tags.borrow().get(&place(root)).cloned();
        tags.with_context(|| format!("{}: Access is denied", root.display()))
    }
}

impl Network for Fake {
    fn connect(&self, share: &str, _account: &Account, _at: Option<&Path>) -> Result<PathBuf> {
        bail!("{share}: no network")
    }

    fn disconnect(&self, _folder: &Path) -> Result<()> {
        Ok(())
    }

    fn domain(&self) -> Result<Option<String>> {
        Ok(self.domain.borrow().clone())
    }
}

impl Machine for Fake {
    fn system(&self) -> System {
        System::Windows
    }

    fn root(&self) -> PathBuf {
        PathBuf::from("C:/")
    }

    fn variables(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    fn memory(&self) -> u64 {
        0
    }

    fn now(&self) -> i64 {
        0
    }

    fn random(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }

    fn sleep(&self, time: Duration) {
        self.slept.set(self.slept.get() + time);
        if let Some(act) = self.acts.borrow().get("sleep") {
            act(self);
        }
    }

    fn hardware(&self, _class: &str) -> Vec<BTreeMap<String, String>> {
        Vec::new()
    }
}
