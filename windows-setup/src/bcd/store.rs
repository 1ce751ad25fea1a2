//! A store as a whole: read from a hive's keys, compared, and turned into edits.

use std::collections::BTreeMap;

use media_format::hive::{Edit, Key, Value};
use thiserror::Error;
use uuid::Uuid;

use super::element::{Element, braced};
use super::object::{Object, ObjectType};

const DESCRIPTION: &str = "Description";
const OBJECTS: &str = "Objects";
/// What Windows calls every system store.
const KEY_NAME: &str = "BCD00000000";

/// What a store holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Store {
    /// Its objects.
    pub objects: BTreeMap<Uuid, Object>,
}

/// The hive is not a store.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotAStore {
    /// It has no objects.
    #[error("the hive has no key Objects, so it is not boot configuration data")]
    NoObjects,
    /// An object has a name that is no GUID, or no type.
    #[error("the object {0} of the boot configuration data has no type, or its name is not a GUID")]
    Object(String),
}

impl Store {
    /// Reads a store from the keys of its hive, which must have been read to four levels.
    pub fn read(hive: &Key) -> Result<Self, NotAStore> {
        let objects = hive.key(OBJECTS).ok_or(NotAStore::NoObjects)?;
        let object = |key: &Key| object(key).ok_or_else(|| NotAStore::Object(key.name.clone()));
        Ok(Self {
            objects: objects.keys.iter().map(object).collect::<Result<_, _>>()?,
        })
    }
}

fn object(key: &Key) -> Option<(Uuid, Object)> {
    let id = Uuid::try_parse(&key.name).ok()?;
    let kind = key.key(DESCRIPTION)?.value("Type")?.number()?;
    // Elements whose name is no number, or without a value, mean nothing to the boot manager.
    let element = |key: &Key| {
        let number = u32::from_str_radix(&key.name, 16).ok()?;
        Some((Element::new(number), key.value("Element")?.clone()))
    };
    let elements = key
        .key("Elements")
        .map(|elements| elements.keys.iter().filter_map(element));
    Some((
        id,
        Object {
            kind: ObjectType::new(u32::try_from(kind).ok()?),
            elements: elements.into_iter().flatten().collect(),
        },
    ))
}

/// What makes one store of another; of an empty one, a new one. Nothing that is right already is touched.
#[must_use]
pub fn edits(from: &Store, to: &Store) -> Vec<Edit> {
    let mut edits = vec![
        Edit::set(DESCRIPTION, "KeyName", Value::Sz(KEY_NAME.into())),
        Edit::set(DESCRIPTION, "System", Value::Dword(1)),
        Edit::create(OBJECTS),
    ];
    let gone = from.objects.keys().filter(|id| !to.objects.contains_key(id));
    edits.extend(gone.map(|id| Edit::DeleteKey { key: key(*id) }));
    for (id, object) in &to.objects {
        edits.extend(object_edits(&key(*id), from.objects.get(id), object));
    }
    edits
}

fn key(id: Uuid) -> String {
    format!(r"{OBJECTS}\{}", braced(id))
}

fn object_edits(key: &str, from: Option<&Object>, to: &Object) -> Vec<Edit> {
    let element_key = |element: &Element| format!(r"{key}\Elements\{element}");
    let mut edits = Vec::new();
    if from.map(|from| from.kind) != Some(to.kind) {
        let kind = Value::Dword(to.kind.number());
        edits.push(Edit::set(format!(r"{key}\{DESCRIPTION}"), "Type", kind));
        edits.push(Edit::create(format!(r"{key}\Elements")));
    }
    let before = from.map(|from| from.elements.clone()).unwrap_or_default();
    let gone = before.keys().filter(|element| !to.elements.contains_key(element));
    edits.extend(gone.map(|element| Edit::DeleteKey {
        key: element_key(element),
    }));
    let changed = to
        .elements
        .iter()
        .filter(|(element, value)| before.get(element) != Some(*value));
    edits.extend(changed.map(|(element, value)| Edit::set(element_key(element), "Element", value.clone())));
    edits
}

#[cfg(test)]
mod tests {
    use super::super::element::Data;
    use super::super::object::ObjectId;
    use super::*;
    use media_format::hive::NamedValue;

    fn store(timeout: u64) -> Store {
        let elements = [(Element::TIMEOUT, Data::Integer(timeout))];
        let object = Object::new(ObjectType::BOOT_MANAGER, elements);
        Store {
            objects: BTreeMap::from([(ObjectId::BOOT_MANAGER, object)]),
        }
    }

    #[test]
    fn only_differences_become_edits() {
        let manager = r"Objects\{9dea862c-5cdd-4e70-acc1-f32b344d4795}";
        let [.., kind, elements, timeout] = &edits(&Store::default(), &store(1))[..] else {
            panic!("too few edits")
        };
        let number = Value::Dword(0x1010_0002);
        assert_eq!(
            kind,
            &Edit::set(format!(r"{manager}\Description"), "Type", number)
        );
        assert_eq!(elements, &Edit::create(format!(r"{manager}\Elements")));
        let one = Data::Integer(1).encode();
        assert_eq!(
            timeout,
            &Edit::set(format!(r"{manager}\Elements\25000004"), "Element", one)
        );
        assert_eq!(edits(&store(1), &store(2)).len(), 4);
        assert_eq!(edits(&store(1), &store(1)).len(), 3);
        let delete = Edit::DeleteKey { key: manager.into() };
        assert_eq!(edits(&store(1), &Store::default()).last(), Some(&delete));
    }

    #[test]
    fn a_hive_that_is_no_store_is_refused() {
        assert_eq!(Store::read(&Key::default()), Err(NotAStore::NoObjects));
        let named = |name: &str, keys| Key {
            name: name.into(),
            keys,
            values: Vec::new(),
        };
        let hive = |object| named("", vec![named("Objects", vec![object])]);
        let odd = Store::read(&hive(named("x", Vec::new())));
        assert_eq!(odd, Err(NotAStore::Object("x".into())));
        let mut described = named("Description", Vec::new());
        let id = "{9DEA862C-5CDD-4E70-ACC1-F32B344D4795}";
        assert!(Store::read(&hive(named(id, vec![described.clone()]))).is_err());
        described.values.push(NamedValue {
            name: "Type".into(),
            value: Value::Dword(0x1010_0002),
        });
        let read = Store::read(&hive(named(id, vec![described]))).unwrap();
        assert!(read.objects[&ObjectId::BOOT_MANAGER].elements.is_empty());
    }
}
