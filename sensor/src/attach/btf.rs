//! Byte offsets of structure members in the running kernel's BTF. Looks through anonymous structs and unions; ignores everything else.
//!
//! The format is <https://docs.kernel.org/bpf/btf.html>. Longer headers (32 bytes since 7.2) are fine: only the first fields are read.

use std::collections::HashMap;

/// A parsed `/sys/kernel/btf/vmlinux`. Every read is checked: damaged data gives an error, or a member that is not found.
pub struct Btf {
    data: Vec<u8>,
    /// Where the record of type n begins; index 0 is `void`.
    types: Vec<usize>,
    strings: usize,
    by_name: HashMap<Vec<u8>, usize>,
}

const INT: u32 = 1;
const ARRAY: u32 = 3;
const STRUCT: u32 = 4;
const UNION: u32 = 5;
const ENUM: u32 = 6;
const TYPEDEF: u32 = 8;
const VOLATILE: u32 = 9;
const CONST: u32 = 10;
const RESTRICT: u32 = 11;
const FUNC_PROTO: u32 = 13;
const VAR: u32 = 14;
const DATASEC: u32 = 15;
const DECL_TAG: u32 = 17;
const TYPE_TAG: u32 = 18;
const ENUM64: u32 = 19;

impl Btf {
    /// Parses BTF of the machine's own byte order. `None` if it is not BTF or is cut off.
    pub fn parse(data: Vec<u8>) -> Option<Self> {
        let mut btf = Self { data, types: vec![0], strings: 0, by_name: HashMap::new() };
        if btf.data.get(..2)? != 0xeb9fu16.to_ne_bytes() {
            return None;
        }
        let header = btf.usize(4)?;
        let types = header.checked_add(btf.usize(8)?)?;
        let end = types.checked_add(btf.usize(12)?)?;
        btf.strings = header.checked_add(btf.usize(16)?)?;
        let mut at = types;
        while at < end {
            let (kind, count) = btf.kind(at)?;
            if kind == STRUCT || kind == UNION {
                let name = btf.string(btf.usize(at)?)?.to_vec();
                if !name.is_empty() {
                    btf.by_name.entry(name).or_insert(btf.types.len());
                }
            }
            btf.types.push(at);
            at += 12
                + match kind {
                    INT | VAR | DECL_TAG => 4,
                    ARRAY => 12,
                    STRUCT | UNION | DATASEC | ENUM64 => 12 * count,
                    ENUM | FUNC_PROTO => 8 * count,
                    _ => 0,
                };
        }
        Some(btf)
    }

    /// Offset of `struct.member.member` in bytes; `None` if there is no such type or member.
    pub fn offset(&self, path: &str) -> Option<u32> {
        let mut parts = path.split('.');
        let mut ty = *self.by_name.get(parts.next()?.as_bytes())?;
        let mut sum = 0u32;
        for member in parts {
            let (offset, next) = self.member(self.resolve(ty)?, member.as_bytes(), 0)?;
            sum = sum.checked_add(offset)?;
            ty = next;
        }
        Some(sum)
    }

    /// Whether an enumeration has a constant of this name.
    pub fn has_constant(&self, enumeration: &str, constant: &str) -> bool {
        let named = |at: usize, name: &str| self.usize(at).and_then(|s| self.string(s)) == Some(name.as_bytes());
        self.types.iter().skip(1).any(|at| match self.kind(*at) {
            Some((ENUM, count)) if named(*at, enumeration) => (0..count).any(|i| named(*at + 12 + 8 * i, constant)),
            _ => false,
        })
    }

    fn word(&self, at: usize) -> Option<u32> {
        Some(u32::from_ne_bytes(self.data.get(at..at.checked_add(4)?)?.try_into().ok()?))
    }

    fn usize(&self, at: usize) -> Option<usize> {
        usize::try_from(self.word(at)?).ok()
    }

    fn string(&self, at: usize) -> Option<&[u8]> {
        self.data.get(self.strings.checked_add(at)?..)?.split(|b| *b == 0).next()
    }

    /// Kind and number of members of the record at `at`.
    fn kind(&self, at: usize) -> Option<(u32, usize)> {
        let info = self.word(at + 4)?;
        Some(((info >> 24) & 31, (info & 0xffff) as usize))
    }

    /// Through typedefs and qualifiers to the type itself.
    fn resolve(&self, mut ty: usize) -> Option<usize> {
        for _ in 0..64 {
            let at = *self.types.get(ty)?;
            match self.kind(at)?.0 {
                TYPEDEF | VOLATILE | CONST | RESTRICT | TYPE_TAG => ty = self.usize(at + 8)?,
                _ => return Some(ty),
            }
        }
        None
    }

    fn member(&self, ty: usize, name: &[u8], depth: u32) -> Option<(u32, usize)> {
        let at = *self.types.get(ty)?;
        let (kind, count) = self.kind(at)?;
        if !(kind == STRUCT || kind == UNION) || depth > 8 {
            return None;
        }
        let bitfields = self.word(at + 4)? >> 31 == 1;
        for i in 0..count {
            let m = at + 12 + 12 * i;
            let (member, ty, offset) = (self.string(self.usize(m)?)?, self.usize(m + 4)?, self.word(m + 8)?);
            let offset = if bitfields { offset & 0xff_ffff } else { offset } / 8;
            if member == name {
                return Some((offset, ty));
            }
            if member.is_empty()
                && let Some((inner, ty)) = self.member(self.resolve(ty)?, name, depth + 1)
            {
                return Some((offset.checked_add(inner)?, ty));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cut_off_or_foreign_data_is_refused_without_a_panic() {
        assert!(Btf::parse(b"\x7fELF".to_vec()).is_none());
        assert!(Btf::parse(Vec::new()).is_none());
        if let Ok(data) = std::fs::read("/sys/kernel/btf/vmlinux") {
            for n in [1, 7, 23, 24, 100, 4097, data.len() / 2] {
                if let Some(btf) = Btf::parse(data[..n].to_vec()) {
                    assert_eq!(btf.offset("task_struct.tgid"), None, "{n} bytes");
                    assert!(!btf.has_constant("bpf_func_id", "BPF_FUNC_unspec"), "{n} bytes");
                }
            }
            let btf = Btf::parse(data).unwrap();
            assert!(btf.has_constant("bpf_func_id", "BPF_FUNC_unspec") && !btf.has_constant("bpf_func_id", "BPF_FUNC"));
        }
    }
}
