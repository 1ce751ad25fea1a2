//! A Windows as small as the steps allow, and what it does by itself.

use std::path::{Path, PathBuf};

use media_format::drivers::{DriverIndex, FORMAT, Signature};
use media_format::hive::{Edit, Value};
use media_format::paths;
use media_format::wim::info::WindowsInfo;
use runtime::platform::{Data, Files as _, Output, Registry as _, Result};
use windows_setup::drivers::ids::{DeviceIds, MachineDevice};
use windows_setup::drivers::{Listing, index_inf};
use windows_setup::offline_registry::{CREATED_USER, FIRST_START};
use windows_setup::unattend::PLACE;

use crate::fixture::MediaBuilder;
use crate::hives::{hive, value};
use crate::images::{Image, Wim};
use crate::machine::Memory;
use crate::world::{Tree, Volume, file};

/// What a UEFI starts.
pub(crate) const BOOT_MANAGER: &[u8] = b"the boot manager of Windows";
pub(crate) const SYSTEM_HIVE: &str = "Windows/System32/config/SYSTEM";
pub(crate) const SOFTWARE_HIVE: &str = "Windows/System32/config/SOFTWARE";
pub(crate) const SETUP_COMPLETE: &str = "Windows/Setup/Scripts/SetupComplete.cmd";
const STATE: &str = r"Microsoft\Windows\CurrentVersion\Setup\State";
const VERSION: &str = r"Microsoft\Windows NT\CurrentVersion";
const SERVICE: &str = r"ControlSet001\Services\media-runtime";

fn sz(text: &str) -> Value {
    Value::Sz(text.into())
}

fn software(state: &str) -> Vec<u8> {
    hive(&[
        Edit::set(VERSION, "ProductName", sz("Windows 10 Pro")),
        Edit::set(VERSION, "EditionID", sz("Professional")),
        Edit::set(VERSION, "CurrentBuild", sz("26100")),
        Edit::set(VERSION, "CurrentMajorVersionNumber", Value::Dword(10)),
        Edit::set(VERSION, "CurrentMinorVersionNumber", Value::Dword(0)),
        Edit::set(STATE, "ImageState", sz(state)),
    ])
}

/// An installation in that state of set-up.
pub(crate) fn installation(state: &str) -> Tree {
    let mut volume = Volume::new("ntfs", 0);
    let system = hive(&[
        Edit::set("Select", "Current", Value::Dword(1)),
        Edit::create(r"DriverDatabase\DriverInfFiles"),
    ]);
    for (path, bytes) in [
        (SYSTEM_HIVE, system),
        (SOFTWARE_HIVE, software(state)),
        ("Windows/Boot/EFI/bootmgfw.efi", BOOT_MANAGER.to_vec()),
        ("Windows/Boot/EFI/nl-NL/bootmgfw.efi.mui", b"texts".to_vec()),
        (
            "Windows/Boot/PCAT/bootmgr",
            b"the boot manager for a BIOS".to_vec(),
        ),
        ("Windows/Boot/PCAT/memtest.exe", b"memory test".to_vec()),
        ("Windows/Boot/Fonts/segoe_slboot.ttf", b"font".to_vec()),
        ("Windows/Boot/Resources/bootres.dll", b"picture".to_vec()),
        ("Windows/explorer.exe", b"shell".to_vec()),
        (SETUP_COMPLETE, b"echo the image's own".to_vec()),
        ("pagefile.sys", b"memory".to_vec()),
    ] {
        volume.put(path, file(bytes));
    }
    volume.tree
}

/// An installation with further files.
pub(crate) fn with_files(tree: Tree, files: &[(&str, &[u8])]) -> Tree {
    let mut volume = Volume {
        tree,
        ..Volume::default()
    };
    for (path, bytes) in files {
        volume.put(path, file(*bytes));
    }
    volume.tree
}

pub(crate) fn info(arch: u32) -> WindowsInfo {
    WindowsInfo {
        arch: Some(arch),
        version: Some("10.0.26100.2033".into()),
        edition: Some("Professional".into()),
        installation_type: Some("Client".into()),
        default_language: Some("nl-NL".into()),
        ..WindowsInfo::default()
    }
}

