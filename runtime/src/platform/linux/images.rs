//! WIM files, through the worker: a process of its own with capped memory.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, anyhow, bail};
use media_format::wim::info::WimInfo;
use media_format::wim::protocol::{Message, Request, Summary};

use super::Linux;
use crate::platform::{Images, Result};

const WORKER: &str = "wim-worker";

impl Images for Linux {
    fn image_info(&self, wim: &Path) -> Result<WimInfo> {
        let file = File::open(wim).with_context(|| format!("opening {}", wim.display()))?;
        WimInfo::read(&mut BufReader::new(file)).with_context(|| format!("reading {}", wim.display()))
    }

    fn image_request(&self, request: &Request, progress: &mut dyn FnMut(&Message)) -> Result<Summary> {
        let mut worker = Command::new(WORKER)
            .env("PATH", super::processes::SEARCH_PATH)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {WORKER}"))?;
        let mut stdin = worker.stdin.take().context("the worker has no input")?;
        stdin
            .write_all(&serde_json::to_vec(request)?)
            .context("telling the worker what to do")?;
        drop(stdin);
        let stdout = worker.stdout.take().context("the worker has no output")?;
        let mut end = None;
        for line in BufReader::new(stdout).lines() {
            let message: Message = serde_json::from_str(&line?).context("understanding the worker")?;
            progress(&message);
            if matches!(message, Message::Done { .. } | Message::Failed { .. }) {
                end = Some(message);
            }
        }
        let status = worker.wait()?;
        match end {
            Some(Message::Done { summary }) => Ok(summary),
            Some(Message::Failed { code, error, hint }) => {
                let hint = hint.map(|hint| format!("; {hint}")).unwrap_or_default();
                let code = if code == 0 {
                    String::new()
                } else {
                    format!(" (libwim error {code})")
                };
                bail!("{error}{code}{hint}")
            }
            _ => Err(anyhow!(
                "{WORKER} ended ({status}) without a result: it was killed or ran out of memory"
            )),
        }
    }
}
