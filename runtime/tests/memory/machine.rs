//! The machine: every operation that changes something may be the one at which the power fails.

use std::cell::{Cell, Ref, RefCell, RefMut};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::bail;
use runtime::platform::deadline::Deadline;
use runtime::platform::{Account, Files as _, Machine, Network, Result, System};

use windows_setup::drivers::ids::MachineDevice;

use crate::world::{Node, Place, World};

/// What a power cut throws through the code that runs.
pub(crate) struct PowerCut;

/// All platform traits over one world.
pub(crate) struct Memory {
    world: RefCell<World>,
    /// Until when what is started may take.
    pub(crate) limited: Cell<Option<Deadline>>,
}

impl Memory {
    pub(crate) fn new(world: World) -> Self {
        Self {
            world: RefCell::new(world),
            limited: Cell::default(),
        }
    }

    pub(crate) fn world(&self) -> Ref<'_, World> {
        self.world.borrow()
    }

    pub(crate) fn world_mut(&self) -> RefMut<'_, World> {
        self.world.borrow_mut()
    }

    pub(crate) fn into_world(self) -> World {
        self.world.into_inner()
    }

    /// Counts an operation. When it is the one at which the power fails, `torn` says what it leaves, and nothing
    /// after it happens.
    pub(crate) fn tick(&self, name: &str, torn: impl FnOnce(&mut World)) -> Result<()> {
        let mut world = self.world_mut();
        world.operations.push(name.to_owned());
        let number = world.operations.len();
        if world.cuts.contains(&number) {
            world.lose();
            world.leave_open_volumes();
            torn(&mut world);
            drop(world);
            std::panic::resume_unwind(Box::new(PowerCut));
        }
        if world.faults.contains(&number) {
            bail!("{name}: input/output error");
        }
        Ok(())
    }

    /// The place of a path that is to be changed by so many bytes more.
    pub(crate) fn writable(&self, path: &Path, more: u64) -> Result<(Place, String)> {
        let world = self.world();
        let (place, key, writable) = world.locate(path);
        if !writable || matches!(place, Place::Volume(_, None)) {
            bail!("{}: read-only file system", path.display());
        }
        let volume = world.volume(&place);
        if more > 0 && volume.capacity > 0 && volume.used() + more > volume.capacity {
            bail!("{}: no space left on device", path.display());
        }
        Ok((place, key))
    }
}

impl Memory {
    /// A mount point, where there is none.
    fn make_folder(&self, folder: &Path) -> Result<()> {
        if self.exists(folder) {
            return Ok(());
        }
        let (place, key) = self.writable(folder, 0)?;
        self.tick(&format!("make the folder {}", folder.display()), |_| {})?;
        self.world_mut().volume_mut(&place).put(&key, Node::Folder);
        Ok(())
    }
}

impl Network for Memory {
    fn connect(&self, share: &str, account: &Account, at: Option<&Path>) -> Result<std::path::PathBuf> {
        let world = self.world();
        let Some(found) = world.shares.get(share) else {
            bail!("connecting {share}: no such share")
        };
        if found.user != account.user || found.password != account.password {
            bail!(
                "connecting {share} as {}: the server refuses the account or its password",
                account.user
            );
        }
        let connected = &world.volatile.connected;
        let fits = |(known, folder): &&(String, std::path::PathBuf)| {
            known == share && at.is_none_or(|at| at == folder)
        };
        if let Some((_, folder)) = connected.iter().find(fits) {
            return Ok(folder.clone());
        }
        let own = || Path::new("/run/media-runtime/shares").join(share.replace('/', "_"));
        let folder = at.map_or_else(own, Into::into);
        drop(world);
        at.map_or(Ok(()), |at| self.make_folder(at))?;
        let connection = (share.to_owned(), folder.clone());
        let mut world = self.world_mut();
        let in_boot_image = world.volatile.root.is_none();
        world
            .connections
            .push((share.to_owned(), folder.clone(), in_boot_image));
        world.volatile.connected.push(connection);
        Ok(folder)
    }

    fn disconnect(&self, folder: &Path) -> Result<()> {
        let mut world = self.world_mut();
        let is_busy = world.shares_are_in_use && world.volatile.root.is_some();
        if is_busy && world.volatile.connected.iter().any(|(_, known)| known == folder) {
            bail!("disconnecting the share on {}: it is in use", folder.display());
        }
        world.volatile.connected.retain(|(_, known)| known != folder);
        Ok(())
    }

    fn domain(&self) -> Result<Option<String>> {
        Ok(self.world().domain.clone())
    }
}

impl Machine for Memory {
    fn system(&self) -> System {
        if self.world().winpe || self.world().runs_windows() {
            System::Windows
        } else {
            System::Linux
        }
    }

    fn root(&self) -> PathBuf {
        PathBuf::from("/")
    }

    fn variables(&self) -> Vec<(String, String)> {
        if let Some(known) = &self.world().hardware {
            return known.variables();
        }
        let pairs = [
            ("_SMSTSMake", "Memory"),
            ("_SMSTSModel", "World"),
            ("_SMSTSSerialNumber", "0001"),
            ("_SMSTSIPAddresses", &self.world().volatile.address),
        ];
        pairs
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec()
    }

    fn memory(&self) -> u64 {
        2 << 30
    }

    fn now(&self) -> i64 {
        1_700_000_000
    }

    fn random(&self, bytes: &mut [u8]) {
        let mut world = self.world_mut();
        for byte in bytes {
            // Any generator will do, as long as no two identifiers are the same.
            world.random = world
                .random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            *byte = (world.random >> 56) as u8;
        }
    }

    fn tell(&self, text: &str) -> Result<()> {
        let mut world = self.world_mut();
        world.told.push(text.to_owned());
        if world.screen_is_gone {
            bail!("the console has no session");
        }
        Ok(())
    }

    fn sleep(&self, time: Duration) {
        self.world_mut().waits.push(time);
        crate::windows::end_client_setup(self);
    }

    fn devices(&self) -> Vec<MachineDevice> {
        self.world().devices.clone()
    }

    fn hardware(&self, class: &str) -> Vec<BTreeMap<String, String>> {
        let known = &self.world().hardware;
        known.as_ref().map(|known| known.rows(class)).unwrap_or_default()
    }
}
