//! The kernel programs: one file per event under `probes`, everything shared beside it. They copy facts and judge nothing.
//!
//! Built for `bpfel-unknown-none` by `cargo xtask build`; loaded by `sensor/src/attach`. One object serves all kernels from 5.10 on: see
//! `kernel.rs` for how structure members are found, ARCHITECTURE.md for what the verifier of which kernel insists on.
#![no_std]
#![no_main]
#![allow(unused_unsafe)] // `o!`, `get!` and `set!` bring their own, also within an unsafe block
#![feature(asm_experimental_arch)] // `mask!`

#[macro_use]
mod read;
mod arch;
mod emit;
mod filter;
mod kernel;
mod path;
mod probes;
mod sock;
mod target;
mod task;
mod walker;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // Never reached: the verifier refuses a program that could get here without a way out.
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
