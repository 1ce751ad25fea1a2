//! Packages of the installed system, and the few programs that the steps call.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use runtime::platform::deadline::Deadline;
use runtime::platform::{Command, Files as _, Output, Packages, Processes, Result, Runner, Upgraded};

use crate::fixture::JOIN_CANARY;
use crate::machine::Memory;
use crate::windows;

const STATUS: &str = "/var/lib/dpkg/status";
/// A system of RPM packages lists them by its program.
const RPM: &str = "/usr/bin/rpm";
/// In memory in the installed system too.
const RESTART: &str = "/run/reboot-required";

/// Joins domains; the reference has it where a test puts it there.
const REALM: &str = "/usr/sbin/realm";

impl Packages for Memory {
    fn upgrade(&self, repository: &Path, _: bool, run: Runner<'_>) -> Result<Upgraded> {
        self.apt("upgrade", run)?;
        let mut changed = Vec::new();
        for (name, version) in self.repository(repository)? {
            let installed = self.status()?.into_iter().find(|(known, _)| *known == name);
            if installed.is_some_and(|(_, old)| old < version) {
                self.unpack(&name, &version)?;
                changed.push(format!("{name}={version}"));
            }
        }
        let unfit = self.read(&repository.join("Unfit"))?.unwrap_or_default();
        let unfit = String::from_utf8(unfit)?.lines().map(str::to_owned).collect();
        Ok(Upgraded { changed, unfit })
    }

    fn install(&self, repository: &Path, packages: &[String], run: Runner<'_>) -> Result<()> {
        self.apt("install", run)?;
        let offered = self.repository(repository)?;
        for wanted in packages {
            let found = offered.iter().find(|(name, _)| name == wanted);
            let (name, version) =
                found.with_context(|| format!("apt-get: unable to locate package {wanted}"))?;
            self.unpack(name, version)?;
        }
        Ok(())
    }

    fn install_files(&self, files: &[PathBuf], _: Runner<'_>) -> Result<()> {
        for file in files {
            let bytes = self
                .read(file)?
                .with_context(|| format!("dpkg: cannot access {}", file.display()))?;
            let text = String::from_utf8(bytes)?;
            let (name, version) = text.trim().split_once(' ').context("not a package")?;
            self.unpack(name, version)?;
        }
        Ok(())
    }

    fn restart_required(&self) -> bool {
        self.exists(Path::new(RESTART))
    }
}

impl Memory {
    /// The program that does the work; what it does is done here.
    fn apt(&self, verb: &str, run: Runner<'_>) -> Result<()> {
        let command = Command {
            program: "apt-get".into(),
            arguments: vec![verb.to_owned()],
            ..Command::default()
        };
        run(command).map(drop)
    }

    fn repository(&self, folder: &Path) -> Result<Vec<(String, String)>> {
        let bytes = self
            .read(&folder.join("Packages"))?
            .context("the repository has no Packages")?;
        Ok(pairs(&String::from_utf8(bytes)?))
    }

    /// The packages of the running system.
    fn status(&self) -> Result<Vec<(String, String)>> {
        let bytes = self
            .read(Path::new(STATUS))?
            .context("the system has no packages")?;
        Ok(pairs(&String::from_utf8(bytes)?))
    }

    fn unpack(&self, name: &str, version: &str) -> Result<()> {
        if name == "linux-image" {
            self.write(Path::new(RESTART), b"", 0o644)?;
        }
        let program = format!("/usr/share/{name}/version");
        self.put_by_program(Path::new(&program), version.as_bytes(), 0o644)?;
        let mut status = self.status()?;
        status.retain(|(known, _)| known != name);
        status.push((name.to_owned(), version.to_owned()));
        status.sort();
        let text: String = status
            .iter()
            .map(|(name, version)| format!("{name} {version}\n"))
            .collect();
        self.put_by_program(Path::new(STATUS), text.as_bytes(), 0o644)
    }

    /// Not repeatable: every run leaves one line more.
    fn append(&self, path: &Path) -> Result<Output> {
        let mut text = self.read(path)?.unwrap_or_default();
        text.extend_from_slice(b"once\n");
        self.put_by_program(path, &text, 0o644)?;
        Ok(ended(0))
    }

