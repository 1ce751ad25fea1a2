//! The virtual machine as QEMU's arguments. Pure: what is asked for goes in, the argument list comes out.

use std::path::{Path, PathBuf};

use clap::ValueEnum;

/// What starts the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Firmware {
    /// UEFI without Secure Boot.
    Uefi,
    /// UEFI that starts only what Microsoft's keys sign.
    SecureBoot,
    /// BIOS.
    Bios,
}

/// How the media is attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Attach {
    /// As a CD in a SATA drive.
    Cdrom,
    /// As a USB stick.
    Usb,
}

/// What a disk hangs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Bus {
    /// virtio-blk.
    Virtio,
    /// AHCI.
    Sata,
    /// NVM Express.
    Nvme,
    /// virtio-scsi.
    Scsi,
    /// VMware's paravirtual SCSI, which Debian's OVMF does not start from.
    Pvscsi,
    /// LSI MegaRAID SAS, which OVMF does not start from.
    Megasas,
    /// A USB disk.
    Usb,
}

/// What runs the guest's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Accelerator {
    /// The host's processor.
    Kvm,
    /// Translation: slow, and works everywhere.
    Tcg,
}

impl Accelerator {
    /// The processor of a machine for which none is named. What is left out where code is translated: copying by instructions that
    /// are translated into a loop of single bytes; a fifth level of page tables; SMAP, with which Wine does not run in QEMU 7.2; and
    /// virtual machines in the machine, whose drivers each start would load.
    pub fn processor(self) -> &'static str {
        match self {
            Self::Kvm => "max",
            Self::Tcg => "max,erms=off,fsrm=off,la57=off,smap=off,svm=off",
        }
    }
}

/// Firmware files; the variables are this run's own copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flash {
    /// The code, read-only.
    pub code: PathBuf,
    /// The variables.
    pub variables: PathBuf,
}

/// A disk of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// Its raw image.
    pub path: PathBuf,
    /// What it hangs on.
    pub bus: Bus,
    /// Its serial number.
    pub serial: String,
    /// Bytes of its sectors.
    pub sector_size: u32,
}

/// Everything that QEMU is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// What starts it.
    pub firmware: Firmware,
    /// Firmware files; none for BIOS.
    pub flash: Option<Flash>,
    /// What runs the guest's code.
    pub accelerator: Accelerator,
    /// QEMU's name of the processor; without it all that the accelerator does well.
    pub cpu: Option<String>,
    /// Number of processors.
    pub cpus: u32,
    /// Mebibytes.
    pub memory: u64,
    /// QEMU's name of the network card; none for a machine without one.
    pub nic: Option<String>,
    /// Command that serves a connection to the share, on its standard input.
    pub share: Option<String>,
    /// The media.
    pub media: Option<(PathBuf, Attach)>,
    /// The disks.
    pub disks: Vec<Disk>,
    /// File that gets what the machine writes to its serial port.
    pub serial: PathBuf,
    /// A socket for a second QMP client.
    pub monitor: Option<PathBuf>,
    /// Whether a window shows the screen.
    pub display: bool,
    /// Whether the firmware starts the media before the disks, or after them.
    pub media_first: bool,
}

/// In the firmware's order after every disk.
const LAST: u32 = 99;

/// Address of the share inside the machine.
pub const SHARE_ADDRESS: &str = "10.0.2.100";

impl Machine {
    /// QEMU's arguments.
    pub fn arguments(&self) -> Vec<String> {
        let mut args = Arguments::default();
        self.board(&mut args);
        self.flash(&mut args);
        self.consoles(&mut args);
        self.network(&mut args);
        self.storage(&mut args);
        args.0
    }

    /// The same machine once the media has been pulled out.
    #[must_use]
    pub fn without_media(self) -> Self {
        Self { media: None, ..self }
    }

    /// Those of them that say what the machine is, without what hangs on it.
    pub(super) fn board_arguments(&self) -> Vec<String> {
        let mut args = Arguments::default();
        self.board(&mut args);
        args.0
    }

