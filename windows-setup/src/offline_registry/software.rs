//! Changes of the SOFTWARE hive.

use media_format::hive::protocol::Query;
use media_format::hive::{Edit, Value};

use super::BadChange;

const KEY: &str = r"Microsoft\Windows\CurrentVersion";
const NAME: &str = "DevicePath";
/// Windows' own INF files: without them device installation fails.
const OWN: &str = r"%SystemRoot%\inf";

/// What [`device_path`] needs.
#[must_use]
pub fn device_path_query() -> Query {
    Query::Value {
        key: KEY.into(),
        name: NAME.into(),
    }
}

/// Adds folders in which Windows looks for drivers of a device that it has none for. It does not look into folders
/// below them: every one with an INF file must be named.
///
/// Facts: Microsoft, "Configure Windows to Search Additional Folders for Device Drivers".
pub fn device_path(current: Option<&Value>, folders: &[String]) -> Result<Edit, BadChange> {
    if let Some(bad) = folders
        .iter()
        .find(|folder| folder.is_empty() || folder.contains(';'))
    {
        return Err(BadChange::Folder(bad.clone()));
    }
    let current = current.and_then(Value::text).unwrap_or_default();
    let before = current.split(';').filter(|path| !path.trim().is_empty());
    let all = before.chain([OWN]).chain(folders.iter().map(String::as_str));
    let mut paths: Vec<&str> = Vec::new();
    for path in all {
        if !paths.iter().any(|known| known.eq_ignore_ascii_case(path)) {
            paths.push(path);
        }
    }
    Ok(Edit::set(KEY, NAME, Value::ExpandSz(paths.join(";"))))
}

/// Takes out the folders whose paths begin so; nothing where there are none.
#[must_use]
pub fn without_device_paths(current: Option<&Value>, beginning: &str) -> Vec<Edit> {
    let current = current.and_then(Value::text).unwrap_or_default();
    let beginning = beginning.to_lowercase();
    let is_other = |path: &&str| !path.to_lowercase().starts_with(&beginning);
    let others: Vec<&str> = current.split(';').filter(is_other).collect();
    let others = others.join(";");
    if others == current {
        return Vec::new();
    }
    vec![Edit::set(KEY, NAME, Value::ExpandSz(others))]
}

/// The key in which Windows set-up notes what its first start need not do.
pub const FIRST_START: &str = r"Microsoft\Windows\CurrentVersion\Setup\OOBE";
/// Says that there is a user, so that the first start passes over the page that asks for one.
pub const CREATED_USER: &str = "UnattendCreatedUser";

/// What [`without_created_user`] needs.
#[must_use]
pub fn created_user_query() -> Query {
    Query::Value {
        key: FIRST_START.into(),
        name: CREATED_USER.into(),
    }
}

/// Takes the note out that there is a user: whoever sets up a captured image is asked for one. Nothing where there is none.
#[must_use]
pub fn without_created_user(current: Option<&Value>) -> Option<Edit> {
    current.map(|_| Edit::DeleteValue {
        key: FIRST_START.into(),
        name: CREATED_USER.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(current: Option<&str>, folders: &[&str]) -> String {
        let current = current.map(|text| Value::ExpandSz(text.into()));
        let folders: Vec<String> = folders.iter().map(|folder| (*folder).to_owned()).collect();
        match device_path(current.as_ref(), &folders).unwrap() {
            Edit::SetValue {
                value: Value::ExpandSz(text),
                ..
            } => text,
            other => panic!("another edit: {other:?}"),
        }
    }

    #[test]
    fn folders_are_added_once_and_windows_own_stays() {
        let ours = r"C:\Drivers\a";
        assert_eq!(path(None, &[ours]), r"%SystemRoot%\inf;C:\Drivers\a");
        assert_eq!(path(Some(""), &[]), r"%SystemRoot%\inf");
        let theirs = r"%SYSTEMROOT%\Inf;D:\x;";
        let expected = r"%SYSTEMROOT%\Inf;D:\x;C:\Drivers\a";
        assert_eq!(path(Some(theirs), &[ours, r"d:\X"]), expected);
        assert_eq!(path(Some(expected), &[ours]), expected);
    }

    #[test]
    fn our_folders_go_again_and_others_stay() {
        let current = Value::ExpandSz(r"%SystemRoot%\inf;%SystemDrive%\Ours\a;D:\x".into());
        let expected = Value::ExpandSz(r"%SystemRoot%\inf;D:\x".into());
        let edits = without_device_paths(Some(&current), r"%systemdrive%\ours\");
        assert_eq!(edits, [Edit::set(KEY, NAME, expected.clone())]);
        assert_eq!(without_device_paths(Some(&expected), r"%systemdrive%\ours\"), []);
        assert_eq!(without_device_paths(None, "x"), []);
    }

    #[test]
    fn a_folder_that_would_be_two_is_refused() {
        let folders = ["a;b".to_owned()];
        assert_eq!(device_path(None, &folders), Err(BadChange::Folder("a;b".into())));
    }
}
