//! Media with a WinPE in virtual machines: that firmware starts what it finds on them. Programs of our own take the places
//! of Microsoft's, and say that they were started.

#[path = "../winpe/fixture.rs"]
mod fixture;

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use disk_image::grub;
use fixture::{Fixture, out, run, succeeded};
use media_format::paths;
use media_format::state::{BootState, Next};

/// A firmware takes a few seconds, a busy host some more.
const LIMIT: Duration = Duration::from_secs(180);
const OVMF: &str = "/usr/share/OVMF";

/// Says a word on the serial port, and then the last byte of its eight sectors: the BIOS has loaded all of it.
const BIOS_PROGRAM: &str = ".code16
    xor %ax, %ax
    mov %ax, %ds
    mov $0x3f8, %dx
    mov $text + 0x7c00, %si
1:  lodsb
    test %al, %al
    jz 2f
    out %al, %dx
    jmp 1b
2:  mov (0x7c00 + 4095), %al
    out %al, %dx
3:  hlt
    jmp 3b
text: .asciz \"bios starts \"
";

/// What `ntldr` of GRUB starts, as a boot sector of Windows would: at 2000:0, with the drive in DL and the boot sector of its
/// partition at 7C00. It says a name, the drive, and where the partition begins by that sector.
const BOOT_MANAGER: &str = ".code16
    mov %dl, %bl
    mov %cs, %ax
    mov %ax, %ds
    mov $0x3f8, %dx
    mov $text, %si
1:  lodsb
    test %al, %al
    jz 2f
    out %al, %dx
    jmp 1b
2:  mov %bl, %al
    call hex
    mov $'/', %al
    out %al, %dx
    xor %ax, %ax
    mov %ax, %ds
    mov 0x7c1d, %al
    call hex
    mov 0x7c1c, %al
    call hex
3:  hlt
    jmp 3b
hex: push %ax
    shr $4, %al
    call digit
    pop %ax
    and $15, %al
digit: add $'0', %al
    cmp $'9', %al
    jbe 4f
    add $7, %al
4:  out %al, %dx
    ret
text: .asciz \"bootmgr of NAME starts \"
";

/// A disc whose programs say that they were started, as ISO and as stick.
fn media() -> Fixture {
    let fixture = Fixture::new();
    fixture.disc("disc");
    bios_program(&fixture, "disc/boot/etfsboot.com");
    boot_manager(&fixture, "disc/bootmgr", "media");
    let image = "disc/efi/microsoft/boot/efisys_noprompt.bin";
    uefi_program(&fixture, "disc.efi", "disc");
    let (image, program) = (fixture.text(image), fixture.text("disc.efi"));
    run("mcopy", &["-o", "-i", &image, &program, "::EFI/BOOT/BOOTX64.EFI"]);
    uefi_program(&fixture, "disc/efi/boot/bootx64.efi", "stick");
    let linux_pe = out("boot-image/linux-pe.tar").display().to_string();
    succeeded(&fixture.build("disc", "winpe.tar", &["--bios-from", &linux_pe]));
    fixture.project();
    fixture.succeed(&["build", "-o", "media.iso"]);
    fixture.succeed(&["build", "-o", "media.img"]);
    fixture
}

fn bios_program(fixture: &Fixture, name: &str) {
    let mut bytes = assembled(fixture, BIOS_PROGRAM);
    bytes.resize(4095, 0);
    bytes.push(b'8');
    fixture.write(name, &bytes);
}

fn boot_manager(fixture: &Fixture, name: &str, whose: &str) {
    let program = assembled(fixture, &BOOT_MANAGER.replace("NAME", whose));
    fixture.write(name, &program);
}

fn assembled(fixture: &Fixture, program: &str) -> Vec<u8> {
    fixture.write("program.s", program.as_bytes());
    let [source, object, binary] = ["program.s", "program.o", "program.bin"].map(|name| fixture.text(name));
    run("as", &["--32", &source, "-o", &object]);
    let options = ["-m", "elf_i386", "-Ttext", "0", "--oformat", "binary", "-o"];
    run("ld", &[&options[..], &[&binary, &object]].concat());
    fs::read(binary).expect("the program")
}

