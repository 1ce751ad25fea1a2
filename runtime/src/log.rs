//! `smsts.log`: the format that CMTrace reads, rotated at 5 MB. No line contains a secret.

use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use task_sequence::Hidden;

/// The name that ConfigMgr's users look for.
pub const NAME: &str = "smsts.log";
const ROTATE_AT: u64 = 5 * 1024 * 1024;
/// Earlier files that stay: a partition for booting has little room.
const KEPT: usize = 5;
const COMPONENT: &str = "media-runtime";

/// How serious a line is, as CMTrace colours it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// What happened.
    Info = 1,
    /// What somebody should look at.
    Warning = 2,
    /// What failed.
    Error = 3,
}

/// The log of the run. A log that cannot be written must never end a run: what fails is dropped.
#[derive(Debug, Default)]
pub struct Log {
    inner: RefCell<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    folder: PathBuf,
    file: Option<File>,
    /// The last line could not be written.
    failing: bool,
    secrets: Hidden,
}

impl Inner {
    fn add(&mut self, line: &[u8]) {
        // A log that was opened nowhere keeps nothing, and makes no file where the program happens to be.
        if self.folder.as_os_str().is_empty() {
            return;
        }
        if self.is_full() {
            self.rotate();
        }
        let mut written = self.append(line);
        // What a power cut left of the file may not be one that can be added to; where a new one fails too, no other helps.
        if !written && !self.failing {
            self.rotate();
            written = self.append(line);
        }
        self.failing = !written;
    }

    fn append(&mut self, line: &[u8]) -> bool {
        self.file
            .as_mut()
            .is_some_and(|file| file.write_all(line).is_ok())
    }

    fn is_full(&self) -> bool {
        let length = self
            .file
            .as_ref()
            .and_then(|file| Some(file.metadata().ok()?.len()));
        length.is_some_and(|length| length > ROTATE_AT)
    }

    /// Goes on in a new file, beside the one so far.
    fn rotate(&mut self) {
        self.file = None;
        let current = self.folder.join(NAME);
        let _ = std::fs::rename(&current, free_name(&self.folder, now()));
        self.file = append(&current).ok();
        remove_oldest(&self.folder);
    }
}

/// The name of a rotated file has its time, and a number, because a second may fill more than one.
fn free_name(folder: &Path, time: (i64, u32)) -> PathBuf {
    let stamp: String = date_and_time(time)
        .iter()
        .map(|part| format!("{part:02}"))
        .collect();
    (1..100)
        .map(|number| folder.join(format!("smsts-{stamp}-{number:02}.log")))
        .find(|path| !path.exists())
        .unwrap_or_else(|| folder.join(format!("smsts-{stamp}-99.log")))
}

/// The names of rotated files begin with the same letters and go on with their time.
fn remove_oldest(folder: &Path) {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let is_rotated = |name: &str| name.starts_with("smsts-") && name.ends_with(".log");
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut rotated: Vec<String> = names.filter(|name| is_rotated(name)).collect();
    rotated.sort();
    for name in rotated.iter().rev().skip(KEPT) {
        let _ = std::fs::remove_file(folder.join(name));
    }
}

impl Log {
    /// A log in that folder; lines are added to what is there.
    pub fn open(folder: &Path) -> Self {
        let log = Self::default();
        log.move_to(folder);
        log
    }

    /// Goes on in another folder, with everything so far.
    pub fn move_to(&self, folder: &Path) {
        let mut inner = self.inner.borrow_mut();
        if inner.folder == folder {
            return;
        }
        let _ = std::fs::create_dir_all(folder);
        if inner.file.take().is_some() {
            for (name, lines) in files(&inner.folder) {
                let moved = append(&folder.join(&name)).and_then(|mut file| file.write_all(&lines));
                if moved.is_ok() {
                    let _ = std::fs::remove_file(inner.folder.join(name));
                }
            }
            remove_oldest(folder);
        }
        inner.folder = folder.to_owned();
        inner.file = append(&folder.join(NAME)).ok();
    }

    /// The folder of the log.
    pub fn folder(&self) -> PathBuf {
        self.inner.borrow().folder.clone()
    }

    /// Values that no line may contain.
    pub fn hide(&self, secrets: Hidden) {
        self.inner.borrow_mut().secrets = secrets;
    }

    /// The text without secrets.
    pub fn mask(&self, text: &str) -> String {
        self.inner.borrow().secrets.mask(text)
    }

    /// Adds a line.
    pub fn write(&self, severity: Severity, message: &str) {
        let line = line(severity, &self.mask(message), now());
        self.inner.borrow_mut().add(line.as_bytes());
    }

    /// Adds a line of severity information.
    pub fn info(&self, message: impl AsRef<str>) {
        self.write(Severity::Info, message.as_ref());
    }

    /// Adds a warning.
    pub fn warning(&self, message: impl AsRef<str>) {
        self.write(Severity::Warning, message.as_ref());
    }

    /// Adds an error.
    pub fn error(&self, message: impl AsRef<str>) {
        self.write(Severity::Error, message.as_ref());
    }

