//! Bounded reads of kernel and user memory, and the bounds that the verifiers of all supported kernels understand.

use aya_ebpf::helpers::generated::{bpf_probe_read_kernel, bpf_probe_read_user};
use core::{ffi::c_void, mem::size_of};

/// `v & m`, at this very place and on this very register: LLVM can neither drop it nor move it away from its use.
macro_rules! mask {
    ($v:expr, $m:literal) => {{
        let mut v: u64 = $v;
        // SAFETY: one arithmetic instruction on a register of ours.
        unsafe { core::arch::asm!(concat!("{0} &= ", $m), inout(reg) v) };
        v
    }};
}

/// Reads a place of a work area. What a loop carries from round to round lives there and not in registers: the verifier forgets the range of
/// what it reads back, so that all ways through a round end in one state.
macro_rules! get {
    ($place:expr) => {{
        // SAFETY: a place inside a map value that this run owns.
        unsafe { core::ptr::read_volatile(&raw const $place) }
    }};
}

/// Writes a place of a work area, see `get!`.
macro_rules! set {
    ($place:expr, $v:expr) => {{
        let v = $v;
        // SAFETY: a place inside a map value that this run owns.
        unsafe { core::ptr::write_volatile(&raw mut $place, v) }
    }};
}

/// A value of kernel memory; `zero` if it is not readable.
#[inline(always)]
pub fn kernel<T: Copy>(zero: T, addr: u64) -> T {
    let mut v = zero;
    // SAFETY: the helper writes size_of::<T>() bytes to `v` (zeros on a fault) and checks `addr` itself.
    unsafe { bpf_probe_read_kernel((&raw mut v).cast::<c_void>(), size_of::<T>() as u32, addr as *const c_void) };
    v
}

/// A pointer in kernel memory; 0 if it is not readable.
#[inline(always)]
pub fn ptr(addr: u64) -> u64 {
    kernel(0u64, addr)
}

/// A 32-bit value of kernel memory; 0 if it is not readable.
#[inline(always)]
pub fn word(addr: u64) -> u32 {
    kernel(0u32, addr)
}

/// A value of user memory of the current task; `None` if it is not readable (or not present: nothing is paged in).
#[inline(always)]
pub fn user<T: Copy>(zero: T, addr: u64) -> Option<T> {
    let mut v = zero;
    // SAFETY: as in `kernel`.
    let failed = unsafe { bpf_probe_read_user((&raw mut v).cast::<c_void>(), size_of::<T>() as u32, addr as *const c_void) } < 0;
    if failed { None } else { Some(v) }
}
