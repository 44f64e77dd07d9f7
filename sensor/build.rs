//! Embeds the kernel programs that `cargo xtask build` left in `target/bpf`. Does not build them: another target, another profile.
//!
//! Without them the crate still compiles, for `cargo check` and all tests that need no kernel; `attach::object::object` then says so.

use std::{env, fs, path::PathBuf, time::SystemTime};

fn main() {
    println!("cargo:rustc-check-cfg=cfg(sensor_bpf_object)");
    println!("cargo:rerun-if-env-changed=SENSOR_BPF_OBJECT");
    let path = |name: &str| env::var_os(name).map(PathBuf::from);
    let Some((manifest, out)) = path("CARGO_MANIFEST_DIR").zip(path("OUT_DIR")) else { return };
    let given = path("SENSOR_BPF_OBJECT");
    let object = given.clone().unwrap_or_else(|| manifest.join("../target/bpf/sensor.bpf.o"));
    if given.is_none() && !object.exists() {
        placeholder(&object);
    }
    println!("cargo:rerun-if-changed={}", object.display());
    match fs::read(&object) {
        Ok(bytes) if !bytes.is_empty() => {
            // A copy, so that the object's own path, which is that of one machine, is not in the crate.
            if let Err(error) = fs::write(out.join("sensor.bpf.o"), bytes) {
                println!("cargo:error=cannot write to {}: {error}", out.display());
            }
            println!("cargo:rustc-cfg=sensor_bpf_object");
        }
        Ok(_) => println!("cargo:warning=no kernel programs in target/bpf: `sensor run` will not work; `cargo xtask build` makes them"),
        Err(error) => println!("cargo:error=SENSOR_BPF_OBJECT: cannot read {}: {error}", object.display()),
    }
}

/// Cargo builds a crate anew each time if a file it watches is missing. An old, empty file says the same and stays quiet.
fn placeholder(object: &std::path::Path) {
    // Best effort: where this folder cannot be written, builds are slower and nothing else.
    let _ = object.parent().map(fs::create_dir_all);
    if let Ok(file) = fs::File::create(object) {
        let _ = file.set_modified(SystemTime::UNIX_EPOCH);
    }
}
