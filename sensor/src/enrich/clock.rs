//! Boot time to wall time. Kernel time (CLOCK_BOOTTIME) orders and measures; wall time is for people, and may be set at any moment, so
//! that the distance between the two is measured anew from time to time.

use rustix::time::{ClockId, Timespec, clock_gettime};

/// CLOCK_BOOTTIME now, in nanoseconds: the clock of the records.
pub fn boot_ns() -> u64 {
    u64::try_from(nanoseconds(clock_gettime(ClockId::Boottime))).unwrap_or(0)
}

/// Nanoseconds to add to boot time to get nanoseconds since 1970 (UTC), as it is now. Boot time is read on both sides of the wall clock,
/// so that a preemption between them shifts the result by half its length at most.
pub fn offset_ns() -> i64 {
    let before = nanoseconds(clock_gettime(ClockId::Boottime));
    let wall = nanoseconds(clock_gettime(ClockId::Realtime));
    let after = nanoseconds(clock_gettime(ClockId::Boottime));
    wall - (before + (after - before) / 2)
}

/// Wall time of a boot time; clamped where a damaged record gives an impossible one.
pub fn wall_ns(boot_ns: u64, offset_ns: i64) -> u64 {
    boot_ns.saturating_add_signed(offset_ns)
}

fn nanoseconds(t: Timespec) -> i64 {
    t.tv_sec.saturating_mul(1_000_000_000).saturating_add(t.tv_nsec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_time_never_overflows() {
        assert_eq!(wall_ns(5, 10), 15);
        assert_eq!(wall_ns(5, -10), 0);
        assert_eq!(wall_ns(u64::MAX, 10), u64::MAX);
    }
}
