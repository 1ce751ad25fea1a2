//! High Definition Audio: codecs are devices behind a PCI controller (Identifiers for High Definition Audio Devices; the order
//! and the ids with the controller are those that logs of Windows' device installation show).

use super::DeviceIds;

/// A function of a codec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HdAudioDevice {
    /// Type of the function group; 1 is audio.
    pub function: u8,
    /// Vendor.
    pub vendor: u16,
    /// Device.
    pub device: u16,
    /// Implementation of the board.
    pub subsystem: u32,
    /// Versions of the specification and of the device.
    pub revision: u16,
    /// Vendor and device of the controller on PCI.
    pub controller: Option<(u16, u16)>,
}

impl HdAudioDevice {
    /// What Windows calls it.
    pub fn ids(&self) -> DeviceIds {
        let function = format!("HDAUDIO\\FUNC_{:02X}", self.function);
        let vendor = format!("&VEN_{:04X}", self.vendor);
        let device = format!("{vendor}&DEV_{:04X}", self.device);
        let revision = format!("&REV_{:04X}", self.revision);
        let board = format!("{function}{device}&SUBSYS_{:08X}", self.subsystem);
        let controllers = self.controllers();
        let of_controllers = |end: &str| -> Vec<String> {
            let known = controllers.iter();
            known
                .map(|controller| format!("{function}{controller}{end}"))
                .collect()
        };
        let mut compatible = Vec::new();
        for end in [&format!("{device}{revision}"), &device, &vendor] {
            compatible.extend(of_controllers(end));
            compatible.push(format!("{function}{end}"));
        }
        compatible.extend(of_controllers(""));
        compatible.push(function.clone());
        DeviceIds {
            hardware: vec![format!("{board}{revision}"), board],
            compatible,
        }
    }

    fn controllers(&self) -> Vec<String> {
        let Some((vendor, device)) = self.controller else {
            return vec![];
        };
        let vendor = format!("&CTLR_VEN_{vendor:04X}");
        vec![format!("{vendor}&CTLR_DEV_{device:04X}"), vendor]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_codec_has_the_ids_that_a_log_of_windows_shows() {
        let codec = HdAudioDevice {
            function: 1,
            vendor: 0x10EC,
            device: 0x0236,
            subsystem: 0x17AA_3808,
            revision: 0x1000,
            controller: Some((0x8086, 0x9CA0)),
        };
        let ids = codec.ids();
        assert_eq!(
            ids.hardware,
            [
                "HDAUDIO\\FUNC_01&VEN_10EC&DEV_0236&SUBSYS_17AA3808&REV_1000",
                "HDAUDIO\\FUNC_01&VEN_10EC&DEV_0236&SUBSYS_17AA3808",
            ]
        );
        assert_eq!(
            ids.compatible,
            [
                "HDAUDIO\\FUNC_01&CTLR_VEN_8086&CTLR_DEV_9CA0&VEN_10EC&DEV_0236&REV_1000",
                "HDAUDIO\\FUNC_01&CTLR_VEN_8086&VEN_10EC&DEV_0236&REV_1000",
                "HDAUDIO\\FUNC_01&VEN_10EC&DEV_0236&REV_1000",
                "HDAUDIO\\FUNC_01&CTLR_VEN_8086&CTLR_DEV_9CA0&VEN_10EC&DEV_0236",
                "HDAUDIO\\FUNC_01&CTLR_VEN_8086&VEN_10EC&DEV_0236",
                "HDAUDIO\\FUNC_01&VEN_10EC&DEV_0236",
                "HDAUDIO\\FUNC_01&CTLR_VEN_8086&CTLR_DEV_9CA0&VEN_10EC",
                "HDAUDIO\\FUNC_01&CTLR_VEN_8086&VEN_10EC",
                "HDAUDIO\\FUNC_01&VEN_10EC",
                "HDAUDIO\\FUNC_01&CTLR_VEN_8086&CTLR_DEV_9CA0",
                "HDAUDIO\\FUNC_01&CTLR_VEN_8086",
                "HDAUDIO\\FUNC_01",
            ]
        );
    }
}
