//! Comparing and writing values as bytes. Case is folded for ASCII letters; a rule value with others becomes a regular expression.

use super::predicate::How;
use crate::events::Value;
use std::io::Write;

/// Whether `bytes` is, begins with, ends with or contains `wanted`, which is in lower case unless `cased`.
pub(crate) fn compare(how: How, bytes: &[u8], wanted: &[u8], cased: bool) -> bool {
    let same = |part: Option<&[u8]>| part.is_some_and(|p| if cased { p == wanted } else { p.eq_ignore_ascii_case(wanted) });
    match how {
        How::Equals => same(Some(bytes)),
        How::StartsWith => same(bytes.get(..wanted.len())),
        How::EndsWith => same(bytes.len().checked_sub(wanted.len()).and_then(|at| bytes.get(at..))),
        How::Contains if wanted.is_empty() => true,
        How::Contains if cased => memchr::memmem::find(bytes, wanted).is_some(),
        How::Contains => bytes.windows(wanted.len()).any(|window| window.eq_ignore_ascii_case(wanted)),
    }
}

/// Writes a single value as rules see it. Lists and pairs are the caller's business.
pub(crate) fn render(value: &Value<'_>, out: &mut Vec<u8>) {
    // Writing into a vector does not fail.
    let _ = match value {
        Value::None | Value::Either(..) | Value::List(_) => Ok(()),
        Value::Text(text) => out.write_all(text.bytes()),
        Value::Str(s) => out.write_all(s.as_bytes()),
        Value::Number(n) => write!(out, "{n}"),
        // An IPv4 address in IPv6 clothes (`::ffff:10.0.0.1`, as dual-stack sockets have it) is that IPv4 address.
        Value::Ip(ip) => write!(out, "{}", ip.to_canonical()),
        Value::Bool(b) => write!(out, "{b}"),
    };
}
