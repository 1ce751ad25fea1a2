//! What a store is made from where the image has no template, or one that lacks something: the objects of Windows 10's
//! own `BCD-Template`.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::element::{Data, Element};
use super::object::{Object, ObjectId, ObjectType};
use super::store::Store;
use super::windows::BootFirmware;

/// Elements that a system may change in memory while it is started: the address of the hypervisor's log.
const HYPERVISOR_LOG: u64 = 0x1500_0075;
const STANDARD: u64 = 1;
const LOCAL: u64 = 4;

/// The settings that all others inherit.
pub(super) fn settings() -> BTreeMap<Uuid, Object> {
    let inherit = |ids: &[Uuid]| (Element::INHERIT, Data::Objects(ids.to_vec()));
    let global = inherit(&[
        ObjectId::DEBUGGER_SETTINGS,
        ObjectId::EMS_SETTINGS,
        ObjectId::BAD_MEMORY,
    ]);
    let loader = inherit(&[ObjectId::GLOBAL_SETTINGS, ObjectId::HYPERVISOR_SETTINGS]);
    let resume = inherit(&[ObjectId::GLOBAL_SETTINGS]);
    let debugger = (Element::DEBUG_TYPE, Data::Integer(LOCAL));
    let ems = (Element::BOOT_EMS, Data::Boolean(false));
    BTreeMap::from([
        (
            ObjectId::GLOBAL_SETTINGS,
            Object::new(ObjectType::SETTINGS, [global]),
        ),
        (
            ObjectId::LOADER_SETTINGS,
            Object::new(ObjectType::LOADER_SETTINGS, [loader]),
        ),
        (
            ObjectId::RESUME_SETTINGS,
            Object::new(ObjectType::RESUME_SETTINGS, [resume]),
        ),
        (
            ObjectId::DEBUGGER_SETTINGS,
            Object::new(ObjectType::SETTINGS, [debugger]),
        ),
        (ObjectId::EMS_SETTINGS, Object::new(ObjectType::SETTINGS, [ems])),
        (ObjectId::BAD_MEMORY, Object::new(ObjectType::SETTINGS, [])),
        (ObjectId::HYPERVISOR_SETTINGS, hypervisor()),
    ])
}

/// To be debugged over the first serial port, when that is switched on.
fn hypervisor() -> Object {
    let elements = [
        (Element::HYPERVISOR_DEBUG_TYPE, Data::Integer(0)),
        (Element::HYPERVISOR_DEBUG_PORT, Data::Integer(1)),
        (Element::HYPERVISOR_BAUD_RATE, Data::Integer(115_200)),
    ];
    Object::new(ObjectType::LOADER_SETTINGS, elements)
}

/// `{bootmgr}` with its settings that no machine has of its own.
pub(super) fn boot_manager() -> Object {
    let elements = [
        (Element::DESCRIPTION, Data::Text("Windows Boot Manager".into())),
        (Element::INHERIT, Data::Objects(vec![ObjectId::GLOBAL_SETTINGS])),
        (
            Element::TOOLS_DISPLAY_ORDER,
            Data::Objects(vec![ObjectId::MEMORY_TESTER]),
        ),
        (Element::TIMEOUT, Data::Integer(30)),
    ];
    Object::new(ObjectType::BOOT_MANAGER, elements)
}

/// `{memdiag}` without its place.
pub(super) fn memory_tester() -> Object {
    let elements = [
        (
            Element::DESCRIPTION,
            Data::Text("Windows Memory Diagnostic".into()),
        ),
        (Element::INHERIT, Data::Objects(vec![ObjectId::GLOBAL_SETTINGS])),
        (Element::BAD_MEMORY_ACCESS, Data::Boolean(true)),
    ];
    Object::new(ObjectType::MEMORY_TESTER, elements)
}

/// All of it: settings, programs, and the templates of loader and resume program.
pub(super) fn builtin() -> Store {
    let mut objects = settings();
    objects.insert(ObjectId::BOOT_MANAGER, boot_manager());
    objects.insert(ObjectId::MEMORY_TESTER, memory_tester());
    for firmware in [BootFirmware::Bios, BootFirmware::Uefi] {
        objects.insert(firmware.loader_template(), loader(firmware));
        objects.insert(firmware.resume_template(), resume(firmware));
    }
    Store { objects }
}

fn loader(firmware: BootFirmware) -> Object {
    let elements = [
        (Element::INHERIT, Data::Objects(vec![ObjectId::LOADER_SETTINGS])),
        (
            Element::ALLOWED_IN_MEMORY_SETTINGS,
            Data::Integers(vec![HYPERVISOR_LOG]),
        ),
        (Element::NX, Data::Integer(0)),
        (Element::BOOT_MENU_POLICY, Data::Integer(STANDARD)),
        (
            Element::TEMPLATE_PATH,
            Data::Text(firmware.program(r"\system32\winload")),
        ),
    ];
    isolated(Object::new(ObjectType::LOADER, elements), firmware)
}

fn resume(firmware: BootFirmware) -> Object {
    let elements = [
        (
            Element::DESCRIPTION,
            Data::Text("Windows Resume Application".into()),
        ),
        (Element::INHERIT, Data::Objects(vec![ObjectId::RESUME_SETTINGS])),
        (
            Element::ALLOWED_IN_MEMORY_SETTINGS,
            Data::Integers(vec![HYPERVISOR_LOG]),
        ),
        (Element::SYSTEM_ROOT, Data::Text(r"\hiberfil.sys".into())),
        (Element::RESUME_MENU_POLICY, Data::Integer(STANDARD)),
        (
            Element::TEMPLATE_PATH,
            Data::Text(firmware.program(r"\system32\winresume")),
        ),
    ];
    isolated(Object::new(ObjectType::RESUME, elements), firmware)
}

/// On UEFI, a program is kept apart from the boot manager's own context.
pub(super) fn isolated(mut object: Object, firmware: BootFirmware) -> Object {
    if firmware == BootFirmware::Uefi {
        object.set(Element::ISOLATED_CONTEXT, Data::Boolean(true));
    }
    object
}
