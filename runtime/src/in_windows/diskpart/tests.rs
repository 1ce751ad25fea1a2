//! Scripts word by word, for the layouts that the planner makes.

use task_sequence::Action;

use super::super::fake::Fake;
use super::*;
use crate::layout::{self, Input};
use crate::platform::{Bus, Firmware};

const TABLE: &str = "0badcafe-0000-4000-8000-000000000000";
const MADE: &str = "11111111-0000-4000-8000-00000000000";

fn disk(size: u64) -> Disk {
    Disk {
        number: 2,
        ..Disk::empty(r"\\.\PhysicalDrive2", size, Bus::Nvme)
    }
}

fn planned(step: &str, firmware: Firmware) -> NewTable {
    let text = format!(
        "name = \"x\"\noperating-system = \"windows\"\n[[steps]]\ntype = \"format-and-partition-disk\"\n{step}"
    );
    let sequence = task_sequence::parse("x", &text).unwrap();
    let Action::FormatAndPartitionDisk(options) = &sequence.all_steps()[0].action else {
        panic!("another step")
    };
    let mut guids = || Uuid::nil().to_string();
    let mut input = Input {
        disk: &disk(64 << 30),
        firmware,
        windows: true,
        table_id: TABLE,
        guids: &mut guids,
    };
    layout::plan(options, &mut input).unwrap().table
}

fn lines(script: &str) -> Vec<&str> {
    assert!(script.ends_with("\r\n"));
    script.trim_end().split("\r\n").collect()
}

fn formats(table: &NewTable) -> Vec<String> {
    let with = table.partitions.iter().filter(|p| p.file_system.is_some());
    with.map(|partition| format(2, partition).unwrap()).collect()
}

/// The disk with the table as Windows has made it.
fn written(table: &NewTable) -> Disk {
    let counted = table.partitions.iter().filter(|new| new.role != Role::Extended);
    let partitions = (1..).zip(counted).map(|(number, new)| Partition {
        number,
        path: "".into(),
        id: format!("{MADE}{number}"),
        kind: String::new(),
        name: String::new(),
        attributes: 0,
        active: false,
        start: new.start,
        size: new.size,
        file_system: String::new(),
        label: String::new(),
        uuid: String::new(),
    });
    Disk {
        table_id: table.id.to_uppercase(),
        partitions: partitions.collect(),
        ..disk(64 << 30)
    }
}

#[test]
fn a_machine_with_uefi_gets_a_gpt_of_four_partitions() {
    let table = planned("", Firmware::Uefi);
    check(&table).unwrap();
    let first = empty(2, &table);
    assert_eq!(
        lines(&first),
        [
            "select disk 2",
            "online disk noerr",
            "clean",
            "convert gpt",
            "uniqueid disk id=0BADCAFE-0000-4000-8000-000000000000",
        ]
    );
    let second = create(2, &table, &[]).unwrap();
    assert_eq!(
        lines(&second),
        [
            "select disk 2",
            "create partition efi size=512 offset=1024",
            "create partition msr size=16 offset=525312",
            "create partition primary size=63982 offset=541696",
            "create partition primary size=1024 offset=66059264",
        ]
    );
    assert_eq!(
        formats(&table),
        [
            "select disk 2\r\nselect partition 1\r\nformat fs=fat32 label=\"ESP\" quick override\r\n",
            "select disk 2\r\nselect partition 3\r\nformat fs=ntfs label=\"Windows\" quick override\r\n",
            "select disk 2\r\nselect partition 4\r\nformat fs=ntfs label=\"Recovery\" quick override\r\n\
             set id=de94bba4-06d1-4d40-a16a-bfd50179d6ac override\r\n\
             gpt attributes=0x8000000000000001\r\n",
        ]
    );
}

#[test]
fn what_diskpart_makes_unasked_goes_first() {
    let table = planned("", Firmware::Uefi);
    let script = create(2, &table, &[1]).unwrap();
    let start = ["select disk 2", "select partition 1", "delete partition override"];
    assert_eq!(lines(&script)[..3], start);
}

#[test]
fn a_machine_with_a_bios_gets_an_mbr_with_an_active_system_partition() {
    let table = planned("", Firmware::Bios);
    check(&table).unwrap();
    let first = empty(2, &table);
    assert_eq!(lines(&first)[3..], ["convert mbr", "uniqueid disk id=0BADCAFE"]);
    let second = create(2, &table, &[]).unwrap();
    assert_eq!(
        lines(&second),
        [
            "select disk 2",
            "create partition primary size=512 offset=1024 id=0c",
            "active",
            "create partition primary size=63998 offset=525312 id=07",
            "create partition primary size=1024 offset=66059264 id=07",
        ]
    );
    let last = formats(&table).pop().unwrap();
    assert_eq!(lines(&last)[3..], ["set id=27 override"]);
}

#[test]
fn a_partition_without_a_file_system_is_not_formatted_and_a_full_format_is_not_quick() {
    let step = "partitions = [{ kind = \"primary\", size = \"rest\", quick = false, label = \"\" }, \
                { kind = \"recovery\", size = \"1 GiB\", file-system = \"none\" }]";
    let table = planned(step, Firmware::Uefi);
    let script = create(2, &table, &[]).unwrap();
    let end = [
        "set id=de94bba4-06d1-4d40-a16a-bfd50179d6ac override",
        "gpt attributes=0x8000000000000001",
    ];
    assert!(lines(&script).ends_with(&end), "{script}");
    assert_eq!(lines(&formats(&table)[1])[2..], ["format fs=ntfs override"]);
}

