//! Sigma values and modifiers: what `field|modifier: value` tests, before it is known which column the field is.

use super::Problem;
use crate::score::{
    glob::{Glob, Part},
    literals,
    predicate::{Compare, How, Op},
};
use base64::Engine;
use rsigma_parser::{
    Modifier, SigmaString, SigmaValue,
    value::{SpecialChar, StringPart},
};

/// Longest value in bytes.
const MAX_VALUE: usize = 8192;
/// Most wildcards in a value.
const MAX_WILDCARDS: usize = 64;
/// Most dashes that `windash` varies: each makes five times as many values.
const MAX_DASHES: usize = 4;
/// Memory that one compiled regular expression may take.
const MAX_REGEX: usize = 1 << 20;

/// Tests of one field.
#[derive(Clone, Debug)]
pub(super) enum Tree {
    /// One test, and the value as written.
    Op(Op, String),
    Not(Box<Tree>),
    All(Vec<Tree>),
    Any(Vec<Tree>),
}

/// The modifiers of one field, checked.
#[derive(Debug)]
pub(super) struct Modifiers<'a> {
    list: &'a [Modifier],
    pub(super) how: How,
    pub(super) cased: bool,
    pub(super) all: bool,
    pub(super) not_equal: bool,
    pub(super) exists: bool,
    pub(super) field_reference: bool,
}

impl<'a> Modifiers<'a> {
    /// Checks that they go together.
    pub(super) fn new(list: &'a [Modifier]) -> Result<Self, Problem> {
        let has = |m: Modifier| list.contains(&m);
        for (m, what) in [
            (Modifier::Expand, "`expand` needs placeholder values, and the sensor has none"),
            (Modifier::Minute, "parts of a time (`minute`) are not supported"),
            (Modifier::Hour, "parts of a time (`hour`) are not supported"),
            (Modifier::Day, "parts of a time (`day`) are not supported"),
            (Modifier::Week, "parts of a time (`week`) are not supported"),
            (Modifier::Month, "parts of a time (`month`) are not supported"),
            (Modifier::Year, "parts of a time (`year`) are not supported"),
        ] {
            if has(m) {
                return Err(Problem::NotHere(what.into()));
            }
        }
        let names = |wanted: &[Modifier]| -> Vec<String> {
            list.iter().filter(|m| wanted.contains(m)).map(|m| format!("{m:?}").to_ascii_lowercase()).collect()
        };
        let string = names(&[Modifier::Contains, Modifier::StartsWith, Modifier::EndsWith]);
        let other = names(&[Modifier::Re, Modifier::Cidr, Modifier::Exists, Modifier::Gt, Modifier::Gte, Modifier::Lt, Modifier::Lte]);
        let encoding =
            names(&[Modifier::Base64, Modifier::Base64Offset, Modifier::Wide, Modifier::Utf16, Modifier::Utf16be, Modifier::WindAsh]);
        let flags = names(&[Modifier::IgnoreCase, Modifier::Multiline, Modifier::DotAll]);
        let clash = |a: &[String], b: &[String]| {
            let all: Vec<&str> = a.iter().chain(b).map(String::as_str).collect();
            Problem::broken(format!("these modifiers do not go together: {}", all.join(", ")), "use one kind of comparison per field")
        };
        if string.len() + other.len() > 1 || (has(Modifier::FieldRef) && !other.is_empty()) {
            return Err(clash(&string, &other));
        }
        if !encoding.is_empty() && (!other.is_empty() || has(Modifier::FieldRef)) {
            return Err(clash(&encoding, &other));
        }
        if encoding.iter().filter(|e| e.starts_with("base64")).count() > 1
            || encoding.iter().filter(|e| !e.starts_with("base64") && *e != "windash").count() > 1
        {
            return Err(clash(&encoding, &[]));
        }
        if !flags.is_empty() && !has(Modifier::Re) {
            return Err(Problem::broken(
                format!("`{}` is a flag of regular expressions and needs `re` before it", flags.join(", ")),
                "case is ignored anyway, unless `cased` is given",
            ));
        }
        let how = match () {
            () if has(Modifier::Contains) => How::Contains,
            () if has(Modifier::StartsWith) => How::StartsWith,
            () if has(Modifier::EndsWith) => How::EndsWith,
            () => How::Equals,
        };
        Ok(Self {
            list,
            how,
            cased: has(Modifier::Cased),
            all: has(Modifier::All),
            not_equal: has(Modifier::Neq),
            exists: has(Modifier::Exists),
            field_reference: has(Modifier::FieldRef),
        })
    }

