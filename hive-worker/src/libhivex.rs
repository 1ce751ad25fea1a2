//! The thin binding to libhivex: the only unsafe code of this program.
//!
//! libhivex reports errors in `errno`, gives memory that the caller frees with `free`, and answers "no such name" with
//! 0 without an error.
#![allow(unsafe_code, reason = "calls of a C library")]

use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::{self, NonNull};

const OPEN_WRITE: c_int = 4;

#[repr(C)]
struct RawHive {
    _private: [u8; 0],
}

/// `struct hive_set_value`.
#[repr(C)]
struct SetValue {
    key: *mut c_char,
    kind: c_uint,
    length: usize,
    data: *mut c_char,
}

unsafe extern "C" {
    fn hivex_open(path: *const c_char, flags: c_int) -> *mut RawHive;
    fn hivex_close(hive: *mut RawHive) -> c_int;
    fn hivex_root(hive: *mut RawHive) -> usize;
    fn hivex_node_name(hive: *mut RawHive, node: usize) -> *mut c_char;
    fn hivex_node_children(hive: *mut RawHive, node: usize) -> *mut usize;
    fn hivex_node_get_child(hive: *mut RawHive, node: usize, name: *const c_char) -> usize;
    fn hivex_node_values(hive: *mut RawHive, node: usize) -> *mut usize;
    fn hivex_value_key(hive: *mut RawHive, value: usize) -> *mut c_char;
    fn hivex_value_value(
        hive: *mut RawHive,
        value: usize,
        kind: *mut c_uint,
        length: *mut usize,
    ) -> *mut c_char;
    fn hivex_node_add_child(hive: *mut RawHive, parent: usize, name: *const c_char) -> usize;
    fn hivex_node_delete_child(hive: *mut RawHive, node: usize) -> c_int;
    fn hivex_node_set_values(
        hive: *mut RawHive,
        node: usize,
        count: usize,
        values: *const SetValue,
        flags: c_int,
    ) -> c_int;
    fn hivex_commit(hive: *mut RawHive, path: *const c_char, flags: c_int) -> c_int;
    fn free(memory: *mut c_void);
    fn __errno_location() -> *mut c_int;
}

/// A key of an open hive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Node(usize);

/// A value with its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) kind: u32,
    pub(crate) data: Vec<u8>,
}

/// An open hive. Changes are in memory until [`Hive::commit`].
pub(crate) struct Hive {
    raw: NonNull<RawHive>,
}

