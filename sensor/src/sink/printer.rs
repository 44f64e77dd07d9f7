//! Items on standard output (or any descriptor) as text or JSON lines: what `run`, `replay` and `tail` print.

use super::{
    Body, Item, Origin, json,
    stdout::{Output, OutputError},
    text::{self, Style},
};
use std::os::fd::AsFd;

/// How items are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text(Style),
    /// For machines: ECS, one object per line.
    Json,
    /// Not at all.
    None,
}

/// Prints items. Findings and loss reports always, events if asked to.
pub struct Printer<F> {
    output: Output<F>,
    format: Format,
    events: bool,
    writer: json::Writer,
    text: String,
}

impl<F: AsFd> Printer<F> {
    /// `events` prints events, too.
    pub fn new(output: Output<F>, format: Format, events: bool, origin: &Origin) -> Self {
        Self { output, format, events, writer: json::Writer::new(origin), text: String::new() }
    }

    /// The items that follow come from `origin`.
    pub fn set_origin(&mut self, origin: &Origin) {
        if self.writer.origin() != origin {
            self.writer = json::Writer::new(origin);
        }
    }

    /// Prints an item; it may stay in a buffer until [`Printer::flush`]. Returns whether it was one to be printed.
    ///
    /// # Errors
    /// [`OutputError`]: nothing more can be printed.
    pub fn print(&mut self, item: &Item) -> Result<bool, OutputError> {
        if matches!(item.body, Body::Event(_)) && !self.events && !item.is_loss() {
            return Ok(false);
        }
        match self.format {
            Format::None => return Ok(false),
            Format::Json => self.writer.write(item, self.output.buffer()),
            Format::Text(style) => {
                self.text.clear();
                text::write(item, &mut self.text, style);
                self.output.buffer().extend_from_slice(self.text.as_bytes());
            }
        }
        self.output.written()?;
        Ok(true)
    }

    /// Writes out what is buffered. To be called whenever there is nothing more to print for now.
    ///
    /// # Errors
    /// [`OutputError`].
    pub fn flush(&mut self) -> Result<(), OutputError> {
        self.output.flush()
    }
}
