//! Media with a WinPE in virtual machines: that firmware starts what it finds on them. Programs of our own take the places
//! of Microsoft's, and say that they were started.

#[path = "../winpe/fixture.rs"]
mod fixture;

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fixture::{Fixture, run, succeeded};

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

/// A disc whose programs say that they were started, as ISO and as stick.
fn media() -> Fixture {
    let fixture = Fixture::new();
    fixture.disc("disc");
    bios_program(&fixture, "disc/boot/etfsboot.com");
    let image = "disc/efi/microsoft/boot/efisys_noprompt.bin";
    uefi_program(&fixture, "disc.efi", "disc");
    let (image, program) = (fixture.text(image), fixture.text("disc.efi"));
    run("mcopy", &["-o", "-i", &image, &program, "::EFI/BOOT/BOOTX64.EFI"]);
    uefi_program(&fixture, "disc/efi/boot/bootx64.efi", "stick");
    succeeded(&fixture.build("disc", "winpe.tar", &[]));
    fixture.project();
    fixture.succeed(&["build", "-o", "media.iso"]);
    fixture.succeed(&["build", "-o", "media.img"]);
    fixture
}

fn bios_program(fixture: &Fixture, name: &str) {
    fixture.write("program.s", BIOS_PROGRAM.as_bytes());
    let [source, object, binary] = ["program.s", "program.o", "program.bin"].map(|name| fixture.text(name));
    run("as", &["--32", &source, "-o", &object]);
    let options = ["-m", "elf_i386", "-Ttext", "0", "--oformat", "binary", "-o"];
    run("ld", &[&options[..], &[&binary, &object]].concat());
    let mut bytes = fs::read(binary).expect("the program");
    bytes.resize(4095, 0);
    bytes.push(b'8');
    fixture.write(name, &bytes);
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
    let file = fixture.text("media.img");
    let stick = [
        "-device".to_owned(),
        "qemu-xhci".to_owned(),
        "-drive".to_owned(),
        format!("if=none,id=stick,format=raw,file={file}"),
        "-device".to_owned(),
        "usb-storage,drive=stick,removable=on".to_owned(),
    ];
    says(
        &fixture,
        "stick.log",
        &with("stick.vars", &stick),
        "uefi starts stick",
    );
}