    /// Everything of this run, oldest first, as files by name.
    pub fn files(&self) -> Vec<(String, Vec<u8>)> {
        files(&self.folder())
    }
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<_> = names
        .filter(|name| name.starts_with("smsts") && name.ends_with(".log"))
        .collect();
    names.sort();
    names
        .into_iter()
        .filter_map(|name| Some((name.clone(), std::fs::read(folder.join(name)).ok()?)))
        .collect()
}

fn append(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

fn now() -> (i64, u32) {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    (i64::try_from(since.as_secs()).unwrap_or(0), since.subsec_millis())
}

/// Year, month, day, hour, minute, second of a time in UTC.
fn date_and_time((seconds, _): (i64, u32)) -> [i64; 6] {
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Days to civil date, with years that begin in March (proleptic Gregorian calendar).
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    [year, month, day, rest / 3_600, rest / 60 % 60, rest % 60]
}

fn line(severity: Severity, message: &str, time: (i64, u32)) -> String {
    let [year, month, day, hour, minute, second] = date_and_time(time);
    // A line's end marker inside a message would hide what follows from CMTrace.
    let message = message.replace("]LOG]!>", "]LOG] !>");
    format!(
        "<![LOG[{message}]LOG]!><time=\"{hour:02}:{minute:02}:{second:02}.{:03}+000\" \
         date=\"{month:02}-{day:02}-{year}\" component=\"{COMPONENT}\" context=\"\" type=\"{}\" thread=\"{}\" \
         file=\"\">\r\n",
        time.1,
        severity as u8,
        std::process::id()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_what_cmtrace_reads() {
        let text = line(Severity::Error, "it failed", (1_700_000_000, 42));
        assert!(
            text.starts_with("<![LOG[it failed]LOG]!><time=\"22:13:20.042+000\" date=\"11-14-2023\""),
            "{text}"
        );
        let rest = format!(
            " component=\"media-runtime\" context=\"\" type=\"3\" thread=\"{}\" file=\"\">\r\n",
            std::process::id()
        );
        assert!(text.ends_with(&rest), "{text}");
        assert_eq!(date_and_time((951_782_400, 0)), [2000, 2, 29, 0, 0, 0]);
    }

    #[test]
    fn secrets_never_reach_the_file_and_moving_keeps_the_lines() {
        let first = tempfile::tempdir().unwrap();
        let second = tempfile::tempdir().unwrap();
        let log = Log::open(first.path());
        log.hide(Hidden::new(["geheim", "geheim-lang"]));
        log.info("password geheim-lang geheim");
        log.move_to(second.path());
        log.warning("after");
        let files = log.files();
        let text = String::from_utf8(files[0].1.clone()).unwrap();
        assert!(
            text.contains("password ******** ********") && text.contains("after"),
            "{text}"
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_log_that_cannot_be_added_to_goes_on_in_another_file() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/dev/full", folder.path().join(NAME)).unwrap();
        let log = Log::open(folder.path());
        log.info("after the cut");
        log.info("and more");
        let text = std::fs::read_to_string(folder.path().join(NAME)).unwrap();
        assert!(
            text.contains("after the cut") && text.contains("and more"),
            "{text}"
        );
    }

    #[test]
    fn a_log_that_was_opened_nowhere_makes_no_file() {
        Log::default().info("lost");
        assert!(!Path::new(NAME).exists());
    }

    #[test]
    fn the_oldest_of_many_logs_go() {
        let folder = tempfile::tempdir().unwrap();
        for month in 1..=8 {
            let name = format!("smsts-20200{month}01000000.log");
            std::fs::write(folder.path().join(name), "old").unwrap();
        }
        let log = Log::open(folder.path());
        for _ in 0..6 {
            log.info("x".repeat(1024 * 1024));
        }
        log.info("last");
        let names = log.files().into_iter().map(|(name, _)| name);
        let rotated: Vec<_> = names.filter(|name| name.starts_with("smsts-")).collect();
        assert_eq!(rotated.len(), KEPT, "{rotated:?}");
        assert!(
            rotated
                .iter()
                .all(|name| name.as_str() >= "smsts-20200501000000.log"),
            "{rotated:?}"
        );
    }

    /// Fills files faster than seconds pass.
    fn with_files(folder: &Path, count: usize) -> Log {
        let log = Log::open(folder);
        for number in 0..count {
            log.info(format!("{number} is full {}", "x".repeat(5 * 1024 * 1024)));
        }
        log.info("last");
        log
    }

    fn beginnings(log: &Log) -> Vec<String> {
        let files = log.files().into_iter();
        let beginning = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes[7..11]).into_owned();
        files.map(|(_, bytes)| beginning(bytes)).collect()
    }

    #[test]
    fn a_full_log_is_rotated_however_soon_that_is() {
        let folder = tempfile::tempdir().unwrap();
        let log = with_files(folder.path(), 3);
        assert_eq!(beginnings(&log), ["0 is", "1 is", "2 is", "last"]);
    }

    #[test]
    fn a_log_moves_with_all_its_files() {
        let first = tempfile::tempdir().unwrap();
        let second = tempfile::tempdir().unwrap();
        let log = with_files(first.path(), 2);
        log.move_to(second.path());
        log.info("after");
        assert_eq!(beginnings(&log), ["0 is", "1 is", "last"]);
        assert!(files(first.path()).is_empty());
    }
}
