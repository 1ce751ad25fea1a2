//! Applies, captures and verifies WIM files with libwim, in a process of its own.
fn main() {}
