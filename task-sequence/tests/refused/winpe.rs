//! What a Windows PE cannot do, said before the machine is built.

use task_sequence::MediaFacts;

use crate::media::{found, step, with_variables};

fn said(winpe: bool, settings: &str) -> String {
    let capture = format!("destination = 'media:x.wim'\npassword = '%Share%'\n{settings}");
    let text = step("prepare-os-for-capture", "") + &step("capture-operating-system-image", &capture);
    let variables = [("Kind", "LZMS"), ("Name", "Größe")];
    let media = MediaFacts {
        winpe,
        secrets: ["Share".to_owned()].into(),
        ..with_variables(&variables)
    };
    found("windows", &text, &media)
}

#[test]
fn dism_captures_neither_solid_nor_without_what_it_cannot_write() {
    for (settings, wanted) in [
        ("compression = 'lzms'", "for `lzms` use the Linux PE"),
        ("compression = '%Kind%'", "for `lzms` use the Linux PE"),
        ("exclude = ['/a', '/Müller']", "and not `/Müller`"),
        ("exclude = ['/%Name%']", "and not `/Größe`"),
    ] {
        let of_winpe = said(true, settings);
        assert!(
            of_winpe.starts_with("error: ") && of_winpe.contains(wanted),
            "{settings}: {of_winpe}"
        );
        assert_eq!(said(false, settings), "", "{settings}");
    }
    assert_eq!(said(true, "compression = 'lzx'\nexclude = ['/a']"), "");
}
