//! Calls word by word.

use super::super::fake::Fake;
use super::*;
use media_format::wim::protocol::{OnBadName, Volume};

fn image(folder: &str, name: &str) -> CaptureImage {
    CaptureImage {
        exclude: vec!["/pagefile.sys".into(), "/Windows/CSC".into()],
        ..CaptureImage::new(Volume::NtfsVolume(folder.into()), name)
    }
}

fn two_volumes() -> Capture {
    let mut windows = image(r"W:\", "Windows reference");
    windows.description = Some("as it was".into());
    Capture {
        wim: "E:/captures/a.wim.partial".into(),
        compression: Compression::Xpress,
        threads: None,
        images: vec![windows, image(r"V:\", "data")],
        on_bad_name: OnBadName::Refuse,
        verify: true,
    }
}

fn job(capture: &Capture) -> Job<'_> {
    Job {
        capture,
        folders: vec![r"W:\".into(), r"V:\".into()],
        configuration: "X:/media-runtime/WimScript.ini".into(),
        set_properties: |_, _| Ok(()),
    }
}

/// DISM, which leaves a file.
fn machine() -> Fake {
    Fake::default().does("dism.exe", |machine| {
        machine.put_file("E:/captures/a.wim.partial.wim", b"an image");
    })
}

/// Under the name that the file has until it is complete. What DISM has captured is not thrown away for it.
#[test]
fn what_dism_has_no_options_for_is_written_down_and_its_failure_is_a_warning() {
    let (machine, mut capture) = (machine(), two_volumes());
    capture.images[0].creator = Some("somebody".into());
    capture.images[1].mount_point = Some("D:".into());
    let mut job = job(&capture);
    job.set_properties = |wim, images| {
        let properties: Vec<_> = images.iter().flat_map(CaptureImage::properties).collect();
        bail!("{}: {properties:?}", wim.display())
    };
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(folder.path());
    super::capture(&machine, &log, &job, &mut |_| {}).unwrap();
    let (_, text) = log.files().remove(0);
    let text = String::from_utf8(text).unwrap();
    let made = "E:/captures/a.wim.partial.wim";
    let asked =
        format!(r#"{made}: [("DESCRIPTION", "as it was"), ("CREATOR", "somebody"), ("MOUNTPOINT", "D:")]"#);
    assert!(text.contains(&asked), "{text}");
    assert!(machine.exists(&capture.wim));
}

#[test]
fn the_first_volume_makes_the_file_and_the_others_are_added() {
    let (machine, capture) = (machine(), two_volumes());
    let summary = super::capture(&machine, &Log::default(), &job(&capture), &mut |_| {}).unwrap();
    let ran = machine.ran();
    let first = [
        "/English",
        "/Capture-Image",
        r"/ImageFile:E:\captures\a.wim.partial.wim",
        r"/CaptureDir:W:\",
        "/Name:Windows reference",
        "/Description:as it was",
        "/Compress:fast",
        r"/ConfigFile:X:\media-runtime\WimScript.ini",
        "/CheckIntegrity",
        "/Verify",
    ];
    let second = [
        "/English",
        "/Append-Image",
        r"/ImageFile:E:\captures\a.wim.partial.wim",
        r"/CaptureDir:V:\",
        "/Name:data",
        r"/ConfigFile:X:\media-runtime\WimScript.ini",
        "/CheckIntegrity",
        "/Verify",
    ];
    let calls: Vec<_> = ran.iter().map(|ran| ran.arguments.clone()).collect();
    assert_eq!(calls, [first.to_vec(), second.to_vec()]);
    assert_eq!(summary.wim_bytes, 8);
    assert_eq!(
        machine.read(&capture.wim).unwrap().as_deref(),
        Some(&b"an image"[..])
    );
    assert!(!machine.exists(Path::new("E:/captures/a.wim.partial.wim")));
}

#[test]
fn a_failure_leaves_no_file_and_says_what_dism_said() {
    let machine = machine().ends(
        "dism.exe",
        112,
        "Error: 112\r\nThere is not enough space on the disk.\r\n",
    );
    let capture = two_volumes();
    let error = super::capture(&machine, &Log::default(), &job(&capture), &mut |_| {});
    let error = format!("{:#}", error.unwrap_err());
    assert!(
        error.contains("not enough space") && error.contains(r"W:\"),
        "{error}"
    );
    assert!(!machine.exists(&capture.wim));
    assert!(!machine.exists(Path::new("E:/captures/a.wim.partial.wim")));
}

#[test]
fn what_dism_cannot_do_is_refused_before_it_is_called() {
    let refused = |capture: &Capture, why: &str| {
        let machine = machine();
        let error = super::capture(&machine, &Log::default(), &job(capture), &mut |_| {});
        let error = format!("{:#}", error.unwrap_err());
        assert!(error.contains(why), "{error}");
        assert!(machine.ran().is_empty());
    };
    let mut solid = two_volumes();
    solid.compression = Compression::Lzms;
    refused(&solid, "lzms");
    let mut named = two_volumes();
    named.images[0].exclude.push("/Müller".into());
    refused(&named, "ASCII");
}

fn one_image() -> Apply {
    Apply {
        wim: "E:/packages/windows/install.wim".into(),
        parts: vec![],
        index: 3,
        target: Volume::NtfsVolume(r"\\?\Volume{1}\".into()),
        inside: vec![],
        unix_data: false,
    }
}

#[test]
fn an_image_is_applied_by_one_call_and_a_failure_says_what_dism_said() {
    let machine = Fake::default();
    let mut phases = Vec::new();
    let mut progress = |message: &Message| phases.push(message.clone());
    let log = Log::default();
    super::apply(&machine, &log, &one_image(), r"W:\", &mut progress).unwrap();
    let expected = [
        "/English",
        "/Apply-Image",
        r"/ImageFile:E:\packages\windows\install.wim",
        "/Index:3",
        r"/ApplyDir:W:\",
        "/Verify",
    ];
    assert_eq!(machine.ran()[0].arguments, expected);
    assert_eq!(phases, [step(Phase::Extract, 0, 0)]);
    let machine = Fake::default().ends("dism.exe", 13, "Error: 13\r\nThe data is invalid.\r\n");
    let error = super::apply(&machine, &log, &one_image(), r"W:\", &mut |_| {});
    let error = format!("{:#}", error.unwrap_err());
    assert!(
        error.contains("The data is invalid.") && error.contains(r"image 3 to W:\"),
        "{error}"
    );
}

#[test]
fn the_parts_of_a_split_image_are_told_by_a_pattern() {
    let mut split = one_image();
    split.wim = "E:/packages/windows/install.swm".into();
    split.parts = vec!["E:/packages/windows/Install2.SWM".into()];
    let words = words_to_apply(&split, r"W:\").unwrap();
    assert_eq!(words[3], r"/SWMFile:E:\packages\windows\install*.swm");
    split.parts.push("E:/packages/windows/other3.swm".into());
    let error = words_to_apply(&split, r"W:\").unwrap_err().to_string();
    assert!(error.contains("other3.swm"), "{error}");
}

#[test]
fn an_image_of_another_system_is_refused_before_dism_is_called() {
    let machine = Fake::default();
    let mut linux = one_image();
    linux.unix_data = true;
    let mut tree = one_image();
    tree.inside.push("W:/home".into());
    for unfit in [linux, tree] {
        let error = super::apply(&machine, &Log::default(), &unfit, r"W:\", &mut |_| {});
        assert!(error.unwrap_err().to_string().contains("Linux PE"));
    }
    assert!(machine.ran().is_empty());
}

#[test]
fn a_driver_is_added_by_its_inf_file_and_one_without_a_signature_by_force() {
    let machine = Fake::default();
    let (log, inf) = (Log::default(), Path::new("E:/packages/d/net.inf"));
    add_driver(&machine, &log, r"W:\", inf, true).unwrap();
    add_driver(&machine, &log, r"W:\", inf, false).unwrap();
    let calls: Vec<_> = machine.ran().into_iter().map(|ran| ran.arguments).collect();
    let words = [
        "/English",
        r"/Image:W:\",
        "/Add-Driver",
        r"/Driver:E:\packages\d\net.inf",
    ];
    assert_eq!(
        calls,
        [words.to_vec(), [&words[..], &["/ForceUnsigned"]].concat()]
    );
    let machine = Fake::default().ends("dism.exe", 50, "Error: 50\r\nNot supported.\r\n");
    let error = add_driver(&machine, &log, r"W:\", inf, true).unwrap_err();
    let error = format!("{error:#}");
    assert!(
        error.contains("net.inf") && error.contains("Not supported."),
        "{error}"
    );
}

#[test]
fn exclusions_have_the_form_of_wimscript_ini() {
    let mut image = image("", "");
    let list = "[ExclusionList]\r\n\\pagefile.sys\r\n\\Windows\\CSC\r\n";
    assert_eq!(configuration(&image), list);
    image.exclude_exceptions.push("/Windows/CSC/kept".into());
    let exceptions = "\r\n[ExclusionException]\r\n\\Windows\\CSC\\kept\r\n";
    assert_eq!(configuration(&image), format!("{list}{exceptions}"));
}

#[test]
fn an_image_is_searched_for_files_by_its_list() {
    let list =
        "Version: 10.0\r\n\r\n\\Windows\\Boot\\EFI\\BOOTMGFW.EFI\r\n\\Old\\Windows\\Boot\\PCAT\\bootmgr\r\n";
    let machine = Fake::default().says("dism.exe", list);
    let paths = ["/Windows/Boot/EFI/bootmgfw.efi", "/Windows/Boot/PCAT/bootmgr"];
    let wanted = Find {
        wim: r"D:\packages\windows\install.wim".into(),
        index: 3,
        paths: paths.map(PathBuf::from).into(),
    };
    let found = find(&machine, &Log::default(), &wanted).unwrap();
    assert_eq!(found, [PathBuf::from(paths[0])]);
    let [ran] = &machine.ran()[..] else {
        panic!("one call")
    };
    let words = [
        "/English",
        "/List-Image",
        r"/ImageFile:D:\packages\windows\install.wim",
        "/Index:3",
    ];
    assert_eq!(ran.arguments, words);
    let only = [
        r"\Windows\Boot\EFI\bootmgfw.efi",
        r"\Windows\Boot\PCAT\bootmgr",
        "Error: ",
    ];
    assert_eq!(ran.only, only);
    let fails = Fake::default().ends("dism.exe", 2, "Error: 2");
    let error = format!("{:#}", find(&fails, &Log::default(), &wanted).unwrap_err());
    assert!(
        error.contains("listing image 3") && error.contains("Error: 2"),
        "{error}"
    );
    // The first part of a split image may not be one for it.
    let split = Find {
        wim: "D:/packages/windows/install.swm".into(),
        ..wanted.clone()
    };
    let assumed = find(&fails, &Log::default(), &split).unwrap();
    assert_eq!(assumed, wanted.paths);
}