#[test]
fn logical_partitions_are_made_in_the_extended_one() {
    let step = "partitions = [{ kind = \"primary\", size = \"40 GiB\" }, { kind = \"extended\", size = \"rest\" }, \
                { kind = \"logical\", size = \"4 GiB\", label = \"Data\" }, \
                { kind = \"hidden\", size = \"1 GiB\", file-system = \"fat32\" }]";
    let table = planned(step, Firmware::Bios);
    check(&table).unwrap();
    let script = create(2, &table, &[]).unwrap();
    assert_eq!(
        lines(&script)[3..],
        [
            "create partition primary size=40960 offset=525312 id=07",
            "create partition extended size=23038 offset=42468352",
            "create partition logical size=4095 offset=42469376",
            "create partition primary size=1024 offset=66059264 id=07",
        ]
    );
    let formats = formats(&table);
    assert_eq!(lines(&formats[2])[1], "select partition 5");
    assert_eq!(
        lines(&formats[3])[2..],
        ["format fs=fat32 quick override", "set id=1c override"]
    );
    // Windows counts what can hold a volume.
    let made = as_made(&table, &written(&table)).unwrap();
    let numbers: Vec<_> = made.partitions.iter().map(|p| (p.role, p.number)).collect();
    assert_eq!(
        numbers[2..],
        [(Role::Extended, 3), (Role::Data, 3), (Role::Hidden, 4)]
    );
}

#[test]
fn a_hidden_partition_has_no_letter() {
    let step =
        "partitions = [{ kind = \"primary\", size = \"rest\" }, { kind = \"hidden\", size = \"1 GiB\" }]";
    let formatted = formats(&planned(step, Firmware::Uefi)).pop().unwrap();
    let end = [
        "format fs=ntfs quick override",
        "gpt attributes=0xc000000000000000",
    ];
    assert_eq!(lines(&formatted)[2..], end);
    let unformatted = step.replace("\"1 GiB\"", "\"1 GiB\", file-system = \"none\"");
    for (firmware, end) in [(Firmware::Uefi, end[1]), (Firmware::Bios, "set id=17 override")] {
        let script = create(2, &planned(&unformatted, firmware), &[]).unwrap();
        assert_eq!(lines(&script).last(), Some(&end));
    }
}

#[test]
fn what_diskpart_cannot_make_is_refused_by_name() {
    let refused = |change: fn(&mut NewPartition), why: &str| {
        let mut table = planned("", Firmware::Uefi);
        change(&mut table.partitions[2]);
        let error = check(&table).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    };
    refused(|p| p.file_system = Some("ext4".into()), "ext4");
    refused(|p| p.file_system = Some("fat32".into()), "32 GiB");
    refused(|p| p.role = Role::Swap, "Swap");
    refused(|p| p.label = "a\"\r\nclean".into(), "quotation marks");
    refused(|p| p.label = "Müller".into(), "ASCII");
}

#[test]
fn partitions_are_found_again_by_their_places_and_have_the_ids_that_windows_gave_them() {
    let table = planned("", Firmware::Uefi);
    let mut disk = written(&table);
    let made = as_made(&table, &disk).unwrap();
    let ids: Vec<_> = made.partitions.iter().map(|p| p.guid.clone()).collect();
    let expected: Vec<_> = (1..=4).map(|n| format!("{MADE}{n}")).collect();
    assert_eq!(ids, expected);
    disk.partitions[2].start += MIB;
    let error = as_made(&table, &disk).unwrap_err().to_string();
    assert!(error.contains("no partition of"), "{error}");
    disk.partitions.pop();
    let error = as_made(&table, &disk).unwrap_err().to_string();
    assert!(error.contains("has 3 partitions, and 4"), "{error}");
    disk.table_id = "other".into();
    let error = as_made(&table, &disk).unwrap_err().to_string();
    assert!(error.contains("identifier"), "{error}");
}

#[test]
fn a_script_is_in_the_log_and_gone_after_the_call_and_a_failure_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(folder.path());
    let file = Path::new("X:/media-runtime/diskpart.txt");
    let said = "Virtual Disk Service error:\r\nThe disk is in use.\r\n";
    let machine = Fake::default()
        .does("diskpart.exe", |machine| {
            let script = machine.read(Path::new("X:/media-runtime/diskpart.txt")).unwrap();
            assert_eq!(script.as_deref(), Some(&b"select disk 2\r\nclean\r\n"[..]));
        })
        .ends("diskpart.exe", -2147212244, said);
    let error = run(&machine, &log, file, "select disk 2\r\nclean\r\n").unwrap_err();
    assert!(error.to_string().contains("The disk is in use."), "{error}");
    assert_eq!(
        machine.ran()[0].arguments,
        ["/s", r"X:\media-runtime\diskpart.txt"]
    );
    assert!(!machine.exists(file));
    assert_eq!(machine.slept(), PAUSE);
    let (_, text) = log.files().remove(0);
    let text = String::from_utf8(text).unwrap();
    assert!(
        text.contains("  select disk 2") && text.contains("  clean"),
        "{text}"
    );
}
