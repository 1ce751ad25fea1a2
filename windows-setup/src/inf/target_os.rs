//! Which systems a list of devices is for: the `TargetOSVersion` decoration (INF Manufacturer section; Combining
//! Platform Extensions with Operating System Versions).

use media_format::drivers::{Architecture, TargetOs};

use super::number;
use crate::drivers::System;

/// Reads a decoration: `NT[architecture][.[major][.[minor][.[product type][.[suite mask][.[build]]]]]]`.
pub fn parse(text: &str) -> Option<TargetOs> {
    let mut parts = text.trim().split('.').map(str::trim);
    let platform = parts.next()?.to_lowercase();
    let architecture = match platform.strip_prefix("nt")? {
        "" => None,
        name => Some(Architecture::from_name(name)?),
    };
    let mut numbers = [None; 5];
    for field in &mut numbers {
        *field = match parts.next() {
            None | Some("") => None,
            Some(text) => Some(number(text)?),
        };
    }
    let [major, minor, product_type, suite_mask, build] = numbers;
    parts.next().is_none().then_some(TargetOs {
        architecture,
        major,
        minor,
        build,
        product_type,
        suite_mask,
    })
}

/// Whether a list of devices is for a system. A version is a minimum; a build is one only within exactly that
/// version; a product type must be equal; of the suites the system must have all.
pub fn applies(target: &TargetOs, system: &System) -> bool {
    let version = (target.major.unwrap_or(0), target.minor.unwrap_or(0));
    let running = (system.major, system.minor);
    let old_enough = match target.build.filter(|_| version == running) {
        Some(build) => build <= system.build,
        None => version <= running,
    };
    let suites = target.suite_mask.unwrap_or(0);
    target.effective_architecture() == system.architecture
        && old_enough
        && target
            .product_type
            .is_none_or(|product| product == system.product_type)
        && suites & system.suites == suites
}

/// Of the lists that apply, the one with the greatest value is taken: the highest version that is not too high,
/// which counts more than product type and suite.
pub fn precedence(target: &TargetOs) -> (u32, u32, u32, bool, bool, u32) {
    (
        target.major.unwrap_or(0),
        target.minor.unwrap_or(0),
        target.build.unwrap_or(0),
        target.architecture.is_some(),
        target.product_type.is_some(),
        target.suite_mask.unwrap_or(0).count_ones(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn system(architecture: Architecture, major: u32, minor: u32, build: u32) -> System {
        System {
            architecture,
            major,
            minor,
            build,
            product_type: System::WORKSTATION,
            suites: 0,
        }
    }

    /// The decoration that is chosen among several.
    fn chosen<'a>(decorations: &[&'a str], system: &System) -> Option<&'a str> {
        let parsed = decorations.iter().map(|text| (parse(text).unwrap(), *text));
        let fitting = parsed.filter(|(target, _)| applies(target, system));
        fitting
            .max_by_key(|(target, _)| precedence(target))
            .map(|(_, text)| text)
    }

    #[test]
    fn decorations_are_read_in_every_form() {
        let full = parse("NTamd64.10.0.1.0x80.14393").unwrap();
        assert_eq!(
            (full.architecture, full.major, full.minor),
            (Some(Architecture::Amd64), Some(10), Some(0))
        );
        assert_eq!(
            (full.product_type, full.suite_mask, full.build),
            (Some(1), Some(0x80), Some(14393))
        );
        assert_eq!(parse("ntARM64.10.0...16299").unwrap().build, Some(16299));
        assert_eq!(parse("nt"), Some(TargetOs::default()));
        assert_eq!(parse("NTx86....0x80").unwrap().suite_mask, Some(0x80));
        for wrong in ["", "amd64", "NTpowerpc", "NT.x", "NT.1.2.3.4.5.6", "NTamd64.-1"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_highest_version_that_is_not_too_high_is_taken() {
        let windows_10 = system(Architecture::Amd64, 10, 0, 19045);
        let windows_7 = system(Architecture::Amd64, 6, 1, 7601);
        let all = [
            "NTamd64",
            "NTamd64.6.0",
            "NTamd64.6.2",
            "NTamd64.10.0...16299",
            "NTamd64.10.0...22000",
        ];
        assert_eq!(chosen(&all, &windows_10), Some("NTamd64.10.0...16299"));
        assert_eq!(chosen(&all, &windows_7), Some("NTamd64.6.0"));
        assert_eq!(chosen(&all, &system(Architecture::X86, 10, 0, 19045)), None);
        let future = system(Architecture::Amd64, 11, 0, 1);
        assert_eq!(
            chosen(&all, &future),
            Some("NTamd64.10.0...22000"),
            "a build belongs to its version"
        );
    }

    #[test]
    fn the_examples_of_the_documentation_come_out_as_it_says() {
        let xp = system(Architecture::X86, 5, 1, 2600);
        let data_center = System { suites: 0x80, ..xp };
        let all = ["NT", "NT.5", "NT.5.5", "NT....0x80"];
        assert_eq!(chosen(&all, &xp), Some("NT.5"));
        assert_eq!(chosen(&all, &data_center), Some("NT.5"));
        assert_eq!(chosen(&["NT", "NT.7.8"], &xp), Some("NT"));
        assert_eq!(chosen(&["NTx86....0x80"], &xp), None);
        assert_eq!(
            chosen(&["NTx86....0x80", "NTx86"], &data_center),
            Some("NTx86....0x80")
        );
    }

    #[test]
    fn a_product_type_must_be_the_systems() {
        let workstation = system(Architecture::Amd64, 10, 0, 20348);
        let server = System {
            product_type: System::SERVER,
            ..workstation
        };
        let all = ["NTamd64.10.0", "NTamd64.10.0.3"];
        assert_eq!(chosen(&all, &workstation), Some("NTamd64.10.0"));
        assert_eq!(chosen(&all, &server), Some("NTamd64.10.0.3"));
        assert_eq!(
            chosen(&["NT.10.0"], &server),
            None,
            "without architecture it is for x86"
        );
    }
}
