//! The command line of `media-builder`.
fn main() {}