    /// QEMU before 8.1 leaves memory barriers out of the translation for a machine that can have one processor only, although devices
    /// work in another thread: a virtio disk's answer got lost, and the machine waited for ever. With room for a second one they stay.
    fn processors(&self) -> String {
        let most = match self.accelerator {
            Accelerator::Kvm => self.cpus,
            Accelerator::Tcg => self.cpus.max(2),
        };
        format!("cpus={},maxcpus={most}", self.cpus)
    }

    fn board(&self, args: &mut Arguments) {
        let smm = if self.firmware == Firmware::SecureBoot {
            "on"
        } else {
            "off"
        };
        args.pair("-machine", format!("q35,smm={smm}"));
        args.pair(
            "-accel",
            if self.accelerator == Accelerator::Kvm {
                "kvm"
            } else {
                "tcg,thread=multi"
            },
        );
        let cpu = self.cpu.as_deref().unwrap_or(self.accelerator.processor());
        args.pair("-cpu", cpu);
        args.pair("-smp", self.processors());
        args.pair("-m", self.memory.to_string());
        args.0
            .extend(["-nodefaults", "-no-user-config", "-no-reboot"].map(String::from));
        args.pair("-device", "virtio-rng-pci");
    }

    fn flash(&self, args: &mut Arguments) {
        let Some(flash) = &self.flash else { return };
        if self.firmware == Firmware::SecureBoot {
            args.pair("-global", "driver=cfi.pflash01,property=secure,value=on");
            args.pair("-global", "ICH9-LPC.disable_s3=1");
        }
        let code = escaped(&flash.code);
        let variables = escaped(&flash.variables);
        args.pair(
            "-drive",
            format!("if=pflash,format=raw,unit=0,readonly=on,file={code}"),
        );
        args.pair("-drive", format!("if=pflash,format=raw,unit=1,file={variables}"));
    }

    fn consoles(&self, args: &mut Arguments) {
        args.pair("-device", "VGA");
        args.pair("-display", if self.display { "gtk" } else { "none" });
        args.pair(
            "-chardev",
            format!("file,id=serial0,append=on,path={}", escaped(&self.serial)),
        );
        args.pair("-serial", "chardev:serial0");
        args.pair("-qmp", "stdio");
        if let Some(socket) = &self.monitor {
            args.pair("-qmp", format!("unix:{},server=on,wait=off", escaped(socket)));
        }
    }

    fn network(&self, args: &mut Arguments) {
        let Some(nic) = &self.nic else { return };
        let share = self.share.as_ref().map(|command| {
            format!(
                ",guestfwd=tcp:{SHARE_ADDRESS}:445-cmd:{}",
                command.replace(',', ",,")
            )
        });
        // Nothing of the machine reaches the host's network.
        args.pair(
            "-netdev",
            format!("user,id=net0,restrict=on{}", share.unwrap_or_default()),
        );
        args.pair("-device", format!("{nic},netdev=net0,romfile="));
    }

    fn storage(&self, args: &mut Arguments) {
        let on_usb = |disk: &Disk| disk.bus == Bus::Usb;
        let media_on_usb = matches!(self.media, Some((_, Attach::Usb)));
        if media_on_usb || self.disks.iter().any(on_usb) {
            args.pair("-device", "qemu-xhci,id=xhci");
        }
        for controller in [Bus::Scsi, Bus::Pvscsi, Bus::Megasas] {
            if self.disks.iter().any(|disk| disk.bus == controller) {
                let name = controller.scsi_controller();
                args.pair("-device", format!("{name},id={name}"));
            }
        }
        if let Some((path, attach)) = &self.media {
            media(args, path, *attach, if self.media_first { 1 } else { LAST });
        }
        let mut port = 0;
        for (number, disk) in self.disks.iter().enumerate() {
            port += u32::from(disk.bus == Bus::Sata);
            disk.device(args, number, port);
        }
    }
}

