//! Black-box tests that boot machines: see `tests/boot.rs`. They use what `make build` puts into `out/`.
//! And what tests of parsers have in common: see [`hostile`].

pub mod hostile;
