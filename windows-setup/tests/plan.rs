//! Which drivers a machine gets.

// What cannot go on in a test fails it.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Package, WINDOWS_11, fixture, index};
use media_format::drivers::{Architecture, DriverIndex};
use windows_setup::drivers::ids::{DeviceIds, MachineDevice, PciDevice};
use windows_setup::drivers::{
    Machine, Plan, Reason, Request, System, WhyLeftOut, matches, plan, plan_package,
};

fn request() -> Request {
    Request {
        system: WINDOWS_11,
        packages: vec![],
        categories: vec![],
        best_match: true,
        allow_unsigned: false,
    }
}

fn pci(vendor: u16, device: u16, subsystem: (u16, u16), class: u32) -> MachineDevice {
    let device = PciDevice {
        vendor,
        device,
        subsystem_vendor: subsystem.0,
        subsystem_device: subsystem.1,
        revision: 1,
        class,
        port_type: None,
    };
    MachineDevice {
        location: format!("{vendor:04x}:{:04x}", device.device),
        ids: device.ids(),
    }
}

/// A laptop whose disk is behind VMD only, with a network adapter, a codec and something that nobody knows.
fn laptop() -> Vec<MachineDevice> {
    let codec = MachineDevice {
        location: "codec".into(),
        ids: DeviceIds {
            hardware: vec![
                "HDAUDIO\\FUNC_01&VEN_10EC&DEV_0256&SUBSYS_10280A20".into(),
                "HDAUDIO\\FUNC_01&VEN_10EC&DEV_0256".into(),
            ],
            compatible: vec![],
        },
    };
    vec![
        pci(0x8086, 0x15FC, (0x1028, 0x0A20), 0x020000),
        pci(0x8086, 0x9A0B, (0x1028, 0x0A20), 0x010400),
        codec,
        pci(0x1234, 0x5678, (0, 0), 0x118000),
    ]
}

/// A virtual machine of QEMU: virtio for disk and network, VMD nowhere.
fn virtual_machine() -> Vec<MachineDevice> {
    vec![
        pci(0x1AF4, 0x1001, (0x1AF4, 0x0002), 0x010000),
        pci(0x1AF4, 0x1000, (0x1AF4, 0x0001), 0x020000),
        pci(0x1234, 0x1111, (0x1AF4, 0x1100), 0x030000),
    ]
}

/// A desktop whose disk is on AHCI, with a network adapter that the package knows.
fn desktop() -> Vec<MachineDevice> {
    vec![
        pci(0x8086, 0xA352, (0x1028, 0x0871), 0x010601),
        pci(0x8086, 0x15FC, (0x1028, 0x0871), 0x020000),
    ]
}

/// A laptop whose disk is an NVMe of its own, and whose VMD is off.
fn nvme_laptop() -> Vec<MachineDevice> {
    vec![
        pci(0x144D, 0xA80A, (0x144D, 0xA801), 0x010802),
        pci(0x8086, 0x2723, (0x8086, 0x0084), 0x028000),
    ]
}

/// The parts of a controller's driver for everything of a class, as it is in Windows itself and in vendors' packages.
fn of_class(class: &str, code: &str) -> String {
    fixture("vmd.inf")
        .replace("vmd.cat", &format!("{class}.cat"))
        .replace("PCI\\VEN_8086&DEV_9A0B ; Tiger Lake", &format!("PCI\\CC_{code}"))
        .replace("VEN_8086", "VEN_FFFF")
}

/// Besides all of [`package`] a driver for every AHCI, one for every NVMe, and one for a certain NVMe.
fn storage() -> Package {
    let exact = of_class("samsung", "010802").replace("PCI\\CC_010802", "PCI\\VEN_144D&DEV_A80A");
    let mut all = package()
        .signed("ahci/ahci.inf", &of_class("ahci", "010601"), "ahci/ahci.cat")
        .signed("nvme/nvme.inf", &of_class("nvme", "010802"), "nvme/nvme.cat")
        .signed("samsung/samsung.inf", &exact, "samsung/samsung.cat");
    for folder in ["ahci", "nvme", "samsung"] {
        for file in ["vmdstor.sys", "vmdlog.dll"] {
            all = all.with(&format!("{folder}/{file}"), "x");
        }
    }
    all
}

fn package() -> Package {
    Package::default()
        .signed("net/nic.inf", &fixture("nic.inf"), "net/nic64.cat")
        .with("net/x64/nicx.sys", "x")
        .with("net/x64/lang/nicmsg.dll", "x")
        .signed("vmd/vmd.inf", &fixture("vmd.inf"), "vmd/vmd.cat")
        .with("vmd/vmdstor.sys", "x")
        .with("vmd/vmdlog.dll", "x")
        .signed("audio/audio.inf", &fixture("audio.inf"), "audio/audio.cat")
        .signed("audio/ext.inf", &fixture("ext.inf"), "audio/ext.cat")
        .signed("audio/panel.inf", &fixture("panel.inf"), "audio/panel.cat")
}

