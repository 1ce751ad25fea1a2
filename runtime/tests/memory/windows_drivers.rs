//! Drivers in a Windows: what cannot be used is told before the disk is erased.

use media_format::drivers::Signature;
use media_format::manifest::MediaLayout;
use windows_setup::drivers::ids::{DeviceIds, MachineDevice};

use crate::driver::{run_to_end, run_to_system};
use crate::frames::deploy_windows;
use crate::windows::{
    DRIVER_STORE, INF, files_of_driver, info, installation, put_driver_files, put_drivers,
    put_several_drivers, wim, with_files,
};
use crate::windows_runs::{BUILD_AND_CAPTURE, INSIDE, captured, media, template, with_controller};
use crate::world::World;

/// Every driver of the package, whatever the machine.
fn whole_package(more: &str) -> String {
    of_package(&deploy_windows(), more)
}

fn of_package(sequence: &str, more: &str) -> String {
    let automatic =
        "type = \"auto-apply-drivers\"\n  name = \"Apply the device drivers\"\n  packages = [\"drivers\"]";
    assert!(sequence.contains(automatic));
    let step =
        format!("type = \"apply-driver-package\"\n  name = \"Drivers\"\n  package = \"drivers\"\n{more}");
    sequence.replace(automatic, &step)
}

fn with(sequence: &str, inf: &str, signature: Signature) -> World {
    let mut media = media(MediaLayout::Iso, sequence);
    put_drivers(&mut media, inf, signature);
    with_controller(&media)
}

fn listed() -> Signature {
    Signature::Listed {
        catalog: "vmd.cat".into(),
        signer: "somebody".into(),
    }
}

#[track_caller]
fn refused_untouched(world: &World, why: &[&str]) {
    let (after, report) = run_to_end(world.clone());
    for why in why {
        assert!(report.reason().contains(why), "{why}: {}", report.reason());
    }
    assert!(
        report.reason().contains("before anything was changed"),
        "{}",
        report.reason()
    );
    assert_eq!(after.drives, world.drives);
}

#[test]
fn a_package_of_which_windows_can_use_nothing_is_refused_before_the_disk_is_erased() {
    let package = whole_package("");
    let x86 = INF.replace("NTamd64", "NTx86");
    assert_ne!(x86, INF);
    refused_untouched(
        &with(&package, &x86, listed()),
        &["no driver of the package \"drivers\"", "vmd/vmd.inf: ", "x86"],
    );
    refused_untouched(
        &with(&package, INF, Signature::Unsigned),
        &["no driver of the package \"drivers\"", "unsigned"],
    );
    // Here the step says that it takes them.
    let unsigned = whole_package("  allow-unsigned = true\n");
    let mut world = with(&unsigned, INF, Signature::Unsigned);
    world.system_hangs = true;
    let (world, report) = run_to_end(world);
    let placed = "ProgramData/media-runtime/drivers/drivers/vmd/vmd.inf";
    let system = &world.drives[0].parts[2].volume;
    assert!(system.bytes(placed).is_some(), "{}", report.log);
}

#[test]
fn drivers_for_the_disk_controller_that_are_all_unsigned_are_refused_before_the_disk_is_erased() {
    let world = with(&deploy_windows(), INF, Signature::Unsigned);
    refused_untouched(
        &world,
        &[
            "all drivers for this machine's disk controller are unsigned",
            "vmd/vmd.inf",
        ],
    );
    // What Windows can start without is passed over.
    let other = INF.replace("SERVICE_BOOT_START = 0x0", "SERVICE_BOOT_START = 0x3");
    assert_ne!(other, INF);
    let (_, report) = run_to_end(with(&deploy_windows(), &other, Signature::Unsigned));
    report.assert_succeeded();
    assert!(
        report
            .log
            .contains("unsigned, so passed over: drivers/vmd/vmd.inf"),
        "{}",
        report.log
    );
    // A machine that needs none of them is set up.
    let mut other = world;
    other.devices.clear();
    let (_, report) = run_to_end(other);
    report.assert_succeeded();
}

/// A driver of a network adapter, and the adapter.
fn network() -> (String, MachineDevice) {
    let inf = INF
        .replace("9A0B", "15FC")
        .replace("SCSIAdapter", "Net")
        .replace("4d36e97b", "4d36e972")
        .replace("SERVICE_BOOT_START = 0x0", "SERVICE_BOOT_START = 0x3");
    let device = MachineDevice {
        location: "pci 0000:00:1f.6".into(),
        ids: DeviceIds {
            hardware: vec![r"PCI\VEN_8086&DEV_15FC".into()],
            compatible: vec![r"PCI\CC_0200".into()],
        },
    };
    (inf, device)
}

