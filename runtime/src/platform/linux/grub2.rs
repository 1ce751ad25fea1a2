//! GRUB of the distributions with RPM packages, where it is called grub2, by the system's own programs.

use std::path::Path;

use anyhow::Context as _;

use super::Linux;
use crate::platform::{Files as _, Result};

/// Entries of the menu by the Boot Loader Specification: they name the root of the machine that the system was installed on.
const ENTRIES: &str = "boot/loader/entries";
/// What entries of kernels that are installed later get.
const COMMAND_LINE: &str = "etc/kernel/cmdline";
const DRACUT: &str = "usr/bin/dracut";

impl Linux {
    /// Makes the system start, and every start of it find its new root.
    pub(super) fn install_grub2(&self, root: &Path, disk: &str, uefi: bool) -> Result<()> {
        let arguments: &[&str] = if uefi {
            &[
                "--target=x86_64-efi",
                "--efi-directory=/boot/efi",
                "--no-nvram",
                "--removable",
                // Some refuse to install what no key has signed.
                "--force",
            ]
        } else {
            &["--target=i386-pc", disk]
        };
        self.checked("grub2-install", arguments, Some(root)).context(
            "installing GRUB in the system; the reference needs grub2-pc (BIOS) and grub2-efi-x64-modules (UEFI), or what \
             its distribution calls them",
        )?;
        self.renew_initramfs(root)?;
        self.renew_entries(root)?;
        self.checked("grub2-mkconfig", &["-o", "/boot/grub2/grub.cfg"], Some(root))
            .context("writing GRUB's menu in the system")?;
        Ok(())
    }

    /// The one that came with the image may hold no more drivers than the machine needs that it was made on.
    fn renew_initramfs(&self, root: &Path) -> Result<()> {
        if self.exists(&root.join(DRACUT)) {
            let arguments = ["--force", "--no-hostonly", "--regenerate-all"];
            self.checked("dracut", &arguments, Some(root))
                .context("making the initramfs of the system anew")?;
        }
        Ok(())
    }

    fn renew_entries(&self, root: &Path) -> Result<()> {
        let folder = root.join(ENTRIES);
        let names = self.list(&folder)?;
        let entries = names.iter().filter(|name| name.ends_with(".conf"));
        let mut files: Vec<_> = entries.map(|name| folder.join(name)).collect();
        files.push(root.join(COMMAND_LINE));
        let uuid = |path| -> Result<String> {
            let arguments = ["--target=fs_uuid", path];
            let output = self.checked("grub2-probe", &arguments, Some(root))?;
            Ok(output.stdout.trim().to_owned())
        };
        let (of_root, of_boot) = (uuid("/")?, uuid("/boot")?);
        let boot = if of_root == of_boot { "/boot" } else { "" };
        for path in files {
            if let Some(bytes) = self.read(&path)? {
                let text = renewed(&String::from_utf8_lossy(&bytes), &of_root, boot);
                self.write(&path, text.as_bytes(), 0o644)?;
            }
        }
        Ok(())
    }
}

/// An entry, or a command line alone, for another root; `boot` is where GRUB finds the kernels on their volume.
fn renewed(text: &str, uuid: &str, boot: &str) -> String {
    let line = |line: &str| match line.split_once(char::is_whitespace) {
        Some((key @ ("linux" | "initrd"), path)) => {
            let path = path.trim();
            format!("{key} {boot}{}\n", path.strip_prefix("/boot").unwrap_or(path))
        }
        _ => format!("{}\n", with_root(line, uuid)),
    };
    text.lines().map(line).collect()
}

/// What else names volumes of the machine that the system was installed on: the initramfs would wait for them.
const OLD_VOLUMES: [&str; 6] = [
    "rootflags=subvol",
    "resume=",
    "rd.lvm.",
    "rd.luks.",
    "rd.md.",
    "rd.dm.",
];

