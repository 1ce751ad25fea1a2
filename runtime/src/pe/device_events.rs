//! Loads drivers for the devices that are there and for those that the kernel announces later.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recv, socket_with, sockopt};

use super::Error;
use super::modules::Loader;

/// The kernel's own announcements, not udev's.
const KERNEL_GROUP: u32 = 1;
/// A machine with many disks announces some thousand things at once.
const RECEIVE_BUFFER: usize = 8 << 20;
/// Not everything that can be waited for is announced.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

#[derive(Default)]
struct State {
    /// The last announcement that was dealt with.
    sequence: u64,
    changes: u64,
}

/// A thread that loads drivers, and what others may wait for.
pub(super) struct DeviceEvents {
    state: Mutex<State>,
    changed: Condvar,
}

/// The parts of an announcement that matter.
#[derive(Debug, Default, PartialEq, Eq)]
struct Event<'a> {
    add: bool,
    alias: Option<&'a str>,
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
        });
        let worker = Arc::clone(&events);
        let run = move || worker.run(&socket, &loader);
        std::thread::Builder::new()
            .name("devices".to_owned())
            .spawn(run)
            .map_err(failed)?;
        Ok(events)
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

    fn load_present(&self, loader: &Loader) {
        let sequence = current_sequence();
        let mut aliases = Vec::new();
        collect_aliases(Path::new("/sys/devices"), &mut aliases);
        aliases.sort_unstable();
        aliases.dedup();
        for alias in &aliases {
            loader.load(alias);
        }
        self.note(sequence);
    }

    fn handle(&self, event: &Event<'_>, loader: &Loader) {
        if let (true, Some(alias)) = (event.add, event.alias) {
            loader.load(alias);
        }
        self.note(event.sequence);
    }

    fn note(&self, sequence: u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.sequence = state.sequence.max(sequence);
        state.changes += 1;
        drop(state);
        self.changed.notify_all();
    }

    /// Waits until all that was announced so far has been dealt with, and what that announced in turn.
    pub(super) fn settle(&self, limit: Duration) {
        let end = Instant::now() + limit;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while state.sequence < current_sequence() {
            let Some(left) = end.checked_duration_since(Instant::now()) else {
                return;
            };
            let wait = left.min(LOOK_AGAIN);
            state = self
                .changed
                .wait_timeout(state, wait)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
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
            b"add@/devices/x\0ACTION=add\0DEVPATH=/devices/x\0MODALIAS=pci:v1\0SEQNUM=1234\0\xff\xfe\0";
        assert_eq!(
            parse(message),
            Event {
                add: true,
                alias: Some("pci:v1"),
                sequence: 1234
            }
        );
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
    fn waiting_ends_with_an_answer_or_with_the_limit() {
        let events = DeviceEvents {
            state: Mutex::default(),
            changed: Condvar::new(),
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
