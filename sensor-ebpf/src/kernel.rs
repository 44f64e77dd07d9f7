//! Offsets of kernel structure members: read-only globals that the collector patches from the running kernel's BTF before loading.

macro_rules! globals {
    ($($name:ident $need:ident $($path:literal)+;)+) => {
        $(
            #[doc = concat!("Offset of `", $($path, "` or `",)+ "`.")]
            #[unsafe(no_mangle)]
            pub static $name: u32 = 0;
        )+
    };
}

sensor_common::for_each_offset!(globals);

/// 1 where this kernel has `bpf_get_current_task_btf` (since 5.11), whose result the verifier knows the type of; set like the offsets.
#[unsafe(no_mangle)]
pub static TYPED_TASK: u32 = 0;

/// The offset `$name` as the verifier's constant. Volatile, so that the compiler does not take the 0 of the object file for granted.
macro_rules! o {
    ($name:ident) => {{
        // SAFETY: a static of this program; .rodata is frozen by the loader, so nobody writes it.
        unsafe { core::ptr::read_volatile(&raw const $crate::kernel::$name) as u64 }
    }};
}
pub(crate) use o;
