//! A private SMB share that only the virtual machine reaches: QEMU starts one `smbd` for each connection of the
//! machine, so there is no port on the host, nothing to stop, and no need to be root.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::machine::SHARE_ADDRESS;
use super::process::{Call, find, quote};
use super::storage::make_folder;

/// The user that the machine logs on as.
pub const USER: &str = "capture";
/// Name of the share.
pub const NAME: &str = "captures";

/// A share that is ready.
#[derive(Debug)]
pub struct Share {
    /// Where the machine's files arrive.
    pub folder: PathBuf,
    /// The password of [`USER`].
    pub password: String,
    /// Serves one connection on its standard input.
    pub command: String,
}

impl Share {
    /// Sets the server up in a folder of the run.
    ///
    /// # Errors
    /// When files cannot be made or the password cannot be set.
    pub fn set_up(work: &Path, password: Option<&str>) -> Result<Self> {
        let base = work.join("smb");
        let folder = base.join("files");
        for part in ["files", "private", "lock", "state", "cache", "ncalrpc", "log"] {
            make_folder(&base.join(part))?;
        }
        let me = user_name()?;
        let config = base.join("smb.conf");
        fs::write(&config, configuration(&base)).context("writing the configuration of smbd")?;
        fs::write(base.join("users.map"), format!("{me} = {USER}\n"))
            .context("writing the user map of smbd")?;
        let password = password.map_or_else(random_password, |password| Ok(password.to_owned()))?;
        set_password(&config, &me, &password)?;
        let smbd = find("smbd").unwrap_or_else(|| "smbd".into());
        let words = [smbd, "-s".into(), config, "-l".into(), base.join("log")];
        let command: Vec<_> = words
            .iter()
            .map(|word| quote(&word.display().to_string()))
            .collect();
        Ok(Self {
            folder,
            password,
            command: command.join(" "),
        })
    }

    /// The share as the machine names it.
    pub fn path() -> String {
        format!("//{SHARE_ADDRESS}/{NAME}")
    }
}

/// The account that we run as: Samba knows no user without one, so `capture` is mapped to it.
fn user_name() -> Result<String> {
    let output = std::process::Command::new("id")
        .arg("-un")
        .output()
        .context("asking id for the user's name")?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn random_password() -> Result<String> {
    let mut bytes = [0; 12];
    let read =
        fs::File::open("/dev/urandom").and_then(|mut file| std::io::Read::read_exact(&mut file, &mut bytes));
    read.context("reading random bytes for the share's password")?;
    Ok(media_format::manifest::hex(&bytes))
}

/// The password goes in by standard input, never as an argument.
fn set_password(config: &Path, user: &str, password: &str) -> Result<()> {
    let config = config.display().to_string();
    let call = Call::new("pdbedit", ["-s", &config, "-a", "-t", "-u", user]);
    call.run(&format!("{password}\n{password}\n"))
        .context("setting the password of the share")
}

fn configuration(base: &Path) -> String {
    let base = base.display();
    format!(
        "[global]
server role = standalone server
security = user
map to guest = never
server min protocol = SMB3
disable netbios = yes
load printers = no
printing = bsd
disable spoolss = yes
usershare max shares = 0
passdb backend = smbpasswd:{base}/private/passwords
username map = {base}/users.map
private dir = {base}/private
pid directory = {base}
lock directory = {base}/lock
state directory = {base}/state
cache directory = {base}/cache
ncalrpc dir = {base}/ncalrpc
log file = {base}/log/smbd

[{NAME}]
path = {base}/files
read only = no
strict allocate = no
"
    )
}