fn paths<'a>(plan: &'a Plan<'_>) -> Vec<&'a str> {
    plan.choices
        .iter()
        .map(|choice| choice.inf.path.as_str())
        .collect()
}

fn why<'a>(plan: &'a Plan<'_>, path: &str) -> &'a WhyLeftOut {
    let found = plan.left_out.iter().find(|left| left.path == path);
    &found
        .unwrap_or_else(|| panic!("{path} is not left out: {:?}", paths(plan)))
        .why
}

#[test]
fn storage_behind_vmd_comes_first_and_needed_parts_come_along() {
    let index = index(&[("drivers", &package())]);
    let devices = laptop();
    let plan = plan(&index, &devices, &request());
    assert_eq!(
        paths(&plan),
        [
            "vmd/vmd.inf",
            "audio/audio.inf",
            "audio/ext.inf",
            "audio/panel.inf",
            "net/nic.inf"
        ]
    );
    assert_eq!(plan.without_driver, [3]);
    assert!(devices[1].is_storage() && !devices[0].is_storage());
    let reason = plan.choices[0].reasons[0].to_string();
    assert_eq!(
        reason,
        "Volume Controller 9A0B for 8086:9a0b by PCI\\VEN_8086&DEV_9A0B (rank 0d302001)"
    );
    assert!(matches!(plan.choices[3].reasons[0], Reason::NeededBy(_)));
    let again = DriverIndex::parse(&index.to_bytes()).unwrap();
    assert_eq!(again, index);
}

#[test]
fn the_better_id_wins_then_the_date_then_the_version() {
    let text = fixture("nic.inf");
    let generic = text.replace("%N15FC% = N15FC, PCI\\VEN_8086&DEV_15FC&SUBSYS_0A201028", "");
    let newer = text.replace("11/02/2021", "12/02/2021");
    let higher = newer.replace("12.19.2.45", "12.19.10.1");
    let files = |text: &str| {
        let package = Package::default().signed("nic.inf", text, "nic64.cat");
        package.with("x64/nicx.sys", "x").with("x64/lang/nicmsg.dll", "x")
    };
    let newest = generic.replace("11/02/2021", "12/31/2024");
    let index = index(&[
        ("a-generic", &files(&newest)),
        ("b-exact", &files(&text)),
        ("c-newer", &files(&newer)),
        ("d-higher", &files(&higher)),
    ]);
    let found = matches(&index.infs, &Machine::new(&laptop()[..1]), &WINDOWS_11);
    let order: Vec<_> = found
        .iter()
        .map(|candidate| candidate.inf.package.as_str())
        .collect();
    assert_eq!(order, ["d-higher", "c-newer", "b-exact", "a-generic"]);
    assert_eq!(found[0].rank, 0x0DFF_0001);
    let best = plan(&index, &laptop(), &request());
    assert_eq!(best.choices.len(), 1);
    let better = WhyLeftOut::Better {
        location: "8086:15fc".into(),
        than: "d-higher/nic.inf".into(),
    };
    assert!(
        best.left_out.iter().all(|left| left.why == better),
        "{:?}",
        best.left_out
    );
    let all = Request {
        best_match: false,
        ..request()
    };
    assert_eq!(plan(&index, &laptop(), &all).choices.len(), 4);
}

#[test]
fn an_extension_goes_beside_the_driver_and_only_its_best_version() {
    let newer = fixture("ext.inf").replace("01/10/2023", "01/11/2023");
    let package = package().signed("new/ext.inf", &newer, "new/ext.cat");
    let index = index(&[("drivers", &package)]);
    let plan = plan(&index, &laptop(), &request());
    assert!(paths(&plan).contains(&"new/ext.inf") && paths(&plan).contains(&"audio/audio.inf"));
    assert!(matches!(why(&plan, "audio/ext.inf"), WhyLeftOut::Better { .. }));
}

#[test]
fn every_inf_that_stays_behind_has_its_reason() {
    let x86 = fixture("audio.inf").replace("NTamd64", "NTx86");
    let package = package()
        .with("unsigned/audio.inf", fixture("audio.inf"))
        .signed("x86/audio.inf", &x86, "x86/audio.cat")
        .signed("gap/vmd.inf", &fixture("vmd.inf"), "gap/vmd.cat")
        .with("broken/a.inf", "[Version")
        .signed(
            "other/nic.inf",
            &fixture("nic.inf")
                .replace("VEN_", "VEN_F")
                .replace("CC_02", "CC_FF"),
            "other/nic64.cat",
        )
        .with("other/x64/nicx.sys", "x")
        .with("other/x64/lang/nicmsg.dll", "x");
    let index = index(&[("drivers", &package)]);
    let plan = plan(&index, &laptop(), &request());
    let said = |path: &str| why(&plan, path).to_string();
    assert_eq!(
        said("unsigned/audio.inf"),
        "unsigned: its catalog file audio.cat is not in the package"
    );
    assert_eq!(said("x86/audio.inf"), "it is for x86");
    assert_eq!(
        said("gap/vmd.inf"),
        "the package lacks gap/vmdlog.dll, gap/vmdstor.sys"
    );
    assert!(said("broken/a.inf").starts_with("line 1: "));
    assert_eq!(*why(&plan, "other/nic.inf"), WhyLeftOut::NoDevice);
}