fn media(args: &mut Arguments, path: &Path, attach: Attach, boot: u32) {
    let path = escaped(path);
    match attach {
        Attach::Cdrom => {
            args.pair(
                "-drive",
                format!("if=none,id=media,format=raw,media=cdrom,readonly=on,file={path}"),
            );
            args.pair(
                "-device",
                format!("ide-cd,drive=media,bus=ide.0,bootindex={boot}"),
            );
        }
        Attach::Usb => {
            args.pair(
                "-drive",
                format!("if=none,id=media,format=raw,cache=unsafe,discard=unmap,file={path}"),
            );
            args.pair(
                "-device",
                format!("usb-storage,drive=media,bus=xhci.0,removable=on,serial=MEDIA,bootindex={boot}"),
            );
        }
    }
}

impl Bus {
    /// QEMU's name of the controller that disks of that kind hang on, and of the one in this machine.
    fn scsi_controller(self) -> &'static str {
        match self {
            Self::Pvscsi => "pvscsi",
            Self::Megasas => "megasas",
            _ => "virtio-scsi-pci",
        }
    }

    /// Whether QEMU has disks of that kind whose sectors are not those of 512 bytes.
    pub fn has_large_sectors(self) -> bool {
        !matches!(self, Self::Sata | Self::Usb)
    }
}

impl Disk {
    fn device(&self, args: &mut Arguments, number: usize, sata_port: u32) {
        let path = escaped(&self.path);
        args.pair(
            "-drive",
            format!("if=none,id=disk{number},format=raw,cache=unsafe,discard=unmap,file={path}"),
        );
        let device = match self.bus {
            Bus::Virtio => "virtio-blk-pci".to_owned(),
            // The CD has the first of the six ports.
            Bus::Sata => format!("ide-hd,bus=ide.{sata_port}"),
            Bus::Nvme => "nvme".to_owned(),
            Bus::Scsi | Bus::Pvscsi | Bus::Megasas => {
                format!("scsi-hd,bus={}.0", self.bus.scsi_controller())
            }
            Bus::Usb => "usb-storage,bus=xhci.0".to_owned(),
        };
        let sectors = match self.sector_size {
            512 => String::new(),
            size => format!(",logical_block_size={size},physical_block_size={size}"),
        };
        let (boot, serial) = (number + 2, &self.serial);
        args.pair(
            "-device",
            format!("{device},drive=disk{number},serial={serial},bootindex={boot}{sectors}"),
        );
    }
}

#[derive(Default)]
struct Arguments(Vec<String>);

impl Arguments {
    fn pair(&mut self, name: &str, value: impl Into<String>) {
        self.0.extend([name.to_owned(), value.into()]);
    }
}

