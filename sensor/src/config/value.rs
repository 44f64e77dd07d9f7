//! Types of settings: what they accept in the file, with limits, and how they are shown.

use std::path::PathBuf;
use toml::de::DeValue;

/// A value that can stand in the file.
pub trait Setting: Sized {
    /// What may be given, for the reference and for messages.
    fn accepts() -> String;

    /// Reads it.
    ///
    /// # Errors
    /// What is wrong with it.
    fn read(value: &DeValue<'_>) -> Result<Self, String>;

    /// As it would stand in the file.
    fn show(&self) -> String;
}

fn unsuitable<T: Setting>(value: &DeValue<'_>) -> String {
    format!("{} given, {} expected", kind(value), T::accepts())
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

fn integer(value: &DeValue<'_>) -> Option<u64> {
    let n = value.as_integer()?;
    u64::from_str_radix(&n.as_str().replace('_', ""), n.radix()).ok()
}

/// An integer within limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number<const MIN: u64, const MAX: u64>(pub u64);

impl<const MIN: u64, const MAX: u64> Number<MIN, MAX> {
    /// As a length.
    pub fn count(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl<const MIN: u64, const MAX: u64> Setting for Number<MIN, MAX> {
    fn accepts() -> String {
        format!("an integer from {MIN} to {MAX}")
    }

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        if !value.is_integer() {
            return Err(unsuitable::<Self>(value));
        }
        integer(value).filter(|n| (MIN..=MAX).contains(n)).map(Self).ok_or_else(|| format!("out of range, {} expected", Self::accepts()))
    }

    fn show(&self) -> String {
        self.0.to_string()
    }
}

/// A number of bytes within limits, as an integer or with a unit; a power of two if `POWER` says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size<const MIN: u64, const MAX: u64, const POWER: bool = false>(pub u64);

impl<const MIN: u64, const MAX: u64, const POWER: bool> Size<MIN, MAX, POWER> {
    /// As a length in memory.
    pub fn bytes(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }

    /// For the kernel.
    pub fn bytes_u32(self) -> u32 {
        u32::try_from(self.0).unwrap_or(u32::MAX)
    }
}

const UNITS: [(&str, u64); 3] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

fn shown(bytes: u64) -> String {
    match UNITS.iter().rev().find(|(_, unit)| bytes >= *unit && bytes.is_multiple_of(*unit)) {
        Some((name, unit)) => format!("{} {name}", bytes / unit),
        None => format!("{bytes} bytes"),
    }
}

impl<const MIN: u64, const MAX: u64, const POWER: bool> Setting for Size<MIN, MAX, POWER> {
    fn accepts() -> String {
        let power = if POWER { ", a power of two" } else { "" };
        format!("a size from {} to {}{power}: bytes, or such as \"8 MiB\"", shown(MIN), shown(MAX))
    }

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        let bytes = match value {
            DeValue::Integer(_) => integer(value),
            DeValue::String(text) => UNITS.iter().find_map(|(name, unit)| {
                let number: u64 = text.strip_suffix(name)?.trim().parse().ok()?;
                number.checked_mul(*unit)
            }),
            _ => return Err(unsuitable::<Self>(value)),
        };
        let fits = |n: &u64| (MIN..=MAX).contains(n) && (!POWER || n.is_power_of_two());
        bytes.filter(fits).map(Self).ok_or_else(|| format!("{} expected", Self::accepts()))
    }

    fn show(&self) -> String {
        format!("\"{}\"", shown(self.0))
    }
}

/// true or false.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Yes(pub bool);

impl Setting for Yes {
    fn accepts() -> String {
        "true or false".to_owned()
    }

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        value.as_bool().map(Self).ok_or_else(|| unsuitable::<Self>(value))
    }

    fn show(&self) -> String {
        self.0.to_string()
    }
}

/// A list of paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths(pub Vec<PathBuf>);

impl Setting for Paths {
    fn accepts() -> String {
        "a list of paths".to_owned()
    }

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        let list = value.as_array().ok_or_else(|| unsuitable::<Self>(value))?;
        let path = |v: &toml::Spanned<DeValue<'_>>| match v.get_ref().as_str() {
            Some("") => Err("a path is empty".to_owned()),
            Some(path) => Ok(PathBuf::from(path)),
            None => Err(format!("{} in the list, {} expected", kind(v.get_ref()), Self::accepts())),
        };
        list.iter().map(path).collect::<Result<_, _>>().map(Self)
    }

    fn show(&self) -> String {
        format!("[{}]", self.0.iter().map(|p| format!("{:?}", p.display().to_string())).collect::<Vec<_>>().join(", "))
    }
}

/// How items are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Choice {
    /// For people.
    Text,
    /// For machines: one JSON object per line, in Elastic Common Schema names.
    Json,
    /// Nothing.
    None,
}

impl Setting for Choice {
    fn accepts() -> String {
        "\"text\", \"json\" or \"none\"".to_owned()
    }

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        match value.as_str() {
            Some("text") => Ok(Self::Text),
            Some("json") => Ok(Self::Json),
            Some("none") => Ok(Self::None),
            Some(_) => Err(format!("{} expected", Self::accepts())),
            None => Err(unsuitable::<Self>(value)),
        }
    }

    fn show(&self) -> String {
        match self {
            Self::Text => "\"text\"",
            Self::Json => "\"json\"",
            Self::None => "\"none\"",
        }
        .to_owned()
    }
}

/// An address to listen on, or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen(pub Option<String>);

impl std::str::FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self(None));
        }
        match text.parse::<crate::sink::grpc::Address>() {
            Ok(_) => Ok(Self(Some(text.to_owned()))),
            Err(_) => Err(format!("{text:?} is no address, {} expected", Self::accepts())),
        }
    }
}

impl Setting for Listen {
    fn accepts() -> String {
        "\"unix:/path\", \"http://ADDRESS:PORT\" or \"none\"".to_owned()
    }

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        value.as_str().ok_or_else(|| unsuitable::<Self>(value))?.parse()
    }

    fn show(&self) -> String {
        format!("{:?}", self.0.as_deref().unwrap_or("none"))
    }
}
