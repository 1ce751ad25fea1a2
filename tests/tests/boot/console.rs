//! Somebody at the machine: keys are pressed, and the screen is looked at, over QEMU's monitor.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Processors, own, project};

/// By translation a machine starts in half a minute; beside other tests it takes longer.
const LIMIT: Duration = Duration::from_secs(400);

/// A machine without disks that has started from an ISO; it ends with the test.
pub(super) struct Console {
    machine: Child,
    serial: PathBuf,
    _held: Processors,
}

impl Console {
    /// Starts it with a BIOS.
    pub(super) fn start(iso: &Path) -> Self {
        let held = Processors::take(1);
        let serial = own("console", "log");
        let mut command = Command::new("qemu-system-x86_64");
        command
            .args(["-accel", "tcg", "-machine", "q35", "-m", "1G", "-nic", "none"])
            .args(["-display", "none", "-monitor", "stdio", "-cdrom"])
            .arg(iso)
            .arg("-serial")
            .arg(format!("file:{}", serial.display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::null());
        let machine = command
            .spawn()
            .expect("qemu-system-x86_64 (make setup installs it)");
        Self {
            machine,
            serial,
            _held: held,
        }
    }

    /// What the machine has written to its serial port.
    pub(super) fn said(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.serial).unwrap_or_default()).into_owned()
    }

    pub(super) fn wait_for(&self, text: &str) {
        let began = Instant::now();
        while !self.said().contains(text) {
            assert!(began.elapsed() < LIMIT, "no \"{text}\" in {}", self.said());
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn monitor(&mut self, line: &str) {
        let monitor = self.machine.stdin.as_mut().expect("QEMU's monitor");
        writeln!(monitor, "{line}").expect("QEMU's monitor");
    }

    /// A key by QEMU's name, or several at once.
    pub(super) fn press(&mut self, keys: &str) {
        self.monitor(&format!("sendkey {keys}"));
        // A keyboard holds few keys that nobody has read.
        std::thread::sleep(Duration::from_millis(300));
    }

    /// A line, on a keyboard of the United States.
    pub(super) fn enter(&mut self, line: &str) {
        for character in line.chars() {
            let key = match character {
                ' ' => "spc".to_owned(),
                '/' => "slash".to_owned(),
                '>' => "shift-dot".to_owned(),
                upper if upper.is_ascii_uppercase() => format!("shift-{}", upper.to_ascii_lowercase()),
                other => other.to_string(),
            };
            self.press(&key);
        }
        self.press("ret");
    }

    /// How many pixels of the screen are red and how many green: what the runtime writes a failure with, and a step that is done.
    pub(super) fn red_and_green(&mut self) -> (usize, usize) {
        let picture = own("console", "ppm");
        self.monitor(&format!("screendump {}", picture.display()));
        let began = Instant::now();
        let pixels = loop {
            if let Some(pixels) = fs::read(&picture).ok().and_then(|bytes| pixels(&bytes)) {
                break pixels;
            }
            assert!(began.elapsed() < LIMIT, "no picture of the screen");
            std::thread::sleep(Duration::from_millis(200));
        };
        fs::remove_file(picture).expect("removing the picture");
        let count = |color: fn(&[u8; 3]) -> bool| pixels.iter().filter(|pixel| color(pixel)).count();
        (
            count(|[red, green, blue]| *red > 120 && *green < 60 && *blue < 60),
            count(|[red, green, blue]| *red < 60 && *green > 120 && *blue < 60),
        )
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        let _ = self.machine.kill();
        let _ = self.machine.wait();
        if !std::thread::panicking() {
            let _ = fs::remove_file(&self.serial);
        }
    }
}

/// The pixels of a "portable pixmap" that is complete: a head of three lines, then three bytes for each.
fn pixels(picture: &[u8]) -> Option<Vec<[u8; 3]>> {
    let mut parts = picture.splitn(4, |byte| *byte == b'\n');
    let (kind, size, _, content) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let sizes = String::from_utf8(size.to_vec()).ok()?;
    let area: usize = sizes
        .split(' ')
        .filter_map(|size| size.parse::<usize>().ok())
        .product();
    let pixels = content.as_chunks().0.to_vec();
    (kind == b"P6" && area > 0 && pixels.len() == area).then_some(pixels)
}

/// Media that are not unattended ask which of their sequences runs, and for secrets, at the machine's screen.
fn somebody_chooses_the_sequence_that_fails(media: &Path) -> Console {
    let mut console = Console::start(media);
    console.wait_for("Number of the task sequence to run");
    console.enter("2");
    console.wait_for("Code");
    console.enter("zq9wm4");
    console.wait_for("the code is right");
    console.wait_for("\"succeeded\":false");
    assert!(!console.said().contains("zq9wm4"), "{}", console.said());
    console
}

const TO_THE_SHELL: &str = "echo f8 leads to a shell >/dev/ttyS0";

#[test]
fn somebody_chooses_answers_sees_the_failure_and_opens_a_shell() {
    let media = project("attended", "iso", &[]);
    let mut console = somebody_chooses_the_sequence_that_fails(&media);
    let (red, green) = console.red_and_green();
    assert!(red > 500 && green > 50, "{red} red pixels, {green} green ones");
    console.press("f8");
    console.enter(TO_THE_SHELL);
    console.wait_for("f8 leads to a shell");
    let (red, _) = console.red_and_green();
    assert_eq!(red, 0, "the failure is still shown");
    console.press("alt-f1");
    console.press("alt-f1");
    assert!(console.red_and_green().0 > 100, "the way back");
    fs::remove_file(media).unwrap();
}

#[test]
fn there_is_no_shell_unless_the_media_allow_one() {
    let media = project("attended-locked", "iso", &[]);
    let mut console = somebody_chooses_the_sequence_that_fails(&media);
    for keys in ["f8", "alt-f2"] {
        console.press(keys);
        console.enter(TO_THE_SHELL);
    }
    // The other test sees its answer within a second.
    std::thread::sleep(Duration::from_secs(15));
    assert!(!console.said().contains("f8 leads"), "{}", console.said());
    fs::remove_file(media).unwrap();
}