#[test]
fn a_signed_driver_of_another_device_does_not_make_up_for_unsigned_ones_of_the_disk_controller() {
    let (inf, adapter) = network();
    let with_signatures = |vmd: Signature, nic: Signature| {
        let mut media = media(MediaLayout::Iso, &deploy_windows());
        put_several_drivers(&mut media, &[("nic", &inf, nic), ("vmd", INF, vmd)]);
        let mut world = with_controller(&media);
        world.devices.push(adapter.clone());
        world
    };
    let why = "all drivers for this machine's disk controller are unsigned (drivers/vmd/vmd.inf)";
    refused_untouched(&with_signatures(Signature::Unsigned, listed()), &[why]);
    // The other way round Windows reaches its disk, and the log says what the adapter lacks.
    let (_, report) = run_to_end(with_signatures(listed(), Signature::Unsigned));
    report.assert_succeeded();
    let said = "unsigned, so passed over: drivers/nic/nic.inf";
    assert!(report.log.contains(said), "{}", report.log);
}

/// The folders of the drivers that were placed for the disk controller, of those for it and for another device.
fn placed_with(settings: &str) -> Vec<String> {
    let (inf, adapter) = network();
    let older = INF.replace("03/14/2023,19.5.7.1058", "03/14/2020,17.0.0.1");
    assert_ne!(older, INF);
    let drivers = [
        ("nic", inf.as_str(), listed()),
        ("older", &older, listed()),
        ("vmd", INF, listed()),
    ];
    let step = "  packages = [\"drivers\"]\n";
    let sequence = deploy_windows();
    assert!(sequence.contains(step));
    let mut media = media(
        MediaLayout::Iso,
        &sequence.replace(step, &format!("{step}{settings}")),
    );
    put_several_drivers(&mut media, &drivers);
    let mut world = with_controller(&media);
    world.devices.push(adapter);
    let (world, report) = run_to_system(world);
    let system = &world.drives[0].parts[2].volume;
    let is_placed = |folder: &str| {
        let path = format!("ProgramData/media-runtime/drivers/drivers/{folder}/{folder}.inf");
        system.bytes(&path).is_some()
    };
    assert!(!report.starts.is_empty(), "{}", report.log);
    let folders = drivers.iter().map(|(folder, ..)| (*folder).to_owned());
    folders.filter(|folder| is_placed(folder)).collect()
}

#[test]
fn the_settings_of_the_step_say_which_of_the_fitting_drivers_are_placed() {
    assert_eq!(placed_with(""), ["nic", "vmd"]);
    assert_eq!(placed_with("  best-match = false\n"), ["nic", "older", "vmd"]);
    assert_eq!(placed_with("  categories = [\"SCSIAdapter\"]\n"), ["vmd"]);
}

#[test]
fn an_unsigned_driver_beside_a_signed_one_of_the_same_controller_is_no_reason_to_stop() {
    let mut media = media(MediaLayout::Iso, &deploy_windows());
    let drivers = [("old", INF, Signature::Unsigned), ("vmd", INF, listed())];
    put_several_drivers(&mut media, &drivers);
    let (_, report) = run_to_end(with_controller(&media));
    report.assert_succeeded();
    assert!(!report.log.contains("passed over"), "{}", report.log);
}

#[test]
fn a_packed_driver_of_the_disk_controller_is_refused_before_the_disk_is_erased() {
    let why = ["needs vmdstor.sys of the driver drivers/vmd/vmd.inf, which is packed there"];
    for sequence in [deploy_windows(), whole_package("")] {
        let mut media = media(MediaLayout::Iso, &sequence);
        let mut files = files_of_driver("vmd", INF);
        files[2].0 = "vmd/vmdstor.sy_".into();
        put_driver_files(&mut media, &files, &[("vmd", INF, listed())]);
        refused_untouched(&with_controller(&media), &why);
    }
}

/// The controller that it is for is in no machine of this run.
fn without_device(sequence: &str) -> World {
    let mut world = with(sequence, INF, listed());
    world.devices.clear();
    world
}

fn stored() -> String {
    format!("{DRIVER_STORE}/vmd.inf/vmd.inf")
}

#[test]
fn drivers_of_absent_devices_stay_in_the_system_and_in_its_captured_image() {
    let (world, report) = run_to_end(without_device(&whole_package("")));
    report.assert_succeeded();
    let system = &world.drives[0].parts[2].volume;
    assert!(system.bytes(&stored()).is_some(), "{}", report.log);
    assert!(system.below("ProgramData/media-runtime").is_empty());
    let said = r"running: pnputil.exe /add-driver \ProgramData\media-runtime\drivers\*.inf /subdirs /install";
    assert!(report.log.contains(said), "{}", report.log);
    let builds = of_package(&template(BUILD_AND_CAPTURE, &INSIDE), "");
    let (world, report) = run_to_end(without_device(&builds));
    report.assert_succeeded();
    assert!(captured(&world).images[0].tree().contains_key(&stored()));
}

#[test]
fn a_windows_that_takes_no_drivers_is_set_up_and_the_log_says_what_it_lacks() {
    let mut media = media(MediaLayout::Iso, &whole_package(""));
    let tree = with_files(installation("IMAGE_STATE_COMPLETE"), &[("no-pnputil", b"")]);
    media.put_image("windows", &wim(&tree, Some(info(9))));
    let (world, report) = run_to_end(with_controller(&media));
    report.assert_succeeded();
    assert!(world.drives[0].parts[2].volume.bytes(&stored()).is_none());
    assert!(
        report.log.contains("not taken all drivers into its driver store"),
        "{}",
        report.log
    );
}
