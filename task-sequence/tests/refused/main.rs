//! What a machine would refuse, or pass over without a word, is found before a machine is touched.

// What cannot go on in a test fails it.
#![allow(clippy::unwrap_used)]

mod conditions;
mod linux;
mod media;
mod packages;
mod partitions;
mod scripts;
mod secrets;
mod variables;
mod winpe;
mod without_effect;