#[test]
fn the_system_decides_which_lists_count() {
    let index = index(&[("drivers", &package())]);
    let of = |system: System| plan(&index, &laptop(), &Request { system, ..request() });
    let server = of(System {
        product_type: System::SERVER,
        build: 20348,
        ..WINDOWS_11
    });
    assert_eq!(
        *why(&server, "net/nic.inf"),
        WhyLeftOut::OtherWindows,
        "its list for servers is empty"
    );
    let old = of(System {
        build: 14393,
        ..WINDOWS_11
    });
    assert_eq!(*why(&old, "vmd/vmd.inf"), WhyLeftOut::OtherWindows);
    let arm = of(System {
        architecture: Architecture::Arm64,
        ..WINDOWS_11
    });
    assert!(arm.choices.is_empty());
}

#[test]
fn categories_and_packages_narrow_the_choice() {
    let index = index(&[("drivers", &package())]);
    let of = |categories: &[&str]| {
        let categories = categories.iter().map(|name| (*name).to_owned()).collect();
        let plan = plan(
            &index,
            &laptop(),
            &Request {
                categories,
                ..request()
            },
        );
        plan.choices
            .iter()
            .map(|choice| choice.inf.path.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(of(&["net"]), ["net/nic.inf"]);
    assert_eq!(
        of(&["{4D36E97B-E325-11CE-BFC1-08002BE10318}", "Net"]),
        ["vmd/vmd.inf", "net/nic.inf"]
    );
    assert_eq!(of(&["DRIVERS"]).len(), 5);
    let other = plan(
        &index,
        &laptop(),
        &Request {
            packages: vec!["other".into()],
            ..request()
        },
    );
    assert!(other.choices.is_empty() && other.left_out.is_empty());
}

#[test]
fn a_whole_package_is_placed_without_looking_at_devices() {
    let package = package().with("unsigned/audio.inf", fixture("audio.inf"));
    let index = index(&[("drivers", &package)]);
    let signed = plan_package(&index, "Drivers", WINDOWS_11, false);
    assert_eq!((signed.choices.len(), signed.left_out.len()), (5, 1));
    assert_eq!(signed.choices[0].inf.path, "vmd/vmd.inf");
    assert_eq!(plan_package(&index, "drivers", WINDOWS_11, true).choices.len(), 6);
}

#[test]
fn every_kind_of_machine_gets_the_driver_of_its_disk_and_no_other() {
    let index = index(&[("drivers", &storage())]);
    let of = |devices: &[MachineDevice]| {
        let plan = plan(&index, devices, &request());
        let paths: Vec<String> = paths(&plan).into_iter().map(str::to_owned).collect();
        (paths, plan.without_driver)
    };
    // Windows has no driver for virtio's disks, and neither has the package, whose network driver takes everything of its class.
    assert_eq!(of(&virtual_machine()), (vec!["net/nic.inf".into()], vec![0, 2]));
    let (paths, without) = of(&desktop());
    assert_eq!(
        (paths, without),
        (vec!["ahci/ahci.inf".into(), "net/nic.inf".into()], vec![])
    );
    // That of the maker fits better than that of the class; nothing is for the wireless adapter.
    assert_eq!(of(&nvme_laptop()), (vec!["samsung/samsung.inf".into()], vec![1]));
    let (paths, _) = of(&laptop()[1..2]);
    assert_eq!(paths, ["vmd/vmd.inf"]);
    for devices in [virtual_machine(), desktop(), nvme_laptop(), laptop()] {
        assert_eq!(devices.iter().filter(|device| device.is_storage()).count(), 1);
    }
}

#[test]
fn the_driver_of_a_disk_is_chosen_by_its_class_where_nobody_knows_the_device() {
    let index = index(&[("drivers", &storage())]);
    let unknown = [pci(0xC0DE, 0x0001, (0, 0), 0x010802)];
    let plan = plan(&index, &unknown, &request());
    assert_eq!(paths(&plan), ["nvme/nvme.inf"]);
    assert!(plan.choices[0].inf.boot_critical);
    let reason = plan.choices[0].reasons[0].to_string();
    assert!(reason.contains("PCI\\CC_010802"), "{reason}");
}
