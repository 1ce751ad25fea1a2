//! The `/etc/fstab` of an installed system: which of the machine's volumes belongs where. Pure.

use crate::platform::{Disk, Partition};

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What is mounted: `UUID=…`, `LABEL=…`, `/dev/…`, a share.
    pub device: String,
    /// Where, without a slash at the end.
    pub mount_point: String,
    /// File system.
    pub kind: String,
    /// Mount options, by commas.
    pub options: String,
}

impl Entry {
    /// Whether it is a volume of a Linux file system, and not a share, swap, a folder shown twice, or the ESP.
    pub fn is_volume(&self) -> bool {
        let kinds = ["ext2", "ext3", "ext4", "xfs", "btrfs", "auto"];
        kinds.contains(&self.kind.as_str()) && !self.has("bind") && !self.has("rbind") && !self.has("loop")
    }

    /// Whether the system starts without it.
    pub fn is_optional(&self) -> bool {
        self.has("noauto") || self.has("nofail")
    }

    /// Whether nothing but somebody's command mounts it.
    fn is_by_hand(&self) -> bool {
        self.has("noauto") && !self.has("x-systemd.automount")
    }

    /// The Btrfs subvolume that is mounted, where one is named.
    pub fn subvolume(&self) -> Option<&str> {
        let named = |option: &'_ str| option.starts_with("subvol=") || option.starts_with("subvolid=");
        self.options.split(',').find(|option| named(option))
    }

    fn has(&self, option: &str) -> bool {
        self.options.split(',').any(|given| given == option)
    }
}

/// The lines that mount something at a place in the tree.
pub fn parse(text: &str) -> Vec<Entry> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let entries = lines.filter_map(|line| {
        let mut fields = line.split_ascii_whitespace().map(unescape);
        let (device, point) = (fields.next()?, fields.next()?);
        let mount_point = match point.trim_end_matches('/') {
            "" => "/",
            point => point,
        };
        point.starts_with('/').then(|| Entry {
            device: device.replace('"', ""),
            mount_point: mount_point.to_owned(),
            kind: fields.next().unwrap_or_else(|| "auto".into()),
            options: fields.next().unwrap_or_default(),
        })
    });
    entries.collect()
}

/// Blanks are written as three octal digits behind a backslash.
fn unescape(field: &str) -> String {
    let escapes = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    let text = field.to_owned();
    escapes
        .iter()
        .fold(text, |text, (from, to)| text.replace(from, to))
}

/// The volume that a line names. `system` is the volume with the installed system, `entries` are all lines.
pub fn resolve<'a>(
    entry: &Entry,
    entries: &[Entry],
    disks: &'a [Disk],
    system: &Partition,
) -> Option<&'a Partition> {
    let all = || disks.iter().flat_map(|disk| &disk.partitions);
    let mut fitting: Box<dyn Iterator<Item = &'a Partition>> = match tag(&entry.device) {
        Some((tag, value)) => Box::new(all().filter(move |partition| has_tag(partition, tag, value))),
        None => match number_beside(entry, entries, system) {
            Some(number) => {
                let disk = disks
                    .iter()
                    .filter(|disk| disk.partitions.iter().any(|p| p.id == system.id));
                Box::new(
                    disk.flat_map(|disk| &disk.partitions)
                        .filter(move |p| p.number == number),
                )
            }
            // A device that is mounted by hand may have been the stick that the system was installed from, as Debian's installer
            // writes it: the name is another's here.
            None if entry.is_by_hand() => Box::new(std::iter::empty()),
            None => Box::new(all().filter(|partition| partition.path.as_os_str() == entry.device.as_str())),
        },
    };
    // What fits twice names nothing.
    match (fitting.next(), fitting.next()) {
        (Some(found), None) => Some(found),
        _ => None,
    }
}

/// Disks can have other names here than in the installed system. Where its root is `/dev/sda2`, every other
/// `/dev/sda…` lies on the root's disk, whatever that is called here.
fn number_beside(entry: &Entry, entries: &[Entry], system: &Partition) -> Option<u32> {
    let root = entries.iter().find(|entry| entry.mount_point == "/")?;
    let disk = root.device.strip_suffix(&system.number.to_string())?;
    let number = entry.device.strip_prefix(disk)?;
    disk.starts_with("/dev/").then(|| number.parse().ok())?
}

fn tag(device: &str) -> Option<(&str, &str)> {
    const FOLDERS: [(&str, &str); 4] = [
        ("/dev/disk/by-uuid/", "UUID"),
        ("/dev/disk/by-label/", "LABEL"),
        ("/dev/disk/by-partuuid/", "PARTUUID"),
        ("/dev/disk/by-partlabel/", "PARTLABEL"),
    ];
    let in_folder = FOLDERS
        .iter()
        .find_map(|(folder, tag)| Some((*tag, device.strip_prefix(folder)?)));
    in_folder.or_else(|| device.split_once('='))
}