/// An image file with one Windows.
pub(crate) fn wim(tree: &Tree, info: Option<WindowsInfo>) -> Vec<u8> {
    let mut image = Image::new("Windows 11 Pro", tree);
    image.windows = info;
    Wim { images: vec![image] }.to_bytes()
}

/// What that driver is for.
pub(crate) const INF: &str = include_str!("../../../windows-setup/tests/packages/vmd.inf");

/// A package with a driver of a disk controller, as it is indexed when media are built.
pub(crate) fn add_drivers(media: &mut MediaBuilder) {
    let signature = Signature::Listed {
        catalog: "vmd.cat".into(),
        signer: "somebody".into(),
    };
    put_drivers(media, INF, signature);
}

/// The same with that INF file and signature, in the place of one that is there.
pub(crate) fn put_drivers(media: &mut MediaBuilder, inf: &str, signature: Signature) {
    put_several_drivers(media, &[("vmd", inf, signature)]);
}

/// Drivers that each lie in a folder of that name.
pub(crate) fn put_several_drivers(media: &mut MediaBuilder, drivers: &[(&str, &str, Signature)]) {
    let files: Vec<(String, &[u8])> = drivers
        .iter()
        .flat_map(|(folder, inf, _)| files_of_driver(folder, inf))
        .collect();
    put_driver_files(media, &files, drivers);
}

/// The same with those files.
pub(crate) fn put_driver_files(
    media: &mut MediaBuilder,
    files: &[(String, &[u8])],
    drivers: &[(&str, &str, Signature)],
) {
    let files: Vec<(&str, &[u8])> = files
        .iter()
        .map(|(path, bytes)| (path.as_str(), *bytes))
        .collect();
    let listing = Listing::new("drivers", files.iter().map(|(path, _)| (*path).to_owned()));
    let infs = drivers.iter().map(|(folder, text, signature)| {
        let path = format!("{folder}/{folder}.inf");
        let inf = index_inf(&listing, &path, text.as_bytes(), &mut |_| None);
        let mut inf = inf.expect("a sound INF file");
        inf.signature = signature.clone();
        inf
    });
    let index = DriverIndex {
        format: FORMAT,
        infs: infs.collect(),
        refused: vec![],
    };
    media.add_drivers("drivers", &files, &index);
}

