//! Loads drivers for the devices that are there and for those that the kernel announces later.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recv, socket_with, sockopt};

use super::modules::Loader;
use super::{Error, usb};

/// The kernel's own announcements, not udev's.
const KERNEL_GROUP: u32 = 1;
/// A machine with many disks announces some thousand things at once.
const RECEIVE_BUFFER: usize = 8 << 20;
/// Drivers mostly wait for their devices, so more threads than processors are of use.
const LOADERS: usize = 8;
/// What drives of media need, and what it is mounted with; the kernel would ask for the file systems one by one through
/// a process each.
const FOR_MEDIA: [&str; 8] = [
    "sr_mod",
    "sd_mod",
    "usb_storage",
    "uas",
    "isofs",
    "vfat",
    "nls_cp437",
    "nls_ascii",
];
/// One more of those, and no driver: the kernel says that it is loaded when all drivers have found their devices.
const LAST_FOR_MEDIA: &str = "exfat";
/// Classes of PCI devices behind which media is. They take the longest to find what they have.
const MASS_STORAGE: &str = "bc01";
const USB: &str = "bc0Csc03";
/// Not everything that can be waited for is announced.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

#[derive(Default)]
struct State {
    /// The last announcement that was dealt with.
    sequence: u64,
    changes: u64,
    /// All drivers for what was there at the start have found their devices.
    complete: bool,
    /// When something was last plugged in by USB; the hubs of the controllers are, too.
    usb: Option<Instant>,
}

/// A thread that loads drivers, and what others may wait for.
pub(super) struct DeviceEvents {
    state: Mutex<State>,
    changed: Condvar,
    loader: Arc<Loader>,
}

/// The parts of an announcement that matter.
#[derive(Debug, Default, PartialEq, Eq)]
struct Event<'a> {
    add: bool,
    alias: Option<&'a str>,
    usb: bool,
    sequence: u64,
}

fn parse(message: &[u8]) -> Event<'_> {
    let mut event = Event::default();
    for field in message
        .split(|&byte| byte == 0)
        .filter_map(|field| std::str::from_utf8(field).ok())
    {
        match field.split_once('=') {
            Some(("ACTION", action)) => event.add = action == "add",
            Some(("MODALIAS", alias)) => event.alias = Some(alias),
            Some(("SUBSYSTEM", subsystem)) => event.usb = subsystem == "usb",
            Some(("SEQNUM", number)) => event.sequence = number.parse().unwrap_or_default(),
            _ => {}
        }
    }
    event
}

fn current_sequence() -> u64 {
    let text = fs::read_to_string("/sys/kernel/uevent_seqnum").unwrap_or_default();
    text.trim().parse().unwrap_or_default()
}

fn listen() -> rustix::io::Result<OwnedFd> {
    let socket = socket_with(
        AddressFamily::NETLINK,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        Some(netlink::KOBJECT_UEVENT),
    )?;
    // More than the usual limit needs the privilege that the first process has.
    sockopt::set_socket_recv_buffer_size_force(&socket, RECEIVE_BUFFER)?;
    bind(&socket, &SocketAddrNetlink::new(0, KERNEL_GROUP))?;
    Ok(socket)
}

impl DeviceEvents {
    /// Starts the thread: first the devices that are there, then every new one.
    pub(super) fn start() -> Result<Arc<Self>, Error> {
        let failed = |error: io::Error| Error::DeviceEvents(error);
        let socket = listen().map_err(|error| failed(error.into()))?;
        let loader = Loader::open()?;
        loader.make_static_nodes();
        let events = Arc::new(Self {
            state: Mutex::default(),
            changed: Condvar::new(),
            loader: Arc::new(loader),
        });
        let worker = Arc::clone(&events);
        spawn("devices", move || worker.run(&socket, &worker.loader)).map_err(failed)?;
        Ok(events)
    }

    /// Loads a module without waiting for any driver.
    pub(super) fn begin(&self, name: &str) {
        self.loader.begin(name);
    }

    /// In the background, what only makes the machine faster: loading it runs the kernel's own tests of each cipher.
    pub(super) fn load_for_processor(&self) -> io::Result<()> {
        let loader = Arc::clone(&self.loader);
        spawn("ciphers", move || {
            let mut features = present_aliases();
            features.retain(|alias| of_processor(alias));
            loader.load_all(&features);
        })
    }

    fn run(&self, socket: &OwnedFd, loader: &Loader) {
        self.load_present(loader);
        let mut buffer = vec![0; 16 << 10];
        loop {
            match recv(socket, buffer.as_mut_slice(), RecvFlags::empty()) {
                Ok((_, length)) => self.handle(&parse(&buffer[..length.min(buffer.len())]), loader),
                Err(rustix::io::Errno::INTR) => {}
                // Announcements were lost: look at everything again.
                Err(rustix::io::Errno::NOBUFS) => self.load_present(loader),
                Err(_) => return,
            }
        }
    }

