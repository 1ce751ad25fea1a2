//! Links libwim dynamically.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // Only a variable is asked for: `--cflags` wants the .pc files of libwim's own dependencies (NTFS-3G, FUSE,
    // libxml2), which Debian's libwim-dev does not bring along and which a dynamic link does not need.
    match pkg_config::get_variable("wimlib", "libdir") {
        Ok(folder) => println!("cargo:rustc-link-search=native={folder}"),
        Err(error) => {
            eprintln!("looking for libwim (wimlib.pc): {error}");
            eprintln!("install it, on Debian and Ubuntu: sudo apt-get install libwim-dev pkg-config");
            std::process::exit(1);
        }
    }
    println!("cargo:rustc-link-lib=dylib=wim");
}
