//! A machine that Wine plays: its drive C: with the runtime planted in it, the boot partition as S:, the media as D:.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Output, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use media_format::manifest::{
    FORMAT, FileEntry, Manifest, MediaLayout, Options, Package, PackageKind, Role, SequenceEntry, Volume, hex,
};
use media_format::state::{BootState, Next};
use media_format::{journal, paths};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::wine::{self, PATIENCE, command, compile, compile_as, end_wine, wine};

pub const MEDIA: &str = "4b2c9a52-7f1e-4c55-9a55-0d8a5f4f7a11";
pub const SERVICE: &str = r"HKLM\SYSTEM\CurrentControlSet\Services\media-runtime";
/// Where Windows' set-up says how far it is.
pub const SETUP: &str = r"HKLM\SYSTEM\Setup";
/// Where Windows says how it was started.
pub const CONTROL: &str = r"HKLM\SYSTEM\CurrentControlSet\Control";
/// By this key Windows PE is known.
const MINI_NT: &str = r"HKLM\SYSTEM\CurrentControlSet\Control\MiniNT";
/// What Wine calls the volume with that letter.
const VOLUME_W: &str = r"\\?\Volume{00000000-0000-0000-0000-000000000057}\";
const ESP: &str = "0aa11bb2-0000-4000-8000-000000000001";
/// The machine of one test.
pub struct Machine {
    prefix: tempfile::TempDir,
    files: tempfile::TempDir,
    session: Option<Child>,
}

/// A package of the media: what the manifest says of it, and its files.
pub struct Content {
    pub package: Package,
    pub files: Vec<(String, Vec<u8>)>,
}

impl Machine {
    /// A machine in the middle of a run, at the first step of that sequence, whose media has those packages.
    pub fn with(steps: &str, packages: Vec<Content>) -> Self {
        let machine = Self::new(steps, packages);
        machine.make_boot_partition(steps, true);
        machine.plant();
        machine
    }

    /// A machine whose Windows no run has touched, with media of that sequence.
    pub fn installed(steps: &str) -> Self {
        Self::new(steps, vec![])
    }

    /// The same, whose media carries a secret.
    pub fn with_secret(steps: &str, packages: Vec<Content>, secret: (&str, &str)) -> Self {
        let machine = Self::new(steps, vec![]);
        machine.make_media(MediaLayout::Iso, &sequence(steps), packages, Some(secret));
        machine.make_boot_partition(steps, true);
        machine.plant();
        machine
    }

    fn without_volumes() -> Self {
        Self {
            prefix: wine::prefix(),
            files: tempfile::tempdir().expect("a folder for the volumes"),
            session: None,
        }
    }

    fn new(steps: &str, packages: Vec<Content>) -> Self {
        let machine = Self::without_volumes();
        machine.make_volume("d:", "media");
        machine.make_volume("s:", "esp");
        machine.make_media(MediaLayout::Iso, &sequence(steps), packages, None);
        machine
    }

    /// A Windows PE that was started from a stick, on a machine with a generalized Windows as W:. The programs of Windows PE
    /// are played, and write down their calls.
    pub fn in_winpe(steps: &str) -> Self {
        let machine = Self::without_volumes();
        machine.make_volume("d:", "media");
        machine.make_volume("e:", "data");
        machine.make_volume("w:", "windows");
        machine.make_media(MediaLayout::Usb, &sequence(steps), vec![], None);
        for path in ["packages/readme", "captures/readme"] {
            put(&machine.volume("data").join(path), b"x");
        }
        put(&machine.volume("data").join(paths::MEDIA_ID), MEDIA.as_bytes());
        for hive in ["SYSTEM", "SOFTWARE"] {
            put(
                &machine
                    .volume("windows")
                    .join("Windows/System32/config")
                    .join(hive),
                b"regf",
            );
        }
        machine.plant_winpe();
        machine
    }

    /// That Windows PE, on a machine that starts by UEFI, in the middle of a run which has applied its Windows to W:.
    pub fn in_winpe_after_the_image(steps: &str) -> Self {
        let machine = Self::in_winpe(steps);
        machine.make_volume("s:", "esp");
        machine.set_value(CONTROL, "PEFirmwareType", "REG_DWORD", "2");
        let target = json!({
            "disk": "serial:TEST", "state": ESP, "efi": ESP, "system": VOLUME_W, "ours": true, "prepared": false,
            "volumes": [{ "id": VOLUME_W, "mount-point": "", "file-system": "ntfs", "applied": true }],
            "windows": {
                "architecture": 9, "version": [10, 0], "build": 19045, "name": "Windows 10", "language": "nl-NL",
                "server": false,
            },
        });
        machine.put_run(steps, Next::Pe, &target);
        for path in ["System32/bcdboot.exe", "Boot/EFI/bootmgfw.efi"] {
            let path = machine.volume("windows").join("Windows").join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder of Windows");
            fs::copy(machine.c("media-runtime/winpe_tool.exe"), path).expect("a program of Windows");
        }
        machine
    }

