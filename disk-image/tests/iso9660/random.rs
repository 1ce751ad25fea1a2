//! Random trees: whatever the planner accepts, the judges read back.

use disk_image::iso9660::{Params, SECTOR, plan};
use proptest::prelude::*;
use tempfile::tempdir;

use crate::judges::{extracts_to, seven_zip_is_content};
use crate::sample::{Sample, params};

/// Components without what Joliet refuses; lower case, so that no two differ in case only.
fn component() -> impl Strategy<Value = String> {
    "[a-z0-9äßø文ж_][a-z0-9äßø文ж_. +-]{0,40}[a-z0-9äßø文ж_]"
}

fn sample() -> impl Strategy<Value = Sample> {
    let path = prop::collection::vec(component(), 1..6);
    let entry = (path, prop::option::weighted(0.8, 0..9000_usize));
    prop::collection::vec(entry, 0..60).prop_map(|entries| {
        let mut sample = Sample::default();
        for (path, size) in entries {
            add(&mut sample, &path.join("/"), size);
        }
        sample
    })
}

/// Adds a file or, without a size, a folder, unless something is in the way.
fn add(sample: &mut Sample, path: &str, size: Option<usize>) {
    let above = path
        .match_indices('/')
        .any(|(at, _)| sample.files.contains_key(&path[..at]));
    if above || sample.files.contains_key(path) || sample.folders.contains(path) {
        return;
    }
    match size {
        Some(size) => sample.file(path, path.bytes().cycle().take(size).collect::<Vec<_>>()),
        None => sample.folder(path),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn judges_read_random_trees(sample in sample(), joliet: bool) {
        let folder = tempdir().unwrap();
        let image = folder.path().join("random.iso");
        sample.write(&Params { joliet, ..params() }, &image);
        seven_zip_is_content(&image);
        extracts_to(&image, &sample);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn extents_ascend_and_start_in_their_sectors(sample in sample()) {
        let layout = plan(&sample.tree, &params()).unwrap();
        let mut end = 0;
        for extent in &layout.extents {
            prop_assert!(extent.length > 0 && extent.offset >= end);
            end = extent.end();
            prop_assert!(extent.offset % SECTOR == 0 || extent.last, "only the backup table is not aligned");
        }
        prop_assert!(end <= layout.size);
        prop_assert_eq!(layout.size % SECTOR, 0);
    }

    #[test]
    fn any_name_is_planned_or_refused(names in prop::collection::vec(".{1,80}", 1..5), joliet: bool) {
        let mut sample = Sample::default();
        for name in names {
            // The tree itself refuses some paths.
            let _ = sample.tree.insert(&name, 0, disk_image::Content::Bytes(Vec::new()));
        }
        if let Err(error) = plan(&sample.tree, &Params { joliet, ..params() }) {
            prop_assert!(error.to_string().starts_with("planning the ISO image: "));
        }
    }
}
