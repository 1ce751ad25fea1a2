//! A WIM that is open or being made.

use std::ffi::{c_char, c_int, c_uint};
use std::path::Path;
use std::ptr::{self, NonNull};

use super::bindings::{
    ADD_NORPFIX, ALL_IMAGES, ERROR_PATH_DOES_NOT_EXIST, EXPORT_BOOT, ITERATE_RECURSIVE, RawWim,
    wimlib_add_image, wimlib_add_tree, wimlib_create_new_wim, wimlib_export_image, wimlib_extract_image,
    wimlib_extract_paths, wimlib_free, wimlib_iterate_dir_tree, wimlib_open_wim,
    wimlib_reference_resource_files, wimlib_register_progress_function, wimlib_set_image_property,
    wimlib_split, wimlib_verify_wim, wimlib_write,
};
use super::entries::{ReparsePoint, collect, ignore};
use super::progress::{Observer, progress};
use super::{LibError, c_image, c_path, c_paths, c_text, check, invalid};

/// A WIM that is open or being made.
pub(crate) struct Wim {
    raw: NonNull<RawWim>,
    /// The library keeps a pointer to it until the WIM is freed.
    _observer: Box<Observer>,
}

impl Wim {
    /// A new WIM without images.
    pub(crate) fn create(compression: c_int, observer: Observer) -> Result<Self, LibError> {
        let mut raw = ptr::null_mut();
        // SAFETY: `raw` is written on success only.
        check(unsafe { wimlib_create_new_wim(compression, &mut raw) })?;
        Self::observed(raw, observer)
    }

    /// Opens a WIM for reading.
    pub(crate) fn open(path: &Path, observer: Observer) -> Result<Self, LibError> {
        let path = c_path(path)?;
        let mut raw = ptr::null_mut();
        // SAFETY: `path` outlives the call; `raw` is written on success only.
        check(unsafe { wimlib_open_wim(path.as_ptr(), 0, &mut raw) })?;
        Self::observed(raw, observer)
    }

    fn observed(raw: *mut RawWim, observer: Observer) -> Result<Self, LibError> {
        let raw = NonNull::new(raw).ok_or_else(|| invalid("libwim returned no WIM"))?;
        let mut observer = Box::new(observer);
        let context: *mut Observer = &mut *observer;
        // SAFETY: the box is kept as long as the WIM and does not move; calls come from this thread only.
        unsafe { wimlib_register_progress_function(raw.as_ptr(), progress, context.cast()) };
        Ok(Self {
            raw,
            _observer: observer,
        })
    }

    /// Makes the other parts of a split WIM known.
    pub(crate) fn reference(&mut self, parts: &[impl AsRef<Path>]) -> Result<(), LibError> {
        let parts = c_paths(parts)?;
        let pointers: Vec<*const c_char> = parts.iter().map(|part| part.as_ptr()).collect();
        let count = c_uint::try_from(parts.len()).map_err(|_| invalid("too many parts"))?;
        // SAFETY: `pointers` and what it points to outlive the call.
        check(unsafe { wimlib_reference_resource_files(self.raw.as_ptr(), pointers.as_ptr(), count, 0, 0) })
    }

    /// Scans a source and adds it as an image; its data is read by [`Wim::write`].
    pub(crate) fn add_image(
        &mut self,
        source: &Path,
        name: &str,
        config: &Path,
        flags: c_int,
    ) -> Result<(), LibError> {
        let (source, name, config) = (c_path(source)?, c_text(name)?, c_path(config)?);
        let raw = self.raw.as_ptr();
        // SAFETY: the strings outlive the call, and the library copies what it keeps.
        check(unsafe { wimlib_add_image(raw, source.as_ptr(), name.as_ptr(), config.as_ptr(), flags) })
    }

    /// Adds the image of another WIM and makes it the bootable one; its data is read by [`Wim::write`]. The other one is
    /// freed: an image that two WIMs have in memory cannot be changed.
    pub(crate) fn export_bootable(&mut self, from: Self, image: u32) -> Result<(), LibError> {
        let (raw, image) = (from.raw.as_ptr(), c_image(image)?);
        let into = self.raw.as_ptr();
        // SAFETY: both WIMs are valid; without a name and a description the image keeps its own.
        check(unsafe { wimlib_export_image(raw, image, into, ptr::null(), ptr::null(), EXPORT_BOOT) })
    }

