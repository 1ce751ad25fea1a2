//! Pure planners: a file tree becomes a list of extents of a disk image. No I/O.
//!
//! Every format is one module with one `plan` function: [`fat`], [`exfat`], [`iso9660`],
//! [`partition_table`]. The readers in [`read`] judge the result and share no code with the planners.

mod area;
mod dos_time;
pub mod exfat;
pub mod extent;
pub mod fat;
mod flat;
pub mod grub;
pub mod iso9660;
pub mod names;
pub mod partition_table;
pub mod read;
pub mod tree;

pub use extent::{Content, Extent, Layout, SourceId};
pub use tree::{FileTree, Node};
