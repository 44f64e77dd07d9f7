//! Standard output that can go away: closed, blocked and full are errors that say what to do, never a panic and never a hang.

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::FileType,
    io::Errno,
};
use std::{io, os::fd::AsFd, time::Duration};

/// How long a reader may take nothing at all before that is an error.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// What is collected before it is written.
const BUFFER: usize = 64 << 10;
/// What a pipe takes at once when poll says that it takes something (PIPE_BUF).
const CHUNK: usize = 4096;

/// The output cannot be written any more.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// Nobody reads it.
    #[error("the output was closed by its reader")]
    Closed,
    /// A reader that does not read.
    #[error("the output has taken nothing for {} seconds: its reader is stopped or too slow; write to a file, or subscribe with `sensor tail`", .0.as_secs())]
    Blocked(Duration),
    /// No space.
    #[error("the output cannot be written: the disk is full (or a quota or size limit is met); free space, or write elsewhere")]
    Full,
    /// Anything else.
    #[error("the output cannot be written: {0}")]
    Io(io::Error),
}

impl From<Errno> for OutputError {
    fn from(e: Errno) -> Self {
        match e {
            Errno::PIPE | Errno::BADF => Self::Closed,
            Errno::NOSPC | Errno::DQUOT | Errno::FBIG => Self::Full,
            e => Self::Io(e.into()),
        }
    }
}

/// A buffered descriptor, standard output in most cases. What is buffered is lost when it is dropped without [`Output::flush`].
#[derive(Debug)]
pub struct Output<F> {
    fd: F,
    patience: Duration,
    /// A file or device takes any length at once; a pipe, a socket or a terminal might block in the middle.
    chunk: usize,
    buffer: Vec<u8>,
}

impl Output<rustix::fd::BorrowedFd<'static>> {
    /// Standard output of this process.
    pub fn stdout() -> Self {
        Self::new(rustix::stdio::stdout(), PATIENCE)
    }
}

impl<F: AsFd> Output<F> {
    /// Any descriptor, with a patience of its own.
    pub fn new(fd: F, patience: Duration) -> Self {
        let file = rustix::fs::fstat(&fd).is_ok_and(|s| FileType::from_raw_mode(s.st_mode).is_file());
        Self { fd, patience, chunk: if file { usize::MAX } else { CHUNK }, buffer: Vec::with_capacity(BUFFER) }
    }

    /// Where to write to; call [`Output::written`] afterwards.
    pub const fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// Writes the buffer out if it is long.
    ///
    /// # Errors
    /// [`OutputError`].
    pub fn written(&mut self) -> Result<(), OutputError> {
        if self.buffer.len() < BUFFER { Ok(()) } else { self.flush() }
    }

    /// Writes the buffer out. To be called when nothing more comes for now.
    ///
    /// # Errors
    /// [`OutputError`]; what was not written is dropped.
    pub fn flush(&mut self) -> Result<(), OutputError> {
        let buffer = std::mem::take(&mut self.buffer);
        let result = self.write_all(&buffer);
        self.buffer = buffer;
        self.buffer.clear();
        self.buffer.shrink_to(BUFFER * 4);
        result
    }

    fn write_all(&self, mut rest: &[u8]) -> Result<(), OutputError> {
        while !rest.is_empty() {
            self.wait()?;
            let chunk = rest.get(..self.chunk).unwrap_or(rest);
            match rustix::io::write(&self.fd, chunk) {
                Ok(n) => rest = rest.get(n..).unwrap_or_default(),
                Err(Errno::INTR | Errno::AGAIN) => {}
                Err(e) => return Err(e.into()),
            }
        }
        Ok(())
    }

    /// Until the descriptor takes something.
    fn wait(&self) -> Result<(), OutputError> {
        let timeout = Timespec::try_from(self.patience).unwrap_or(Timespec { tv_sec: 30, tv_nsec: 0 });
        loop {
            match poll(&mut [PollFd::new(&self.fd, PollFlags::OUT)], Some(&timeout)) {
                Ok(0) => return Err(OutputError::Blocked(self.patience)),
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn output(fd: impl AsFd, patience: u64) -> Output<impl AsFd> {
        Output::new(fd, Duration::from_millis(patience))
    }

    #[test]
    fn what_is_written_arrives() {
        let (mut reader, writer) = io::pipe().unwrap();
        let sent: Vec<u8> = (0..3_000_000_u32).flat_map(|n| n.to_le_bytes()).take(5_000_000).collect();
        let expected = sent.clone();
        let thread = std::thread::spawn(move || {
            let mut out = output(writer, 60_000);
            for part in sent.chunks(1000) {
                out.buffer().extend_from_slice(part);
                out.written().unwrap();
            }
            out.flush().unwrap();
        });
        let mut got = Vec::new();
        reader.read_to_end(&mut got).unwrap();
        thread.join().unwrap();
        assert!(got == expected);
    }

    #[test]
    fn a_closed_reader_is_an_error() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let mut out = output(writer, 1000);
        out.buffer().push(b'x');
        assert!(matches!(out.flush(), Err(OutputError::Closed)));
    }

    #[test]
    fn a_reader_that_does_not_read_is_an_error() {
        let (_reader, writer) = io::pipe().unwrap();
        let mut out = output(writer, 10);
        out.buffer().resize(1 << 20, b'x');
        assert!(matches!(out.flush(), Err(OutputError::Blocked(_))));
    }

    #[test]
    fn a_full_disk_is_an_error() {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut out = output(full, 1000);
        out.buffer().push(b'x');
        let error = out.flush().unwrap_err();
        assert!(matches!(error, OutputError::Full), "{error}");
    }
}