    fn has(&self, m: Modifier) -> bool {
        self.list.contains(&m)
    }

    /// What one value asks for.
    pub(super) fn value(&self, value: &SigmaValue) -> Result<Tree, Problem> {
        let written = value.to_string();
        if written.len() > MAX_VALUE {
            return Err(Problem::broken(format!("a value of {} bytes (at most {MAX_VALUE})", written.len()), "shorten it"));
        }
        let op = |op| Ok(Tree::Op(op, written.clone()));
        if self.exists {
            let wanted = match value {
                SigmaValue::Bool(b) => *b,
                SigmaValue::String(s) if s.original.eq_ignore_ascii_case("true") || s.original.eq_ignore_ascii_case("yes") => true,
                SigmaValue::String(s) if s.original.eq_ignore_ascii_case("false") || s.original.eq_ignore_ascii_case("no") => false,
                _ => return Err(Problem::broken(format!("`exists` with the value `{written}`"), "use true or false")),
            };
            let exists = Tree::Op(Op::Exists, written);
            return Ok(if wanted { exists } else { Tree::Not(Box::new(exists)) });
        }
        if self.has(Modifier::Re) {
            return self.regex(&written);
        }
        if self.has(Modifier::Cidr) {
            let network = written.parse().or_else(|_| written.parse::<std::net::IpAddr>().map(ipnet::IpNet::from));
            return match network {
                Ok(network) => op(Op::Cidr(network)),
                Err(_) => Err(Problem::broken(format!("`{written}` is no network"), "write it like 10.0.0.0/8 or fe80::/10")),
            };
        }
        for (m, compare) in [
            (Modifier::Gt, Compare::Greater),
            (Modifier::Gte, Compare::GreaterOrEqual),
            (Modifier::Lt, Compare::Less),
            (Modifier::Lte, Compare::LessOrEqual),
        ] {
            if self.has(m) {
                return match written.parse() {
                    Ok(n) => op(Op::Number(compare, n)),
                    Err(_) => Err(Problem::broken(format!("`{written}` is compared as a number and is none"), "give a number")),
                };
            }
        }
        match value {
            SigmaValue::Null => Ok(Tree::Not(Box::new(Tree::Op(Op::Exists, written)))),
            SigmaValue::Bool(b) => op(Op::Bool(*b)),
            #[expect(clippy::cast_precision_loss, reason = "rules compare ids and ports, far below 2^53")]
            SigmaValue::Integer(n) if self.how == How::Equals => op(Op::Number(Compare::Equal, *n as f64)),
            SigmaValue::Float(n) if self.how == How::Equals => op(Op::Number(Compare::Equal, *n)),
            SigmaValue::Integer(_) | SigmaValue::Float(_) => self.string(&SigmaString::from_raw(&written)),
            SigmaValue::String(s) => self.string(s),
        }
    }

    fn regex(&self, written: &str) -> Result<Tree, Problem> {
        let build = |unicode: bool| {
            regex::bytes::RegexBuilder::new(written)
                .unicode(unicode)
                .case_insensitive(self.has(Modifier::IgnoreCase))
                .multi_line(self.has(Modifier::Multiline))
                .dot_matches_new_line(self.has(Modifier::DotAll))
                .size_limit(MAX_REGEX)
                .dfa_size_limit(MAX_REGEX)
                .nest_limit(100)
                .build()
        };
        // By bytes, so that `.` takes a byte that is no UTF-8, too: otherwise one such byte in a name hides it from the rule.
        // Only a pattern that needs Unicode (`\p{...}`, a class with `é`) is matched by characters.
        let (regex, unicode) = match build(false) {
            Ok(regex) => (regex, false),
            Err(first) => (build(true).map_err(|_| regex_problem(written, &first))?, true),
        };
        let flag = if self.has(Modifier::IgnoreCase) { "(?i)" } else { "" };
        let whole = Tree::Op(Op::Regex(Box::new(regex)), written.to_owned());
        Ok(match literals::required(&format!("{flag}{written}"), unicode) {
            Some(gate) => {
                let gate = gate.into_iter().map(|bytes| string_op(How::Contains, bytes, false, written)).collect();
                Tree::All(vec![Tree::Any(gate), whole])
            }
            None => whole,
        })
    }

