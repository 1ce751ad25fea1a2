//! A thin binding of the part of libwim (libwim.so.15, 1.13 and later) that the worker needs.
//!
//! `unsafe` is allowed here only: these are calls into a C library. Everything that leaves this file is safe to use.
//! The layouts are those of `wimlib.h`; the library promises to keep them for as long as it is libwim.so.15.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::{self, NonNull};

pub(crate) const ADD_NTFS: c_int = 0x1;
pub(crate) const ADD_VERBOSE: c_int = 0x4;
pub(crate) const ADD_UNIX_DATA: c_int = 0x10;
pub(crate) const ADD_EXCLUDE_VERBOSE: c_int = 0x80;
pub(crate) const ADD_NORPFIX: c_int = 0x200;
pub(crate) const ADD_TEST_FILE_EXCLUSION: c_int = 0x4000;
pub(crate) const EXTRACT_NTFS: c_int = 0x1;
pub(crate) const EXTRACT_UNIX_DATA: c_int = 0x20;
pub(crate) const EXTRACT_NO_ACLS: c_int = 0x40;
pub(crate) const EXTRACT_NORPFIX: c_int = 0x200;
pub(crate) const EXTRACT_NO_ATTRIBUTES: c_int = 0x10_0000;
pub(crate) const EXTRACT_NO_FOLDERS: c_int = 0x20_0000;
pub(crate) const WRITE_SOLID: c_int = 0x1000;

/// `wimlib_compression_type`.
pub(crate) const COMPRESSION_NONE: c_int = 0;
pub(crate) const COMPRESSION_XPRESS: c_int = 1;
pub(crate) const COMPRESSION_LZX: c_int = 2;
pub(crate) const COMPRESSION_LZMS: c_int = 3;

const ALL_IMAGES: c_int = -1;
const EXPORT_BOOT: c_int = 0x1;
const INIT_CASE_INSENSITIVE: c_int = 0x20;
const ERROR_INVALID_PARAM: c_int = 24;
const ERROR_PATH_DOES_NOT_EXIST: c_int = 49;

const ITERATE_RECURSIVE: c_int = 0x1;
const ATTRIBUTE_REPARSE_POINT: u32 = 0x400;

const MSG_EXTRACT_FILE_STRUCTURE: c_int = 3;
const MSG_EXTRACT_STREAMS: c_int = 4;
const MSG_EXTRACT_METADATA: c_int = 6;
const MSG_SCAN_DENTRY: c_int = 10;
const MSG_WRITE_STREAMS: c_int = 12;
const MSG_VERIFY_STREAMS: c_int = 29;
const MSG_TEST_FILE_EXCLUSION: c_int = 30;
const SCAN_UNSUPPORTED: c_uint = 2;

#[repr(C)]
struct RawWim {
    _opaque: [u8; 0],
}

#[repr(C)]
struct RawDecompressor {
    _opaque: [u8; 0],
}

#[repr(C)]
struct WriteStreams {
    total_bytes: u64,
    total_streams: u64,
    completed_bytes: u64,
}

#[repr(C)]
struct Scan {
    source: *const c_char,
    cur_path: *const c_char,
    status: c_uint,
    target: *const c_char,
    dirs: u64,
    nondirs: u64,
    bytes: u64,
}

#[repr(C)]
struct Extract {
    image: u32,
    flags: u32,
    names: [*const c_char; 4],
    total_bytes: u64,
    completed_bytes: u64,
    total_streams: u64,
    completed_streams: u64,
    part_number: u32,
    total_parts: u32,
    guid: [u8; 16],
    current_file_count: u64,
    end_file_count: u64,
}

#[repr(C)]
struct VerifyStreams {
    wimfile: *const c_char,
    total_streams: u64,
    total_bytes: u64,
    completed_streams: u64,
    completed_bytes: u64,
}

/// The beginning of `wimlib_dir_entry`.
#[repr(C)]
struct DirEntry {
    filename: *const c_char,
    dos_name: *const c_char,
    full_path: *const c_char,
    depth: usize,
    security_descriptor: *const c_char,
    security_descriptor_size: usize,
    attributes: u32,
    reparse_tag: u32,
}

