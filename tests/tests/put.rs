//! `scripts/put`, by which builds put their programs where tests take them from.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

const SIZE: usize = 48 << 20;

fn put(program: &Path, folder: &Path) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/put");
    let status = Command::new(script).args([program, folder]).status();
    assert!(status.expect("the script").success());
}

/// The byte that all of it has.
fn whole(program: &Path) -> u8 {
    let bytes = fs::read(program).expect("the program");
    assert!(bytes == vec![bytes[0]; SIZE], "parts of two");
    bytes[0]
}

#[test]
fn a_program_that_is_replaced_is_the_old_one_or_the_new_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().join("bin/program.exe");
    let made = |byte: u8| {
        let program = folder.path().join(byte.to_string()).join("program.exe");
        fs::create_dir(program.parent().expect("a folder")).expect("a folder");
        fs::write(&program, vec![byte; SIZE]).expect("a program");
        program
    };
    let programs = [made(1), made(2)];
    put(&programs[0], &folder.path().join("bin"));
    let mode = fs::metadata(&place).expect("the program").permissions().mode();
    assert_eq!(mode & 0o777, 0o755);
    std::thread::scope(|scope| {
        let builds = scope.spawn(|| {
            let turns = programs.iter().rev().cycle().take(8);
            turns.for_each(|program| put(program, &folder.path().join("bin")));
        });
        while !builds.is_finished() {
            let now = fs::metadata(&place).expect("the program");
            assert_eq!(now.len(), SIZE as u64, "a part of it");
        }
    });
    assert_eq!(whole(&place), 1);
    let left = fs::read_dir(folder.path().join("bin")).expect("the folder");
    assert_eq!(left.count(), 1, "nothing else stays there");
}
