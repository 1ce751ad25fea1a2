//! The command line of `media-runtime`.
fn main() {}
