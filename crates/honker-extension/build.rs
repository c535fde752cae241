//! Link flags of the library.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // SQLite unmaps a library whose entry point fails. Functions of other connections point into it, and watcher threads
    // run in it, so it must never be unmapped.
    let is_elf =
        std::env::var("CARGO_CFG_UNIX").is_ok() && std::env::var("CARGO_CFG_TARGET_VENDOR").as_deref() != Ok("apple");
    if is_elf {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
