//! What a program that runs writes.

use std::io::Read;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Output beyond this is dropped: a program that talks for hours must not fill the memory.
pub(super) const MOST_OUTPUT: usize = 1 << 20;
/// After a program has ended, what it wrote arrives within this time.
const OUTPUT_WITHIN: Duration = Duration::from_secs(2);

/// What a program writes: the last of it where it is too much.
pub(super) struct Tail {
    kept: Arc<Mutex<Vec<u8>>>,
    ended: Receiver<()>,
}

impl Tail {
    /// Reads a pipe to its end in the background. Of lines, those count that have one of these texts; all where there are none.
    pub(super) fn of(pipe: Option<impl Read + Send + 'static>, only: &[String]) -> Self {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let (sender, ended) = channel();
        let into = Arc::clone(&kept);
        let mut chosen = Chosen::new(only);
        std::thread::spawn(move || {
            if let Some(pipe) = pipe {
                collect(pipe, &mut chosen, &into);
            }
            let _ = sender.send(());
        });
        Self { kept, ended }
    }

    /// A program may leave others behind that hold its output open, such as a daemon: they are not waited for.
    pub(super) fn take(self) -> Vec<u8> {
        let _ = self.ended.recv_timeout(OUTPUT_WITHIN);
        std::mem::take(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn collect(mut pipe: impl Read, chosen: &mut Chosen, into: &Mutex<Vec<u8>>) {
    let mut buffer = [0; 8192];
    while let Ok(count @ 1..) = pipe.read(&mut buffer) {
        keep(&chosen.of(&buffer[..count]), into);
    }
    keep(&chosen.rest(), into);
}

fn keep(bytes: &[u8], into: &Mutex<Vec<u8>>) {
    let mut kept = into.lock().unwrap_or_else(PoisonError::into_inner);
    kept.extend_from_slice(bytes);
    if kept.len() > 2 * MOST_OUTPUT {
        let old = kept.len() - MOST_OUTPUT;
        kept.drain(..old);
    }
}

/// The lines that count of what a program writes.
struct Chosen {
    only: Vec<Vec<u8>>,
    line: Vec<u8>,
}

impl Chosen {
    fn new(only: &[String]) -> Self {
        Self {
            only: only
                .iter()
                .map(|text| text.to_ascii_lowercase().into_bytes())
                .collect(),
            line: Vec::new(),
        }
    }

    fn of(&mut self, bytes: &[u8]) -> Vec<u8> {
        if self.only.is_empty() {
            return bytes.to_vec();
        }
        let mut chosen = Vec::new();
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") || self.line.len() > MOST_OUTPUT {
                chosen.extend(self.rest());
            }
        }
        chosen
    }

    /// The line so far, if it counts. Some programs write two bytes for each character.
    fn rest(&mut self) -> Vec<u8> {
        let mut line = std::mem::take(&mut self.line);
        line.retain(|byte| *byte != 0);
        let plain = line.to_ascii_lowercase();
        let holds = |text: &Vec<u8>| plain.windows(text.len()).any(|part| part == text.as_slice());
        if self.only.is_empty() || self.only.iter().any(holds) {
            line
        } else {
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_list_only_the_lines_that_count_are_kept() {
        let list: String = (0..50_000)
            .map(|n| format!("\\Windows\\file{n}.txt\r\n"))
            .collect();
        let list = list.replace("file77.txt", "Boot\\BOOTmgfw.efi") + "\\last, wanted";
        let only = [r"\boot\bootmgfw.efi".to_owned(), "wanted".into()];
        let tail = Tail::of(Some(std::io::Cursor::new(list.clone().into_bytes())), &only);
        let kept = String::from_utf8(tail.take()).unwrap();
        assert_eq!(kept, "\\Windows\\Boot\\BOOTmgfw.efi\r\n\\last, wanted");
        let wide = list
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect::<Vec<u8>>();
        let of_wide = Tail::of(Some(std::io::Cursor::new(wide)), &only).take();
        assert_eq!(String::from_utf8(of_wide).unwrap(), kept);
        let all = Tail::of(Some(std::io::Cursor::new(list.into_bytes())), &[]).take();
        assert!(all.len() >= MOST_OUTPUT && all.ends_with(b"wanted"));
    }
}
