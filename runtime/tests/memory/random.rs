//! Any sequence of steps, with failures and cuts anywhere, ends and says how; it never panics.

use media_format::manifest::MediaLayout;
use proptest::prelude::*;
use runtime::platform::Firmware;

use crate::driver::{Ended, run_to_end};
use crate::fixture::machine;
use crate::runs::with_account;

const STEPS: &[&str] = &[
    "type = \"restart-computer\"\ntarget = \"pe\"",
    "type = \"restart-computer\"\ntarget = \"os\"",
    "type = \"format-and-partition-disk\"",
    "type = \"apply-operating-system-image\"\npackage = \"reference\"",
    "type = \"apply-data-image\"\npackage = \"reference\"",
    "type = \"apply-os-settings\"\ncomputer-name = \"PC\"",
    "type = \"apply-network-settings\"\nworkgroup = \"LAB\"",
    "type = \"setup-os\"",
    "type = \"install-updates\"\npackages = [\"updates\"]\ntarget = \"all\"",
    "type = \"install-applications\"\napplications = [\"editor\"]",
    "type = \"install-package\"\npackage = \"files\"\nprogram = \"again\"",
    "type = \"join-domain-or-workgroup\"\njoin = \"workgroup\"\nworkgroup = \"LAB\"",
    "type = \"prepare-client-for-capture\"",
    "type = \"prepare-os-for-capture\"",
    "type = \"capture-operating-system-image\"\ndestination = '\\\\server\\captures\\ref.wim'",
    "type = \"run-command-line\"\ncommand = \"exit 3010\"",
    "type = \"run-command-line\"\ncommand = \"exit 9\"",
    "type = \"run-script\"\ninline = \"touch /script\"",
    "type = \"set-variables\"\nvariables = { A = \"1\" }",
    "type = \"connect-to-network-folder\"\npath = '\\\\server\\captures'\nat = \"/mnt/share\"\naccount = \"capturer\"\npassword = \"%OSDCaptureAccountPassword%\"",
];

fn sequence(chosen: &[(usize, bool)]) -> String {
    let steps = chosen
        .iter()
        .map(|(index, forgiving)| format!("[[steps]]\n{}\ncontinue-on-error = {forgiving}\n", STEPS[*index]));
    format!(
        "name = \"random\"\noperating-system = \"linux\"\n{}",
        steps.collect::<String>()
    )
}

/// Without these nothing else has a system to work on.
const NEEDED: [usize; 3] = [2, 3, 7];

/// The usual order with something left out, doubled or moved: most random orders end at their first step.
fn almost_usual() -> impl Strategy<Value = Vec<(usize, bool)>> {
    let usual = prop::collection::vec(prop::bool::weighted(0.7), STEPS.len());
    let more = prop::collection::vec((0..STEPS.len(), 0..STEPS.len()), 0..3);
    let forgiving = prop::collection::vec(prop::bool::weighted(0.8), 2 * STEPS.len());
    (usual, more, forgiving).prop_map(|(usual, more, forgiving)| {
        let chosen = |step: &usize| NEEDED.contains(step) || usual[*step];
        let mut steps: Vec<usize> = (2..STEPS.len()).filter(chosen).collect();
        let count = steps.len();
        more.iter()
            .for_each(|(place, step)| steps.insert(place % count, *step));
        steps.into_iter().zip(forgiving).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn it_always_ends(
        steps in almost_usual(),
        faults in prop::collection::btree_set(1_usize..400, 0..3),
        cuts in prop::collection::btree_set(1_usize..400, 0..3),
        uefi in any::<bool>(),
    ) {
        let firmware = if uefi { Firmware::Uefi } else { Firmware::Bios };
        let mut world = machine(firmware, &with_account(MediaLayout::Usb, &sequence(&steps)));
        let media = world.drives[1].parts[0].clone();
        world.faults = faults;
        world.cuts = cuts;
        let (world, report) = run_to_end(world);
        prop_assert!(!matches!(report.ended, Ended::Loop | Ended::Off), "{:?}\n{}", report.starts, report.log);
        prop_assert_eq!(&world.drives[1].parts[0], &media, "the boot volume of the media was changed");
    }
}