impl Hive {
    /// Opens a hive for reading.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Self::open_with(path, 0)
    }

    /// Opens a hive so that it can be changed.
    pub(crate) fn open_to_change(path: &Path) -> io::Result<Self> {
        Self::open_with(path, OPEN_WRITE)
    }

    fn open_with(path: &Path, flags: c_int) -> io::Result<Self> {
        let path = CString::new(path.as_os_str().as_bytes())?;
        // SAFETY: `path` outlives the call.
        let raw = unsafe { hivex_open(path.as_ptr(), flags) };
        NonNull::new(raw)
            .map(|raw| Self { raw })
            .ok_or_else(io::Error::last_os_error)
    }

    pub(crate) fn root(&self) -> io::Result<Node> {
        // SAFETY: the hive is open for as long as `self` lives.
        node(unsafe { hivex_root(self.raw.as_ptr()) })
    }

    pub(crate) fn name(&self, node: Node) -> io::Result<String> {
        // SAFETY: the node is of this hive; the answer is memory of our own that ends with NUL, or null.
        unsafe { text(hivex_node_name(self.raw.as_ptr(), node.0)) }
    }

    pub(crate) fn children(&self, node: Node) -> io::Result<Vec<Node>> {
        // SAFETY: the node is of this hive; the answer is memory of our own that ends with 0, or null.
        let found = unsafe { list(hivex_node_children(self.raw.as_ptr(), node.0)) }?;
        Ok(found.into_iter().map(Node).collect())
    }

    /// The key of this name, without regard to case.
    pub(crate) fn child(&self, node: Node, name: &str) -> io::Result<Option<Node>> {
        let name = CString::new(name)?;
        clear_error();
        // SAFETY: the node is of this hive, and `name` outlives the call.
        let found = unsafe { hivex_node_get_child(self.raw.as_ptr(), node.0, name.as_ptr()) };
        match (found, io::Error::last_os_error()) {
            (0, error) if error.raw_os_error() != Some(0) => Err(error),
            (0, _) => Ok(None),
            (found, _) => Ok(Some(Node(found))),
        }
    }

    pub(crate) fn values(&self, node: Node) -> io::Result<Vec<Entry>> {
        // SAFETY: the node is of this hive; the answer is memory of our own that ends with 0, or null.
        let found = unsafe { list(hivex_node_values(self.raw.as_ptr(), node.0)) }?;
        found.into_iter().map(|value| self.entry(value)).collect()
    }

    fn entry(&self, value: usize) -> io::Result<Entry> {
        // SAFETY: the value is of this hive; the answer is memory of our own that ends with NUL, or null.
        let name = unsafe { text(hivex_value_key(self.raw.as_ptr(), value)) }?;
        let (mut kind, mut length) = (0, 0);
        // SAFETY: both places are written on success.
        let memory = unsafe { hivex_value_value(self.raw.as_ptr(), value, &mut kind, &mut length) };
        let memory = Memory::new(memory.cast())?;
        // SAFETY: on success the memory has `length` bytes.
        let data = unsafe { std::slice::from_raw_parts(memory.0.as_ptr().cast::<u8>(), length) }.to_vec();
        Ok(Entry { name, kind, data })
    }

    pub(crate) fn add_child(&mut self, node_of: Node, name: &str) -> io::Result<Node> {
        let name = CString::new(name)?;
        // SAFETY: the node is of this hive, and `name` outlives the call.
        node(unsafe { hivex_node_add_child(self.raw.as_ptr(), node_of.0, name.as_ptr()) })
    }

    /// Removes a key with all that is below it.
    pub(crate) fn delete(&mut self, node: Node) -> io::Result<()> {
        // SAFETY: the node is of this hive, and the caller's handle to it is used no more.
        check(unsafe { hivex_node_delete_child(self.raw.as_ptr(), node.0) })
    }

    /// Replaces all values of a key.
    pub(crate) fn set_values(&mut self, node: Node, values: &[Entry]) -> io::Result<()> {
        let names = values.iter().map(|value| CString::new(value.name.as_str()));
        let names = names.collect::<Result<Vec<_>, _>>()?;
        let raw = |(name, value): (&CString, &Entry)| SetValue {
            key: name.as_ptr().cast_mut(),
            kind: value.kind,
            length: value.data.len(),
            data: value.data.as_ptr().cast_mut().cast(),
        };
        let raw: Vec<SetValue> = names.iter().zip(values).map(raw).collect();
        // SAFETY: names and data outlive the call, which only reads them.
        check(unsafe { hivex_node_set_values(self.raw.as_ptr(), node.0, raw.len(), raw.as_ptr(), 0) })
    }

    /// Writes the hive with its changes to a file, which is made or emptied before. It is not flushed.
    pub(crate) fn commit(&mut self, path: &Path) -> io::Result<()> {
        let path = CString::new(path.as_os_str().as_bytes())?;
        // SAFETY: `path` outlives the call.
        check(unsafe { hivex_commit(self.raw.as_ptr(), path.as_ptr(), 0) })
    }
}

impl Drop for Hive {
    fn drop(&mut self) {
        // SAFETY: the pointer came from the library, is closed once, and not used afterwards.
        unsafe { hivex_close(self.raw.as_ptr()) };
    }
}

/// Memory that the library gave away.
struct Memory(NonNull<c_void>);

impl Memory {
    fn new(memory: *mut c_void) -> io::Result<Self> {
        NonNull::new(memory)
            .map(Self)
            .ok_or_else(io::Error::last_os_error)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: it came from malloc and is freed once.
        unsafe { free(self.0.as_ptr()) };
    }
}

/// # Safety
/// `memory` must be null, or memory of malloc with a text that ends with NUL, which is ours from now on.
unsafe fn text(memory: *mut c_char) -> io::Result<String> {
    let memory = Memory::new(memory.cast())?;
    // SAFETY: as promised above.
    let text = unsafe { CStr::from_ptr(memory.0.as_ptr().cast()) };
    Ok(text.to_string_lossy().into_owned())
}

/// # Safety
/// `memory` must be null, or memory of malloc with handles that end with 0, which is ours from now on.
unsafe fn list(memory: *mut usize) -> io::Result<Vec<usize>> {
    let memory = Memory::new(memory.cast())?;
    let mut next = memory.0.as_ptr().cast::<usize>().cast_const();
    let mut handles = Vec::new();
    // SAFETY: as promised above; what lies before the 0 is readable, and the 0 too.
    unsafe {
        while *next != 0 {
            handles.push(*next);
            next = next.add(1);
        }
    }
    Ok(handles)
}

fn node(handle: usize) -> io::Result<Node> {
    match handle {
        0 => Err(io::Error::last_os_error()),
        handle => Ok(Node(handle)),
    }
}

fn check(code: c_int) -> io::Result<()> {
    match code {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

fn clear_error() {
    // SAFETY: the place of this thread's error number is always valid.
    unsafe { ptr::write(__errno_location(), 0) };
}