/// A comma ends a value of QEMU's unless it is doubled.
fn escaped(path: &Path) -> String {
    path.display().to_string().replace(',', ",,")
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Machine {
        /// One that exists on paper only.
        pub(crate) fn example() -> Self {
            machine()
        }
    }

    fn disk(bus: Bus) -> Disk {
        Disk {
            path: "/d0".into(),
            bus,
            serial: "DISK0".into(),
            sector_size: 512,
        }
    }

    fn machine() -> Machine {
        Machine {
            firmware: Firmware::Uefi,
            flash: Some(Flash {
                code: "/code".into(),
                variables: "/vars".into(),
            }),
            accelerator: Accelerator::Tcg,
            cpu: None,
            cpus: 2,
            memory: 2048,
            nic: Some("virtio-net-pci".into()),
            share: None,
            media: Some(("/a,b.iso".into(), Attach::Cdrom)),
            disks: vec![disk(Bus::Virtio)],
            serial: "/serial".into(),
            monitor: None,
            display: false,
            media_first: true,
        }
    }

    fn has(machine: &Machine, part: &str) -> bool {
        machine.arguments().join(" ").contains(part)
    }

    #[test]
    fn the_media_is_first_read_only_and_its_name_is_escaped() {
        let machine = machine();
        assert!(has(&machine, "readonly=on,file=/a,,b.iso"));
        assert!(has(&machine, "ide-cd,drive=media,bus=ide.0,bootindex=1"));
        assert!(has(
            &machine,
            "virtio-blk-pci,drive=disk0,serial=DISK0,bootindex=2"
        ));
    }

    #[test]
    fn the_media_can_come_after_every_disk() {
        let mut machine = machine();
        machine.media_first = false;
        assert!(has(&machine, "ide-cd,drive=media,bus=ide.0,bootindex=99"));
    }

    #[test]
    fn a_processor_that_is_named_is_taken_and_else_one_that_suits_the_accelerator() {
        let mut machine = machine();
        assert!(has(&machine, "-cpu max,erms=off,"));
        machine.accelerator = Accelerator::Kvm;
        assert!(has(&machine, "-cpu max -smp"));
        machine.cpu = Some("Nehalem".into());
        assert!(has(&machine, "-cpu Nehalem -smp"));
    }

    #[test]
    fn a_translated_machine_keeps_its_barriers() {
        let mut machine = machine();
        for (accelerator, cpus, wanted) in [
            (Accelerator::Tcg, 1, "-smp cpus=1,maxcpus=2 "),
            (Accelerator::Tcg, 4, "-smp cpus=4,maxcpus=4 "),
            (Accelerator::Kvm, 1, "-smp cpus=1,maxcpus=1 "),
        ] {
            (machine.accelerator, machine.cpus) = (accelerator, cpus);
            assert!(has(&machine, wanted), "{wanted}");
        }
    }

    #[test]
    fn the_network_is_always_closed() {
        let mut machine = machine();
        assert!(has(&machine, "user,id=net0,restrict=on "));
        machine.share = Some("smbd -s 'x'".into());
        assert!(has(
            &machine,
            "restrict=on,guestfwd=tcp:10.0.2.100:445-cmd:smbd -s 'x'"
        ));
        machine.nic = None;
        assert!(!has(&machine, "-netdev"));
    }

    #[test]
    fn secure_boot_locks_the_firmware() {
        let mut machine = machine();
        assert!(has(&machine, "q35,smm=off") && !has(&machine, "secure"));
        machine.firmware = Firmware::SecureBoot;
        assert!(has(&machine, "q35,smm=on") && has(&machine, "property=secure,value=on"));
        machine.flash = None;
        assert!(!has(&machine, "pflash"));
    }

    #[test]
    fn every_bus_has_its_controller() {
        let mut machine = machine();
        machine.media = None;
        for (bus, controller, device) in [
            (Bus::Sata, "", "ide-hd,bus=ide.1,"),
            (Bus::Nvme, "", "nvme,"),
            (
                Bus::Scsi,
                "virtio-scsi-pci,id=virtio-scsi-pci",
                "scsi-hd,bus=virtio-scsi-pci.0,",
            ),
            (Bus::Pvscsi, "pvscsi,id=pvscsi", "scsi-hd,bus=pvscsi.0,"),
            (Bus::Megasas, "megasas,id=megasas", "scsi-hd,bus=megasas.0,"),
            (Bus::Usb, "qemu-xhci,id=xhci", "usb-storage,bus=xhci.0,"),
        ] {
            machine.disks[0].bus = bus;
            assert!(has(&machine, controller) && has(&machine, device), "{bus:?}");
        }
    }

    #[test]
    fn disks_of_several_kinds_hang_on_controllers_and_ports_of_their_own() {
        let mut machine = machine();
        machine.disks = [Bus::Scsi, Bus::Sata, Bus::Megasas, Bus::Sata].map(disk).to_vec();
        for part in [
            "virtio-scsi-pci,id=virtio-scsi-pci",
            "megasas,id=megasas",
            "scsi-hd,bus=virtio-scsi-pci.0,drive=disk0",
            "ide-hd,bus=ide.1,drive=disk1",
            "scsi-hd,bus=megasas.0,drive=disk2",
            "ide-hd,bus=ide.2,drive=disk3",
        ] {
            assert!(has(&machine, part), "{part}");
        }
    }

    #[test]
    fn a_disk_has_its_serial_number_and_its_sectors() {
        let mut machine = machine();
        assert!(!has(&machine, "block_size"));
        machine.disks[0].serial = "TWIN".into();
        machine.disks[0].sector_size = 4096;
        assert!(has(
            &machine,
            "serial=TWIN,bootindex=2,logical_block_size=4096,physical_block_size=4096"
        ));
    }
}
