//! Black-box tests that boot machines: see `tests/boot.rs`. They use what `make build` puts into `out/`.
