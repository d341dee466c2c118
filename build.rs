//! Builds `loupe-shim` statically and hands it to the library, which embeds it.
//!
//! The nested build uses this same package without its default features. It names the target explicitly, because then
//! `crt-static` applies to the shim alone and not to build scripts; nothing in it may need a procedural macro. It goes into a
//! target directory of its own below `OUT_DIR`, as the outer build holds the lock on the usual one.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Set for the nested build, whose own build script then does nothing.
const NESTED: &str = "LOUPE_NESTED_BUILD";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed={NESTED}");
    if env::var_os(NESTED).is_some() || env::var_os("CARGO_FEATURE_CLI").is_none() {
        return;
    }
    for path in ["Cargo.toml", "Cargo.lock", "src/lib.rs", "src/bin", "src/shim", "src/filter", "src/syscalls", "src/trial"] {
        println!("cargo::rerun-if-changed={path}");
    }
    let shim = build_shim();
    println!("cargo::rustc-env=LOUPE_SHIM_PATH={}", shim.display());
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name} for build scripts"))
}

fn build_shim() -> PathBuf {
    let target = variable("TARGET");
    let directory = Path::new(&variable("OUT_DIR")).join("shim");
    // Always optimised: it answers every system call of a traced app, also when the rest is a debug build.
    let status = Command::new(variable("CARGO"))
        .args(["build", "--release", "--quiet", "--no-default-features", "--bin", "loupe-shim", "--target", &target])
        .arg("--manifest-path")
        .arg(Path::new(&variable("CARGO_MANIFEST_DIR")).join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&directory)
        // Wins over RUSTFLAGS, so what the outer build was given must not leak in.
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .env("CARGO_PROFILE_RELEASE_STRIP", "true")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1")
        .env(NESTED, "1")
        .status()
        .unwrap_or_else(|error| panic!("cannot start cargo for the nested build of loupe-shim: {error}"));
    assert!(status.success(), "the nested build of loupe-shim failed; its messages are above");
    directory.join(target).join("release").join("loupe-shim")
}
