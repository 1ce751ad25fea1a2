//! How well a driver fits (How Windows Ranks Driver Packages). A rank is 0xSSGGTHHH: signature, features, kind and
//! place of the match. The lowest is the best.

use media_format::drivers::{Model, Signature};

/// Any trusted signature (`SIGNERSCORE_…`, where Windows compares the first byte only).
const SIGNED: u32 = 0x0D00_0000;
/// `SIGNERSCORE_UNSIGNED`: no signature, and an install section for Windows NT.
const UNSIGNED: u32 = 0x8000_0000;
/// `SIGNERSCORE_W9X_SUSPECT`: no signature, and an install section without decoration.
const SUSPECT: u32 = 0xC000_0000;
/// The identifier score has three digits for the place.
const LAST_PLACE: usize = 0xFFF;

/// Where an id stands, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Among the hardware ids.
    Hardware(usize),
    /// Among the compatible ids.
    Compatible(usize),
}

/// The rank of a match between an id of a device and an id of an INF file.
pub fn rank(signature: &Signature, model: &Model, device: Place, inf: Place) -> u32 {
    signature_score(signature, model) + (u32::from(model.feature_score) << 16) + identifier_score(device, inf)
}

/// Signature Score.
fn signature_score(signature: &Signature, model: &Model) -> u32 {
    match (signature.is_signed(), model.platform_section) {
        (true, _) => SIGNED,
        (false, true) => UNSIGNED,
        (false, false) => SUSPECT,
    }
}

/// Identifier Score.
fn identifier_score(device: Place, inf: Place) -> u32 {
    let (kind, place) = match (device, inf) {
        (Place::Hardware(place), Place::Hardware(_)) => (0, place),
        (Place::Hardware(place), Place::Compatible(_)) => (0x1000, place),
        (Place::Compatible(place), Place::Hardware(_)) => (0x2000, place),
        (Place::Compatible(device), Place::Compatible(inf)) => {
            (0x3000, inf.saturating_mul(0x100).saturating_add(device))
        }
    };
    kind + u32::try_from(place.min(LAST_PLACE)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::Place::{Compatible, Hardware};
    use super::*;

    /// The table of Driver Package Rank Example.
    #[test]
    fn the_example_of_the_documentation_comes_out_as_it_says() {
        let inf = [Hardware(0), Compatible(0), Compatible(1)];
        let row = |device| inf.map(|inf| identifier_score(device, inf));
        assert_eq!(row(Hardware(0)), [0x0000, 0x1000, 0x1000]);
        assert_eq!(row(Hardware(1)), [0x0001, 0x1001, 0x1001]);
        assert_eq!(row(Compatible(0)), [0x2000, 0x3000, 0x3100]);
        assert_eq!(row(Compatible(1)), [0x2001, 0x3001, 0x3101]);
        assert_eq!(identifier_score(Compatible(3), Compatible(usize::MAX)), 0x3FFF);
    }

    #[test]
    fn a_signature_counts_more_than_features_and_these_more_than_the_match() {
        let model = |feature_score, platform_section| Model {
            description: String::new(),
            hardware_id: String::new(),
            compatible_ids: vec![],
            feature_score,
            platform_section,
        };
        let signed = Signature::Listed {
            catalog: String::new(),
            signer: String::new(),
        };
        let of = |signature: &Signature, model: &Model, device| rank(signature, model, device, Hardware(0));
        assert_eq!(of(&signed, &model(0xFF, true), Hardware(1)), 0x0DFF_0001);
        let ascending = [
            of(&signed, &model(0x10, true), Compatible(4)),
            of(&signed, &model(0xFF, false), Hardware(0)),
            of(&Signature::Unsigned, &model(0x10, true), Hardware(0)),
            of(&Signature::Unsigned, &model(0x10, false), Hardware(0)),
        ];
        assert!(ascending.is_sorted_by(|a, b| a < b), "{ascending:x?}");
    }
}
