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
    /// Reads a pipe to its end in the background.
    pub(super) fn of(pipe: Option<impl Read + Send + 'static>) -> Self {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let (sender, ended) = channel();
        let into = Arc::clone(&kept);
        std::thread::spawn(move || {
            if let Some(pipe) = pipe {
                collect(pipe, &into);
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

fn collect(mut pipe: impl Read, into: &Mutex<Vec<u8>>) {
    let mut buffer = [0; 8192];
    while let Ok(count @ 1..) = pipe.read(&mut buffer) {
        let mut kept = into.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend_from_slice(&buffer[..count]);
        if kept.len() > 2 * MOST_OUTPUT {
            let old = kept.len() - MOST_OUTPUT;
            kept.drain(..old);
        }
    }
}
