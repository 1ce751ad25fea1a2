//! Ctrl-C and a request to end: the machine is stopped, its log is kept and its files are removed, as at any other end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, bail};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

/// What a shell gives for a program that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

/// Notices that the user wants the run to end.
#[derive(Debug)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// From now on the signals do not end the program; a second one does.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn listen() -> Result<Self> {
        let asked = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            // The order matters: the first signal must not find its own mark.
            flag::register_conditional_shutdown(signal, INTERRUPTED, Arc::clone(&asked))
                .and_then(|_| flag::register(signal, Arc::clone(&asked)))
                .context("listening to Ctrl-C")?;
        }
        Ok(Self(asked))
    }

    /// # Errors
    /// When the user wants the run to end.
    pub fn check(&self) -> Result<()> {
        if self.0.load(Ordering::Relaxed) {
            bail!("the run was interrupted, and the machine stopped");
        }
        Ok(())
    }
}
