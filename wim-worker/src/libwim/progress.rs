//! What the library reports while it works, and what it is told in return.

use std::ffi::{CStr, c_int, c_void};

use super::bindings::{
    Extract, MSG_EXTRACT_FILE_STRUCTURE, MSG_EXTRACT_METADATA, MSG_EXTRACT_STREAMS, MSG_SCAN_DENTRY,
    MSG_TEST_FILE_EXCLUSION, MSG_VERIFY_STREAMS, MSG_WRITE_STREAMS, SCAN_UNSUPPORTED, Scan,
    TestFileExclusion, VerifyStreams, WriteStreams,
};

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

pub(super) type Observer = Box<dyn FnMut(Event) -> Verdict>;

pub(super) extern "C" fn progress(message: c_int, info: *mut c_void, context: *mut c_void) -> c_int {
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
