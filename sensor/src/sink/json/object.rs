//! The smallest JSON writer that does: objects, arrays, escaped strings, numbers, straight into bytes.

use crate::{process::ProcessId, text::Text};
use std::io::Write;

/// A value to be written.
pub(super) struct Json<'a> {
    out: &'a mut Vec<u8>,
    /// A string was not UTF-8.
    lossy: bool,
}

/// The inside of an object.
pub(super) struct Object<'a, 'b> {
    json: &'a mut Json<'b>,
    empty: bool,
}

/// Whole numbers.
pub(super) trait Number: serde::Serialize {}
impl Number for u8 {}
impl Number for u16 {}
impl Number for u32 {}
impl Number for u64 {}
impl Number for i32 {}

impl<'b> Json<'b> {
    pub(super) const fn new(out: &'b mut Vec<u8>) -> Self {
        Self { out, lossy: false }
    }

    pub(super) fn object(&mut self, fill: impl FnOnce(&mut Object<'_, 'b>)) {
        self.out.push(b'{');
        fill(&mut Object { json: self, empty: true });
        self.out.push(b'}');
    }

    pub(super) fn string(&mut self, bytes: &[u8]) {
        self.out.push(b'"');
        self.escaped(bytes);
        self.out.push(b'"');
    }

    /// The inside of a string.
    pub(super) fn escaped(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        loop {
            let (plain, special) = rest.split_at(plain(rest));
            self.out.extend_from_slice(plain);
            let Some((first, behind)) = special.split_first() else { return };
            if first.is_ascii() {
                self.char(char::from(*first));
                rest = behind;
                continue;
            }
            // No byte of a longer character is ASCII: what is valid in this stretch does not depend on what follows it.
            let (wide, behind) = special.split_at(special.iter().position(u8::is_ascii).unwrap_or(special.len()));
            rest = behind;
            for chunk in wide.utf8_chunks() {
                for c in chunk.valid().chars() {
                    self.char(c);
                }
                if !chunk.invalid().is_empty() {
                    self.lossy = true;
                    self.out.extend_from_slice("\u{fffd}".as_bytes());
                }
            }
        }
    }

    fn char(&mut self, c: char) {
        match c {
            '"' => self.out.extend_from_slice(b"\\\""),
            '\\' => self.out.extend_from_slice(b"\\\\"),
            '\n' => self.out.extend_from_slice(b"\\n"),
            '\r' => self.out.extend_from_slice(b"\\r"),
            '\t' => self.out.extend_from_slice(b"\\t"),
            // What a terminal might obey, or what makes a name look like another; all of them are below U+10000.
            c if c.is_control()
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}') =>
            {
                self.display(format_args!("\\u{:04x}", u32::from(c)));
            }
            c => self.out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }

    fn display(&mut self, value: impl std::fmt::Display) {
        // Writing into a vector cannot fail.
        let _ = write!(self.out, "{value}");
    }

    fn json(&mut self, value: &impl serde::Serialize) {
        // Numbers and yes-or-no only: cannot fail.
        let _ = serde_json::to_writer(&mut *self.out, value);
    }
}