    fn string(&self, value: &SigmaString) -> Result<Tree, Problem> {
        let written = value.original.as_str();
        let plain = || value.as_plain().unwrap_or_else(|| value.original.clone());
        let mut bytes = None;
        for (m, encode) in [
            (Modifier::Wide, (|s| s.encode_utf16().flat_map(u16::to_le_bytes).collect()) as fn(&str) -> Vec<u8>),
            (Modifier::Utf16be, |s| s.encode_utf16().flat_map(u16::to_be_bytes).collect()),
            (Modifier::Utf16, |s| [0xfeff].into_iter().chain(s.encode_utf16()).flat_map(u16::to_le_bytes).collect()),
        ] {
            if self.has(m) {
                bytes = Some(encode(&plain()));
            }
        }
        if self.has(Modifier::Base64) {
            bytes = Some(base64::engine::general_purpose::STANDARD.encode(bytes.unwrap_or_else(|| plain().into_bytes())).into_bytes());
        } else if self.has(Modifier::Base64Offset) {
            let variants = base64_offsets(&bytes.unwrap_or_else(|| plain().into_bytes()));
            return Ok(Tree::Any(variants.into_iter().map(|v| string_op(How::Contains, v, self.cased, written)).collect()));
        }
        if let Some(bytes) = bytes {
            return Ok(string_op(self.how, bytes, self.cased, written));
        }
        if self.has(Modifier::WindAsh) {
            let variants = windash(&plain())?;
            return Ok(Tree::Any(variants.into_iter().map(|v| self.plain(v.into_bytes(), written)).collect()));
        }
        self.pattern(value, self.how)
    }

    /// A string that may have wildcards.
    pub(super) fn pattern(&self, value: &SigmaString, how: How) -> Result<Tree, Problem> {
        let written = value.original.as_str();
        let mut parts: Vec<Part> = Vec::new();
        for part in &value.parts {
            match part {
                StringPart::Plain(s) => parts.push(Part::Bytes(fold(s.as_bytes().to_vec(), self.cased))),
                StringPart::Special(SpecialChar::WildcardSingle) => parts.push(Part::One),
                StringPart::Special(SpecialChar::WildcardMulti) if parts.last() == Some(&Part::Many) => {}
                StringPart::Special(SpecialChar::WildcardMulti) => parts.push(Part::Many),
            }
        }
        if parts.iter().filter(|p| !matches!(p, Part::Bytes(_))).count() > MAX_WILDCARDS {
            return Err(Problem::broken(format!("a value with more than {MAX_WILDCARDS} wildcards"), "use `re`, or fewer wildcards"));
        }
        // `contains` and the like are wildcards at the ends, so that there is one form for all of them.
        if matches!(how, How::Contains | How::EndsWith) && parts.first() != Some(&Part::Many) {
            parts.insert(0, Part::Many);
        }
        if matches!(how, How::Contains | How::StartsWith) && parts.last() != Some(&Part::Many) {
            parts.push(Part::Many);
        }
        Ok(match &parts[..] {
            [] => self.plain_how(How::Equals, Vec::new(), written),
            [Part::Many] => Tree::Op(Op::Exists, written.to_owned()),
            [Part::Bytes(b)] => self.plain_how(How::Equals, b.to_vec(), written),
            [Part::Bytes(b), Part::Many] => self.plain_how(How::StartsWith, b.to_vec(), written),
            [Part::Many, Part::Bytes(b)] => self.plain_how(How::EndsWith, b.to_vec(), written),
            [Part::Many, Part::Bytes(b), Part::Many] => self.plain_how(How::Contains, b.to_vec(), written),
            _ => self.glob(parts, written),
        })
    }

    fn glob(&self, parts: Vec<Part>, written: &str) -> Tree {
        let mut all: Vec<Tree> = Vec::new();
        // The fixed parts are found fast, and are necessary; the pattern itself is tried only when all are there.
        for (n, part) in parts.iter().enumerate() {
            if let Part::Bytes(b) = part {
                let how = match n {
                    0 => How::StartsWith,
                    n if n + 1 == parts.len() => How::EndsWith,
                    _ => How::Contains,
                };
                all.push(self.plain_how(how, b.to_vec(), written));
            }
        }
        all.push(Tree::Op(Op::Glob(Glob { parts, cased: self.cased }), written.to_owned()));
        Tree::All(all)
    }