    /// Lines of the few commands that the test's sequences know.
    fn shell(&self, line: &str, command: &Command) -> Result<Output> {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["true"] | [] => Ok(ended(0)),
            ["exit", code] => Ok(ended(code.parse()?)),
            ["touch", path] => {
                self.put_by_program(Path::new(path), b"touched", 0o644)?;
                Ok(ended(0))
            }
            ["append", path] => self.append(Path::new(path)),
            // Sets variables, one for each word.
            ["tell", words @ ..] => {
                let path = command.environment["SMSTS_VARIABLES_FILE"].replace('\\', "/");
                let text: String = words.iter().map(|word| format!("{word}\r\n")).collect();
                self.put_by_program(Path::new(&path), text.as_bytes(), 0o600)?;
                Ok(ended(0))
            }
            ["tell-once", words @ ..] => {
                let mut world = self.world_mut();
                let count = world.counters.entry(line.to_owned()).or_default();
                *count += 1;
                let first = *count == 1;
                drop(world);
                let words = if first { words } else { &[] };
                self.shell(&format!("tell {}", words.join(" ")), command)
            }
            ["outlast"] => bail!("it had not ended after 1 seconds, its time limit"),
            // A disk that does not answer holds the program, which cannot be stopped.
            ["hang"] => {
                self.world_mut().volatile.hangs = true;
                bail!("hang may still run and write")
            }
            // A DHCP server answers in the background.
            ["lease", address] => {
                self.world_mut().volatile.address = (*address).to_owned();
                Ok(ended(0))
            }
            ["ccmsetup.exe" | "own-script.cmd", words @ ..] => {
                windows::begin_client_setup(self, words.contains(&"FAILS"))
            }
            ["flood", bytes] => Ok(said("x".repeat(bytes.parse()?))),
            ["say", words @ ..] => Ok(said(words.join(" "))),
            ["print", words @ ..] => Ok(said(words.join("\n"))),
            ["fail-times", name, times, code] => {
                let mut world = self.world_mut();
                let count = world.counters.entry((*name).to_owned()).or_default();
                *count += 1;
                Ok(ended(if *count <= times.parse()? {
                    code.parse()?
                } else {
                    0
                }))
            }
            _ => Ok(Output {
                code: 127,
                stderr: format!("sh: {line}: not found"),
                ..Output::default()
            }),
        }
    }
}

impl Memory {
    fn make_host_keys(&self, command: &Command) -> Result<Output> {
        let root = command.root.clone().unwrap_or_else(|| "/".into());
        let mut key = [0; 8];
        runtime::platform::Machine::random(self, &mut key);
        let path = root.join("etc/ssh/ssh_host_ed25519_key");
        if !self.exists(&path) {
            self.put_by_program(&path, &key, 0o600)?;
        }
        Ok(ended(0))
    }

    fn make_initramfs(&self, command: &Command) -> Result<Output> {
        let root = command.root.clone().context("inside the system")?;
        let resume = self.read(&root.join("etc/initramfs-tools/conf.d/resume"))?;
        let made = [b"made with ".to_vec(), resume.unwrap_or_default()].concat();
        self.put_by_program(&root.join("boot/initrd.img"), &made, 0o644)?;
        Ok(ended(i64::from(self.exists(&root.join("boot/full")))))
    }
}

impl Memory {
    /// A domain that lets in whoever knows the password.
    fn realm(&self, arguments: &[&str], stdin: &[u8]) -> Output {
        let mut world = self.world_mut();
        match arguments {
            ["join", .., domain] if stdin == format!("{JOIN_CANARY}\n").as_bytes() => {
                world.domain = Some((*domain).to_owned());
                ended(0)
            }
            ["leave", domain] if world.domain.as_deref() == Some(*domain) => {
                world.domain = None;
                ended(0)
            }
            _ => Output {
                stderr: "realm: Couldn't authenticate".into(),
                ..ended(5)
            },
        }
    }
}

impl Memory {
    /// What Windows says of itself by that class, or changes by its methods.
    fn membership(&self, script: &str) -> Output {
        let mut world = self.world_mut();
        if script.contains("-MethodName UnjoinDomainOrWorkgroup") {
            world.domain = None;
            return ended(0);
        }
        let joined = script
            .split_once("Name = '")
            .and_then(|(_, name)| name.split_once('\''));
        match joined {
            Some(_) if world.domain.is_some() => ended(2691),
            Some((name, _)) => {
                world.workgroup = name.to_owned();
                ended(0)
            }
            None => Output {
                stdout: format!("{}\r\n", world.workgroup),
                ..ended(0)
            },
        }
    }
}

fn pairs(text: &str) -> Vec<(String, String)> {
    let split = |line: &str| {
        line.split_once(' ')
            .map(|(name, version)| (name.to_owned(), version.to_owned()))
    };
    text.lines().filter_map(split).collect()
}

fn said(stdout: String) -> Output {
    Output {
        stdout,
        ..Output::default()
    }
}

fn ended(code: i64) -> Output {
    Output {
        code,
        ..Output::default()
    }
}