fn has_tag(partition: &Partition, tag: &str, value: &str) -> bool {
    match tag {
        "UUID" => !value.is_empty() && partition.uuid.eq_ignore_ascii_case(value),
        "PARTUUID" => !value.is_empty() && partition.id.eq_ignore_ascii_case(value),
        "LABEL" => !value.is_empty() && partition.label == value,
        "PARTLABEL" => !value.is_empty() && partition.name == value,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::Bus;

    fn partition(disk: &str, number: u32) -> Partition {
        Partition {
            number,
            path: format!("/dev/{disk}{number}").into(),
            id: format!("partuuid-{disk}{number}"),
            kind: String::new(),
            name: format!("partlabel-{disk}{number}"),
            attributes: 0,
            active: false,
            start: 0,
            size: 0,
            file_system: "ext4".into(),
            label: format!("label {disk}{number}"),
            uuid: format!("uuid-{disk}{number}"),
        }
    }

    fn disk(name: &str) -> Disk {
        Disk {
            number: 0,
            path: format!("/dev/{name}").into(),
            model: String::new(),
            serial: String::new(),
            wwn: String::new(),
            size: 0,
            sector_size: 512,
            bus: Bus::Ata,
            removable: false,
            read_only: false,
            is_media: false,
            volume_set: String::new(),
            table_id: String::new(),
            partitions: (1..=4).map(|number| partition(name, number)).collect(),
            has_content: true,
        }
    }

    fn resolved(text: &str, point: &str) -> Option<String> {
        let disks = [disk("sda"), disk("sdb")];
        let entries = parse(text);
        let entry = entries.iter().find(|entry| entry.mount_point == point).unwrap();
        // The system lies on what is the second disk here.
        let found = resolve(entry, &entries, &disks, &disks[1].partitions[1]);
        found.map(|partition| partition.path.display().to_string())
    }

    #[test]
    fn every_way_to_name_a_volume_is_understood() {
        for device in [
            "UUID=UUID-sdb3",
            "UUID=\"uuid-sdb3\"",
            "PARTUUID=PARTUUID-SDB3",
            "LABEL=label\\040sdb3",
            "PARTLABEL=partlabel-sdb3",
            "/dev/disk/by-uuid/uuid-sdb3",
            "/dev/disk/by-partuuid/partuuid-sdb3",
            "/dev/sdb3",
        ] {
            let text = format!(
                "# a line\nUUID=uuid-sdb2 / ext4 defaults 0 1\n\n{device}\t/var/ ext4 defaults 0 2\n"
            );
            assert_eq!(resolved(&text, "/var").as_deref(), Some("/dev/sdb3"), "{device}");
        }
        for device in ["UUID=other", "/dev/mapper/vg-var", "LABEL=", "nfs:/share"] {
            let text = format!("UUID=uuid-sdb2 / ext4 defaults 0 1\n{device} /var ext4\n");
            assert_eq!(resolved(&text, "/var"), None, "{device}");
        }
    }

    #[test]
    fn device_names_are_taken_from_the_roots_disk_whatever_it_is_called_here() {
        let text = "/dev/sda2 / ext4 defaults 0 1\n/dev/sda3 /var ext4 defaults 0 2\n";
        assert_eq!(resolved(text, "/var").as_deref(), Some("/dev/sdb3"));
    }

    #[test]
    fn a_device_that_is_mounted_by_hand_is_not_taken_by_a_name_that_another_has_here() {
        let line = |options: &str| {
            format!("UUID=uuid-sdb2 / ext4 defaults 0 1\n/dev/sda1 /media/usb0 auto {options} 0 0\n")
        };
        assert_eq!(resolved(&line("rw,user,noauto"), "/media/usb0"), None);
        for options in ["rw", "noauto,x-systemd.automount"] {
            let found = resolved(&line(options), "/media/usb0");
            assert_eq!(found.as_deref(), Some("/dev/sda1"), "{options}");
        }
        // On the disk of the root it is the same one.
        let beside = "/dev/sda2 / ext4 defaults 0 1\n/dev/sda3 /srv ext4 noauto 0 2\n";
        assert_eq!(resolved(beside, "/srv").as_deref(), Some("/dev/sdb3"));
    }

    #[test]
    fn shares_swap_and_folders_shown_twice_are_no_volumes() {
        let text = "//server/share /mnt cifs ro 0 0\nUUID=x none swap sw 0 0\n/srv /home/srv none bind 0 0\n\
                    UUID=y /data ext4 noauto 0 0\nUUID=z /home btrfs subvol=@home,noatime 0 0\n";
        let entries = parse(text);
        let volumes: Vec<_> = entries.iter().filter(|entry| entry.is_volume()).collect();
        assert_eq!(volumes.len(), 2);
        assert!(volumes[0].is_optional() && volumes[0].subvolume().is_none());
        assert_eq!(volumes[1].subvolume(), Some("subvol=@home"));
    }
}
