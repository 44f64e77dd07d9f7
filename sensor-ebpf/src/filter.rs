//! What is not worth sending, decided before anything is copied. Whatever is held back is counted as suppressed, never silently.

use crate::{kernel::o, read};
use aya_ebpf::{macros::map, maps::HashMap};
use core::ffi::c_void;
use sensor_common::{limits::FILTER_NAME, stats::Reason};

/// Names that rules want to see opens for reading of, NUL padded: bit 0 as the file's own name, bit 1 as that of its folder.
#[map]
static READ_NAMES: HashMap<[u8; FILTER_NAME], u32> = HashMap::with_max_entries(4096, 0);

const FILE: u32 = 1;
const FOLDER: u32 = 2;

/// O_ACCMODE, O_CREAT and O_TRUNC: any of them makes an open one for writing.
pub const WRITE_FLAGS: u64 = 0o3 | 0o100 | 0o1000;

const S_IFMT: u32 = 0o170000;
const S_IFCHR: u32 = 0o020000;

#[inline(always)]
fn name_bits(dentry: u64) -> u32 {
    let name: [u64; 2] = read::kernel([0; 2], dentry + o!(O_DENTRY_QSTR));
    let len = name[0] >> 32;
    if len > FILTER_NAME as u64 {
        return 0;
    }
    let mut key = [0u8; FILTER_NAME * 2]; // twice the room, so that a mask is a bound that the verifier sees
    // SAFETY: at most 63 bytes of 64.
    unsafe {
        aya_ebpf::helpers::generated::bpf_probe_read_kernel(
            key.as_mut_ptr().cast::<c_void>(),
            mask!(len, 63) as u32,
            name[1] as *const c_void,
        );
        READ_NAMES.get(*key.as_ptr().cast::<[u8; FILTER_NAME]>()).copied().unwrap_or(0)
    }
}

/// Whether an open of this dentry is to be sent: `None` if so, otherwise why not.
#[inline(always)]
pub fn open(dentry: u64, flags: u64) -> Option<Reason> {
    if flags & WRITE_FLAGS != 0 {
        let inode = read::ptr(dentry + o!(O_DENTRY_INODE));
        if read::kernel(0u16, inode + o!(O_INODE_MODE)) as u32 & S_IFMT == S_IFCHR && dull_device(read::word(inode + o!(O_INODE_RDEV))) {
            return Some(Reason::DeviceFiltered);
        }
        return None;
    }
    if name_bits(dentry) & FILE != 0 || name_bits(read::ptr(dentry + o!(O_DENTRY_PARENT))) & FOLDER != 0 {
        return None;
    }
    Some(Reason::ReadFiltered)
}

/// null, zero, full, random, urandom (major 1), tty and console and ptmx (5), pseudo terminals (136 to 143). `dev_t` in the kernel: major << 20.
#[inline(always)]
fn dull_device(dev: u32) -> bool {
    let (major, minor) = (dev >> 20, dev & 0xf_ffff);
    (major == 1 && (minor == 3 || minor == 5 || (7..=9).contains(&minor))) || major == 5 || (136..=143).contains(&major)
}