fn with_root(line: &str, uuid: &str) -> String {
    let is_old = |word: &&str| OLD_VOLUMES.iter().any(|name| word.starts_with(name));
    let words = line.split(' ').filter(|word| !is_old(word)).map(|word| {
        if word.starts_with("root=") {
            format!("root=UUID={uuid}")
        } else {
            word.to_owned()
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::linux::namespace_tests::apart;

    const ENTRY: &str = "title Fedora Linux (6.8.5) 40\nversion 6.8.5\nlinux /vmlinuz-6.8.5\n\
                         initrd /initramfs-6.8.5.img $tuned_initrd\noptions root=UUID=old ro quiet\n";

    #[test]
    fn an_entry_leads_to_the_new_root() {
        let expected = "title Fedora Linux (6.8.5) 40\nversion 6.8.5\nlinux /boot/vmlinuz-6.8.5\n\
                        initrd /boot/initramfs-6.8.5.img $tuned_initrd\noptions root=UUID=new ro quiet\n";
        let once = renewed(ENTRY, "new", "/boot");
        assert_eq!(once, expected);
        assert_eq!(renewed(&once, "new", "/boot"), expected);
        // A volume of its own has the kernels at its top.
        assert_eq!(renewed(&once, "old", ""), ENTRY);
        assert_eq!(
            renewed(
                "ro root=/dev/mapper/cs-root resume=/dev/mapper/cs-swap rd.lvm.lv=cs/root rootflags=subvol=root quiet",
                "new",
                ""
            ),
            "ro root=UUID=new quiet\n"
        );
        // GRUB has this one's from its own variable.
        assert_eq!(renewed("options $kernelopts", "new", ""), "options $kernelopts\n");
    }

    /// Programs that note how they were called, in a system that has nothing but BusyBox.
    fn system(root: &Path) {
        for folder in ["bin", "usr/bin", "usr/sbin", "boot/grub2", ENTRIES, "etc/kernel"] {
            std::fs::create_dir_all(root.join(folder)).unwrap();
        }
        std::fs::copy("/bin/busybox", root.join("bin/sh")).unwrap();
        for (program, line) in [
            ("usr/sbin/grub2-install", "echo \"grub2-install $*\" >>/calls"),
            ("usr/sbin/grub2-mkconfig", "echo \"grub2-mkconfig $*\" >>/calls"),
            ("usr/bin/dracut", "echo \"dracut $*\" >>/calls"),
            ("usr/sbin/grub2-probe", "echo new"),
        ] {
            let path = root.join(program);
            std::fs::write(&path, format!("#!/bin/sh\n{line}\n")).unwrap();
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(&path, mode).unwrap();
        }
        std::fs::write(root.join(ENTRIES).join("1.conf"), ENTRY).unwrap();
        std::fs::write(root.join(COMMAND_LINE), "root=UUID=old ro\n").unwrap();
    }

    #[test]
    fn the_systems_own_programs_make_it_start() {
        apart(module_path!(), "the_systems_own_programs_make_it_start", |room| {
            let root = room.join("root");
            system(&root);
            let linux = Linux::new();
            linux.install_grub2(&root, "/dev/vda", false).unwrap();
            linux.install_grub2(&root, "/dev/vda", true).unwrap();
            let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
            let calls = read("calls");
            let calls: Vec<&str> = calls.lines().collect();
            assert_eq!(calls[0], "grub2-install --target=i386-pc /dev/vda");
            assert_eq!(calls[1], "dracut --force --no-hostonly --regenerate-all");
            assert_eq!(calls[2], "grub2-mkconfig -o /boot/grub2/grub.cfg");
            assert!(calls[3].starts_with("grub2-install --target=x86_64-efi --efi-directory=/boot/efi"));
            assert!(read("boot/loader/entries/1.conf").contains("linux /boot/vmlinuz-6.8.5\n"));
            assert_eq!(read(COMMAND_LINE), "root=UUID=new ro\n");
        });
    }
}