impl<'b> Object<'_, 'b> {
    fn key(&mut self, key: &str) -> &mut Json<'b> {
        if !self.empty {
            self.json.out.push(b',');
        }
        self.empty = false;
        self.json.out.push(b'"');
        self.json.out.extend_from_slice(key.as_bytes());
        self.json.out.extend_from_slice(b"\":");
        self.json
    }

    /// Fields that are JSON already.
    pub(super) fn raw(&mut self, fields: &[u8]) {
        if !self.empty {
            self.json.out.push(b',');
        }
        self.empty = false;
        self.json.out.extend_from_slice(fields);
    }

    pub(super) fn bytes(&mut self, key: &str, value: &[u8]) {
        self.key(key).string(value);
    }

    pub(super) fn str(&mut self, key: &str, value: &str) {
        self.bytes(key, value.as_bytes());
    }

    pub(super) fn text(&mut self, key: &str, value: Option<&Text>) {
        if let Some(value) = value {
            self.bytes(key, value.bytes());
        }
    }

    pub(super) fn number(&mut self, key: &str, value: impl Number) {
        self.key(key).json(&value);
    }

    /// A number that ECS has as a keyword, such as a user id.
    pub(super) fn keyword(&mut self, key: &str, value: impl Number) {
        let json = self.key(key);
        json.out.push(b'"');
        json.json(&value);
        json.out.push(b'"');
    }

    /// To three decimals.
    pub(super) fn float(&mut self, key: &str, value: f64) {
        self.key(key).json(&((value * 1000.0).round() / 1000.0));
    }

    /// Present if it is so.
    pub(super) fn flag(&mut self, key: &str, value: bool) {
        if value {
            self.key(key).json(&true);
        }
    }

    pub(super) fn bool(&mut self, key: &str, value: bool) {
        self.key(key).json(&value);
    }

    pub(super) fn octal(&mut self, key: &str, value: u32) {
        self.key(key).display(format_args!("\"{value:04o}\""));
    }

    pub(super) fn hex(&mut self, key: &str, value: u64) {
        let mut digits = [0; 16];
        let mut rest = value;
        for digit in digits.iter_mut().rev() {
            let n = u8::try_from(rest & 15).unwrap_or(0);
            *digit = if n < 10 { b'0' + n } else { b'a' + n - 10 };
            rest >>= 4;
        }
        let out = &mut self.key(key).out;
        out.push(b'"');
        out.extend_from_slice(&digits);
        out.push(b'"');
    }

    pub(super) fn ip(&mut self, key: &str, value: std::net::IpAddr) {
        self.key(key).display(format_args!("\"{value}\""));
    }

    /// Nanoseconds since 1970 as RFC 3339 in UTC; absent if it is after the year 9999.
    pub(super) fn time(&mut self, key: &str, wall_ns: u64) {
        let Ok(time) = jiff::Timestamp::from_nanosecond(i128::from(wall_ns)) else { return };
        // Written by hand, because every item has one and formatting takes longer than all its other numbers.
        let (time, nanoseconds) = (jiff::tz::Offset::UTC.to_datetime(time), time.subsec_nanosecond());
        let out = &mut self.key(key).out;
        out.push(b'"');
        padded(out, time.year().unsigned_abs().into(), 4);
        for (before, value) in [(b'-', time.month()), (b'-', time.day()), (b'T', time.hour()), (b':', time.minute()), (b':', time.second())]
        {
            out.push(before);
            padded(out, value.unsigned_abs().into(), 2);
        }
        out.push(b'.');
        padded(out, nanoseconds.unsigned_abs(), 9);
        out.extend_from_slice(b"Z\"");
    }

    /// `boot_id` is escaped already.
    pub(super) fn entity(&mut self, key: &str, boot_id: &[u8], id: ProcessId) {
        let json = self.key(key);
        json.out.push(b'"');
        json.out.extend_from_slice(boot_id);
        json.out.push(b':');
        json.json(&id.tgid);
        json.out.push(b':');
        json.json(&id.start_ns);
        json.out.push(b'"');
    }

    pub(super) fn object(&mut self, key: &str, fill: impl FnOnce(&mut Object<'_, 'b>)) {
        self.key(key).object(fill);
    }

    /// An object that is left out if nothing is filled in.
    pub(super) fn object_if_any(&mut self, key: &str, fill: impl FnOnce(&mut Object<'_, 'b>)) {
        let (len, empty) = (self.json.out.len(), self.empty);
        let json = self.key(key);
        json.out.push(b'{');
        let mut object = Object { json, empty: true };
        fill(&mut object);
        let nothing = object.empty;
        self.json.out.push(b'}');
        if nothing {
            self.json.out.truncate(len);
            self.empty = empty;
        }
    }

    pub(super) fn objects<T>(&mut self, key: &str, values: impl IntoIterator<Item = T>, mut fill: impl FnMut(&mut Object<'_, 'b>, T)) {
        self.array(key, values, |json, value| json.object(|o| fill(o, value)));
    }

    pub(super) fn strs<'s>(&mut self, key: &str, values: impl IntoIterator<Item = &'s str>) {
        self.array(key, values, |json, value| json.string(value.as_bytes()));
    }

    pub(super) fn texts(&mut self, key: &str, values: &[Text]) {
        self.array(key, values, |json, value| json.string(value.bytes()));
    }

    fn array<T>(&mut self, key: &str, values: impl IntoIterator<Item = T>, mut each: impl FnMut(&mut Json<'b>, T)) {
        let json = self.key(key);
        json.out.push(b'[');
        for (n, value) in values.into_iter().enumerate() {
            if n > 0 {
                json.out.push(b',');
            }
            each(json, value);
        }
        json.out.push(b']');
    }

    /// Whether a string of the whole value so far was not UTF-8.
    pub(super) const fn lossy(&self) -> bool {
        self.json.lossy
    }
}

/// How many bytes at the beginning stand in a string as they are. Nearly all strings are plain throughout; a look at sixteen bytes without
/// a way out in between is one at vectors.
fn plain(bytes: &[u8]) -> usize {
    let plain = |b: &u8| (0x20..0x7f).contains(b) & (*b != b'"') & (*b != b'\\');
    let whole = bytes.chunks_exact(16).take_while(|chunk| chunk.iter().fold(true, |all, b| all & plain(b))).count() * 16;
    whole + bytes.iter().skip(whole).take_while(|b| plain(b)).count()
}

/// A number in so many digits, at most ten.
fn padded(out: &mut Vec<u8>, value: u32, width: usize) {
    let mut digits = [b'0'; 10];
    let mut rest = value;
    for digit in digits.iter_mut().rev() {
        *digit += u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
    }
    out.extend_from_slice(digits.split_at(10_usize.saturating_sub(width)).1);
}