#[repr(C)]
struct TestFileExclusion {
    path: *const c_char,
    will_exclude: bool,
}

/// A file or folder that is more than its data.
#[derive(Debug)]
pub(crate) struct ReparsePoint {
    /// In the image.
    pub(crate) path: String,
    /// Its kind.
    pub(crate) tag: u32,
}

type ProgressFunction = extern "C" fn(c_int, *mut c_void, *mut c_void) -> c_int;

unsafe extern "C" {
    fn wimlib_global_init(flags: c_int) -> c_int;
    fn wimlib_set_error_file_by_name(path: *const c_char) -> c_int;
    fn wimlib_set_error_file(file: *mut c_void) -> c_int;
    fn wimlib_get_error_string(code: c_int) -> *const c_char;
    fn wimlib_create_new_wim(compression: c_int, wim: *mut *mut RawWim) -> c_int;
    fn wimlib_open_wim(path: *const c_char, flags: c_int, wim: *mut *mut RawWim) -> c_int;
    fn wimlib_register_progress_function(wim: *mut RawWim, function: ProgressFunction, context: *mut c_void);
    fn wimlib_reference_resource_files(
        wim: *mut RawWim,
        files: *const *const c_char,
        count: c_uint,
        reference_flags: c_int,
        open_flags: c_int,
    ) -> c_int;
    fn wimlib_add_image(
        wim: *mut RawWim,
        source: *const c_char,
        name: *const c_char,
        config: *const c_char,
        flags: c_int,
    ) -> c_int;
    fn wimlib_add_tree(
        wim: *mut RawWim,
        image: c_int,
        source: *const c_char,
        target: *const c_char,
        flags: c_int,
    ) -> c_int;
    fn wimlib_export_image(
        from: *mut RawWim,
        image: c_int,
        into: *mut RawWim,
        name: *const c_char,
        description: *const c_char,
        flags: c_int,
    ) -> c_int;
    fn wimlib_split(wim: *mut RawWim, first: *const c_char, part_bytes: u64, flags: c_int) -> c_int;
    fn wimlib_set_image_property(
        wim: *mut RawWim,
        image: c_int,
        name: *const c_char,
        value: *const c_char,
    ) -> c_int;
    fn wimlib_write(
        wim: *mut RawWim,
        path: *const c_char,
        image: c_int,
        flags: c_int,
        threads: c_uint,
    ) -> c_int;
    fn wimlib_extract_image(wim: *mut RawWim, image: c_int, target: *const c_char, flags: c_int) -> c_int;
    fn wimlib_extract_paths(
        wim: *mut RawWim,
        image: c_int,
        target: *const c_char,
        paths: *const *const c_char,
        count: usize,
        flags: c_int,
    ) -> c_int;
    fn wimlib_iterate_dir_tree(
        wim: *mut RawWim,
        image: c_int,
        path: *const c_char,
        flags: c_int,
        found: extern "C" fn(*const c_void, *mut c_void) -> c_int,
        context: *mut c_void,
    ) -> c_int;
    fn wimlib_verify_wim(wim: *mut RawWim, flags: c_int) -> c_int;
    fn wimlib_free(wim: *mut RawWim);
    fn wimlib_create_decompressor(compression: c_int, block: usize, made: *mut *mut RawDecompressor)
    -> c_int;
    fn wimlib_decompress(
        compressed: *const c_void,
        compressed_size: usize,
        plain: *mut c_void,
        plain_size: usize,
        decompressor: *mut RawDecompressor,
    ) -> c_int;
    fn wimlib_free_decompressor(decompressor: *mut RawDecompressor);
}

/// An error code of libwim and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LibError {
    pub(crate) code: i32,
    pub(crate) text: String,
}

