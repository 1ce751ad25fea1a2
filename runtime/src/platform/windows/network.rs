//! Shares, connected by Windows.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::{Windows, bindings};
use crate::platform::{Account, Network, Result};

impl Network for Windows {
    fn connect(&self, share: &str, account: &Account, at: Option<&Path>) -> Result<PathBuf> {
        let name = share.replace('/', "\\");
        let folder = at.map_or_else(|| PathBuf::from(&name), place);
        let known = self
            .shares
            .borrow()
            .iter()
            .any(|(known, there)| *known == name && *there == folder);
        if known {
            return Ok(folder);
        }
        let device = at.map(|_| folder.display().to_string().trim_end_matches('\\').to_owned());
        bindings::connect(&name, device.as_deref(), &account.user, &account.password)
            .map_err(|code| anyhow::anyhow!("{}", explain(code)))
            .with_context(|| format!("connecting to {share}"))?;
        self.shares.borrow_mut().push((name, folder.clone()));
        Ok(folder)
    }

    fn disconnect(&self, folder: &Path) -> Result<()> {
        let known = self.shares.borrow().iter().any(|(_, known)| known == folder);
        if !known {
            return Ok(());
        }
        let name = folder.display().to_string();
        if let Err(code) = bindings::disconnect(name.trim_end_matches('\\')) {
            bail!("disconnecting {name}: {}", explain(code));
        }
        self.shares.borrow_mut().retain(|(_, known)| known != folder);
        Ok(())
    }

    fn domain(&self) -> Result<Option<String>> {
        bindings::domain().map_err(|code| {
            let error = std::io::Error::from_raw_os_error(code.cast_signed());
            anyhow::anyhow!("asking Windows which domain the machine is a member of: {error}")
        })
    }
}

/// Where a share is connected: Windows has letters for that. A mount point of Linux's that carries one is that letter.
fn place(at: &Path) -> PathBuf {
    let text = at.display().to_string();
    let name = text.rsplit(['/', '\\']).find(|part| !part.is_empty());
    match name.map(|name| name.trim_end_matches(':')) {
        Some(letter) if letter.len() == 1 => PathBuf::from(format!("{}:\\", letter.to_ascii_uppercase())),
        _ => at.to_owned(),
    }
}

fn explain(code: u32) -> String {
    let error = std::io::Error::from_raw_os_error(code.cast_signed());
    match code {
        5 | 86 | 1326 => {
            format!("the server refuses the account: check the user name and the password ({error})")
        }
        53 | 64 | 1231 => {
            format!("the server cannot be reached: check the cable, the addresses and the server ({error})")
        }
        67 => format!("the server has no such share ({error})"),
        85 => format!("the letter is in use ({error})"),
        1219 => format!("this machine is connected to the server with another account ({error})"),
        _ => error.to_string(),
    }
}