/// A GRUB that says a word.
fn uefi_program(fixture: &Fixture, name: &str, word: &str) {
    fixture.write("grub.cfg", format!("echo uefi starts {word}\n").as_bytes());
    let (config, output) = (fixture.text("grub.cfg"), fixture.text(name));
    let options = [
        "-O",
        "x86_64-efi",
        "-p",
        "/",
        "-c",
        &config,
        "-o",
        &output,
        "echo",
    ];
    run("grub-mkimage", &options);
}

/// A machine that ends with the test.
struct Machine(Child);

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a machine until it says a text on its serial port.
fn says(fixture: &Fixture, name: &str, more: &[String], text: &str) {
    let log = fixture.path(name);
    let mut command = Command::new("qemu-system-x86_64");
    command.args([
        "-accel",
        "tcg",
        "-m",
        "512",
        "-display",
        "none",
        "-nic",
        "none",
        "-no-reboot",
    ]);
    command
        .args(["-machine", "q35", "-serial", &format!("file:{}", log.display())])
        .args(more);
    let child = command
        .stdin(Stdio::null())
        .spawn()
        .expect("qemu-system-x86_64 (make setup installs it)");
    let _machine = Machine(child);
    let began = Instant::now();
    loop {
        let said = String::from_utf8_lossy(&fs::read(&log).unwrap_or_default()).into_owned();
        if said.contains(text) {
            return;
        }
        assert!(began.elapsed() < LIMIT, "{name}: no \"{text}\" in {said}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// The firmware, with variables of its own.
fn uefi(fixture: &Fixture, name: &str) -> Vec<String> {
    fs::copy(format!("{OVMF}/OVMF_VARS_4M.fd"), fixture.path(name)).expect("OVMF (make setup installs it)");
    let drive = |rest: String| ["-drive".to_owned(), format!("if=pflash,format=raw,{rest}")];
    let code = drive(format!("readonly=on,file={OVMF}/OVMF_CODE_4M.fd"));
    [code, drive(format!("file={}", fixture.text(name)))].concat()
}

#[test]
fn firmware_starts_the_disc_and_the_stick() {
    let fixture = media();
    let disc = ["-cdrom".to_owned(), fixture.text("media.iso")];
    says(&fixture, "bios.log", &disc, "bios starts 8");
    let with = |name: &str, drive: &[String]| [uefi(&fixture, name), drive.to_vec()].concat();
    says(
        &fixture,
        "disc.log",
        &with("disc.vars", &disc),
        "uefi starts disc",
    );
    says(
        &fixture,
        "stick.log",
        &with("stick.vars", &usb(&fixture, 0)),
        "uefi starts stick",
    );
}

/// The media as a stick, and its place in the boot order.
fn usb(fixture: &Fixture, order: u8) -> Vec<String> {
    let file = fixture.text("media.img");
    [
        "-device".to_owned(),
        "qemu-xhci".to_owned(),
        "-drive".to_owned(),
        format!("if=none,id=stick,format=raw,file={file}"),
        "-device".to_owned(),
        format!("usb-storage,drive=stick,removable=on,bootindex={order}"),
    ]
    .into()
}

fn sata(file: &str, order: u8) -> Vec<String> {
    [
        "-drive".to_owned(),
        format!("if=none,id=disk,format=raw,file={file}"),
        "-device".to_owned(),
        format!("ide-hd,drive=disk,bus=ide.0,bootindex={order}"),
    ]
    .into()
}

/// Where the boot partition of the stick begins, in sectors, and that of the disk of [`target`].
const OF_STICK: &str = "1000";
const OF_TARGET: &str = "0800";

#[test]
fn a_bios_starts_the_stick_by_usb_and_as_a_disk() {
    let fixture = media();
    let starts = format!("bootmgr of media starts 80/{OF_STICK}");
    says(&fixture, "usb.log", &usb(&fixture, 0), &starts);
    let disk = sata(&fixture.text("media.img"), 0);
    says(&fixture, "sata.log", &disk, &starts);
}

fn media_id(fixture: &Fixture) -> String {
    let stdout = fixture.succeed(&["inspect", "media.img", "--json"]);
    let inspected: serde_json::Value = serde_json::from_str(&stdout).expect("JSON");
    let id = inspected["manifest"]["media-id"].as_str();
    id.expect("the media's id").to_owned()
}

/// A disk on which a run has a Windows, and the boot state that says what starts next.
fn target(fixture: &Fixture, name: &str, next: Next, has_manager: bool) {
    let id = media_id(fixture);
    let mut state = BootState::new(&id, next);
    state.variables.insert("loader".into(), "/bootmgr".into());
    fixture.write("state", &state.encode().expect("a block"));
    boot_manager(fixture, "manager", "target");
    fixture.write(
        "table",
        b"label: dos\nstart=1MiB, size=128MiB, type=c, bootable\n",
    );
    let disk = fixture.text(name);
    fs::File::create(&disk)
        .and_then(|file| file.set_len(160 << 20))
        .expect("a disk");
    let shell = format!("sfdisk --quiet '{disk}' < '{}'", fixture.text("table"));
    run("sh", &["-c", &shell]);
    // The boot sector says where the partition begins.
    let sectors = (128_u32 << 10).to_string();
    let options = ["-F", "32", "-h", "2048", "--offset", "2048"];
    run("mkfs.fat", &[&options[..], &[&disk, &sectors]].concat());
    let volume = format!("{disk}@@1M");
    run("mmd", &["-i", &volume, "::media-runtime"]);
    let (state, manager) = (fixture.text("state"), fixture.text("manager"));
    let place = format!("::{}", paths::state(&id));
    run("mcopy", &["-i", &volume, &state, &place]);
    if has_manager {
        run("mcopy", &["-i", &volume, &manager, "::bootmgr"]);
    }
}

/// What the runtime puts onto the disk besides, at the beginning of a run.
const STAGED_MENU: &str = include_str!("../../../runtime/src/staging/winpe.cfg");

/// GRUB in the first sectors of the disk, as the runtime writes it from the files of the stick.
fn stage_grub(fixture: &Fixture, name: &str) {
    let stick = format!("{}@@2M", fixture.text("media.img"));
    let read = |path: &str| {
        let copied = fixture.text("copied");
        run("mcopy", &["-o", "-i", &stick, &format!("::{path}"), &copied]);
        fs::read(copied).expect(path)
    };
    let grub = grub::embed(&read(paths::BIOS_BOOT), &read(paths::BIOS_CORE), 1).expect("GRUB");
    let disk = fs::File::options()
        .write(true)
        .open(fixture.path(name))
        .expect("the disk");
    disk.write_all_at(&grub.boot_code, 0).expect("writing");
    disk.write_all_at(&grub.core, 512).expect("writing");
    let menu = STAGED_MENU.replace("@STATE@", &paths::state(&media_id(fixture)));
    fixture.write("menu", menu.as_bytes());
    let (volume, menu) = (format!("{}@@1M", fixture.text(name)), fixture.text("menu"));
    run("mmd", &["-i", &volume, "::boot", "::boot/grub"]);
    run("mcopy", &["-i", &volume, &menu, "::boot/grub/grub.cfg"]);
}

/// GRUB on the disk leads to the stick's menu where the stick is, and else it starts Windows, or nothing, by the boot state.
#[test]
fn a_bios_that_starts_the_disk_first_comes_to_the_same_place() {
    let fixture = media();
    let of_media = format!("bootmgr of media starts 81/{OF_STICK}");
    let of_target = format!("bootmgr of target starts 80/{OF_TARGET}");
    // GRUB breaks the line further on.
    let waits = "goes on from its media";
    for (name, next, with_stick, starts) in [
        ("winpe", Next::Pe, true, of_media.as_str()),
        ("windows", Next::Os, true, &of_target),
        ("alone", Next::Os, false, &of_target),
        ("waits", Next::Pe, false, waits),
    ] {
        target(&fixture, name, next, true);
        stage_grub(&fixture, name);
        let mut machine = sata(&fixture.text(name), 0);
        if with_stick {
            machine.extend(usb(&fixture, 1));
        }
        says(&fixture, &format!("{name}.log"), &machine, starts);
    }
}

#[test]
fn on_a_bios_the_boot_state_says_whether_windows_or_the_winpe_starts() {
    let fixture = media();
    let boots = |name: &str, next: Next, has_manager: bool, starts: &str| {
        target(&fixture, name, next, has_manager);
        let machine = [usb(&fixture, 0), sata(&fixture.text(name), 1)].concat();
        says(&fixture, &format!("{name}.log"), &machine, starts);
    };
    let (of_media, of_target) = (
        format!("bootmgr of media starts 80/{OF_STICK}"),
        format!("bootmgr of target starts 81/{OF_TARGET}"),
    );
    boots("os", Next::Os, true, &of_target);
    boots("pe", Next::Pe, true, &of_media);
    boots("none", Next::Os, false, &of_media);
}