    fn plain(&self, bytes: Vec<u8>, written: &str) -> Tree {
        self.plain_how(self.how, bytes, written)
    }

    fn plain_how(&self, how: How, bytes: Vec<u8>, written: &str) -> Tree {
        match std::str::from_utf8(&bytes) {
            // Letters beyond ASCII have cases, too; what a folded byte comparison cannot do, a regular expression does.
            Ok(text) if !self.cased && !text.is_ascii() && text.to_lowercase() != text.to_uppercase() => {
                let (start, end) = match how {
                    How::Equals => (r"\A", r"\z"),
                    How::StartsWith => (r"\A", ""),
                    How::EndsWith => ("", r"\z"),
                    How::Contains => ("", ""),
                };
                match regex::bytes::Regex::new(&format!("(?i){start}{}{end}", regex::escape(text))) {
                    Ok(regex) => Tree::Op(Op::Regex(Box::new(regex)), written.to_owned()),
                    Err(_) => string_op(how, bytes, self.cased, written),
                }
            }
            _ => string_op(how, bytes, self.cased, written),
        }
    }
}

fn fold(mut bytes: Vec<u8>, cased: bool) -> Box<[u8]> {
    if !cased {
        bytes.make_ascii_lowercase();
    }
    bytes.into()
}

fn string_op(how: How, bytes: Vec<u8>, cased: bool, written: &str) -> Tree {
    // Every string contains, begins and ends with the empty one.
    if bytes.is_empty() && how != How::Equals {
        return Tree::Op(Op::Exists, written.to_owned());
    }
    Tree::Op(Op::String { how, bytes: fold(bytes, cased), cased }, written.to_owned())
}

/// The parts of a base64 text that a value gives whatever stands before and behind it: three, by its place in a group of three bytes.
fn base64_offsets(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    for offset in 0..3_usize {
        let mut padded = vec![0; offset];
        padded.extend_from_slice(bytes);
        let encoded = base64::engine::general_purpose::STANDARD.encode(&padded);
        let whole_end = (padded.len() * 8) / 6;
        let start = (offset * 8).div_ceil(6);
        if let Some(part) = encoded.as_bytes().get(start..whole_end)
            && !part.is_empty()
        {
            out.push(part.to_vec());
        }
    }
    out
}

/// All ways to write the dashes of an argument that Windows programs take.
fn windash(text: &str) -> Result<Vec<String>, Problem> {
    let dashes = text.matches('-').count();
    if dashes > MAX_DASHES {
        return Err(Problem::broken(format!("`windash` on a value with {dashes} dashes (at most {MAX_DASHES})"), "split the value"));
    }
    let mut out = vec![String::new()];
    for c in text.chars() {
        if c == '-' {
            out = ['-', '/', '\u{2013}', '\u{2014}', '\u{2015}'].iter().flat_map(|d| out.iter().map(move |s| format!("{s}{d}"))).collect();
        } else {
            out.iter_mut().for_each(|s| s.push(c));
        }
    }
    Ok(out)
}

fn regex_problem(written: &str, error: &regex::Error) -> Problem {
    if let regex::Error::CompiledTooBig(_) = error {
        return Problem::broken(
            format!("the regular expression `{}` takes more than {} KiB", shorten(written), MAX_REGEX / 1024),
            "use smaller repetitions",
        );
    }
    if let Err(regex_syntax::Error::Parse(e)) = regex_syntax::Parser::new().parse(written) {
        use regex_syntax::ast::ErrorKind;
        let what = e.kind().to_string();
        return match e.kind() {
            ErrorKind::UnsupportedBackreference | ErrorKind::UnsupportedLookAround => {
                Problem::NotHere(format!("the regular expression `{}`: {what}", shorten(written)))
            }
            _ => Problem::broken(
                format!("the regular expression `{}`: {what}", shorten(written)),
                "see https://docs.rs/regex for the syntax",
            ),
        };
    }
    Problem::broken(format!("the regular expression `{}` cannot be compiled", shorten(written)), "see https://docs.rs/regex for the syntax")
}

/// For messages.
pub(super) fn shorten(text: &str) -> String {
    match text.char_indices().nth(80) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}
