//! What is left after a run, without what is random in it.

use std::collections::BTreeMap;

use media_format::paths;
use sha2::{Digest as _, Sha256};

use crate::fixture::SHARE;
use crate::frames::BOOT_WIM;
use crate::images::Wim;
use crate::world::{Entry, Node, Tree, Volume, World};

/// The end state of a world: equal for equal outcomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Every volume that is not media, by disk and number, and the shares.
    pub(crate) volumes: BTreeMap<String, BTreeMap<String, String>>,
    pub(crate) entries: Vec<Entry>,
    /// The captured trees by the path of their WIM.
    pub(crate) captured: BTreeMap<String, BTreeMap<String, String>>,
}

impl Outcome {
    /// What is there only in one of the two, or differs.
    pub(crate) fn differences(&self, other: &Self) -> Vec<String> {
        let lines = |outcome: &Self| -> std::collections::BTreeSet<String> {
            let trees = outcome.volumes.iter().chain(&outcome.captured);
            let files = trees.flat_map(|(place, tree)| {
                let entries = tree
                    .iter()
                    .map(move |(path, text)| format!("{place}: {path}: {text}"));
                entries.chain([format!("{place}: is there")])
            });
            files
                .chain(outcome.entries.iter().map(|entry| format!("{entry:?}")))
                .collect()
        };
        let (mine, others) = (lines(self), lines(other));
        let more = mine.difference(&others).map(|line| format!("+ {line}"));
        more.chain(others.difference(&mine).map(|line| format!("- {line}")))
            .collect()
    }
}

/// What a run left.
pub(crate) fn of(world: &World) -> Outcome {
    let names = names(world);
    let mut outcome = Outcome {
        volumes: BTreeMap::new(),
        entries: world.entries.clone(),
        captured: BTreeMap::new(),
    };
    for drive in &world.drives {
        for part in &drive.parts {
            let place = format!(
                "{} {} {} {}",
                drive.path.display(),
                part.number,
                part.kind,
                part.volume.kind
            );
            add(&mut outcome, &place, &part.volume, &names);
        }
    }
    for (share, found) in &world.shares {
        add(&mut outcome, share, &found.volume, &names);
    }
    outcome
}

fn add(outcome: &mut Outcome, place: &str, volume: &Volume, names: &BTreeMap<String, String>) {
    let mut plain = volume.tree.clone();
    for (path, node) in &volume.tree {
        let Node::File(bytes, _) = node else { continue };
        if path.ends_with(".wim") && !path.starts_with(paths::PACKAGES) && path != BOOT_WIM {
            let wim =
                Wim::parse(bytes).unwrap_or_else(|error| panic!("{path} is no complete image: {error}"));
            let trees = wim.images.iter().map(|image| image.tree());
            for (number, tree) in trees.enumerate() {
                outcome
                    .captured
                    .insert(format!("{path} {number}"), readable(&tree, names));
            }
            let line = plain.remove(&format!("{path}.sha256"));
            let Some(Node::File(line, _)) = line else {
                panic!("{path} has no digest beside it")
            };
            let digest = media_format::manifest::hex(&Sha256::digest(bytes.as_slice()));
            assert!(
                String::from_utf8_lossy(&line).starts_with(&digest),
                "the digest beside {path} is another"
            );
            plain.remove(path);
        }
    }
    plain.retain(|path, _| !path.split('/').any(|part| part == paths::LOGS));
    outcome.volumes.insert(place.to_owned(), readable(&plain, names));
}

/// Random identifiers by what they stand for.
fn names(world: &World) -> BTreeMap<String, String> {
    let parts = world
        .drives
        .iter()
        .flat_map(|drive| drive.parts.iter().map(move |part| (drive, part)));
    parts
        .map(|(drive, part)| {
            (
                part.id.clone(),
                format!("[{} {}]", drive.path.display(), part.number),
            )
        })
        .collect()
}

fn readable(tree: &Tree, names: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    tree.iter()
        .map(|(path, node)| (path.clone(), text(path, node, names)))
        .collect()
}

fn text(path: &str, node: &Node, names: &BTreeMap<String, String>) -> String {
    match node {
        Node::Folder => "folder".into(),
        Node::Link(to) => format!("link to {to}"),
        // GUIDs of partitions, and passwords that nobody knows.
        Node::File(..) if path.ends_with("/BCD") || path.ends_with("/Unattend.xml") => "is there".into(),
        Node::File(bytes, _) if path.contains("ssh_host_") => format!("{} random bytes", bytes.len()),
        Node::File(bytes, mode) => {
            let text = String::from_utf8_lossy(bytes).into_owned();
            let text = names.iter().fold(text, |text, (id, name)| text.replace(id, name));
            // A salted hash of a password.
            let text = text.split("$6$").next().unwrap_or_default().to_owned();
            format!("{mode:o} {text}")
        }
    }
}

/// The one captured tree on the share.
pub(crate) fn captured(world: &World, path: &str) -> Option<Tree> {
    let bytes = world.shares[SHARE].volume.bytes(path)?;
    Some(Wim::parse(bytes).expect("a complete image").images[0].tree())
}
