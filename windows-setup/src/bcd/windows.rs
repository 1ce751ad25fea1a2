//! The store of a machine with one Windows, as bcdboot makes it.

use media_format::hive::{Edit, Value};
use uuid::{Uuid, uuid};

use super::device::{Device, Partition};
use super::element::{Data, Element};
use super::object::{Object, ObjectId, ObjectType};
use super::store::{Store, edits};
use super::template;

/// Where images have Windows.
const WINDOWS: &str = r"\Windows";
/// GUIDs of a machine's own objects derive from this and from the Windows partition: a store that is made again is the
/// same.
const NAMESPACE: Uuid = uuid!("5f0f1b0a-3a0e-5a5c-9a52-6f3b6f0d7c11");
/// `displaymessage` of a recovery environment.
const RECOVERY: u64 = 3;

/// The firmware that starts the boot manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BootFirmware {
    /// `bootmgr` from the active partition.
    Bios,
    /// `bootmgfw.efi` from the EFI system partition.
    Uefi,
}

/// Which programs are protected by data execution prevention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nx {
    /// Those of Windows, and those that ask for it: what clients have.
    OptIn,
    /// All that do not object: what servers have.
    OptOut,
}

/// Where a recovery environment lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// Its partition.
    pub partition: Partition,
    /// `\Recovery\WindowsRE\Winre.wim`, usually.
    pub image: String,
    /// `\Recovery\WindowsRE\boot.sdi`, usually.
    pub sdi: String,
}

/// A machine with one Windows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstalledWindows {
    /// What starts it.
    pub firmware: BootFirmware,
    /// The EFI system partition, or the active one: with boot manager and store.
    pub system: Partition,
    /// The partition with `\Windows`.
    pub windows: Partition,
    /// What the menu calls it, such as `Windows 11`.
    pub description: String,
    /// The language of menus and errors, such as `en-US`.
    pub locale: String,
    /// How long a menu would wait, in seconds. None: as the template says. With one system there is no menu.
    pub timeout: Option<u32>,
    /// None: as the template says.
    pub nx: Option<Nx>,
    /// What is started when Windows cannot be.
    pub recovery: Option<Recovery>,
}

impl InstalledWindows {
    /// What makes the store: of a copy of the image's template, or of an empty hive.
    #[must_use]
    pub fn edits(&self, template: Option<&Store>) -> Vec<Edit> {
        let nothing = Store::default();
        edits(template.unwrap_or(&nothing), &self.store(template))
    }

    /// What the store shall hold. What a template lacks comes from ours.
    #[must_use]
    pub fn store(&self, template: Option<&Store>) -> Store {
        let mut all = template::builtin();
        all.objects.extend(template.cloned().unwrap_or_default().objects);
        let loader = self.loader(&all);
        let resume = self.resume(&all);
        all.objects.retain(|id, _| !ObjectId::TEMPLATES.contains(id));
        all.objects.insert(self.loader_id(), loader);
        all.objects.insert(self.resume_id(), resume);
        all.objects
            .entry(ObjectId::BOOT_MANAGER)
            .and_modify(|object| self.boot_manager(object));
        all.objects
            .entry(ObjectId::MEMORY_TESTER)
            .and_modify(|object| self.memory_tester(object));
        if let Some(recovery) = &self.recovery {
            all.objects
                .insert(self.recovery_id(), self.recovery_loader(recovery));
            all.objects.insert(self.recovery_options_id(), recovery.options());
        }
        for object in all.objects.values_mut() {
            object
                .elements
                .retain(|element, _| !element.is_of_template() || *element == Element::RECOVERY_OS);
        }
        all
    }

    /// The GUID of the object that loads Windows.
    #[must_use]
    pub fn loader_id(&self) -> Uuid {
        self.id("loader")
    }

    fn resume_id(&self) -> Uuid {
        self.id("resume")
    }

    fn recovery_id(&self) -> Uuid {
        self.id("recovery")
    }

    fn recovery_options_id(&self) -> Uuid {
        self.id("recovery-options")
    }

    fn id(&self, role: &str) -> Uuid {
        let name = [Device::Partition(self.windows).encode(), role.into()].concat();
        Uuid::new_v5(&NAMESPACE, &name)
    }

