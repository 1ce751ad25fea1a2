//! The time limit of a step is that of everything that it starts.

use media_format::manifest::MediaLayout;
use media_format::wim::protocol::Operation;
use runtime::platform::Firmware;

use crate::driver::run_to_end;
use crate::fixture::{MediaBuilder, deploy, machine, reference};
use crate::frames::{command, deploys_then};
use crate::images::{Image, Wim};
use crate::world::{Volume, file};

#[test]
fn the_images_of_a_step_share_its_time_limit() {
    let name = "name = \"Apply the operating system\"";
    let sequence = deploy().replace(name, &format!("{name}\n  timeout = \"1h\""));
    let mut home = Volume::new("ext4", 0);
    home.put("user/work", file("kept"));
    let images = vec![
        Image::of_volume("/", &reference()),
        Image::of_volume("/home", &home.tree),
    ];
    let mut media = MediaBuilder::new(MediaLayout::Iso, &sequence);
    media.put_image("reference", &Wim { images }.to_bytes());
    let (world, report) = run_to_end(machine(Firmware::Uefi, &media));
    report.assert_succeeded();
    let applies = world.requests.iter().zip(&world.request_deadlines);
    let applies = applies.filter(|(request, _)| matches!(request.operation, Operation::Apply(_)));
    let deadlines: Vec<_> = applies.map(|(_, deadline)| *deadline).collect();
    let [Some(first), Some(second)] = &deadlines[..] else {
        panic!("{deadlines:?}")
    };
    assert_eq!(first, second);
}

#[test]
fn what_comes_after_a_step_is_not_limited_by_it() {
    let steps = command("say limited", "timeout = \"1h\"") + &command("say free", "");
    let media = deploys_then(&steps);
    let (world, report) = run_to_end(machine(Firmware::Uefi, &media));
    report.assert_succeeded();
    let limit = |line: &[u8]| {
        let mut ran = world.commands.iter().filter(|command| command.stdin == line);
        ran.next().expect("the command").timeout
    };
    assert!(limit(b"say limited").is_some());
    assert_eq!(limit(b"say free"), None);
}
