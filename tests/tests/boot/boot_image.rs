//! The boot image: what it is made of, and the machines that it finds its way on.

use std::fs;

use crate::support::{self, failing_try, out, project};

/// What a machine loads before it does anything, over slow firmware and slow sticks too.
#[test]
fn kernel_and_initramfs_take_no_more_than_60_mb() {
    let listed = support::run(
        "tar",
        &["-tvf", &out("boot-image/linux-pe.tar").display().to_string()],
    );
    let size = |name: &str| -> u64 {
        let line = listed.lines().find(|line| line.ends_with(&format!(" {name}")));
        let size = line.and_then(|line| line.split_whitespace().nth(2));
        size.and_then(|size| size.parse().ok())
            .unwrap_or_else(|| panic!("no {name} in {listed}"))
    };
    let both = size("vmlinuz") + size("initrd.img");
    assert!((10_000_000..=60_000_000).contains(&both), "{both} bytes");
}

/// What scripts/rustc-linking-statically is for; the workers need libraries of this computer.
#[test]
fn the_runtime_needs_no_library_and_lies_at_a_fixed_address() {
    let headers =
        |name: &str| support::run("readelf", &["-Wlh", &out("bin").join(name).display().to_string()]);
    for name in ["media-runtime", "media-builder"] {
        let headers = headers(name);
        assert!(headers.contains("EXEC (Executable file)"), "{headers}");
        assert!(
            !headers.contains("INTERP") && !headers.contains("DYNAMIC"),
            "{headers}"
        );
    }
    assert!(headers("wim-worker").contains("INTERP"));
}

/// As the tools of others read it: sbverify, objdump and objcopy.
#[test]
fn the_boot_image_says_who_signed_its_programs_and_what_revokes_them() {
    let file = out("boot-image/linux-pe.tar");
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().display().to_string();
    support::run("tar", &["-xf", &file.display().to_string(), "-C", &place]);
    let image = media_builder::boot_image::inspect(&file).unwrap();
    let members = image.manifest.members.iter();
    let programs: Vec<_> = members.filter(|member| member.signers.is_some()).collect();
    let names: Vec<_> = programs.iter().map(|program| program.path.as_str()).collect();
    assert_eq!(
        names,
        ["vmlinuz", "efi/BOOTX64.EFI", "efi/grubx64.efi", "efi/mmx64.efi"]
    );
    for program in programs {
        let path = format!("{place}/{}", program.path);
        assert_eq!(program.signers, Some(listed_signers(&path)), "{path}");
        assert_eq!(program.sbat, listed_generations(&path), "{path}");
        assert_eq!(program.sbat.is_empty(), program.path == "vmlinuz", "{path}");
    }
}

/// Of each signature the certificate that its issuer has made.
fn listed_signers(program: &str) -> String {
    let name = |line: &str| line.rsplit("/CN=").next().unwrap().to_owned();
    let listed = support::run("sbverify", &["--list", program]);
    let signatures = listed
        .split("image signature issuers:\n")
        .skip(1)
        .map(|signature| {
            let lines: Vec<&str> = signature.lines().collect();
            let issuer = name(lines[0]);
            let mut pairs = lines.windows(2).filter(|pair| pair[0].contains("subject: "));
            let signer = pairs.find(|pair| name(pair[1]) == issuer).unwrap();
            format!("{} ({issuer})", name(signer[0]))
        });
    signatures.collect::<Vec<_>>().join(", ")
}

fn listed_generations(program: &str) -> Vec<String> {
    if !support::run("objdump", &["-h", program]).contains(" .sbat ") {
        return vec![];
    }
    let section = format!("{program}.sbat");
    support::run("objcopy", &["-O", "binary", "-j", ".sbat", program, &section]);
    let text = fs::read_to_string(section).unwrap();
    let lines = text.trim_end_matches('\0').lines();
    lines
        .map(|line| line.splitn(3, ',').take(2).collect::<Vec<_>>().join(","))
        .collect()
}

/// Most drivers of the boot image for which QEMU has the hardware.
#[test]
fn the_boot_image_finds_controllers_and_network_adapters_of_many_kinds() {
    let media = project("hardware", "iso", &[]);
    let disks = (0..8)
        .map(|number| format!("-drive\nif=none,id=more{number},driver=null-co,size=64M,read-zeroes=on"));
    let disks: Vec<String> = disks.collect();
    let devices = [
        "nvme,drive=more0,serial=MORE0",
        "virtio-scsi-pci,id=virtio",
        "scsi-hd,bus=virtio.0,drive=more1",
        "pvscsi,id=vmware",
        "scsi-hd,bus=vmware.0,drive=more2",
        "mptsas1068,id=lsi",
        "scsi-hd,bus=lsi.0,drive=more3",
        "megasas-gen2,id=raid",
        "scsi-hd,bus=raid.0,drive=more4",
        "qemu-xhci,id=more-usb",
        "usb-storage,bus=more-usb.0,drive=more5",
        "usb-uas,id=uas,bus=more-usb.0",
        "scsi-hd,bus=uas.0,drive=more6",
        "sdhci-pci,id=slot",
        "sd-card,drive=more7",
        "e1000",
        "e1000e",
        "vmxnet3",
        "usb-net,bus=more-usb.0",
    ];
    let devices = devices.map(|device| format!("-device\n{device}"));
    let more: Vec<&str> = disks.iter().chain(&devices).map(String::as_str).collect();
    let (status, said) = support::our_qemu::try_with_hardware(&media, &["--firmware=uefi"], &more);
    assert_eq!(status, Some(0), "{said}");
}

/// Under translation a kernel may panic without a fault of its own, so the machine is started again; not for ever.
#[test]
fn a_kernel_that_panics_is_started_again_and_named_at_last() {
    let media = project("panic", "iso", &[]);
    let said = failing_try(&media, &["--firmware=bios", "--no-disk"]);
    assert_eq!(said.matches("power is cut, and comes back").count(), 2, "{said}");
    assert!(
        said.contains("the kernel of the machine gave up: Kernel panic - not syncing: sysrq triggered crash"),
        "{said}"
    );
}
