//! Objects: what a store holds.

use std::collections::BTreeMap;

use media_format::hive::Value;
use uuid::{Uuid, uuid};

use super::element::{Data, Element};

/// Objects with the same GUID in every store.
pub struct ObjectId;

impl ObjectId {
    /// `{bootmgr}`
    pub const BOOT_MANAGER: Uuid = uuid!("9dea862c-5cdd-4e70-acc1-f32b344d4795");
    /// `{memdiag}`
    pub const MEMORY_TESTER: Uuid = uuid!("b2721d73-1db4-4c62-bf78-c548a880142d");
    /// `{globalsettings}`
    pub const GLOBAL_SETTINGS: Uuid = uuid!("7ea2e1ac-2e61-4728-aaa3-896d9d0a9f0e");
    /// `{bootloadersettings}`
    pub const LOADER_SETTINGS: Uuid = uuid!("6efb52bf-1766-41db-a6b3-0ee5eff72bd7");
    /// `{resumeloadersettings}`
    pub const RESUME_SETTINGS: Uuid = uuid!("1afa9c49-16ab-4a5c-901b-212802da9460");
    /// `{emssettings}`
    pub const EMS_SETTINGS: Uuid = uuid!("0ce4991b-e6b3-4b16-b23c-5e0d9250e5d9");
    /// `{dbgsettings}`
    pub const DEBUGGER_SETTINGS: Uuid = uuid!("4636856e-540f-4170-a130-a84776f4c654");
    /// `{badmemory}`
    pub const BAD_MEMORY: Uuid = uuid!("5189b25c-5558-4bf2-bca4-289b11bd29e2");
    /// `{hypervisorsettings}`
    pub const HYPERVISOR_SETTINGS: Uuid = uuid!("7ff607e0-4395-11db-b0de-0800200c9a66");
    /// `{ramdiskoptions}`
    pub const RAM_DISK_OPTIONS: Uuid = uuid!("ae5534e0-a924-466c-b836-758539a3ee3a");

    /// The template of a loader on BIOS.
    pub(super) const LOADER_BIOS: Uuid = uuid!("a1943bbc-ea85-487c-97c7-c9ede908a38a");
    /// The template of a loader on UEFI.
    pub(super) const LOADER_UEFI: Uuid = uuid!("b012b84d-c47c-4ed5-b722-c0c42163e569");
    /// The template of a resume program on BIOS.
    pub(super) const RESUME_BIOS: Uuid = uuid!("98b02a23-0674-4ce7-bdad-e0a15a8ff97b");
    /// The template of a resume program on UEFI.
    pub(super) const RESUME_UEFI: Uuid = uuid!("0c334284-9a41-4de1-99b3-a7e87e8ff07e");
    /// The template of Windows' set-up on BIOS.
    pub(super) const SETUP_BIOS: Uuid = uuid!("cbd971bf-b7b8-4885-951a-fa03044f5d71");
    /// The template of Windows' set-up on UEFI.
    pub(super) const SETUP_UEFI: Uuid = uuid!("7254a080-1510-4e85-ac0f-e7fb3d444736");
    /// `{ntldr}`: the loader of Windows before Vista.
    pub(super) const LEGACY_LOADER: Uuid = uuid!("466f5a88-0af2-4f76-9038-095b170dc21c");

    /// Objects of templates only.
    pub(super) const TEMPLATES: [Uuid; 7] = [
        Self::LOADER_BIOS,
        Self::LOADER_UEFI,
        Self::RESUME_BIOS,
        Self::RESUME_UEFI,
        Self::SETUP_BIOS,
        Self::SETUP_UEFI,
        Self::LEGACY_LOADER,
    ];
}

/// What an object is: `Type` of its description.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectType(u32);

impl ObjectType {
    /// The boot manager: an application of the firmware.
    pub const BOOT_MANAGER: Self = Self(0x1010_0002);
    /// The loader of an operating system: an application of the boot manager, as are the next two.
    pub const LOADER: Self = Self(0x1020_0003);
    /// Continues a hibernated system.
    pub const RESUME: Self = Self(0x1020_0004);
    /// Tests memory.
    pub const MEMORY_TESTER: Self = Self(0x1020_0005);
    /// Settings that any object inherits.
    pub const SETTINGS: Self = Self(0x2010_0000);
    /// Settings that loaders inherit.
    pub const LOADER_SETTINGS: Self = Self(0x2020_0003);
    /// Settings that resume programs inherit.
    pub const RESUME_SETTINGS: Self = Self(0x2020_0004);
    /// Options of a device.
    pub const DEVICE: Self = Self(0x3000_0000);

    /// A type by its number.
    #[must_use]
    pub fn new(number: u32) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub fn number(self) -> u32 {
        self.0
    }
}

/// An object: its type and its elements as they are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// What it is.
    pub kind: ObjectType,
    /// Its settings.
    pub elements: BTreeMap<Element, Value>,
}

impl Object {
    /// An object with these elements.
    pub(super) fn new<const N: usize>(kind: ObjectType, elements: [(Element, Data); N]) -> Self {
        let mut object = Self {
            kind,
            elements: BTreeMap::new(),
        };
        for (element, data) in elements {
            object.set(element, data);
        }
        object
    }

    /// Sets an element.
    pub(super) fn set(&mut self, element: Element, data: Data) {
        #[cfg(test)]
        assert_eq!(
            element.number() >> 24 & 0xf,
            data.format(),
            "{element:?} {data:?}"
        );
        self.elements.insert(element, data.encode());
    }
}
