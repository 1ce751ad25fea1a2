//! What libwim warns of when it applies an image.

/// Beginnings of its warnings that it leaves out what the image says of files besides their content, because it cannot write that there.
/// Streams, links and encryption are not among them.
const NOT_OF_CONTENT: [&str; 9] = [
    "Ignoring FILE_ATTRIBUTE_READONLY of ",
    "Ignoring FILE_ATTRIBUTE_HIDDEN of ",
    "Ignoring FILE_ATTRIBUTE_SYSTEM of ",
    "Ignoring FILE_ATTRIBUTE_COMPRESSED of ",
    "Ignoring FILE_ATTRIBUTE_NOT_CONTENT_INDEXED of ",
    "Ignoring FILE_ATTRIBUTE_SPARSE_FILE of ",
    "Ignoring Windows NT security descriptors of ",
    "Ignoring object IDs of ",
    "Ignoring DOS names of ",
];

/// Whether a warning says no more than that attributes, security or short names of files were left out.
#[must_use]
pub fn leaves_content_whole(warning: &str) -> bool {
    NOT_OF_CONTENT
        .iter()
        .any(|beginning| warning.starts_with(beginning))
}
