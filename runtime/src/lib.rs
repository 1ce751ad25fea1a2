//! The engine on the media: runs a task sequence over every restart to its end.

pub mod pe;
