//! Looks for a secret in everything that a run leaves.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::Command;

use base64ct::{Base64Unpadded, Encoding as _};

use super::text_of;

/// Neither the file nor any below the folder has the secret in it: as UTF-8, as UTF-16, or within a text in base64.
pub fn assert_without(place: &Path, secret: &str) {
    let found = with_secret(place, secret);
    assert_eq!(found, "", "these have the secret");
}

/// Files that have it.
pub fn with_secret(place: &Path, secret: &str) -> String {
    let wide: Vec<u8> = secret.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut patterns = vec![escaped(secret.as_bytes()), escaped(&wide)];
    for text in [secret.as_bytes(), &wide] {
        patterns.extend((0..3).map(|shift| escaped(in_base64(text, shift).as_bytes())));
    }
    let found = Command::new("perl")
        .args(["-MFile::Find", "-e", SEARCH, &patterns.join("|")])
        .arg(place)
        .output()
        .expect("perl");
    assert!(found.status.success(), "{}", text_of(&found));
    text_of(&found)
}

/// Prints the files below a place that have a pattern in them. They are read in pieces, because a disk may have gigabytes without a
/// line's end; the end of a piece is looked at again with the next one. Holes, of which an image of a disk has gigabytes, are left
/// out (3 is `SEEK_DATA`, which fails behind the last data).
const SEARCH: &str = r#"
    my ($pattern, $place) = @ARGV;
    find({ no_chdir => 1, wanted => sub {
        return if -l $_ || !-f _;
        open(my $file, '<:raw', $_) or die "$_: $!";
        my ($end, $next) = ('', 0);
        while (defined(my $start = sysseek($file, $next, 3))) {
            my $count = sysread($file, my $piece, 4194304) or last;
            $end = '' if $start > $next;
            $next = $start + $count;
            my $text = $end . $piece;
            if ($text =~ /$pattern/) { print "$File::Find::name\n"; last }
            $end = substr($text, -200) if length $text > 200;
        }
    } }, $place);
"#;

fn escaped(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect()
}

/// What stands for the text in base64 wherever it begins: its middle, which depends on nothing around it.
fn in_base64(text: &[u8], shift: usize) -> String {
    let padded = [&vec![0; shift][..], text].concat();
    let encoded = Base64Unpadded::encode_string(&padded);
    let last = padded.len() / 3 * 4;
    encoded[(shift * 8).div_ceil(6)..last].to_owned()
}

/// That what is looked for would be found, whatever stands before it.
#[test]
fn a_secret_is_found_in_each_of_its_forms() {
    let folder = tempfile::tempdir().unwrap();
    let wide: String = "Canary-7hXq2".chars().flat_map(|c| [c, '\0']).collect();
    let forms = [
        ("plain", "password=Canary-7hXq2"),
        ("utf16", wide.as_str()),
        // `printf 'password:Canary-7hXq2!' | base64`, and with one and two characters more before it.
        ("base64-0", "cGFzc3dvcmQ6Q2FuYXJ5LTdoWHEyIQ"),
        ("base64-1", "eHBhc3N3b3JkOkNhbmFyeS03aFhxMiE"),
        ("base64-2", "eHhwYXNzd29yZDpDYW5hcnktN2hYcTIh"),
    ];
    for (name, text) in forms {
        fs::write(folder.path().join(name), text).unwrap();
        let found = with_secret(folder.path(), "Canary-7hXq2");
        assert!(found.contains(name), "{name} in {found:?}");
    }
    let behind_a_hole = fs::File::create(folder.path().join("sparse")).unwrap();
    behind_a_hole.write_all_at(b"Canary-7hXq2", 20 << 20).unwrap();
    behind_a_hole.set_len(1 << 30).unwrap();
    let found = with_secret(folder.path(), "Canary-7hXq2");
    assert!(found.contains("sparse"), "{found:?}");
    fs::write(folder.path().join("other"), "Canary-7hXq3").unwrap();
    assert_without(&folder.path().join("other"), "Canary-7hXq2");
}
