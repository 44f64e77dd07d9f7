//! `fork`: who the child is. What it inherits is the process table's business (`enrich`).

use crate::process::ProcessId;
use sensor_common::events::fork::Fork as Wire;

/// The child, and whether it is the first process of a pid namespace (pid 1 there).
pub fn child(wire: &Wire) -> (ProcessId, bool) {
    (ProcessId { tgid: wire.child_tgid, start_ns: wire.child_start_ns }, wire.child_ns_pid == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pid_1_of_its_namespace_is_told() {
        let wire = |child_ns_pid| Wire { child_start_ns: 7, child_tgid: 9, child_ns_pid };
        assert_eq!(child(&wire(9)), (ProcessId { tgid: 9, start_ns: 7 }, false));
        assert_eq!(child(&wire(1)), (ProcessId { tgid: 9, start_ns: 7 }, true));
    }
}
