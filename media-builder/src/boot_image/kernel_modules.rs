//! The kernel of the packages and the chosen modules with everything that they depend on.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;

use super::contents::Module;
use super::packages::Tree;
use super::{Error, Result, elf};

const MODULES: &str = "usr/lib/modules/";

/// The kernel of the unpacked packages.
pub(super) struct Kernel {
    /// Its release, as `uname -r` says it.
    pub(super) version: String,
    /// Module name → path in the packages.
    modules: BTreeMap<String, String>,
    built_in: BTreeSet<String>,
}

/// Kernel and programs use `-` and `_` alike.
fn normal(name: &str) -> String {
    name.replace('-', "_")
}

fn module_name(path: &str) -> Option<String> {
    let file = path.rsplit('/').next()?;
    file.split_once(".ko").map(|(name, _)| normal(name))
}

impl Kernel {
    /// Finds the kernel and all of its modules.
    pub(super) fn find(tree: &Tree) -> Result<Self> {
        let missing = || Error::FileMissing {
            wanted: "a kernel's modules".into(),
            by: "the boot image".into(),
        };
        let version = tree
            .below(MODULES)
            .find_map(|path| path[MODULES.len()..].split('/').next());
        let version = version.ok_or_else(missing)?.to_owned();
        let folder = format!("{MODULES}{version}/");
        let modules = tree
            .below(&folder)
            .filter_map(|path| Some((module_name(path)?, path.to_owned())))
            .collect();
        let list = tree.read(&format!("{folder}modules.builtin"), "the kernel")?;
        let built_in = String::from_utf8_lossy(&list)
            .lines()
            .filter_map(module_name)
            .collect();
        Ok(Self {
            version,
            modules,
            built_in,
        })
    }

    /// Where the kernel itself lies in the packages.
    pub(super) fn image(&self) -> String {
        format!("boot/vmlinuz-{}", self.version)
    }

    /// Where a module list of the kernel lies in the packages.
    pub(super) fn list(&self, name: &str) -> String {
        format!("{MODULES}{}/{name}", self.version)
    }

    /// The wanted modules and their dependencies: path in the image → content. Those that are ready to be loaded, and what
    /// they depend on, are unpacked; the others stay as the package has them, which the kernel can unpack itself. None is
    /// stripped, since that would break their signatures.
    pub(super) fn closure<'a>(
        &self,
        tree: &Tree,
        ready: impl Iterator<Item = Module<'a>>,
        packed: impl Iterator<Item = Module<'a>>,
    ) -> Result<BTreeMap<String, Vec<u8>>> {
        let mut chosen = Chosen::default();
        let (ready, packed) = (self.known(ready)?, self.known(packed)?);
        self.follow(tree, ready, unpacked, &mut chosen)?;
        self.follow(tree, packed, as_packaged, &mut chosen)?;
        Ok(chosen.files)
    }

    /// The names without those that are built in, and those that this kernel may lack and does.
    fn known<'a>(&self, wanted: impl Iterator<Item = Module<'a>>) -> Result<Vec<String>> {
        let mut modules = Vec::new();
        for module in wanted {
            let name = normal(module.name);
            if self.modules.contains_key(&name) {
                modules.push(name);
            } else if module.required && !self.built_in.contains(&name) {
                return Err(Error::ModuleMissing {
                    kernel: self.version.clone(),
                    module: name,
                });
            }
        }
        Ok(modules)
    }

    fn follow(
        &self,
        tree: &Tree,
        mut open: Vec<String>,
        stored: impl Fn(&str, Vec<u8>, Vec<u8>) -> (String, Vec<u8>),
        chosen: &mut Chosen,
    ) -> Result<()> {
        while let Some(path) = open.pop().and_then(|name| self.modules.get(&name)) {
            if !chosen.seen.insert(path.clone()) {
                continue;
            }
            let packaged = tree.read(path, "the kernel")?;
            let plain = decompress(path, packaged.clone())?;
            let info = elf::modinfo(path, &plain)?;
            // Soft dependencies may be built in or not exist; hard ones are always modules of the same kernel.
            let inner = info.depends.iter().chain(&info.soft).map(|name| normal(name));
            open.extend(inner.filter(|name| self.modules.contains_key(name)));
            chosen.files.extend([stored(path, packaged, plain)]);
        }
        Ok(())
    }
}

#[derive(Default)]
struct Chosen {
    /// Paths in the packages.
    seen: BTreeSet<String>,
    /// Path in the image → content.
    files: BTreeMap<String, Vec<u8>>,
}

