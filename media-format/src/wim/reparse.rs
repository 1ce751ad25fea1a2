//! Tags of reparse points behind which Windows keeps the content of a file elsewhere ([MS-FSCC] 2.1.2.1).

/// Compressed by the system (CompactOS); the content is a stream of the file.
pub const WOF: u32 = 0x8000_0017;
/// Deduplicated; the content lies in a store of the volume, below "System Volume Information".
pub const DEDUP: u32 = 0x8000_0013;
