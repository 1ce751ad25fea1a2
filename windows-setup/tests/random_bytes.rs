//! Whatever the bytes: no panic, and an end in bounded time.

// What cannot go on in a test fails it.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::{Duration, Instant};

use common::{fixture, list, sign};
use proptest::prelude::*;
use windows_setup::drivers::catalog;
use windows_setup::drivers::ids::collections;
use windows_setup::drivers::{Listing, index_inf};

fn read(bytes: &[u8]) {
    let listing = Listing::new("p", ["a.sys".to_owned()]);
    let _either_is_right = index_inf(&listing, "x/a.inf", bytes, &mut |_| None);
}

/// Pieces of INF files in any order.
fn pieces() -> impl Strategy<Value = String> {
    let words = [
        "[",
        "]",
        "\n",
        "\r\n",
        "=",
        ",",
        ";",
        "\"",
        "\"\"",
        "\\",
        "%",
        "%%",
        "%a%",
        " ",
        "\t",
        "\0",
        "\u{1A}",
        "é",
        "[Version]\n",
        "Signature=$Chicago$\n",
        "[Manufacturer]\n",
        "a=M,NTamd64,NT.6,NTx86.10.0...1\n",
        "[M]\n",
        "[M.NTamd64]\n",
        "d=I,PCI\\VEN_1,X\n",
        "[I]\n",
        "[I.NT]\n",
        "CopyFiles=I,@a.sys\n",
        "Needs=I\n",
        "[I.Services]\n",
        "AddService=s,2,I\n",
        "StartType=0\n",
        "[Strings]\n",
        "a=\"%a%\"\n",
        "[SourceDisksFiles]\n",
        "a.sys=1,..\\..\n",
        "[SourceDisksNames]\n1=d,c.cab,,\\x\n",
        "CopyINF=b.inf\n",
        "ClassGuid={x}\n",
        "DriverVer=",
    ];
    prop::collection::vec(prop::sample::select(words.to_vec()), 0..120).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        read(&bytes);
        let _either_is_right = catalog::look_up(&bytes, b"");
        let _any_list_is_right = collections(&bytes);
    }

    #[test]
    fn pieces_of_inf_files_never_panic(text in pieces()) {
        read(format!("[Version]\nSignature=$Chicago$\n{text}").as_bytes());
        read(text.as_bytes());
    }

    #[test]
    fn damaged_inf_files_never_panic(
        name in prop::sample::select(vec!["vmd.inf", "nic.inf", "ext.inf"]),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        end in any::<prop::sample::Index>(),
    ) {
        let mut bytes = fixture(name).into_bytes();
        for (place, byte) in damage {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        read(&bytes[..end.index(bytes.len())]);
        read(&bytes);
    }
}

#[test]
fn damaged_catalogs_never_panic_and_are_never_taken_for_whole() {
    let whole = sign(&list(b"file", true));
    assert!(catalog::look_up(&whole, b"file").unwrap().listed);
    for place in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[place] ^= 0x55;
        let _either_is_right = catalog::look_up(&damaged, b"file");
        assert!(
            catalog::look_up(&whole[..place], b"file").is_err(),
            "cut at {place}"
        );
    }
}

#[test]
fn the_worst_files_of_half_a_megabyte_end_in_seconds() {
    const HEAD: &str = "[Version]\nSignature=$Chicago$\n[Manufacturer]\n";
    let parts = [
        "%",
        "\\",
        "[",
        "\"",
        ",",
        ";",
        "=",
        " ",
        "a\\ ",
        "%a",
        "[a]",
        "a\n",
        "\\\n",
        "a=M\n",
        "a=M,NT,NT\n",
        "\0",
        "d=I,X\n",
        "[I.Services]\nAddService=a,2,I.Services\nNeeds=I.Services\n",
        "[I]\nCopyFiles=I\n",
        "Needs=I\n",
        "[M]\nd=I,X\n[I]\nCopyFiles=I,@a\n[SourceDisksFiles]\na=1\n",
    ];
    for part in parts {
        let text = format!("{HEAD}{}", part.repeat((1 << 19) / part.len()));
        let begin = Instant::now();
        read(text.as_bytes());
        let took = begin.elapsed();
        assert!(took < Duration::from_secs(20), "{part:?} took {took:?}");
    }
}
