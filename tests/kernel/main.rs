//! Real system calls on a real kernel, and the exact events that they must give. Needs root; run with `--test-threads=1`, because the
//! tests share one attached sensor. `cargo xtask test` runs them on this machine, `cargo xtask vm` in guests with other kernels.

mod accept;
mod attacks;
mod bind;
mod cgroup;
mod chmod;
mod chown;
mod connect;
mod doctor;
mod exec;
mod exit;
mod fork;
mod identity;
mod link;
mod listen;
mod loss;
mod open;
mod paths;
mod rename;
mod storm;
mod symlink;
mod unlink;