/// What libwim reports while it works.
#[derive(Debug)]
pub(crate) enum Event<'a> {
    /// A file was scanned; bytes so far.
    Scanned { bytes: u64 },
    /// A file is of a kind that the image cannot hold, and is left out.
    Unsupported { path: &'a [u8] },
    /// Shall this file be captured?
    Test { path: &'a [u8] },
    /// Bytes written.
    Write { done: u64, total: u64 },
    /// Files created.
    Structure { done: u64, total: u64 },
    /// Bytes extracted.
    Extract { done: u64, total: u64 },
    /// Files whose attributes were set.
    Metadata { done: u64, total: u64 },
    /// Bytes verified.
    Verify { done: u64, total: u64 },
}

/// What shall happen next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Continue,
    /// Leave the file of [`Event::Test`] out.
    Exclude,
    /// End the operation with an error.
    Abort,
}

type Observer = Box<dyn FnMut(Event) -> Verdict>;

/// Starts the library; file names are compared without regard to case when asked for.
pub(crate) fn init(ignore_case: bool) -> Result<(), LibError> {
    // SAFETY: takes flags only; called before any other thread uses the library.
    check(unsafe { wimlib_global_init(if ignore_case { INIT_CASE_INSENSITIVE } else { 0 }) })
}

/// From now on the library appends its warnings and errors to this file.
pub(crate) fn print_errors_to(path: &Path) -> Result<(), LibError> {
    let path = c_path(path)?;
    // SAFETY: the library copies nothing and only opens the path during the call.
    check(unsafe { wimlib_set_error_file_by_name(path.as_ptr()) })
}

/// The library closes the file of [`print_errors_to`] and prints nothing any more.
pub(crate) fn stop_printing_errors() {
    // SAFETY: a null file is documented to switch printing off.
    unsafe { wimlib_set_error_file(ptr::null_mut()) };
}

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

/// Decompresses the chunks of one WIM.
pub(crate) struct Decompressor {
    raw: NonNull<RawDecompressor>,
}

impl Decompressor {
    /// For chunks of at most this size.
    pub(crate) fn new(compression: c_int, chunk: usize) -> Result<Self, LibError> {
        let mut raw = ptr::null_mut();
        // SAFETY: `raw` is written on success only.
        check(unsafe { wimlib_create_decompressor(compression, chunk, &mut raw) })?;
        NonNull::new(raw)
            .map(|raw| Self { raw })
            .ok_or_else(|| invalid("libwim returned no decompressor"))
    }

    /// Fills `plain`; false when the data is damaged.
    pub(crate) fn decompress(&mut self, compressed: &[u8], plain: &mut [u8]) -> bool {
        let (from, into) = (compressed.as_ptr().cast(), plain.as_mut_ptr().cast());
        // SAFETY: both slices are valid for their lengths, and do not overlap as one of them is exclusive.
        let code = unsafe { wimlib_decompress(from, compressed.len(), into, plain.len(), self.raw.as_ptr()) };
        code == 0
    }
}

impl Drop for Decompressor {
    fn drop(&mut self) {
        // SAFETY: the pointer came from the library, is freed once, and not used afterwards.
        unsafe { wimlib_free_decompressor(self.raw.as_ptr()) };
    }
}

/// That it is called at all says that the path is there.
extern "C" fn ignore(_: *const c_void, _: *mut c_void) -> c_int {
    0
}

extern "C" fn collect(entry: *const c_void, found: *mut c_void) -> c_int {
    // SAFETY: the library gives a directory entry, for the time of this call.
    let entry = unsafe { &*entry.cast::<DirEntry>() };
    if entry.attributes & ATTRIBUTE_REPARSE_POINT != 0 {
        // SAFETY: the path is a text that ends with a zero.
        let path = unsafe { CStr::from_ptr(entry.full_path) };
        // SAFETY: this is the list of `reparse_points`, which nothing else uses meanwhile.
        let found = unsafe { &mut *found.cast::<Vec<ReparsePoint>>() };
        found.push(ReparsePoint {
            path: path.to_string_lossy().into_owned(),
            tag: entry.reparse_tag,
        });
    }
    0
}

