//! The kernel programs, as they were compiled into this binary. Says nothing of whether the kernel takes them.

/// An ELF file is read in place: its headers want 8-byte alignment.
#[cfg(sensor_bpf_object)]
#[repr(C, align(8))]
struct Aligned<T: ?Sized>(T);

#[cfg(sensor_bpf_object)]
static OBJECT: &Aligned<[u8]> = &Aligned(*include_bytes!(concat!(env!("OUT_DIR"), "/sensor.bpf.o")));

/// The ELF object with all kernel programs, 8-byte aligned. `None` if this binary was built without them: see `sensor/build.rs`.
pub fn object() -> Option<&'static [u8]> {
    #[cfg(sensor_bpf_object)]
    return Some(&OBJECT.0);
    #[cfg(not(sensor_bpf_object))]
    None
}
