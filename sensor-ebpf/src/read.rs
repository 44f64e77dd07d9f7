//! Bounded reads of kernel and user memory, and the bounds that the verifiers of all supported kernels understand.

use aya_ebpf::helpers::generated::{bpf_probe_read_kernel, bpf_probe_read_user};
use core::{
    ffi::c_void,
    mem::{MaybeUninit, size_of},
};
use sensor_common::offsets::{DENTRY_BLOCK, INODE_BLOCK, SOCK_BLOCK, SOCKET_BLOCK};

/// `v & m`, at this very place and on this very register: LLVM can neither drop it nor move it away from its use.
macro_rules! mask {
    ($v:expr, $m:literal) => {{
        let mut v: u64 = $v;
        // SAFETY: one arithmetic instruction on a register of ours.
        unsafe { core::arch::asm!(concat!("{0} &= ", $m), inout(reg) v) };
        v
    }};
}

/// `v`, and nothing that is computed from it is computed before this very place.
macro_rules! pin {
    ($v:expr) => {{
        let mut v: u64 = $v;
        // SAFETY: a register is moved to itself.
        unsafe { core::arch::asm!("{0} = {0}", inout(reg) v) };
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

/// Types of which any bytes are a value.
///
/// # Safety
/// That must be so.
pub unsafe trait Plain: Copy {}
// SAFETY: numbers, and arrays of such.
unsafe impl Plain for u8 {}
// SAFETY: as above.
unsafe impl Plain for u16 {}
// SAFETY: as above.
unsafe impl Plain for u32 {}
// SAFETY: as above.
unsafe impl Plain for u64 {}
// SAFETY: as above.
unsafe impl<T: Plain, const N: usize> Plain for [T; N] {}

/// A value of kernel memory; zeros if it is not readable.
///
/// A helper's call costs more than what it reads (see "Loads, not calls" in ARCHITECTURE.md): what lies side by side is read in one go.
#[inline(always)]
pub fn kernel<T: Plain>(addr: u64) -> T {
    let mut v = MaybeUninit::<T>::uninit();
    // SAFETY: the helper writes size_of::<T>() bytes to `v` (zeros on a fault) and checks `addr` itself; they are a `T`.
    unsafe {
        bpf_probe_read_kernel(v.as_mut_ptr().cast::<c_void>(), size_of::<T>() as u32, addr as *const c_void);
        v.assume_init()
    }
}

/// A pointer in kernel memory; 0 if it is not readable.
#[inline(always)]
pub fn ptr(addr: u64) -> u64 {
    kernel(addr)
}

/// A 32-bit value of kernel memory; 0 if it is not readable.
#[inline(always)]
pub fn word(addr: u64) -> u32 {
    kernel(addr)
}

/// `struct path { struct vfsmount *mnt; struct dentry *dentry; }` (checked by the collector).
#[inline(always)]
pub fn path(addr: u64) -> (u64, u64) {
    let [mnt, dentry]: [u64; 2] = kernel(addr);
    (mnt, dentry)
}

/// A value at an address that was reached from the current task by this function: a plain load where the verifier
/// follows the types on the way (it turns a fault into zeros), a helper's call elsewhere. Which of the two is a constant to the verifier, so
/// that it does not even look at the other one.
#[inline(always)]
pub fn direct<T: Plain>(addr: u64) -> T {
    if typed() {
        // SAFETY: the verifier allows no other access than to a member of a type that it knows.
        unsafe { (addr as *const T).read_volatile() }
    } else {
        kernel(addr)
    }
}

/// A pointer that [`direct`] can follow further, 0 if it is null. The verifier wants some pointers to be compared with null before anything
/// is added to them; `pin!` keeps the compiler from adding first.
#[inline(always)]
pub fn direct_ptr(addr: u64) -> Option<u64> {
    let p: u64 = direct(addr);
    if p == 0 { None } else { Some(pin!(p)) }
}

/// Whether the verifier knows what the current task's pointer points to.
#[inline(always)]
pub fn typed() -> bool {
    // SAFETY: a static of this program, written by the loader only.
    unsafe { core::ptr::read_volatile(&raw const crate::kernel::TYPED_TASK) != 0 }
}

/// The first `8 * WORDS` bytes of a kernel structure, copied onto the stack.
pub struct Block<const WORDS: usize>(MaybeUninit<[u64; WORDS]>);

impl<const WORDS: usize> Block<WORDS> {
    /// Nothing yet.
    #[inline(always)]
    pub const fn new() -> Self {
        Self(MaybeUninit::uninit())
    }

    /// Copies, in ascending order; zeros if it is not readable.
    #[inline(always)]
    pub fn load(&mut self, addr: u64) {
        // SAFETY: the helper writes all bytes of the block and checks `addr` itself.
        unsafe { bpf_probe_read_kernel(self.0.as_mut_ptr().cast::<c_void>(), 8 * WORDS as u32, addr as *const c_void) };
    }

    /// The value at an offset that the collector has checked to lie within (`IN_BLOCKS`); otherwise the verifier refuses the program.
    #[inline(always)]
    pub fn get<T: Plain>(&self, offset: u64) -> T {
        // SAFETY: as above; loaded before.
        unsafe { ((self.0.as_ptr() as u64 + offset) as *const T).read_volatile() }
    }
}

/// A `struct dentry`.
pub type Dentry = Block<{ DENTRY_BLOCK / 8 }>;
/// A `struct inode`.
pub type Inode = Block<{ INODE_BLOCK / 8 }>;
/// A `struct socket`.
pub type Socket = Block<{ SOCKET_BLOCK / 8 }>;
/// A `struct sock`.
pub type Sock = Block<{ SOCK_BLOCK / 8 }>;

/// A value of user memory of the current task; `None` if it is not readable (or not present: nothing is paged in).
#[inline(always)]
pub fn user<T: Plain>(addr: u64) -> Option<T> {
    let mut v = MaybeUninit::<T>::uninit();
    // SAFETY: as in `kernel`.
    let failed = unsafe { bpf_probe_read_user(v.as_mut_ptr().cast::<c_void>(), size_of::<T>() as u32, addr as *const c_void) } < 0;
    // SAFETY: written, also on a fault.
    if failed { None } else { Some(unsafe { v.assume_init() }) }
}
