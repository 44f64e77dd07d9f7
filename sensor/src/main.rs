//! The program: everything is in the library, see `cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    one_heap();
    sensor::cli::main()
}

/// One heap for all threads, that gives back what it does not need. By default glibc makes one per thread, and what the largest (BTF at
/// the start) took and freed sets how much each keeps: 6 MiB more under load. One thread does nearly all the work, so nobody waits.
fn one_heap() {
    #[cfg(target_env = "gnu")]
    // SAFETY: plain settings of the allocator, made before there is a second thread. Failure is no error: it takes more memory then.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 1 << 20);
    }
}
