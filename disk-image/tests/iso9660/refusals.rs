//! Trees and parameters that are refused, with the path and what to do.

use disk_image::iso9660::{Error, Params, plan};
use disk_image::{Content, FileTree};

use crate::sample::params;

fn error_of(paths: &[&str]) -> Error {
    let mut tree = FileTree::default();
    for path in paths {
        tree.insert(path, 1, Content::Bytes(vec![0])).unwrap();
    }
    plan(&tree, &params()).unwrap_err()
}

#[test]
fn names_that_joliet_cannot_hold() {
    let long = format!("data/{}", "x".repeat(65));
    assert_eq!(
        error_of(&[&long]),
        Error::JolietNameTooLong {
            path: long,
            units: 65
        }
    );
    for character in ['*', ':', ';', '?', '\\', '\n'] {
        let path = format!("data/a{character}b/file");
        let folder = format!("data/a{character}b");
        assert_eq!(
            error_of(&[&path]),
            Error::JolietCharacter {
                path: folder,
                character
            }
        );
    }
    assert_eq!(
        error_of(&["data/end."]),
        Error::JolietTrailing {
            path: "data/end.".to_owned()
        }
    );
}

#[test]
fn names_that_differ_in_case_only() {
    let expected = Error::JolietCollision {
        path: "data/größe".to_owned(),
        other: "data/GRÖSSE".to_owned(),
    };
    assert_ne!(error_of(&["data/größe", "data/GRÖßE"]), expected);
    let expected = Error::JolietCollision {
        path: "data/größe".to_owned(),
        other: "data/GRÖßE".to_owned(),
    };
    assert_eq!(error_of(&["data/größe", "data/GRÖßE"]), expected);
}

#[test]
fn names_beyond_what_linux_reads() {
    let mut tree = FileTree::default();
    let path = format!("data/{}", "x".repeat(254));
    tree.insert(&path, 0, Content::Bytes(Vec::new())).unwrap();
    let without_joliet = Params {
        joliet: false,
        ..params()
    };
    assert_eq!(
        plan(&tree, &without_joliet).unwrap_err(),
        Error::NameTooLong { path, bytes: 254 }
    );
}

#[test]
fn what_sector_numbers_cannot_address() {
    let mut tree = FileTree::default();
    let source = Content::Source {
        source: disk_image::SourceId(0),
        offset: 0,
    };
    tree.insert("a/fits", 1 << 42, source.clone()).unwrap();
    tree.insert("b/too much", 1 << 42, source.clone()).unwrap();
    let path = "b/too much".to_owned();
    assert_eq!(plan(&tree, &params()).unwrap_err(), Error::TooLarge { path });
    let mut tree = FileTree::default();
    tree.insert("all", u64::MAX, source).unwrap();
    assert_eq!(
        plan(&tree, &params()).unwrap_err(),
        Error::TooLarge {
            path: "all".to_owned()
        }
    );
}

#[test]
fn folders_that_path_tables_cannot_number() {
    let mut tree = FileTree::default();
    for at in 0..65_535 {
        tree.insert_folder(&format!("f{at:05}")).unwrap();
    }
    assert!(
        plan(&tree, &params()).is_ok(),
        "the last of them has no folder inside"
    );
    tree.insert_folder("f65534/inner").unwrap();
    let expected = Error::TooManyFolders {
        path: "f65534/inner".to_owned(),
    };
    assert_eq!(plan(&tree, &params()).unwrap_err(), expected);
}

#[test]
fn parameters_that_their_fields_cannot_hold() {
    type Change = (&'static str, fn(&mut Params));
    let changes: [Change; 6] = [
        ("volume id", |params| params.volume_id = "lower".to_owned()),
        ("volume id", |params| params.volume_id = String::new()),
        ("volume id", |params| params.volume_id = "X".repeat(33)),
        ("volume set id", |params| {
            params.volume_set_id = "WITH-HYPHEN".to_owned()
        }),
        ("system id", |params| params.system_id = "GRÖSSE".to_owned()),
        ("application", |params| params.application = "A".repeat(129)),
    ];
    for (field, change) in changes {
        let mut params = params();
        change(&mut params);
        match plan(&FileTree::default(), &params).unwrap_err() {
            Error::Field { field: named, .. } => assert_eq!(named, field),
            other => panic!("{other}"),
        }
    }
    let late = Params {
        timestamp: 5_869_584_000,
        ..params()
    };
    assert_eq!(
        plan(&FileTree::default(), &late).unwrap_err(),
        Error::Timestamp(5_869_584_000)
    );
}

#[test]
fn messages_name_the_path_and_the_remedy() {
    let text = error_of(&["data/what?"]).to_string();
    assert_eq!(
        text,
        "planning the ISO image: the name of \"data/what?\" contains '?', which Joliet does not allow; rename it, \
         or turn Joliet off"
    );
}