    /// First what takes the longest: controllers look for their disks while everything else is loaded.
    fn load_present(&self, loader: &Loader) {
        let sequence = current_sequence();
        let begin = |alias: &str| loader.begin(alias);
        let controllers = controllers(Path::new("/sys/bus/pci/devices"));
        side_by_side(&controllers, |alias| {
            if shares_its_driver(alias, &controllers, |alias| loader.modules(alias)) {
                loader.load(alias)
            } else {
                loader.begin(alias)
            }
        });
        std::thread::scope(|scope| {
            scope.spawn(|| side_by_side(&FOR_MEDIA, begin));
            let mut devices = present_aliases();
            devices.retain(|alias| !of_processor(alias));
            side_by_side(&devices, |alias| loader.load(alias));
        });
        loader.load(LAST_FOR_MEDIA);
        self.state.lock().unwrap_or_else(PoisonError::into_inner).complete = true;
        self.note(sequence, usb::is_there());
    }

    fn handle(&self, event: &Event<'_>, loader: &Loader) {
        if let (true, Some(alias)) = (event.add, event.alias.filter(|alias| !of_processor(alias))) {
            loader.load(alias);
        }
        self.note(event.sequence, event.usb);
    }

    fn note(&self, sequence: u64, of_usb: bool) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.sequence = state.sequence.max(sequence);
        state.changes += 1;
        if of_usb {
            state.usb = Some(Instant::now());
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Waits until all that was announced so far has been dealt with, and what that announced in turn. At the limit it is false while
    /// the drivers of what was there at the start are at work: a device may announce something for ever.
    pub(super) fn settle(&self, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while state.sequence < current_sequence() {
            let Some(left) = end.checked_duration_since(Instant::now()) else {
                return state.complete;
            };
            let wait = left.min(LOOK_AGAIN);
            state = self
                .changed
                .wait_timeout(state, wait)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        true
    }

    /// Waits until no more comes by USB, and all disks behind it are there; false when that is not so at the limit.
    pub(super) fn settle_usb(&self, limit: Duration) -> bool {
        let is_quiet = || {
            let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.usb.is_none_or(|last| last.elapsed() >= usb::QUIET)
        };
        let settled = || (is_quiet() && usb::is_scanned()).then_some(());
        self.wait_for(limit, settled).is_some()
    }

    /// Asks again after every change.
    pub(super) fn wait_for<T>(&self, limit: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
        let end = Instant::now() + limit;
        loop {
            let seen = self.state.lock().unwrap_or_else(PoisonError::into_inner).changes;
            if let Some(answer) = ask() {
                return Some(answer);
            }
            let left = end.checked_duration_since(Instant::now())?;
            let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let same = |state: &mut State| state.changes == seen;
            drop(self.changed.wait_timeout_while(state, left.min(LOOK_AGAIN), same));
        }
    }
}

/// One driver waits for its devices while another is loaded.
fn side_by_side(names: &[impl AsRef<str> + Sync], load: impl Fn(&str) -> bool + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..LOADERS.min(names.len()) {
            scope.spawn(|| {
                while let Some(name) = names.get(next.fetch_add(1, Ordering::Relaxed)) {
                    load(name.as_ref());
                }
            });
        }
    });
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let thread = std::thread::Builder::new().name(name.to_owned());
    thread.spawn(work).map(|_| ())
}

/// Modules for features of the processor: ciphers and checksums, never a device.
fn of_processor(alias: &str) -> bool {
    alias.starts_with("cpu:")
}

/// Whether other mass storage has the same driver. Without a wait it would look for all disks at once, and which of them comes
/// first, and gets the lower number, would be another at each start.
fn shares_its_driver(alias: &str, controllers: &[String], modules: impl Fn(&str) -> Vec<String>) -> bool {
    let driver = modules(alias);
    let same = |other: &&String| other.contains(MASS_STORAGE) && modules(other) == driver;
    alias.contains(MASS_STORAGE) && controllers.iter().filter(same).count() > 1
}

/// The aliases of the controllers on the PCI bus, without a walk through all devices.
fn controllers(bus: &Path) -> Vec<String> {
    let devices = fs::read_dir(bus).into_iter().flatten().flatten();
    let aliases = devices.filter_map(|device| fs::read_to_string(device.path().join("modalias")).ok());
    let aliases = aliases.map(|alias| alias.trim().to_owned());
    aliases
        .filter(|alias| [MASS_STORAGE, USB].iter().any(|class| alias.contains(class)))
        .collect()
}

fn present_aliases() -> Vec<String> {
    let mut aliases = Vec::new();
    collect_aliases(Path::new("/sys/devices"), &mut aliases);
    aliases.sort_unstable();
    aliases.dedup();
    aliases
}