pub(crate) fn files_of_driver<'a>(folder: &str, inf: &'a str) -> [(String, &'a [u8]); 4] {
    let files: [(String, &[u8]); 4] = [
        (format!("{folder}.inf"), inf.as_bytes()),
        ("vmd.cat".into(), b"catalog"),
        ("vmdstor.sys".into(), b"driver"),
        ("vmdlog.dll".into(), b"messages"),
    ];
    files.map(|(name, bytes)| (format!("{folder}/{name}"), bytes))
}

/// The controller that it is for.
pub(crate) fn controller() -> MachineDevice {
    MachineDevice {
        location: "pci 0000:00:0e.0".into(),
        ids: DeviceIds {
            hardware: vec![r"PCI\VEN_8086&DEV_9A0B".into()],
            compatible: vec![r"PCI\CC_0104".into()],
        },
    }
}

/// Whether the system that runs is a Windows with the service of the runtime.
pub(crate) fn starts_service(machine: &Memory) -> bool {
    let system = machine.read(Path::new("/").join(SYSTEM_HIVE).as_path());
    system
        .ok()
        .flatten()
        .is_some_and(|hive| value(&hive, SERVICE, "Start") == Some(Value::Dword(2)))
}

/// Where the runtime lies in the system that runs.
pub(crate) fn installed_folder(machine: &Memory) -> PathBuf {
    let windows = Path::new("/").join(paths::INSTALLED_WINDOWS);
    if machine.exists(&windows) {
        windows
    } else {
        paths::INSTALLED.into()
    }
}

/// What sysprep leaves when it succeeds, and what set-up has done as it was told.
pub(crate) fn generalize(machine: &Memory) -> Result<()> {
    machine.set_value(
        &format!(r"HKLM\SOFTWARE\{FIRST_START}"),
        CREATED_USER,
        &Data::Number(1),
    )?;
    let told = machine.read(&Path::new("/").join(PLACE))?.unwrap_or_default();
    if String::from_utf8_lossy(&told).contains("<PreventDeviceEncryption>true<") {
        let key = r"HKLM\SYSTEM\CurrentControlSet\Control\BitLocker";
        machine.set_value(key, "PreventDeviceEncryption", &Data::Number(1))?;
    }
    let state = Data::Text("IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE".into());
    machine.set_value(&format!(r"HKLM\SOFTWARE\{STATE}"), "ImageState", &state)
}

/// Where the recovery environment of a Windows lies that does not use it.
pub(crate) const WINRE: &str = "Windows/System32/Recovery/Winre.wim";

/// Where it lies when it is used, without a partition for it.
pub(crate) const WINRE_IN_USE: &str = "Recovery/WindowsRE/Winre.wim";

/// Windows brings it back.
pub(crate) fn disable_recovery(machine: &Memory) -> Result<Output> {
    let [used, unused] = [WINRE_IN_USE, WINRE].map(|path| Path::new("/").join(path));
    if let Some(bytes) = machine.read(&used)? {
        machine.put_by_program(&unused, &bytes, 0o644)?;
        machine.remove(&used)?;
    }
    Ok(Output::default())
}

const CLIENT_SETUP: &str = r"HKLM\SYSTEM\CurrentControlSet\Services\ccmsetup";
const CLIENT_CERTIFICATE: &str = r"HKLM\SOFTWARE\Microsoft\SystemCertificates\SMS\Certificates\0A1B";
const CLIENT: &str = r"HKLM\SYSTEM\CurrentControlSet\Services\CcmExec";

/// The set-up of the ConfigMgr client goes on as a service when its program has ended.
pub(crate) fn begin_client_setup(machine: &Memory, fails: bool) -> Result<Output> {
    machine.set_value(CLIENT_SETUP, "Fails", &Data::Number(fails.into()))?;
    Ok(Output::default())
}

/// So does its removal.
pub(crate) fn begin_client_removal(machine: &Memory) -> Result<Output> {
    machine.set_value(CLIENT_SETUP, "Removes", &Data::Number(1))?;
    Ok(Output::default())
}

/// While somebody waits that service comes to its end.
pub(crate) fn end_client_setup(machine: &Memory) {
    if machine
        .value(CLIENT_SETUP, "Removes")
        .is_ok_and(|value| value.is_some())
    {
        let _ = machine
            .remove_key(CLIENT)
            .and_then(|()| machine.remove_key(CLIENT_SETUP));
        return;
    }
    let fails = machine.value(CLIENT_SETUP, "Fails").ok().flatten();
    // A cut of power leaves it as it is.
    let _ = match fails {
        Some(Data::Number(0)) => machine
            .set_value(CLIENT, "Start", &Data::Number(2))
            .and_then(|()| machine.set_value(CLIENT_CERTIFICATE, "Blob", &Data::Number(1)))
            .and_then(|()| machine.remove_key(CLIENT_SETUP)),
        Some(_) => machine.remove_key(CLIENT_SETUP),
        None => Ok(()),
    };
}

/// Where Windows keeps drivers, each in a folder of its own.
pub(crate) const DRIVER_STORE: &str = "Windows/System32/DriverStore/FileRepository";

/// Windows takes drivers into its store.
pub(crate) fn take_drivers(machine: &Memory, infs: &str) -> Result<Output> {
    let place = infs.replace('\\', "/");
    let Some(folder) = place.strip_suffix("/*.inf") else {
        anyhow::bail!("pnputil: {infs}")
    };
    let store = Path::new("/").join(DRIVER_STORE);
    if machine.exists(Path::new("/no-pnputil")) {
        anyhow::bail!("starting pnputil.exe: no such file")
    }
    let world = machine.world();
    let (at, key, _) = world.locate(Path::new(folder));
    let below = world.volume(&at).below(&key);
    drop(world);
    for path in below.iter().filter(|path| path.ends_with(".inf")) {
        let path = Path::new("/").join(path);
        let bytes = machine.read(&path)?.unwrap_or_default();
        let name = path.file_name().unwrap();
        machine.put_by_program(&store.join(name).join(name), &bytes, 0o644)?;
    }
    // No device of this machine needs one.
    Ok(Output {
        code: 259,
        ..Output::default()
    })
}