    fn boot_manager(&self, object: &mut Object) {
        self.place(object, self.system);
        match self.firmware {
            BootFirmware::Uefi => object.set(
                Element::PATH,
                Data::Text(r"\EFI\Microsoft\Boot\bootmgfw.efi".into()),
            ),
            // A BIOS starts what lies in the partition's boot sector, and the templates' path is that of UEFI.
            BootFirmware::Bios => drop(object.elements.remove(&Element::PATH)),
        }
        object.set(Element::DEFAULT, Data::Object(self.loader_id()));
        object.set(Element::MANAGER_RESUME_OBJECT, Data::Object(self.resume_id()));
        object.set(Element::DISPLAY_ORDER, Data::Objects(vec![self.loader_id()]));
        object.set(
            Element::TOOLS_DISPLAY_ORDER,
            Data::Objects(vec![ObjectId::MEMORY_TESTER]),
        );
        if let Some(seconds) = self.timeout {
            object.set(Element::TIMEOUT, Data::Integer(seconds.into()));
        }
    }

    fn memory_tester(&self, object: &mut Object) {
        self.place(object, self.system);
        object.set(Element::PATH, Data::Text(self.firmware.memory_tester().into()));
    }

    fn loader(&self, all: &Store) -> Object {
        let mut object = self.program(all, self.firmware.loader_template(), r"\system32\winload");
        object.set(Element::DESCRIPTION, Data::Text(self.description.clone()));
        object.set(Element::SYSTEM_ROOT, Data::Text(WINDOWS.into()));
        object.set(Element::RESUME_OBJECT, Data::Object(self.resume_id()));
        if let Some(nx) = self.nx {
            object.set(Element::NX, Data::Integer(nx as u64));
        }
        object
    }

    fn resume(&self, all: &Store) -> Object {
        self.program(all, self.firmware.resume_template(), r"\system32\winresume")
    }

    /// An object of its template, for a program on the Windows partition.
    fn program(&self, all: &Store, template: Uuid, usual: &str) -> Object {
        let mut object = all.objects[&template].clone();
        let below = object.elements.get(&Element::TEMPLATE_PATH).and_then(Value::text);
        let below = below.unwrap_or_else(|| self.firmware.program(usual));
        object.set(Element::PATH, Data::Text(format!("{WINDOWS}{below}")));
        object.set(Element::OS_DEVICE, Data::Device(Device::Partition(self.windows)));
        self.place(&mut object, self.windows);
        if self.recovery.is_some() {
            object.set(
                Element::RECOVERY_SEQUENCE,
                Data::Objects(vec![self.recovery_id()]),
            );
            object.set(Element::RECOVERY_ENABLED, Data::Boolean(true));
        }
        object
    }

    fn place(&self, object: &mut Object, partition: Partition) {
        object.set(Element::DEVICE, Data::Device(Device::Partition(partition)));
        object.set(Element::LOCALE, Data::Text(self.locale.clone()));
    }

    fn recovery_loader(&self, recovery: &Recovery) -> Object {
        let device = Device::RamDisk {
            on: Box::new(Device::Partition(recovery.partition)),
            path: recovery.image.clone(),
            options: self.recovery_options_id(),
        };
        let elements = [
            (Element::DEVICE, Data::Device(device.clone())),
            (
                Element::PATH,
                Data::Text(self.firmware.program(r"\windows\system32\winload")),
            ),
            (
                Element::DESCRIPTION,
                Data::Text("Windows Recovery Environment".into()),
            ),
            (Element::LOCALE, Data::Text(self.locale.clone())),
            (Element::INHERIT, Data::Objects(vec![ObjectId::LOADER_SETTINGS])),
            (Element::DISPLAY_MESSAGE, Data::Integer(RECOVERY)),
            (Element::OS_DEVICE, Data::Device(device)),
            (Element::SYSTEM_ROOT, Data::Text(r"\windows".into())),
            (Element::NX, Data::Integer(0)),
            (Element::BOOT_MENU_POLICY, Data::Integer(1)),
            (Element::WINPE, Data::Boolean(true)),
            (Element::RECOVERY_OS, Data::Boolean(true)),
        ];
        Object::new(ObjectType::LOADER, elements)
    }
}

