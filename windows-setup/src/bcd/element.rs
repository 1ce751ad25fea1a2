//! Elements: the settings of an object, and how each kind is stored.

use media_format::hive::Value;
use uuid::Uuid;

use super::device::Device;

/// The number of an element: class (library, application, device, template), format and subtype.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Element(u32);

/// As its key is named.
impl std::fmt::Display for Element {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

macro_rules! elements {
    ($($(#[$text:meta])* $name:ident = $number:literal;)*) => {
        impl Element { $($(#[$text])* pub const $name: Self = Self($number);)* }
    };
}

elements! {
    /// `device`: where the program lies.
    DEVICE = 0x1100_0001;
    /// `path` of the program.
    PATH = 0x1200_0002;
    /// `description` in the menu.
    DESCRIPTION = 0x1200_0004;
    /// `locale` of the program's texts.
    LOCALE = 0x1200_0005;
    /// `inherit`: objects whose elements count here, too.
    INHERIT = 0x1400_0006;
    /// `recoverysequence`: what is started when this fails.
    RECOVERY_SEQUENCE = 0x1400_0008;
    /// `debugtype`.
    DEBUG_TYPE = 0x1500_0011;
    /// `displaymessage`: why this was started.
    DISPLAY_MESSAGE = 0x1500_0065;
    /// `recoveryenabled`.
    RECOVERY_ENABLED = 0x1600_0009;
    /// `badmemoryaccess`.
    BAD_MEMORY_ACCESS = 0x1600_000b;
    /// `bootems`.
    BOOT_EMS = 0x1600_0020;
    /// `isolatedcontext`.
    ISOLATED_CONTEXT = 0x1600_0060;
    /// `allowedinmemorysettings`.
    ALLOWED_IN_MEMORY_SETTINGS = 0x1700_0077;

    /// `default` of the boot manager.
    DEFAULT = 0x2300_0003;
    /// `resumeobject` of the boot manager.
    MANAGER_RESUME_OBJECT = 0x2300_0006;
    /// `displayorder` of the boot manager.
    DISPLAY_ORDER = 0x2400_0001;
    /// `toolsdisplayorder` of the boot manager.
    TOOLS_DISPLAY_ORDER = 0x2400_0010;
    /// `timeout` of the boot manager's menu in seconds.
    TIMEOUT = 0x2500_0004;

    /// `osdevice` of a loader, `filedevice` of a resume program.
    OS_DEVICE = 0x2100_0001;
    /// `systemroot` of a loader, `filepath` of a resume program.
    SYSTEM_ROOT = 0x2200_0002;
    /// `resumeobject` of a loader.
    RESUME_OBJECT = 0x2300_0003;
    /// `nx` of a loader.
    NX = 0x2500_0020;
    /// `bootmenupolicy` of a loader.
    BOOT_MENU_POLICY = 0x2500_00c2;
    /// `detecthal` of a loader.
    DETECT_HAL = 0x2600_0010;
    /// `winpe` of a loader.
    WINPE = 0x2600_0022;
    /// `ems` of a loader.
    EMS = 0x2600_00b0;
    /// `bootmenupolicy` of a resume program.
    RESUME_MENU_POLICY = 0x2500_0008;
    /// `hypervisordebugtype`.
    HYPERVISOR_DEBUG_TYPE = 0x2500_00f3;
    /// `hypervisordebugport`.
    HYPERVISOR_DEBUG_PORT = 0x2500_00f4;
    /// `hypervisorbaudrate`.
    HYPERVISOR_BAUD_RATE = 0x2500_00f5;

    /// `ramdisksdidevice` of device options.
    SDI_DEVICE = 0x3100_0003;
    /// `ramdisksdipath` of device options.
    SDI_PATH = 0x3200_0004;

    /// In templates: the program's path below the folder of Windows.
    TEMPLATE_PATH = 0x4200_0002;
    /// Marks a recovery environment. The one element of its class that real stores keep.
    RECOVERY_OS = 0x4600_0010;
}

impl Element {
    /// An element by its number.
    #[must_use]
    pub fn new(number: u32) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub fn number(self) -> u32 {
        self.0
    }

    /// Tells bcdboot what to do with a template, and is not in the stores that it makes.
    #[must_use]
    pub fn is_of_template(self) -> bool {
        self.0 >> 28 == 4
    }
}

/// What an element holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// Format 1.
    Device(Device),
    /// Format 2.
    Text(String),
    /// Format 3.
    Object(Uuid),
    /// Format 4.
    Objects(Vec<Uuid>),
    /// Format 5.
    Integer(u64),
    /// Format 6.
    Boolean(bool),
    /// Format 7.
    Integers(Vec<u64>),
}

impl Data {
    /// The value as it is stored.
    #[must_use]
    pub fn encode(&self) -> Value {
        match self {
            Self::Device(device) => Value::Binary(device.encode()),
            Self::Text(text) => Value::Sz(text.clone()),
            Self::Object(id) => Value::Sz(braced(*id)),
            Self::Objects(ids) => Value::MultiSz(ids.iter().copied().map(braced).collect()),
            Self::Integer(number) => Value::Binary(number.to_le_bytes().to_vec()),
            Self::Boolean(yes) => Value::Binary(vec![u8::from(*yes)]),
            Self::Integers(list) => {
                Value::Binary(list.iter().flat_map(|number| number.to_le_bytes()).collect())
            }
        }
    }

    /// The second digit of the numbers of elements that hold such data.
    #[cfg(test)]
    pub(super) fn format(&self) -> u32 {
        match self {
            Self::Device(_) => 1,
            Self::Text(_) => 2,
            Self::Object(_) => 3,
            Self::Objects(_) => 4,
            Self::Integer(_) => 5,
            Self::Boolean(_) => 6,
            Self::Integers(_) => 7,
        }
    }
}

/// As keys and elements name an object.
pub(super) fn braced(id: Uuid) -> String {
    id.braced().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_stored_in_its_own_type() {
        let id = Uuid::parse_str("B2721D73-1DB4-4C62-BF78-C548A880142D").unwrap();
        let name = "{b2721d73-1db4-4c62-bf78-c548a880142d}";
        assert_eq!(Data::Object(id).encode(), Value::Sz(name.into()));
        assert_eq!(
            Data::Objects(vec![id]).encode(),
            Value::MultiSz(vec![name.into()])
        );
        assert_eq!(
            Data::Integer(30).encode(),
            Value::Binary(vec![30, 0, 0, 0, 0, 0, 0, 0])
        );
        assert_eq!(Data::Boolean(true).encode(), Value::Binary(vec![1]));
        let settings = Data::Integers(vec![0x1500_0075]).encode();
        assert_eq!(settings, Value::Binary(vec![0x75, 0, 0, 0x15, 0, 0, 0, 0]));
    }
}
