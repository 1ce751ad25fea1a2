//! Links libhivex dynamically.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    match pkg_config::get_variable("hivex", "libdir") {
        Ok(folder) => println!("cargo:rustc-link-search=native={folder}"),
        Err(error) => {
            eprintln!("looking for libhivex (hivex.pc): {error}");
            eprintln!("install it, on Debian and Ubuntu: sudo apt-get install libhivex-dev pkg-config");
            std::process::exit(1);
        }
    }
    println!("cargo:rustc-link-lib=dylib=hivex");
}
