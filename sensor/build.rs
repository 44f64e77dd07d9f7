//! Embeds the kernel programs. `cargo xtask build` makes the object file; without it everything but `run`, `record` and `doctor` works.

use std::{env, path::PathBuf};

fn main() {
    let default = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("../target/bpf/sensor.bpf.o");
    let object = env::var_os("SENSOR_BPF_OBJECT").map_or(default, PathBuf::from);
    println!("cargo::rerun-if-env-changed=SENSOR_BPF_OBJECT");
    println!("cargo::rerun-if-changed={}", object.display());
    println!("cargo::rustc-check-cfg=cfg(bpf_object)");
    match object.canonicalize() {
        Ok(path) => {
            println!("cargo::rustc-cfg=bpf_object");
            println!("cargo::rustc-env=SENSOR_BPF_OBJECT={}", path.display());
        }
        Err(_) => println!("cargo::warning=built without kernel programs: run `cargo xtask build` for a sensor that can look at a kernel"),
    }
}
