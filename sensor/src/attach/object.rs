//! The kernel programs as they were embedded at build time.

/// aya-obj wants the object file aligned as its 64-bit headers are.
#[repr(C, align(8))]
#[cfg(bpf_object)]
struct Aligned<T: ?Sized>(T);

/// The ELF object, or `None` if this binary was built without it (see `build.rs`).
pub fn object() -> Option<&'static [u8]> {
    #[cfg(bpf_object)]
    {
        static OBJECT: &Aligned<[u8]> = &Aligned(*include_bytes!(env!("SENSOR_BPF_OBJECT")));
        Some(&OBJECT.0)
    }
    #[cfg(not(bpf_object))]
    None
}
