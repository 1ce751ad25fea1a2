//! Changes a hive in memory.

use std::io;

use media_format::hive::{Edit, MOST_DATA, Value};

use crate::libhivex::{Entry, Hive, Node};
use crate::read::{find, names, same};

/// Makes one change.
pub(crate) fn apply(hive: &mut Hive, edit: &Edit) -> io::Result<()> {
    match edit {
        Edit::CreateKey { key } => make(hive, key).map(drop),
        Edit::SetValue { key, name, value } => {
            let node = make(hive, key)?;
            set(hive, node, name, value)
        }
        Edit::DeleteValue { key, name } => match find(hive, key)? {
            Some(node) => unset(hive, node, name),
            None => Ok(()),
        },
        Edit::DeleteKey { key } => match find(hive, key)? {
            Some(node) => hive.delete(node),
            None => Ok(()),
        },
    }
}

fn make(hive: &mut Hive, path: &str) -> io::Result<Node> {
    let mut node = hive.root()?;
    for name in names(path) {
        node = match hive.child(node, name)? {
            Some(child) => child,
            None => hive.add_child(node, name)?,
        };
    }
    Ok(node)
}

fn set(hive: &mut Hive, node: Node, name: &str, value: &Value) -> io::Result<()> {
    let (kind, data) = value.encode();
    let mut values = values(hive, node)?;
    match values.iter_mut().find(|entry| same(&entry.name, name)) {
        Some(entry) => (entry.kind, entry.data) = (kind, data),
        None => values.push(Entry {
            name: name.into(),
            kind,
            data,
        }),
    }
    hive.set_values(node, &values)
}

fn unset(hive: &mut Hive, node: Node, name: &str) -> io::Result<()> {
    let mut values = values(hive, node)?;
    let before = values.len();
    values.retain(|entry| !same(&entry.name, name));
    match values.len() == before {
        true => Ok(()),
        false => hive.set_values(node, &values),
    }
}

/// All values of a key that is about to be changed: libhivex can only write them together, and writes large data in a
/// form that Windows does not read.
fn values(hive: &Hive, node: Node) -> io::Result<Vec<Entry>> {
    let values = hive.values(node)?;
    match values.iter().find(|entry| entry.data.len() > MOST_DATA) {
        Some(large) => Err(io::Error::other(format!(
            "the key holds the value {:?} of {} bytes, and a key with more than {MOST_DATA} in one cannot be changed",
            large.name,
            large.data.len()
        ))),
        None => Ok(values),
    }
}