extern "C" fn progress(message: c_int, info: *mut c_void, context: *mut c_void) -> c_int {
    // SAFETY: `context` is the observer that `Wim::observed` registered, which lives as long as the WIM; the
    // library calls from the thread that called it, so there is no second reference.
    let observer = unsafe { &mut *context.cast::<Observer>() };
    // SAFETY: `info` points to the structure that belongs to `message`, for the time of this call.
    let verdict = match unsafe { event(message, info) } {
        Some(event) => observer(event),
        None => Verdict::Continue,
    };
    if verdict == Verdict::Exclude && message == MSG_TEST_FILE_EXCLUSION {
        // SAFETY: for this message `info` is a `TestFileExclusion` that the library wants to be changed.
        unsafe { (*info.cast::<TestFileExclusion>()).will_exclude = true };
    }
    c_int::from(verdict == Verdict::Abort)
}

/// # Safety
/// `info` must point to what the library documents for `message`.
unsafe fn event<'a>(message: c_int, info: *const c_void) -> Option<Event<'a>> {
    // SAFETY: each cast is to the structure of the message that it is behind; strings end with NUL.
    unsafe {
        match message {
            MSG_WRITE_STREAMS => {
                let info = &*info.cast::<WriteStreams>();
                Some(Event::Write {
                    done: info.completed_bytes,
                    total: info.total_bytes,
                })
            }
            MSG_VERIFY_STREAMS => {
                let info = &*info.cast::<VerifyStreams>();
                Some(Event::Verify {
                    done: info.completed_bytes,
                    total: info.total_bytes,
                })
            }
            MSG_TEST_FILE_EXCLUSION => {
                let path = (*info.cast::<TestFileExclusion>()).path;
                Some(Event::Test {
                    path: CStr::from_ptr(path).to_bytes(),
                })
            }
            MSG_SCAN_DENTRY => Some(scan_event(&*info.cast::<Scan>())),
            MSG_EXTRACT_FILE_STRUCTURE | MSG_EXTRACT_STREAMS | MSG_EXTRACT_METADATA => {
                Some(extract_event(message, &*info.cast::<Extract>()))
            }
            _ => None,
        }
    }
}

fn scan_event<'a>(info: &Scan) -> Event<'a> {
    if info.status == SCAN_UNSUPPORTED && !info.cur_path.is_null() {
        // SAFETY: the library's path ends with NUL and stays for the time of the call.
        return Event::Unsupported {
            path: unsafe { CStr::from_ptr(info.cur_path) }.to_bytes(),
        };
    }
    Event::Scanned { bytes: info.bytes }
}

fn extract_event<'a>(message: c_int, info: &Extract) -> Event<'a> {
    let (files, all_files) = (info.current_file_count, info.end_file_count);
    match message {
        MSG_EXTRACT_FILE_STRUCTURE => Event::Structure {
            done: files,
            total: all_files,
        },
        MSG_EXTRACT_METADATA => Event::Metadata {
            done: files,
            total: all_files,
        },
        _ => Event::Extract {
            done: info.completed_bytes,
            total: info.total_bytes,
        },
    }
}

fn check(code: c_int) -> Result<(), LibError> {
    if code == 0 {
        return Ok(());
    }
    // SAFETY: returns a static string for every number.
    let text = unsafe { CStr::from_ptr(wimlib_get_error_string(code)) };
    Err(LibError {
        code,
        text: text.to_string_lossy().into_owned(),
    })
}

fn invalid(text: &str) -> LibError {
    LibError {
        code: ERROR_INVALID_PARAM,
        text: text.into(),
    }
}

fn c_path(path: &Path) -> Result<CString, LibError> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| invalid("a path contains NUL"))
}

fn c_paths(paths: &[impl AsRef<Path>]) -> Result<Vec<CString>, LibError> {
    paths.iter().map(|path| c_path(path.as_ref())).collect()
}

fn c_text(text: &str) -> Result<CString, LibError> {
    CString::new(text).map_err(|_| invalid("a text contains NUL"))
}

fn c_image(image: u32) -> Result<c_int, LibError> {
    c_int::try_from(image).map_err(|_| invalid("an image index is too large"))
}
