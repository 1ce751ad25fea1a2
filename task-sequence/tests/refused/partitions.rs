//! Disks, partitions, and the volumes that images come onto.

use crate::media::{found, media, step, with_variables};

#[test]
fn extended_logical_and_hidden_partitions_are_made_where_the_table_has_them() {
    let disk = |style: &str, partitions: &str| {
        // A semicolon stands between the settings of one partition.
        let one = |text: &str| format!("{{ {} }}", text.replace(';', ","));
        let list: Vec<String> = partitions.split(", ").map(one).collect();
        let settings = format!("{style}\npartitions = [{}]", list.join(", "));
        found("linux", &step("format-and-partition-disk", &settings), &media())
    };
    let (any, gpt, mbr) = ("", "style = 'gpt'", "style = 'mbr'");
    let primary = "kind = 'primary'; size = '10%'";
    let extended = "kind = 'extended'; size = 'rest'";
    let logical = "kind = 'logical'; size = '1 GB'";
    let hidden = "kind = 'hidden'; size = '1 GB'";
    let with = |kind: &str, setting: &str| format!("{kind}; {setting}");
    let list = |all: &[&str]| all.join(", ");
    let six = list(&[primary, primary, extended, logical, logical, logical]);
    let rest = "kind = 'logical'; size = 'rest'";
    for (style, partitions, wanted) in [
        (any, list(&[extended, logical, rest]), ""),
        (mbr, six.clone(), ""),
        (gpt, hidden.to_owned(), ""),
        (mbr, list(&[hidden, extended, logical]), ""),
        (gpt, list(&[extended, logical]), "exist only on MBR disks"),
        (mbr, list(&[primary, six.as_str()]), "has room for 3 partitions"),
        (
            any,
            list(&[logical, extended]),
            "directly behind a partition of the kind `extended`",
        ),
        (
            any,
            list(&[extended, logical, primary, logical]),
            "directly behind",
        ),
        (
            any,
            list(&[extended, logical, "kind = 'extended'; size = '1 GB'"]),
            "one `extended` partition at most",
        ),
        (
            any,
            list(&[extended, rest, rest]),
            "rest of the extended partition",
        ),
        (
            any,
            with(extended, "file-system = 'ntfs'"),
            "holds nothing but the logical ones",
        ),
        (
            any,
            with(extended, "label = 'X'"),
            "holds nothing but the logical ones",
        ),
        (any, with(hidden, "mount-point = '/home'"), "is mounted nowhere"),
    ] {
        let said = disk(style, &partitions);
        assert!(
            said.contains(wanted) && said.is_empty() == wanted.is_empty(),
            "{partitions}: {said}"
        );
    }
}

#[test]
fn a_run_has_one_target_disk() {
    let disk = |when: &str| step("format-and-partition-disk", when);
    let uefi = "when = { firmware = 'uefi' }";
    let bios = "when = { firmware = 'bios' }";
    for (first, second, good) in [
        ("", "", false),
        (uefi, "", false),
        (uefi, uefi, false),
        (uefi, bios, true),
        ("", "disabled = true", true),
    ] {
        let said = found("linux", &(disk(first) + &disk(second)), &media());
        assert_eq!(
            !said.contains("one target disk"),
            good,
            "{first} / {second}: {said}"
        );
    }
    let group = "[[steps]]\ngroup = 'g'\nwhen = { firmware = 'uefi' }\n[[steps.steps]]\ntype = 'format-and-partition-disk'\n\
                 [[steps.steps]]\ntype = 'format-and-partition-disk'\n";
    assert!(found("linux", group, &media()).contains("one target disk"));
}

#[test]
fn an_image_onto_a_volume_that_there_will_not_be() {
    let said = |disk: &str, destination: &str| {
        let text = format!(
            "[[steps]]\ntype = 'format-and-partition-disk'\n{disk}\n\
             [[steps]]\ntype = 'apply-operating-system-image'\npackage = 'debian'\ndestination = {destination}\n"
        );
        found("linux", &text, &media())
    };
    let disk = "disk = { number = 0 }\npartitions = [{ kind = 'primary', size = '2 GB', variable = 'ROOT' }]";
    for (destination, wanted) in [
        (
            "{ disk = 1, partition = 2 }",
            "names disk 1, and the sequence partitions disk 0",
        ),
        ("{ disk = 0, partition = 7 }", "names partition 7"),
        ("{ variable = 'ROOM' }", "nothing gives the variable ROOM"),
    ] {
        let said = said(disk, destination);
        assert!(said.contains(wanted), "{destination}:\n{said}");
    }
    let logical = "disk = { number = 0 }\nstyle = 'mbr'\npartitions = [{ kind = 'extended', size = 'rest' }, \
                   { kind = 'logical', size = 'rest' }]";
    for (disk, destination) in [
        (disk, "{ disk = 0, partition = 2 }"),
        (logical, "{ disk = 0, partition = 5 }"),
        (disk, "{ variable = 'root' }"),
        (disk, "{ variable = 'OSDTargetSystemDrive' }"),
        // Which disk this is only the machine knows.
        ("disk = { only = true }", "{ disk = 1, partition = 2 }"),
    ] {
        assert_eq!(said(disk, destination), "", "{disk} {destination}");
    }
}

/// ConfigMgr's variables give the partitions where the step lists none.
#[test]
fn volumes_that_variables_describe_are_no_mistake() {
    let given = "OSDPartitions = '1'\nOSDPartitions0Type = 'Primary'\nOSDPartitions0FileSystem = 'ext4'\n\
                 OSDPartitions0VolumeLetterVariable = 'OSDISK'\n";
    let steps = "[[steps]]\ntype = 'format-and-partition-disk'\ndisk = { number = 0 }\n\
                 [[steps]]\ntype = 'apply-operating-system-image'\npackage = 'debian'\ndestination = { variable = 'OSDISK' }\n";
    assert_eq!(
        found("linux", &format!("[variables]\n{given}{steps}"), &media()),
        ""
    );
    let set = format!("[[steps]]\ntype = 'set-variables'\n[steps.variables]\n{given}{steps}");
    let set = set.replace("{ variable = 'OSDISK' }", "{ disk = 0, partition = 7 }");
    assert_eq!(found("linux", &set, &media()), "");
}

#[test]
fn partitions_of_the_other_kind_of_system_are_refused_whoever_asks_for_them() {
    let disk = step("format-and-partition-disk", "");
    let one = |part: &str, value: &str| {
        with_variables(&[("OSDPartitions", "1"), (&format!("OSDPartitions0{part}"), value)])
    };
    let linux = "it makes partitions for Linux";
    for kind in ["ext4", "XFS", "btrfs", "swap"] {
        let media = one("FileSystem", kind);
        assert!(found("windows", &disk, &media).contains(linux), "{kind}");
        assert!(!found("linux", &disk, &media).contains("error: "), "{kind}");
    }
    assert_eq!(found("windows", &disk, &one("FileSystem", "NTFS")), "");
    for kind in ["msr", "recovery"] {
        let written = format!("partitions = [{{ kind = '{kind}', size = '1 GB' }}]");
        let written = step("format-and-partition-disk", &written);
        let wanted = format!("of the kind `{kind}`, which exists only for Windows");
        for (text, media) in [(&written, media()), (&disk, one("Type", kind))] {
            let said = found("linux", text, &media);
            assert!(
                said.contains("error: ") && said.contains(&wanted),
                "{kind}: {said}"
            );
            assert!(!found("windows", text, &media).contains("error: "), "{kind}");
        }
    }
}
