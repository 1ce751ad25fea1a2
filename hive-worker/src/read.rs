//! Answers questions about a hive.

use std::io;

use media_format::hive::protocol::{Answer, Query, Read};
use media_format::hive::{Key, NamedValue, Value};

use crate::base_block;
use crate::failure::Failure;
use crate::libhivex::{Entry, Hive, Node};

/// Keys and values of one answer. Whoever asks for more has asked for the wrong thing, or of a crafted hive.
const MOST_FOUND: usize = 200_000;

pub(crate) fn run(read: &Read) -> Result<Vec<Answer>, Failure> {
    base_block::check(&read.hive)?;
    let name = read.hive.display();
    let hive = Hive::open(&read.hive).map_err(|e| damaged(format!("opening {name}"), &e))?;
    let answer =
        |query| answer(&hive, query).map_err(|e| damaged(format!("reading {} of {name}", asked(query)), &e));
    read.queries.iter().map(answer).collect()
}

fn asked(query: &Query) -> String {
    match query {
        Query::Value { key, name } => format!("the value {name} of {key}"),
        Query::Key { key, .. } => format!("the key {key}"),
    }
}

/// A failure of libhivex on a file that looked like a hive.
pub(crate) fn damaged(doing: String, error: &io::Error) -> Failure {
    let failure = Failure::io(doing, error);
    match error.kind() {
        io::ErrorKind::OutOfMemory | io::ErrorKind::StorageFull | io::ErrorKind::ReadOnlyFilesystem => {
            failure
        }
        _ => failure.hint("the hive may be damaged: apply the image again, or restore the file"),
    }
}

fn answer(hive: &Hive, query: &Query) -> io::Result<Answer> {
    match query {
        Query::Value { key, name } => {
            let Some(node) = find(hive, key)? else {
                return Ok(Answer::Value(None));
            };
            let found = hive
                .values(node)?
                .into_iter()
                .find(|entry| same(&entry.name, name));
            Ok(Answer::Value(found.map(value)))
        }
        Query::Key { key, depth } => {
            let Some(node) = find(hive, key)? else {
                return Ok(Answer::Key(None));
            };
            let depth = (*depth).min(Query::DEEPEST);
            let found = Reader {
                hive,
                room: MOST_FOUND,
            }
            .key(node, depth)?;
            Ok(Answer::Key(Some(found)))
        }
    }
}

/// The key at a path.
pub(crate) fn find(hive: &Hive, path: &str) -> io::Result<Option<Node>> {
    let mut node = hive.root()?;
    for name in names(path) {
        match hive.child(node, name)? {
            Some(child) => node = child,
            None => return Ok(None),
        }
    }
    Ok(Some(node))
}

/// The names in a path; the root has none.
pub(crate) fn names(path: &str) -> impl Iterator<Item = &str> {
    path.split('\\').filter(|name| !name.is_empty())
}

/// Names are compared as libhivex does it.
pub(crate) fn same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

fn value(entry: Entry) -> Value {
    Value::decode(entry.kind, entry.data)
}

struct Reader<'a> {
    hive: &'a Hive,
    room: usize,
}

impl Reader<'_> {
    fn key(&mut self, node: Node, depth: u32) -> io::Result<Key> {
        let values = self.hive.values(node)?;
        let children = self.hive.children(node)?;
        self.take(values.len() + children.len())?;
        let named = |entry: Entry| NamedValue {
            name: entry.name.clone(),
            value: value(entry),
        };
        let below = |child| match depth {
            0 => Ok(Key {
                name: self.hive.name(child)?,
                ..Key::default()
            }),
            _ => self.key(child, depth - 1),
        };
        Ok(Key {
            keys: children.into_iter().map(below).collect::<io::Result<_>>()?,
            values: values.into_iter().map(named).collect(),
            name: self.hive.name(node)?,
        })
    }

    fn take(&mut self, count: usize) -> io::Result<()> {
        let left = self.room.checked_sub(count);
        self.room =
            left.ok_or_else(|| io::Error::other(format!("more than {MOST_FOUND} keys and values")))?;
        Ok(())
    }
}