/// The aliases of all devices; links are not followed, so each device is seen once.
fn collect_aliases(folder: &Path, aliases: &mut Vec<String>) {
    for item in fs::read_dir(folder).into_iter().flatten().flatten() {
        match item.file_type() {
            Ok(kind) if kind.is_dir() => collect_aliases(&item.path(), aliases),
            Ok(kind) if kind.is_file() && item.file_name() == "modalias" => {
                let text = fs::read_to_string(item.path()).unwrap_or_default();
                aliases.extend(Some(text.trim().to_owned()).filter(|alias| !alias.is_empty()));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn announcements_are_read() {
        let message =
            b"add@/devices/x\0ACTION=add\0DEVPATH=/devices/x\0SUBSYSTEM=usb\0MODALIAS=usb:v1\0SEQNUM=1234\0\xff\xfe\0";
        assert_eq!(
            parse(message),
            Event {
                add: true,
                alias: Some("usb:v1"),
                usb: true,
                sequence: 1234
            }
        );
        // The disks behind it come when all that is to be waited for is over.
        assert!(!parse(b"ACTION=add\0DEVPATH=/devices/usb1/block/sda\0SUBSYSTEM=block\0").usb);
        assert_eq!(parse(b"libudev\0\xfe\xed"), Event::default());
    }

    #[test]
    fn every_device_is_seen_once() {
        let folder = tempfile::tempdir().unwrap();
        let device = folder.path().join("pci0/usb1");
        fs::create_dir_all(&device).unwrap();
        fs::write(device.join("modalias"), "usb:v1\n").unwrap();
        fs::write(folder.path().join("pci0/modalias"), "\n").unwrap();
        std::os::unix::fs::symlink(&device, folder.path().join("again")).unwrap();
        let mut aliases = Vec::new();
        collect_aliases(folder.path(), &mut aliases);
        assert_eq!(aliases, ["usb:v1"]);
    }

    #[test]
    fn controllers_of_disks_and_usb_are_known_from_their_class() {
        let bus = tempfile::tempdir().unwrap();
        for (name, class) in [
            ("disk", "bc01sc06i01"),
            ("usb", "bc0Csc03i30"),
            ("network", "bc02sc00i00"),
        ] {
            fs::create_dir(bus.path().join(name)).unwrap();
            let alias = format!("pci:v00008086d00002922sv00001AF4sd00001100{class}\n");
            fs::write(bus.path().join(name).join("modalias"), alias).unwrap();
        }
        let mut found = controllers(bus.path());
        found.sort();
        assert_eq!(found.len(), 2);
        assert!(
            found[0].ends_with("bc01sc06i01") && found[1].ends_with("bc0Csc03i30"),
            "{found:?}"
        );
    }

    #[test]
    fn only_disks_behind_one_driver_wait_for_each_other() {
        let [first, second, nvme] =
            ["pci:1bc01sc04i00", "pci:2bc01sc04i00", "pci:3bc01sc08i02"].map(str::to_owned);
        let usb = ["pci:4bc0Csc03i30", "pci:5bc0Csc03i30"].map(str::to_owned);
        let all = [&[first, second, nvme][..], &usb].concat();
        let modules = |alias: &str| {
            let driver = match alias {
                _ if alias.ends_with("sc04i00") => "mpt3sas",
                _ if alias.ends_with("sc08i02") => "nvme",
                _ => "xhci_pci",
            };
            vec![driver.to_owned()]
        };
        let shares: Vec<bool> = all
            .iter()
            .map(|alias| shares_its_driver(alias, &all, modules))
            .collect();
        assert_eq!(shares, [true, true, false, false, false]);
        assert!(!shares_its_driver(&all[0], &all[..1], modules));
    }

    #[test]
    fn disks_are_known_only_when_all_drivers_have_found_theirs() {
        let events = |sequence, complete| DeviceEvents {
            state: Mutex::new(State {
                sequence,
                complete,
                ..State::default()
            }),
            changed: Condvar::new(),
            loader: Arc::default(),
        };
        let settles = |sequence, complete| events(sequence, complete).settle(Duration::from_millis(1));
        assert!(settles(u64::MAX, false), "nothing is left to deal with");
        if current_sequence() > 0 {
            assert!(!settles(0, false), "a driver is still at work");
            assert!(settles(0, true), "something announces itself for ever");
        }
    }

    #[test]
    fn usb_is_settled_some_time_after_its_last_device_came() {
        let events = DeviceEvents {
            state: Mutex::default(),
            changed: Condvar::new(),
            loader: Arc::default(),
        };
        let settles = || events.settle_usb(Duration::from_millis(1));
        assert!(settles(), "no USB at all");
        events.note(1, true);
        assert!(!settles());
        events.note(2, false);
        assert!(!settles());
        events.state.lock().unwrap().usb = Instant::now().checked_sub(usb::QUIET);
        assert!(settles());
    }

    #[test]
    fn waiting_ends_with_an_answer_or_with_the_limit() {
        let events = DeviceEvents {
            state: Mutex::default(),
            changed: Condvar::new(),
            loader: Arc::default(),
        };
        let mut left = 2;
        let answer = events.wait_for(Duration::from_secs(20), || {
            left -= 1;
            (left == 0).then_some("there")
        });
        assert_eq!(answer, Some("there"));
        assert_eq!(events.wait_for(Duration::from_millis(1), || None::<()>), None);
    }
}