impl Memory {
    fn run_in_windows(&self, program: &str, arguments: &[&str], command: &Command) -> Result<Output> {
        match (program, arguments) {
            ("cmd.exe", ["/d", "/s", "/c"]) => {
                let line = command
                    .raw
                    .strip_prefix('"')
                    .and_then(|raw| raw.strip_suffix('"'));
                self.shell(
                    line.context("cmd.exe takes the quotes around a line away")?,
                    command,
                )
            }
            ("powershell.exe", _) => self.power_shell(arguments, command),
            // No mapping between account names and security IDs was done.
            ("icacls.exe", [file, "/grant", who]) if self.exists(Path::new(&file.replace('\\', "/"))) => {
                Ok(ended(if who.contains("nobody") { 1332 } else { 0 }))
            }
            ("reagentc.exe", ["/disable"]) => windows::disable_recovery(self),
            ("reagentc.exe", ["/enable"]) => Ok(ended(0)),
            ("compact.exe", ["/compactos:never"]) => {
                self.world_mut().compressed = false;
                Ok(ended(0))
            }
            ("pnputil.exe", ["/add-driver", infs, "/subdirs", "/install"]) => {
                windows::take_drivers(self, infs)
            }
            ("net.exe", ["stop", "CcmExec", "/y"]) => Ok(ended(0)),
            (program, ["/uninstall"]) if program.ends_with(r"\Windows\ccmsetup\ccmsetup.exe") => {
                windows::begin_client_removal(self)
            }
            (program, ["/generalize", "/oobe", "/quit", "/quiet"]) if program.ends_with("sysprep.exe") => {
                windows::generalize(self)?;
                Ok(ended(0))
            }
            (program, _) => bail!("{program}: no such program"),
        }
    }

    /// A script in a file, or one that the runtime itself asks.
    fn power_shell(&self, arguments: &[&str], command: &Command) -> Result<Output> {
        if let [
            "-NoProfile",
            "-NonInteractive",
            "-ExecutionPolicy",
            "Bypass",
            "-File",
            file,
            ..,
        ] = arguments
        {
            let script = self
                .read(Path::new(&file.replace('\\', "/")))?
                .context("no such script")?;
            let script = String::from_utf8(script)?;
            let script = script
                .strip_prefix('\u{feff}')
                .context("a script in the console's code page")?;
            return self.shell(script, command);
        }
        let asked = String::from_utf8_lossy(&command.stdin);
        if asked.contains("Win32_ComputerSystem") {
            return Ok(self.membership(&asked));
        }
        if asked.contains("Get-AppxPackage") {
            // This Windows has none of them.
            return Ok(said("listed\r\n".into()));
        }
        bail!("powershell.exe: no such script")
    }
}

impl Processes for Memory {
    fn set_deadline(&self, deadline: Option<Deadline>) {
        self.limited.set(deadline);
    }

    fn deadline(&self) -> Option<Deadline> {
        self.limited.get()
    }

    fn run(&self, command: &Command) -> Result<Output> {
        let left = Deadline::of(command, self.deadline()).map(|deadline| deadline.left());
        self.world_mut().commands.push(Command {
            timeout: left,
            ..command.clone()
        });
        let arguments: Vec<&str> = command.arguments.iter().map(String::as_str).collect();
        match (command.program.as_str(), arguments.as_slice()) {
            ("sh", ["-c", "eval \"$(cat)\""] | ["-s", "--", ..]) => {
                self.shell(String::from_utf8_lossy(&command.stdin).trim(), command)
            }
            ("sh", [script, ..]) => {
                let script = self.read(Path::new(script))?.context("sh: no such file")?;
                self.shell(String::from_utf8(script)?.trim(), command)
            }
            ("realm", arguments) if self.exists(Path::new(REALM)) => {
                Ok(self.realm(arguments, &command.stdin))
            }
            ("ssh-keygen", ["-A"]) => self.make_host_keys(command),
            ("update-initramfs", ["-u", "-k", "all"]) => self.make_initramfs(command),
            ("apt-get", ["clean"]) => {
                for name in self.list(Path::new("/var/cache/apt"))? {
                    self.remove(&Path::new("/var/cache/apt").join(name))?;
                }
                Ok(ended(0))
            }
            ("dpkg", ["--audit"]) | ("apt-get", ["install" | "upgrade"]) => Ok(ended(0)),
            ("dpkg-query", _) => {
                let status = self.status()?;
                let lines = status
                    .iter()
                    .map(|(name, version)| format!("{name}\t{version}\tinstalled\n"));
                Ok(Output {
                    stdout: lines.collect(),
                    ..Output::default()
                })
            }
            ("rpm", ["-qa", "--qf", format]) => {
                let bytes = self.read(Path::new(RPM))?.context("rpm: no such program")?;
                let packages = pairs(&String::from_utf8(bytes)?);
                let line = |(name, version): &(String, String)| {
                    let named = format.replace("%{NAME}", name).replace("%{ARCH}", "noarch");
                    named.replace("%{EVR}", version)
                };
                Ok(Output {
                    stdout: packages.iter().map(line).collect(),
                    ..Output::default()
                })
            }
            (program, arguments) => self.run_in_windows(program, arguments, command),
        }
    }
}