    /// Adds what a folder holds beneath the root of an image; its data is read by [`Wim::write`].
    pub(crate) fn add_tree(&mut self, image: u32, source: &Path) -> Result<(), LibError> {
        let (source, image) = (c_path(source)?, c_image(image)?);
        let (raw, root) = (self.raw.as_ptr(), c"/".as_ptr());
        // SAFETY: the strings outlive the call, and the library copies what it keeps.
        check(unsafe { wimlib_add_tree(raw, image, source.as_ptr(), root, ADD_NORPFIX) })
    }

    /// Writes the parts of a split WIM.
    pub(crate) fn split(&mut self, first: &Path, part_bytes: u64) -> Result<(), LibError> {
        let first = c_path(first)?;
        // SAFETY: `first` outlives the call.
        check(unsafe { wimlib_split(self.raw.as_ptr(), first.as_ptr(), part_bytes, 0) })
    }

    /// Sets an element of the image's XML metadata.
    pub(crate) fn set_property(&mut self, image: u32, name: &str, value: &str) -> Result<(), LibError> {
        let (name, value) = (c_text(name)?, c_text(value)?);
        let (raw, image) = (self.raw.as_ptr(), c_image(image)?);
        // SAFETY: the strings outlive the call, and the library copies what it keeps.
        check(unsafe { wimlib_set_image_property(raw, image, name.as_ptr(), value.as_ptr()) })
    }

    /// Writes all images to a file; 0 threads means one per processor.
    pub(crate) fn write(&mut self, path: &Path, flags: c_int, threads: u32) -> Result<(), LibError> {
        let path = c_path(path)?;
        // SAFETY: `path` outlives the call.
        check(unsafe { wimlib_write(self.raw.as_ptr(), path.as_ptr(), ALL_IMAGES, flags, threads) })
    }

    /// Extracts an image.
    pub(crate) fn extract(&mut self, image: u32, target: &Path, flags: c_int) -> Result<(), LibError> {
        let (target, image) = (c_path(target)?, c_image(image)?);
        // SAFETY: `target` outlives the call.
        check(unsafe { wimlib_extract_image(self.raw.as_ptr(), image, target.as_ptr(), flags) })
    }

    /// Extracts files of an image.
    pub(crate) fn extract_paths(
        &mut self,
        image: u32,
        target: &Path,
        paths: &[impl AsRef<Path>],
        flags: c_int,
    ) -> Result<(), LibError> {
        let (target, image) = (c_path(target)?, c_image(image)?);
        let paths = c_paths(paths)?;
        let pointers: Vec<*const c_char> = paths.iter().map(|path| path.as_ptr()).collect();
        let (raw, count) = (self.raw.as_ptr(), pointers.len());
        // SAFETY: `target`, `pointers` and what these point to outlive the call.
        check(unsafe { wimlib_extract_paths(raw, image, target.as_ptr(), pointers.as_ptr(), count, flags) })
    }

    /// Whether an image has a file or folder at that path.
    pub(crate) fn has(&mut self, image: u32, path: &Path) -> Result<bool, LibError> {
        let (path, image) = (c_path(path)?, c_image(image)?);
        // SAFETY: `path` outlives the call, and `ignore` uses neither of its arguments.
        let code = unsafe {
            wimlib_iterate_dir_tree(
                self.raw.as_ptr(),
                image,
                path.as_ptr(),
                0,
                ignore,
                ptr::null_mut(),
            )
        };
        match code {
            ERROR_PATH_DOES_NOT_EXIST => Ok(false),
            code => check(code).map(|()| true),
        }
    }

    /// Every file and folder of an image that is a reparse point.
    pub(crate) fn reparse_points(&mut self, image: u32) -> Result<Vec<ReparsePoint>, LibError> {
        let (root, image) = (c_text("/")?, c_image(image)?);
        let mut found: Vec<ReparsePoint> = Vec::new();
        // SAFETY: `root` and `found` outlive the call, and `collect` takes the latter for what it is.
        let code = unsafe {
            wimlib_iterate_dir_tree(
                self.raw.as_ptr(),
                image,
                root.as_ptr(),
                ITERATE_RECURSIVE,
                collect,
                ptr::from_mut(&mut found).cast(),
            )
        };
        check(code).map(|()| found)
    }

    /// Reads every stream and compares it with its SHA-1.
    pub(crate) fn verify(&mut self) -> Result<(), LibError> {
        // SAFETY: the WIM is valid for as long as `self` lives.
        check(unsafe { wimlib_verify_wim(self.raw.as_ptr(), 0) })
    }
}

impl Drop for Wim {
    fn drop(&mut self) {
        // SAFETY: the pointer came from the library, is freed once, and not used afterwards.
        unsafe { wimlib_free(self.raw.as_ptr()) };
    }
}
