//! Which disk a step means: by every property that it may name.

use runtime::destination;
use runtime::platform::{Bus, Disk};
use runtime::target::{Refusal, select};
use task_sequence::{Action, Variables, parse};

const GB: u64 = 1 << 30;

fn disk(number: u32, name: &str, size: u64, bus: Bus) -> Disk {
    Disk {
        number,
        serial: format!("S-{name}"),
        wwn: format!("wwn-{name}"),
        removable: bus == Bus::Usb,
        ..Disk::empty(format!("/dev/{name}"), size * GB, bus)
    }
}

/// One disk of each bus, and a stick.
fn disks() -> Vec<Disk> {
    let internal = [
        ("mmcblk0", 30, Bus::Mmc),
        ("nvme0n1", 500, Bus::Nvme),
        ("sda", 1000, Bus::Ata),
        ("sdb", 2000, Bus::Scsi),
        ("vda", 64, Bus::Virtio),
    ];
    let internal = internal.iter().zip(0..);
    let mut disks: Vec<Disk> = internal
        .map(|((name, size, bus), number)| disk(number, name, *size, *bus))
        .collect();
    disks.push(disk(0, "sdc", 8, Bus::Usb));
    disks
}

/// The disk that a step with this selector means, with those variables; `None` where several fit.
fn meant(selector: &str, variables: &[(&str, &str)]) -> Result<String, Refusal> {
    let text = format!(
        "name = 's'\noperating-system = 'linux'\n[[steps]]\ntype = 'format-and-partition-disk'\n{selector}\n"
    );
    let sequence = parse("s.toml", &text).unwrap_or_else(|found| panic!("{selector}: {found:?}"));
    let mut known = Variables::new();
    for (name, value) in variables {
        known.set(name, *value).unwrap();
    }
    let action = sequence.all_steps()[0].action.resolve(&known).unwrap();
    let Action::FormatAndPartitionDisk(options) = action else {
        panic!("{action:?}")
    };
    let rule = destination::rule(&options.disk, &known).unwrap();
    let found = select(&disks(), &rule, &[])?;
    let path = &found.disk().path;
    Ok(path.file_name().unwrap().to_string_lossy().into_owned())
}

#[test]
fn a_disk_is_known_by_each_of_its_properties() {
    for (selector, expected) in [
        ("{ number = 0 }", "mmcblk0"),
        ("{ number = 3 }", "sdb"),
        ("{ serial = 's-sda' }", "sda"),
        ("{ serial = 'WWN-sda' }", "sda"),
        ("{ min-size = '1500 GB' }", "sdb"),
        ("{ min-size = '2000 GB' }", "sdb"),
        ("{ max-size = '40 GB' }", "mmcblk0"),
        ("{ max-size = '30 GB' }", "mmcblk0"),
        ("{ min-size = '400 GB', max-size = '600 GB' }", "nvme0n1"),
        ("{ bus = 'mmc' }", "mmcblk0"),
        ("{ bus = 'nvme' }", "nvme0n1"),
        ("{ bus = 'sata' }", "sda"),
        ("{ bus = 'scsi' }", "sdb"),
        ("{ bus = 'virtio' }", "vda"),
        // A removable disk has to be named.
        ("{ bus = 'usb' }", "sdc"),
        ("{ serial = 'S-sdc' }", "sdc"),
        ("{ removable = true, max-size = '10 GB' }", "sdc"),
        ("{ min-size = '60 GB', bus = 'virtio', serial = 'S-vda' }", "vda"),
    ] {
        assert_eq!(
            meant(&format!("disk = {selector}"), &[]).as_deref(),
            Ok(expected),
            "{selector}"
        );
    }
}

#[test]
fn everything_that_is_named_must_fit_and_only_one_disk_may() {
    for selector in [
        "{ number = 5 }",
        "{ min-size = '2001 GB' }",
        "{ max-size = '29 GB' }",
        "{ max-size = '10 GB' }",
        "{ max-size = '10 GB', removable = false }",
        "{ number = 0, bus = 'nvme' }",
        "{ serial = 'S-sda', max-size = '999 GB' }",
        "{ serial = 'S-sd' }",
    ] {
        let refused = meant(&format!("disk = {selector}"), &[]).unwrap_err();
        assert!(
            matches!(refused, Refusal::NoMatch { .. }),
            "{selector}: {refused}"
        );
    }
    for (selector, expected) in [
        ("", 5),
        ("disk = { only = true }", 5),
        ("disk = { removable = true }", 6),
        ("disk = { min-size = '1000 GB' }", 2),
        ("disk = { max-size = '64 GB' }", 2),
    ] {
        let refused = meant(selector, &[]).unwrap_err();
        let is_it = matches!(refused, Refusal::Ambiguous { count, .. } if count == expected);
        assert!(is_it, "{selector}: {refused}");
    }
}

#[test]
fn a_variable_says_which_disk_where_the_step_does_not() {
    let index = [("OSDDiskIndex", "2"), ("Chosen", "4")];
    assert_eq!(meant("", &index).as_deref(), Ok("sda"));
    assert_eq!(
        meant("disk = { variable = 'Chosen' }", &index).as_deref(),
        Ok("vda")
    );
    // What the step says comes first.
    assert_eq!(meant("disk = { serial = 'S-vda' }", &index).as_deref(), Ok("vda"));
    assert_eq!(meant("disk = { number = 1 }", &index).as_deref(), Ok("nvme0n1"));
}
