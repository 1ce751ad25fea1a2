//! The store of media that start a WIM in memory, as it is on Windows' own discs.

use media_format::hive::Edit;
use uuid::{Uuid, uuid};

use super::device::Device;
use super::element::{Data, Element};
use super::object::{Object, ObjectId, ObjectType};
use super::store::{Store, edits};
use super::template;
use super::windows::BootFirmware;

/// The objects of Windows' own discs have these GUIDs. Facts: stores of Windows 10 and Server 2012 discs as bcdedit
/// lists them in public threads.
const LOADER: Uuid = uuid!("7619dcc9-fafe-11d9-b411-000476eba25f");
const OPTIONS: Uuid = uuid!("7619dcc8-fafe-11d9-b411-000476eba25f");

/// Media with a WinPE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WinPe {
    /// What starts it; media for both have a store for each.
    pub firmware: BootFirmware,
    /// `\sources\boot.wim`, usually.
    pub image: String,
    /// `\boot\boot.sdi`, usually.
    pub sdi: String,
    /// What the menu calls it.
    pub description: String,
    /// The language of menus and errors, such as `en-US`.
    pub locale: String,
}

impl WinPe {
    /// What makes the store of an empty hive.
    #[must_use]
    pub fn edits(&self) -> Vec<Edit> {
        edits(&Store::default(), &self.store())
    }

    /// What the store shall hold: nothing in it depends on the medium that it lies on.
    #[must_use]
    pub fn store(&self) -> Store {
        let mut objects = template::settings();
        objects.insert(ObjectId::BOOT_MANAGER, self.boot_manager());
        objects.insert(ObjectId::MEMORY_TESTER, self.memory_tester());
        objects.insert(LOADER, self.loader());
        objects.insert(OPTIONS, self.options());
        Store { objects }
    }

    fn boot_manager(&self) -> Object {
        let mut object = template::boot_manager();
        object.set(Element::LOCALE, Data::Text(self.locale.clone()));
        object.set(Element::DEFAULT, Data::Object(LOADER));
        object.set(Element::DISPLAY_ORDER, Data::Objects(vec![LOADER]));
        object
    }

    fn memory_tester(&self) -> Object {
        let mut object = template::memory_tester();
        object.set(Element::LOCALE, Data::Text(self.locale.clone()));
        object.set(Element::DEVICE, Data::Device(Device::Boot));
        object.set(Element::PATH, Data::Text(self.firmware.memory_tester().into()));
        object
    }

    fn loader(&self) -> Object {
        let device = Device::RamDisk {
            on: Box::new(Device::Boot),
            path: self.image.clone(),
            options: OPTIONS,
        };
        let elements = [
            (Element::DEVICE, Data::Device(device.clone())),
            (
                Element::PATH,
                Data::Text(self.firmware.program(r"\windows\system32\boot\winload")),
            ),
            (Element::DESCRIPTION, Data::Text(self.description.clone())),
            (Element::LOCALE, Data::Text(self.locale.clone())),
            (Element::INHERIT, Data::Objects(vec![ObjectId::LOADER_SETTINGS])),
            (Element::OS_DEVICE, Data::Device(device)),
            (Element::SYSTEM_ROOT, Data::Text(r"\windows".into())),
            (Element::BOOT_MENU_POLICY, Data::Integer(1)),
            (Element::DETECT_HAL, Data::Boolean(true)),
            (Element::WINPE, Data::Boolean(true)),
            (Element::EMS, Data::Boolean(false)),
        ];
        template::isolated(Object::new(ObjectType::LOADER, elements), self.firmware)
    }

    fn options(&self) -> Object {
        let elements = [
            (Element::SDI_DEVICE, Data::Device(Device::Boot)),
            (Element::SDI_PATH, Data::Text(self.sdi.clone())),
        ];
        Object::new(ObjectType::DEVICE, elements)
    }
}