impl Recovery {
    fn options(&self) -> Object {
        let elements = [
            (Element::DESCRIPTION, Data::Text("Windows Recovery".into())),
            (
                Element::SDI_DEVICE,
                Data::Device(Device::Partition(self.partition)),
            ),
            (Element::SDI_PATH, Data::Text(self.sdi.clone())),
        ];
        Object::new(ObjectType::DEVICE, elements)
    }
}

impl BootFirmware {
    /// The file of a boot program, by its name without extension.
    pub(super) fn program(self, name: &str) -> String {
        match self {
            Self::Bios => format!("{name}.exe"),
            Self::Uefi => format!("{name}.efi"),
        }
    }

    pub(super) fn memory_tester(self) -> &'static str {
        match self {
            Self::Bios => r"\boot\memtest.exe",
            Self::Uefi => r"\EFI\Microsoft\Boot\memtest.efi",
        }
    }

    pub(super) fn loader_template(self) -> Uuid {
        match self {
            Self::Bios => ObjectId::LOADER_BIOS,
            Self::Uefi => ObjectId::LOADER_UEFI,
        }
    }

    pub(super) fn resume_template(self) -> Uuid {
        match self {
            Self::Bios => ObjectId::RESUME_BIOS,
            Self::Uefi => ObjectId::RESUME_UEFI,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(offset: u64) -> InstalledWindows {
        let partition = |offset| Partition::Mbr { signature: 7, offset };
        InstalledWindows {
            firmware: BootFirmware::Bios,
            system: partition(1 << 20),
            windows: partition(offset),
            description: "Windows".into(),
            locale: "nl-NL".into(),
            timeout: Some(5),
            nx: Some(Nx::OptOut),
            recovery: None,
        }
    }

    #[test]
    fn ids_are_the_partitions_own_and_stay() {
        assert_eq!(machine(1).edits(None), machine(1).edits(None));
        assert_ne!(machine(1).loader_id(), machine(2).loader_id());
        assert_ne!(machine(1).loader_id(), machine(1).resume_id());
    }

    #[test]
    fn what_a_template_lacks_comes_from_ours() {
        assert_eq!(machine(1).store(Some(&Store::default())), machine(1).store(None));
    }

    #[test]
    fn what_a_template_says_counts_and_its_own_objects_go() {
        let mut template = template::builtin();
        let own = Element::new(0x2600_00a0);
        let loader = template.objects.get_mut(&ObjectId::LOADER_BIOS).unwrap();
        loader.set(own, Data::Boolean(true));
        loader.set(Element::new(0x4500_0001), Data::Integer(2));
        loader.set(Element::TEMPLATE_PATH, Data::Text(r"\system32\other.exe".into()));
        let store = machine(1).store(Some(&template));
        let loader = &store.objects[&machine(1).loader_id()];
        assert_eq!(loader.elements[&own], Data::Boolean(true).encode());
        assert_eq!(
            loader.elements[&Element::PATH].text().unwrap(),
            r"\Windows\system32\other.exe"
        );
        assert!(store.objects.keys().all(|id| !ObjectId::TEMPLATES.contains(id)));
        let mut elements = store.objects.values().flat_map(|object| object.elements.keys());
        assert!(elements.all(|element| !element.is_of_template()));
        // The edits are relative to the template: what it has already is not set again.
        let edits = machine(1).edits(Some(&template));
        assert!(
            !edits
                .iter()
                .any(|edit| matches!(edit, Edit::SetValue { key, .. } if key.contains("7ff607e0")))
        );
        assert!(edits.contains(&Edit::DeleteKey {
            key: r"Objects\{b012b84d-c47c-4ed5-b722-c0c42163e569}".into()
        }));
    }

    #[test]
    fn what_is_asked_for_is_set() {
        let store = machine(1).store(None);
        let manager = &store.objects[&ObjectId::BOOT_MANAGER];
        assert_eq!(manager.elements[&Element::TIMEOUT], Data::Integer(5).encode());
        let loader = &store.objects[&machine(1).loader_id()];
        assert_eq!(loader.elements[&Element::NX], Data::Integer(1).encode());
        assert_eq!(loader.elements[&Element::LOCALE].text().unwrap(), "nl-NL");
    }
}
