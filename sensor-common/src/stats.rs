//! Counters that the kernel programs keep per CPU, by event kind and reason, in memory that the collector has mapped. Only it adds them up.

use crate::events::EventKind;

macro_rules! reasons {
    ($($id:literal $name:ident $text:literal $lost:literal, $doc:literal;)+) => {
        /// Why a run of a program did not end in a record of its own, or in a full one.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u32)]
        pub enum Reason { $(#[doc = $doc] $name = $id),+ }

        impl Reason {
            /// All of them, in the order of their numbers.
            pub const ALL: &'static [Reason] = &[$(Reason::$name),+];

            /// Name as users see it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }

            /// *Lost* is unintended; otherwise the record was *suppressed* by policy, or sent after all.
            pub const fn is_loss(self) -> bool {
                match self { $(Self::$name => $lost),+ }
            }

            /// From a number; `None` if no reason has it.
            pub const fn from_wire(v: u32) -> Option<Self> {
                match v { $($id => Some(Self::$name),)+ _ => None }
            }
        }
    };
}

reasons! {
    0 Sent "sent" false, "The record went into its ring.";
    1 RingFull "ring_full" true, "The ring had no room.";
    2 NoWorkArea "no_work_area" true, "The program's work area could not be looked up.";
    3 BadContext "bad_context" true, "The registers of the call or its kernel object could not be found.";
    4 Skipped "skipped" true, "The kernel did not run the program (another run of it was preempted on that CPU): `recursion_misses`.";
    5 ReadFiltered "read_filtered" false, "An open for reading of a file whose name no rule asks for.";
    6 DeviceFiltered "device_filtered" false, "An open of /dev/null, a terminal or another device that says nothing.";
    7 NotFoundFiltered "not_found_filtered" false, "A failed open for reading of a file that does not exist.";
    8 FamilyFiltered "family_filtered" false, "A socket of a family that no rule asks for.";
    9 Late "late" false, "It came when younger records had been handed on already.";
    10 Malformed "malformed" true, "The record did not decode.";
    11 OutputFull "output_full" true, "A subscriber or a sink was too slow.";
}

/// The counters of one CPU, one for each kind (by number) and reason: two pages, so that CPUs do not share a cache line.
pub type Counters = [u64; 1024];

const _: () = assert!((EventKind::MAX as usize + 1) * Reason::ALL.len() <= size_of::<Counters>() / 8);

/// Index of a counter among [`Counters`].
#[inline(always)]
pub const fn slot(kind: EventKind, reason: Reason) -> u32 {
    kind as u32 * Reason::ALL.len() as u32 + reason as u32
}