fn unpacked(path: &str, _: Vec<u8>, plain: Vec<u8>) -> (String, Vec<u8>) {
    let path = path.trim_end_matches(".xz").trim_end_matches(".zst");
    (path.to_owned(), plain)
}

fn as_packaged(path: &str, packaged: Vec<u8>, _: Vec<u8>) -> (String, Vec<u8>) {
    (path.to_owned(), packaged)
}

fn decompress(path: &str, bytes: Vec<u8>) -> Result<Vec<u8>> {
    let mut plain = Vec::new();
    let result = match path.rsplit('.').next() {
        Some("xz") => lzma_rust2::XzReader::new(bytes.as_slice(), true).read_to_end(&mut plain),
        Some("zst") => unpack_zstd(&bytes, &mut plain),
        _ => return Ok(bytes),
    };
    result.map_err(Error::io("decompressing", std::path::Path::new(path)))?;
    Ok(plain)
}

/// The reader of the library leaves the frame's checksum (RFC 8878, 3.1.1) to its caller.
fn unpack_zstd(packed: &[u8], plain: &mut Vec<u8>) -> std::io::Result<usize> {
    let mut reader = ruzstd::decoding::StreamingDecoder::new(packed).map_err(std::io::Error::other)?;
    let read = reader.read_to_end(plain)?;
    let frame = reader.into_frame_decoder();
    match frame.get_checksum_from_data() {
        Some(sum) if Some(sum) != frame.get_calculated_checksum() => {
            Err(std::io::Error::other("its checksum says that it is damaged"))
        }
        _ => Ok(read),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_whatever_the_compression() {
        assert_eq!(
            module_name("usr/lib/modules/6/kernel/a/usb-storage.ko.xz").unwrap(),
            "usb_storage"
        );
        assert_eq!(module_name("kernel/fs/fuse/fuse.ko").unwrap(), "fuse");
        assert_eq!(module_name("usr/lib/modules/6/modules.order"), None);
    }

    #[test]
    fn what_the_zstd_tool_has_packed_is_unpacked() {
        let packed = [
            0x28, 0xb5, 0x2f, 0xfd, 0x04, 0x68, 0x2d, 0x01, 0x00, 0xe8, 0x61, 0x6c, 0x69, 0x61, 0x73, 0x3d,
            0x70, 0x63, 0x69, 0x3a, 0x76, 0x30, 0x30, 0x30, 0x30, 0x31, 0x41, 0x46, 0x34, 0x64, 0x30, 0x30,
            0x30, 0x30, 0x31, 0x30, 0x30, 0x30, 0x0a, 0x01, 0x00, 0xa1, 0x01, 0x7e, 0xe5, 0x04, 0x22, 0xbc,
            0x46, 0x9d,
        ];
        let plain = decompress("a.ko.zst", packed.to_vec()).unwrap();
        assert_eq!(plain, "alias=pci:v00001AF4d00001000\n".repeat(40).into_bytes());
        // A letter of the text is another one: only the checksum at the end knows.
        let mut damaged = packed;
        damaged[15] ^= 1;
        for bytes in [&packed[..30], &damaged] {
            let text = decompress("a.ko.zst", bytes.to_vec()).unwrap_err().to_string();
            assert!(
                text.contains("decompressing") && text.contains("a.ko.zst"),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_ready_is_unpacked_and_has_no_other_ending() {
        let (plain, packed) = (vec![1], vec![2]);
        assert_eq!(
            unpacked("a.ko.xz", packed.clone(), plain.clone()),
            ("a.ko".to_owned(), plain.clone())
        );
        assert_eq!(
            as_packaged("a.ko.xz", packed.clone(), plain),
            ("a.ko.xz".to_owned(), packed)
        );
    }

    #[test]
    fn a_name_that_the_kernel_does_not_have_is_an_error() {
        let kernel = Kernel {
            version: "6.1".into(),
            modules: BTreeMap::new(),
            built_in: ["fuse".to_owned()].into(),
        };
        let empty = super::super::packages::Tree::empty();
        let none = std::iter::empty;
        let module = |name, required| std::iter::once(Module { name, required });
        for fine in [module("fuse", true), module("ntfs3", false)] {
            assert!(kernel.closure(&empty, fine, none()).unwrap().is_empty());
        }
        let text = kernel
            .closure(&empty, none(), module("ahcj", true))
            .unwrap_err()
            .to_string();
        assert!(
            text.contains("kernel 6.1 has neither a module nor a built-in named ahcj"),
            "{text}"
        );
    }
}
