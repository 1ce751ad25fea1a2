//! Registry hives: values, edits, and the protocol that is spoken with the worker that reads and writes them.
//!
//! Keys are named by their path from the hive's root, with backslashes, as Windows' own tools print it without the
//! hive's name: `ControlSet001\Services\Tcpip`. The empty path is the root. Names are compared without regard to case.

mod edit;
mod key;
pub mod protocol;
mod value;

pub use edit::{BadEdit, Edit, MOST_DATA};
pub use key::{Key, NamedValue};
pub use value::Value;
