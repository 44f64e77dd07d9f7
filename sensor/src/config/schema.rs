//! THE SETTINGS: one line each, with type, default and doc. Nothing else needs to be told of a new one but the code that uses it.

use super::value::{Choice, Listen, Number, Paths, Setting, Size, Yes};
use toml::de::DeValue;

/// What the reference says of a setting.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Table in the file.
    pub section: &'static str,
    /// What the table is about.
    pub section_doc: &'static str,
    /// Key in the table.
    pub key: &'static str,
    /// What it means.
    pub doc: &'static str,
    /// What may be given.
    pub accepts: String,
    /// The default as it would stand in the file.
    pub default: String,
}

macro_rules! settings {
    ($($section:ident $name:ident $section_doc:literal { $($key:ident: $type:ty = $default:expr, $doc:literal;)+ })+) => {
        $(
            #[doc = $section_doc]
            #[derive(Clone, Debug, PartialEq, Eq)]
            pub struct $name { $(#[doc = $doc] pub $key: $type),+ }

            impl Default for $name {
                fn default() -> Self {
                    Self { $($key: $default),+ }
                }
            }
        )+

        /// All settings.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct Config { $(#[doc = $section_doc] pub $section: $name),+ }

        impl Config {
            /// Names of the tables.
            pub const SECTIONS: &'static [&'static str] = &[$(stringify!($section)),+];

            /// Keys of a table; empty if there is no such table.
            pub fn keys(section: &str) -> &'static [&'static str] {
                match section {
                    $(stringify!($section) => &[$(stringify!($key)),+],)+
                    _ => &[],
                }
            }

            /// Takes a value from the file; `None` if there is no such key.
            pub(super) fn set(&mut self, section: &str, key: &str, value: &DeValue<'_>) -> Option<Result<(), String>> {
                match (section, key) {
                    $($((stringify!($section), stringify!($key)) => {
                        Some(<$type as Setting>::read(value).map(|v| self.$section.$key = v))
                    })+)+
                    _ => None,
                }
            }

            /// All settings with their defaults, in the order of the declaration.
            pub fn entries() -> Vec<Entry> {
                let default = Self::default();
                vec![$($(Entry {
                    section: stringify!($section),
                    section_doc: $section_doc,
                    key: stringify!($key),
                    doc: $doc,
                    accepts: <$type as Setting>::accepts(),
                    default: default.$section.$key.show(),
                }),+),+]
            }
        }
    };
}

settings! {
    rules Rules "Which rules are loaded." {
        directories: Paths = Paths(vec![super::DEFAULT_RULES.into()]), "Folders (or files) with Sigma rules, searched with all their subfolders. `--rules` replaces them, `--no-rules` or an empty list is none: events are collected and streamed, and nothing is found.";
    }
    output Output "What is printed to standard output." {
        format: Choice = Choice::Text, "`text` for people, `json` for machines (Elastic Common Schema, one object per line), `none` for nothing. `--output` wins.";
        events: Yes = Yes(false), "Print events, too, not only findings and reports of loss. `--events` switches it on.";
        queue: Number<16, 1_000_000> = Number(8192), "Items that may wait for the printer. When it is full, events are counted as lost; findings wait.";
    }
    listen Stream "Where subscribers connect (gRPC)." {
        address: Listen = Listen(Some("unix:/run/sensor/sensor.sock".to_owned())), "A UNIX socket (`unix:/path`), open to the sensor's own user only, or a TCP address (`http://127.0.0.1:50051`), which has neither encryption nor authentication, or `none`. `--listen` wins.";
        queue_items: Number<16, 1_000_000> = Number(8192), "Items that may wait for one subscriber. Beyond, it loses items and is told how many.";
        queue_bytes: Size<65_536, 1_073_741_824> = Size(32 << 20), "Bytes that may wait for one subscriber.";
    }
    score Score "How findings add up per process tree." {
        half_life_seconds: Number<1, 604_800> = Number(600), "After this time points count half.";
    }
    rings Rings "Buffers between the kernel and the collector, one per class of events, so that bulk of one class cannot push out another. Each size is a power of two, and counts twice as resident memory, because the kernel maps each ring twice in a row." {
        critical_bytes: Size<4096, 1_073_741_824, true> = Size(4 << 20), "Processes: exec, fork, exit.";
        network_bytes: Size<4096, 1_073_741_824, true> = Size(2 << 20), "Sockets.";
        file_bytes: Size<4096, 1_073_741_824, true> = Size(8 << 20), "Files.";
    }
    collect Collect "How records are put in order." {
        window_ms: Number<1, 10_000> = Number(50), "How long a record waits for older ones from other CPUs and rings. Findings are at least this late.";
        join_ms: Number<1, 10_000> = Number(500), "How long the beginning of an operation waits for its result.";
        buffer_bytes: Size<1_048_576, 1_073_741_824> = Size(32 << 20), "Records that wait; beyond, the oldest go on before their time.";
    }
    processes Processes "How much is remembered of processes." {
        live: Number<64, 4_194_304> = Number(65_536), "Living processes. Beyond, the one that was idle longest is forgotten.";
        dead: Number<0, 4_194_304> = Number(8192), "Processes that have ended, as ancestors of those that live.";
        image_bytes: Size<65_536, 1_073_741_824> = Size(8 << 20), "Paths and arguments. Beyond, the dead are forgotten first, then arguments are not kept.";
    }
    shutdown Shutdown "How the sensor stops." {
        grace_seconds: Number<0, 300> = Number(5), "How long subscribers may take to fetch what waits for them.";
    }
}
