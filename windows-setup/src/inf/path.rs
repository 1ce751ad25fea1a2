//! Paths in INF files.

/// A path with `/` from folders and names as INF files write them, all beneath `folder`; none where it leads out of
/// the package.
pub fn beneath(folder: &str, parts: &[&str]) -> Option<String> {
    let mut path: Vec<&str> = Vec::new();
    let texts = std::iter::once(folder).chain(parts.iter().copied());
    for name in texts.flat_map(|text| text.split(['\\', '/'])) {
        match name.trim() {
            "" | "." => {}
            ".." => {
                path.pop()?;
            }
            name => path.push(name),
        }
    }
    Some(path.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_beneath_the_package() {
        assert_eq!(
            beneath("a/b", &["\\x86", "", "c.sys"]).as_deref(),
            Some("a/b/x86/c.sys")
        );
        assert_eq!(beneath("", &[".\\", "..", "c"]), None);
        assert_eq!(beneath("a", &["..\\b", "c"]).as_deref(), Some("b/c"));
    }
}