    fn plant_winpe(&self) {
        let folder = self.c("media-runtime");
        fs::create_dir_all(&folder).expect("the runtime's folder");
        copy_runtime(&folder);
        let tool = compile("winpe_tool", &folder);
        for name in ["dism", "drvload", "reg", "wpeutil"] {
            fs::copy(&tool, folder.join(format!("{name}.exe"))).expect("a program of Windows PE");
        }
        let keys = [
            ["add", MINI_NT, "/f"].to_vec(),
            // Z: is the machine that the tests run on.
            [
                &["add", r"HKLM\Software\Wine\Drives", "/v", "z:"][..],
                &["/d", "network", "/f"],
            ]
            .concat(),
        ];
        for key in keys {
            let added = self.run(&[&["reg"], &key[..]].concat());
            assert!(added.status.success(), "{added:?}");
        }
        end_wine(self.prefix.path());
    }

    /// Starts the runtime as winpeshl.ini does; one that waits at its end is ended after that time.
    pub fn runs_in_winpe(&self, within: Duration) -> Output {
        let program = r"C:\media-runtime\media-runtime.exe";
        wine(self.prefix.path(), &[program, "start"], within)
    }

    /// Starts it so until its log or its console has that text, and gives what the console has; the runtime waits at its end.
    pub fn runs_in_winpe_until(&self, said: &str) -> String {
        let console = self.files.path().join("console");
        let shown = || fs::read_to_string(&console).unwrap_or_default();
        let mut run = command(self.prefix.path())
            .args(["--kill-after=5", &PATIENCE.as_secs().to_string(), "wine"])
            .args([r"C:\media-runtime\media-runtime.exe", "start"])
            .stdin(Stdio::null())
            .stdout(fs::File::create(&console).expect("a file for the console"))
            .stderr(Stdio::null())
            .spawn()
            .expect("timeout of coreutils");
        let end = Instant::now() + PATIENCE;
        while !self.log().contains(said) && !shown().contains(said) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(200));
        }
        end_wine(self.prefix.path());
        let _ = run.kill();
        let _ = run.wait();
        shown()
    }

    /// How the programs of Windows PE were called.
    pub fn calls(&self) -> Vec<String> {
        let text = fs::read_to_string(self.c("calls.txt")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// The folder of a volume.
    pub fn volume(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }

    fn make_volume(&self, letter: &str, name: &str) {
        let folder = self.volume(name);
        fs::create_dir(&folder).expect("a volume");
        let link = self.prefix.path().join("dosdevices").join(letter);
        let _ = fs::remove_file(&link);
        symlink(&folder, link).expect("a drive letter");
    }

    /// A path on drive C:.
    pub fn c(&self, path: &str) -> PathBuf {
        self.prefix.path().join("drive_c").join(path)
    }

    /// A path on the boot partition.
    pub fn esp(&self, path: &str) -> PathBuf {
        self.files.path().join("esp").join(path)
    }

    fn make_media(
        &self,
        layout: MediaLayout,
        sequence: &str,
        packages: Vec<Content>,
        secret: Option<(&str, &str)>,
    ) {
        let root = self.files.path().join("media");
        let path = format!("{}/main.toml", paths::SEQUENCES);
        let mut files = vec![(path.clone(), sequence.as_bytes().to_vec(), Role::Sequence)];
        files.push((paths::KERNEL.into(), b"a kernel".to_vec(), Role::Boot));
        files.push((paths::WINDOWS_RUNTIME.into(), RUNTIME.clone(), Role::Boot));
        if let Some((name, value)) = secret {
            let json = serde_json::to_vec(&json!({ name: value })).expect("JSON");
            files.push((paths::SECRETS.into(), json, Role::Secrets));
        }
        let mut known = Vec::new();
        for content in packages {
            let id = content.package.id.clone();
            let of_package = content.files.into_iter();
            files.extend(
                of_package.map(|(name, bytes)| (format!("packages/{id}/{name}"), bytes, Role::Package)),
            );
            known.push(content.package);
        }
        let manifest = Manifest {
            format: FORMAT,
            media_id: MEDIA.into(),
            name: "Test".into(),
            organization: String::new(),
            layout,
            builder: "test".into(),
            boot_image: "test".into(),
            options: Options {
                unattended: true,
                secrets: secret.iter().map(|(name, _)| (*name).to_owned()).collect(),
                ..Options::default()
            },
            sequences: vec![SequenceEntry {
                id: "main".into(),
                name: "Test".into(),
                path,
                hidden: false,
            }],
            packages: known,
            files: files
                .iter()
                .map(|(path, bytes, role)| entry(path, bytes, *role))
                .collect(),
            regions: Vec::new(),
        };
        let manifest = (paths::MANIFEST.to_owned(), manifest.to_bytes(), Role::Boot);
        for (path, bytes, _) in files.into_iter().chain([manifest]) {
            put(&root.join(path), &bytes);
        }
    }

    /// A path on the media.
    pub fn media(&self, path: &str) -> PathBuf {
        self.files.path().join("media").join(path)
    }

    /// Somebody starts the runtime from the media, by those programs; gives what it says.
    pub fn start_from_media(&self, by: &[&str]) -> (Option<i32>, String) {
        let output = self.run(&[by, &[r"D:\media-runtime.exe", "start"]].concat());
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&said).into_owned())
    }

    /// The boot partition in the middle of a run, at the first of those steps; of a run that has made this Windows, or of one
    /// that captures it.
    pub fn make_boot_partition(&self, steps: &str, ours: bool) {
        let target = json!({
            "disk": "serial:TEST", "state": ESP, "efi": ESP, "system": "0aa11bb2-0000-4000-8000-000000000003",
            "ours": ours, "volumes": [], "prepared": false,
        });
        self.put_run(steps, Next::Os, &target);
    }

    fn put_run(&self, steps: &str, next: Next, target: &Value) {
        let sequence = sequence(steps);
        let state = BootState::new(MEDIA, next).encode().expect("a boot state");
        put(&self.esp(&paths::state(MEDIA)), &state);
        let saved = json!({
            "format": 1, "media-id": MEDIA, "sequence": "main",
            "sequence-digest": hex(&Sha256::digest(sequence.as_bytes())),
            "progress": {
                "position": 0, "started": false, "part": 0, "restart": null, "restarts": 0,
                "groups": {}, "results": [],
            },
            "variables": {}, "secrets": [], "captured": null, "serial-console": null,
            "target": target,
        });
        let payload = serde_json::to_vec(&saved).expect("JSON");
        let slot = journal::encode(1, &payload).expect("a slot");
        let mut file = vec![0; journal::FILE_LENGTH];
        let offset = usize::try_from(journal::offset(1)).expect("an offset");
        file[offset..offset + slot.len()].copy_from_slice(&slot);
        put(&self.esp(paths::JOURNAL), &file);
    }

    fn plant(&self) {
        let folder = self.c(paths::INSTALLED_WINDOWS);
        fs::create_dir_all(&folder).expect("the runtime's folder");
        copy_runtime(&folder);
        put(&folder.join(paths::INSTALLED_MEDIA_ID), MEDIA.as_bytes());
    }

    /// Makes this Windows a member of a domain with an app that one user has installed, as the runtime sees it: what is asked for
    /// these lies beside it, where a program's own files come first.
    pub fn joins_a_domain_and_gets_an_app(&self) {
        let folder = self.c(paths::INSTALLED_WINDOWS);
        compile_as("-shared", "netapi32", &folder.join("netapi32.dll"));
        compile("powershell", &folder);
    }

    /// Makes this Windows know one password, as the runtime sees it.
    pub fn knows_a_password(&self) {
        let library = self.c(paths::INSTALLED_WINDOWS).join("netapi32.dll");
        compile_as("-shared", "logons", &library);
    }

    /// Who was logged on: domain, user and kind.
    pub fn logons(&self) -> Vec<String> {
        let text = fs::read_to_string(self.c("logons.txt")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Runs a program of this Windows to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        wine(self.prefix.path(), arguments, PATIENCE)
    }

    /// Runs the runtime.
    pub fn runtime(&self, verb: &str) -> Output {
        self.run(&[r"C:\ProgramData\media-runtime\media-runtime.exe", verb])
    }

    /// Goes on with the run in the foreground, to its next restart or its end.
    pub fn goes_on(&self) {
        let output = self.runtime("continue");
        assert!(output.status.success(), "{output:?}\n{}", self.log());
    }

    /// Enters the runtime's service as the PE does it in the hive. Windows is off after it.
    pub fn enter_service(&self) {
        let program = r"C:\ProgramData\media-runtime\media-runtime.exe service";
        let values = [
            ("Type", "REG_DWORD", "16"),
            ("ErrorControl", "REG_DWORD", "1"),
            ("ImagePath", "REG_EXPAND_SZ", program),
            ("ObjectName", "REG_SZ", "LocalSystem"),
            ("Start", "REG_DWORD", "2"),
        ];
        for (name, kind, data) in values {
            self.set_value(SERVICE, name, kind, data);
        }
        end_wine(self.prefix.path());
    }

    /// Writes a value of the registry.
    pub fn set_value(&self, key: &str, name: &str, kind: &str, data: &str) {
        let added = self.run(&["reg", "add", key, "/v", name, "/t", kind, "/d", data, "/f"]);
        assert!(added.status.success(), "{added:?}");
    }

    /// Starts Windows: its services come up, and nobody does anything.
    pub fn start(&mut self) {
        let session = command(self.prefix.path())
            .args([
                "--kill-after=5",
                &PATIENCE.as_secs().to_string(),
                "wine",
                "cmd",
                "/q",
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.session = Some(session.expect("timeout of coreutils"));
    }

    /// Waits until the runtime asks for the machine's restart or shutdown; gives the arguments of `shutdown.exe`. The
    /// machine is off after it.
    pub fn until_shutdown(&mut self) -> String {
        let said = self.c("shutdown.txt");
        let end = Instant::now() + PATIENCE;
        while !said.exists() {
            assert!(Instant::now() < end, "no restart was asked for:\n{}", self.log());
            self.keep_session();
            std::thread::sleep(Duration::from_millis(200));
        }
        self.power_off();
        let text = fs::read_to_string(&said).expect("what shutdown.exe was told");
        fs::remove_file(&said).expect("removing it");
        text.trim().to_owned()
    }

    /// A session that Wine has not brought into being is begun again: only a power-off ends one.
    fn keep_session(&mut self) {
        if let Some(session) = &mut self.session
            && session.try_wait().expect("the session's state").is_some()
        {
            self.start();
        }
    }

    /// Ends Windows at once.
    pub fn power_off(&mut self) {
        end_wine(self.prefix.path());
        if let Some(mut session) = self.session.take() {
            let _ = session.kill();
            let _ = session.wait();
        }
    }

    /// The journal's content.
    pub fn journal(&self) -> Value {
        let file = fs::read(self.esp(paths::JOURNAL)).expect("a journal");
        let slot = journal::newest(&file).expect("an intact slot");
        serde_json::from_slice(&slot.payload).expect("JSON")
    }

    /// Where the next start leads.
    pub fn next(&self) -> Option<Next> {
        let block = fs::read(self.esp(&paths::state(MEDIA))).ok()?;
        BootState::decode(&block).ok()?.next()
    }

    /// Everything in the logs.
    pub fn log(&self) -> String {
        let folders = [
            self.c(paths::INSTALLED_WINDOWS),
            self.esp(paths::FOLDER),
            self.c("media-runtime/log"),
        ];
        let logs = folders
            .iter()
            .filter_map(|folder| fs::read(folder.join("smsts.log")).ok());
        logs.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .collect()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.power_off();
    }
}

fn sequence(steps: &str) -> String {
    format!("name = \"Test\"\noperating-system = \"windows\"\n{steps}")
}

/// The same one for all tests and in all places, also where another is built meanwhile.
static RUNTIME: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../out/bin/media-runtime.exe");
    fs::read(&program)
        .unwrap_or_else(|error| panic!("{}: {error} (make windows makes it)", program.display()))
});

fn copy_runtime(folder: &Path) {
    put(&folder.join(paths::WINDOWS_PROGRAM), &RUNTIME);
}

fn put(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("making a folder");
    fs::write(path, bytes).expect("writing a file");
}

fn entry(path: &str, bytes: &[u8], role: Role) -> FileEntry {
    FileEntry {
        path: path.into(),
        volume: Volume::Boot,
        size: bytes.len() as u64,
        sha256: hex(&Sha256::digest(bytes)),
        role,
    }
}

/// A package of files.
pub fn content(id: &str, kind: PackageKind, files: &[(&str, &[u8])]) -> Content {
    let package = Package {
        id: id.into(),
        name: id.into(),
        version: String::new(),
        kind,
        path: format!("packages/{id}"),
        depends: Vec::new(),
        install: None,
        programs: Default::default(),
        success_codes: media_format::manifest::success_codes(),
        restart_codes: media_format::manifest::restart_codes(),
    };
    let files = files
        .iter()
        .map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec()));
    Content {
        package,
        files: files.collect(),
    }
}
