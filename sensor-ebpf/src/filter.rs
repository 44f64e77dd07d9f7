//! What is not worth sending, decided before anything is copied. Whatever is held back is counted as suppressed, never silently.

use crate::{kernel::o, read};
use aya_ebpf::{
    macros::map,
    maps::{Array, HashMap},
};
use sensor_common::{
    filter::{self, FILE, FOLDER, Name, NameSet},
    limits::FILTER_NAME,
    stats::Reason,
};

/// Names that rules want to see opens for reading of, with [`FILE`] and [`FOLDER`] as bits.
#[map]
static READ_NAMES: HashMap<Name, u32> = HashMap::with_max_entries(4096, 0);

/// The same names, a bit for each: first those of files, then those of folders. Most opens end here.
#[map]
static READ_SETS: Array<NameSet> = Array::with_max_entries(2, 0);

/// O_ACCMODE, O_CREAT and O_TRUNC: any of them makes an open one for writing.
pub const WRITE_FLAGS: u64 = 0o3 | 0o100 | 0o1000;

const S_IFMT: u32 = 0o170000;
const S_IFCHR: u32 = 0o020000;

/// Whether rules ask for the name of a dentry, as that of a [`FILE`] or of a [`FOLDER`].
#[inline(always)]
fn asked_for(block: &read::Dentry, dentry: u64, what: u32) -> bool {
    let len = block.get::<u64>(o!(O_DENTRY_QSTR)) >> 32;
    if len > FILTER_NAME as u64 {
        return false;
    }
    let name: u64 = block.get(o!(O_DENTRY_QSTR) + 8);
    let mut key: Name = if name == dentry + o!(O_DENTRY_INLINE) { block.get(o!(O_DENTRY_INLINE)) } else { read::kernel(name) };
    let mut i = 0;
    while i < key.len() {
        let have = len.saturating_sub(8 * i as u64);
        if have < 8 {
            key[i] &= (1 << (8 * have)) - 1;
        }
        i += 1;
    }
    let (word, bit) = filter::bit(&key);
    let Some(sets) = READ_SETS.get_ptr(what - 1) else { return true };
    // SAFETY: a word of the set, by the mask.
    let word = unsafe { sets.cast::<u64>().add(mask!(word as u64, 63) as usize).read_volatile() };
    // SAFETY: values are only ever replaced as a whole.
    word & bit != 0 && unsafe { READ_NAMES.get(key) }.is_some_and(|bits| bits & what != 0)
}

/// Whether an open of this dentry is to be sent: `None` if so, otherwise why not.
#[inline(always)]
pub fn open(dentry: u64, flags: u64) -> Option<Reason> {
    let mut block = read::Dentry::new();
    block.load(dentry);
    if flags & WRITE_FLAGS != 0 {
        let mut inode = read::Inode::new();
        inode.load(block.get(o!(O_DENTRY_INODE)));
        let device = inode.get::<u16>(o!(O_INODE_MODE)) as u32 & S_IFMT == S_IFCHR;
        return if device && dull_device(inode.get(o!(O_INODE_RDEV))) { Some(Reason::DeviceFiltered) } else { None };
    }
    if asked_for(&block, dentry, FILE) {
        return None;
    }
    let parent = block.get(o!(O_DENTRY_PARENT));
    block.load(parent);
    if asked_for(&block, parent, FOLDER) { None } else { Some(Reason::ReadFiltered) }
}

/// null, zero, full, random, urandom (major 1), tty and console and ptmx (5), pseudo terminals (136 to 143). `dev_t` in the kernel: major << 20.
#[inline(always)]
fn dull_device(dev: u32) -> bool {
    let (major, minor) = (dev >> 20, dev & 0xf_ffff);
    (major == 1 && (minor == 3 || minor == 5 || (7..=9).contains(&minor))) || major == 5 || (136..=143).contains(&major)
}
