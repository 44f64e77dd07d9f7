//! THE EXIT CODES: one line each; the help text is made from the same lines. Numbers from 64 on are those of sysexits.h where it has one.

use crate::{
    attach::AttachError,
    collect::recording::{RecordingError, WriteError},
    sink::stdout::OutputError,
};
use std::process::ExitCode;

macro_rules! exits {
    ($($number:literal $name:ident $doc:literal;)+) => {
        /// How the program ends.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Exit { $(#[doc = $doc] $name = $number),+ }

        impl Exit {
            /// All of them.
            pub const ALL: &'static [Exit] = &[$(Exit::$name),+];

            /// The number.
            pub const fn number(self) -> u8 {
                match self { $(Self::$name => $number),+ }
            }

            /// What it means.
            pub const fn doc(self) -> &'static str {
                match self { $(Self::$name => $doc),+ }
            }
        }
    };
}

exits! {
    0 Ok "all went well; findings are no error";
    1 Failure "something broke while it ran";
    64 Usage "the command line is wrong";
    65 BadData "a recording is damaged or no recording";
    66 NoInput "a file to be read cannot be opened";
    69 Unavailable "this kernel cannot be watched, or no sensor answers";
    70 Incomplete "this binary was built without the kernel programs";
    71 Refused "the kernel refused the programs";
    73 CannotCreate "an output file cannot be created";
    74 Io "an output cannot be written: the disk is full, say";
    77 NoPermission "not root";
    78 Config "the configuration file is wrong";
    79 Rules "a rule is wrong";
    80 Listen "the address cannot be listened on: in use, say";
    130 Forced "ended at once by a second signal";
}

/// The part of the help text about them.
pub fn help() -> String {
    let lines = Exit::ALL.iter().map(|e| format!("\n  {:<4} {}", e.number(), e.doc()));
    std::iter::once("Exit codes:".to_owned()).chain(lines).collect()
}

impl Exit {
    /// For the operating system.
    pub fn code(self) -> ExitCode {
        ExitCode::from(self.number())
    }
}

/// Why the program ends, with one clear message: what is wrong, where, what to do.
#[derive(Debug)]
pub struct Failure {
    /// How it ends.
    pub exit: Exit,
    /// For people.
    pub message: String,
}

impl Failure {
    /// With this message.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }

    /// Of an output that cannot be written. A reader that has seen enough (`sensor tail | head`) is no failure.
    ///
    /// # Errors
    /// Anything else.
    pub fn of_output(e: OutputError) -> Result<(), Self> {
        match e {
            OutputError::Closed => Ok(()),
            e => Err(Self::new(Exit::Io, e.to_string())),
        }
    }
}

impl From<AttachError> for Failure {
    fn from(e: AttachError) -> Self {
        let exit = match &e {
            AttachError::NoObject => Exit::Incomplete,
            AttachError::NotAllowed => Exit::NoPermission,
            AttachError::NoBtf(_) | AttachError::MissingField(_) => Exit::Unavailable,
            AttachError::Load(_) | AttachError::Required { .. } => Exit::Refused,
        };
        let hint = match exit {
            Exit::Refused => "; `sensor doctor` tells what this kernel has",
            _ => "",
        };
        Self::new(exit, format!("{e}{hint}"))
    }
}

impl From<RecordingError> for Failure {
    fn from(e: RecordingError) -> Self {
        let exit = if matches!(e, RecordingError::Open { .. }) { Exit::NoInput } else { Exit::BadData };
        Self::new(exit, e.to_string())
    }
}

impl From<WriteError> for Failure {
    fn from(e: WriteError) -> Self {
        let exit = if matches!(e, WriteError::Create { .. }) { Exit::CannotCreate } else { Exit::Io };
        Self::new(exit, e.to_string())
    }
}
