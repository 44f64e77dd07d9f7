//! `exec`: the image that was (to be) executed.
//!
//! argv is split at its NULs. Of an argv over 64 KiB the kernel sends head and tail: the arguments are then those of the head (the last
//! of them cut), one element of the form `[... 123456 bytes ...]` for what is missing between them, and those of the tail (the first of
//! them cut); the same element stands in the command line, and `args_cut` is set. More than [`MAX_ARGS`] arguments: the rest is the last
//! element, joined by spaces, so that nothing is out of a rule's sight and memory stays bounded.

use super::{
    Outcome,
    convert::{BadSpan, Cx, outcome},
};
use crate::{process::Image, text::Text};
use sensor_common::{
    events::exec::{Exec as Wire, exec_flags},
    limits::ARGV_HEAD,
};

/// Most elements that arguments are split into.
pub const MAX_ARGS: usize = 4096;

/// Payload and tail to how it ended and the image.
///
/// # Errors
/// A span leaves the tail.
pub fn image(wire: &Wire, cx: &mut Cx<'_>) -> Result<(Outcome, Image), BadSpan> {
    let file = cx.file(&wire.file)?;
    let invoked = match cx.string(&wire.file.user)? {
        Some(user) => Some(user),
        None => file.raw.clone(),
    };
    let cut = wire.flags & exec_flags::ARGV_CUT != 0;
    let (args, command_line) = arguments(cx.bytes(wire.argv)?, cut, wire.argv_total, cx);
    let image = Image {
        // A path that only the caller wrote is not what was executed; it is all that is known, and rules look at both.
        executable: file.path,
        invoked,
        args,
        command_line,
        interpreter: cx.string(&wire.interpreter)?,
        working_directory: cx.string(&wire.cwd)?,
        inode: wire.inode,
        dev: wire.dev,
        mount_id: wire.mount_id,
        args_bytes: wire.argv_total,
        args_cut: cut || wire.argv_holes != 0,
        memfd: wire.flags & exec_flags::MEMFD != 0,
        unlinked: wire.flags & exec_flags::UNLINKED != 0 || file.deleted,
        seeded: false,
    };
    Ok((outcome(wire.result), image))
}

/// Arguments and the command line (`None` without arguments).
fn arguments(argv: &[u8], cut: bool, total: u64, cx: &mut Cx<'_>) -> (Vec<Text>, Option<Text>) {
    let mut pieces: Vec<&[u8]> = Vec::new();
    let gap;
    match argv.split_at_checked(ARGV_HEAD).filter(|_| cut) {
        Some((head, tail)) => {
            let missing = total.saturating_sub(u64::try_from(argv.len()).unwrap_or(u64::MAX));
            gap = format!("[... {missing} bytes ...]").into_bytes();
            split(head, &mut pieces);
            pieces.push(&gap);
            split(tail, &mut pieces);
        }
        None => split(argv, &mut pieces),
    }
    if pieces.is_empty() {
        return (Vec::new(), None);
    }
    let line = cx.strings.get(&pieces.join(&b' '));
    let rest = if pieces.len() > MAX_ARGS { pieces.split_off(MAX_ARGS - 1) } else { Vec::new() };
    let mut args: Vec<Text> = pieces.into_iter().map(|p| cx.strings.get(p)).collect();
    if !rest.is_empty() {
        args.push(cx.strings.get(&rest.join(&b' ')));
    }
    (args, Some(line))
}

/// Each argument has a NUL behind it; what has none behind it at the end was cut, and counts too.
fn split<'a>(bytes: &'a [u8], out: &mut Vec<&'a [u8]>) {
    if bytes.is_empty() {
        return;
    }
    out.extend(bytes.strip_suffix(&[0]).unwrap_or(bytes).split(|b| *b == 0));
}

#[cfg(test)]
mod tests {
    use super::{super::strings::Strings, *};
    use sensor_common::{Header, Path, Span, Target, limits::ARGV_MAX, span::path_flags};

    fn convert(wire: &Wire, tail: &[u8]) -> Result<(Outcome, Image), BadSpan> {
        image(wire, &mut Cx::new(&Header::default(), tail, &mut Strings::default()))
    }

    fn span(off: u32, len: u32) -> Span {
        Span { off, len }
    }

    fn path(off: u32, len: u32) -> Path {
        Path { span: span(off, len), ..Path::default() }
    }

    fn args(image: &Image) -> Vec<&[u8]> {
        image.args.iter().map(Text::bytes).collect()
    }

    #[test]
    fn resolved_and_invoked_path_argv_and_the_rest() {
        let tail = b"/usr/bin/dash/bin/shsh\0-c\0\0id\0/root";
        let wire = Wire {
            inode: 5,
            argv_total: 10,
            file: Target { kernel: path(0, 13), user: path(13, 7), base: Path::default() },
            argv: span(20, 10),
            cwd: path(30, 5),
            ..Wire::default()
        };
        let (outcome, image) = convert(&wire, tail).unwrap();
        assert_eq!(outcome, Outcome::Success(0));
        assert_eq!(image.executable, Some("/usr/bin/dash".into()));
        assert_eq!(image.invoked, Some("/bin/sh".into()));
        assert_eq!(args(&image), [&b"sh"[..], b"-c", b"", b"id"]);
        assert_eq!(image.command_line, Some("sh -c  id".into()));
        assert_eq!(image.working_directory, Some("/root".into()));
        assert_eq!((image.interpreter, image.args_cut, image.inode), (None, false, 5));
    }

    #[test]
    fn a_cut_argv_shows_head_gap_and_tail() {
        let mut tail = vec![b'a'; ARGV_HEAD];
        tail[2] = 0;
        tail.extend_from_slice(&vec![b'z'; ARGV_MAX - ARGV_HEAD - 6]);
        tail.extend_from_slice(b"\0evil\0");
        let wire = Wire { flags: exec_flags::ARGV_CUT, argv_total: 200_000, argv: span(0, tail.len() as u32), ..Wire::default() };
        let (_, image) = convert(&wire, &tail).unwrap();
        let args = args(&image);
        assert_eq!(args.len(), 5);
        assert_eq!((args[0], args[1].len()), (&b"aa"[..], ARGV_HEAD - 3));
        assert_eq!(args[2], format!("[... {} bytes ...]", 200_000 - ARGV_MAX).as_bytes());
        assert_eq!((args[3].len(), args[4]), (ARGV_MAX - ARGV_HEAD - 6, &b"evil"[..]));
        assert!(image.args_cut && image.command_line.unwrap().bytes().ends_with(b" evil"));
    }

    #[test]
    fn thousands_of_arguments_are_joined_and_stay_in_sight() {
        let tail = b"x\0".repeat(MAX_ARGS + 2);
        let wire = Wire { argv: span(0, tail.len() as u32), argv_total: tail.len() as u64, ..Wire::default() };
        let (_, image) = convert(&wire, &tail).unwrap();
        assert_eq!(image.args.len(), MAX_ARGS);
        assert_eq!(image.args.last().unwrap().bytes(), b"x x x");
        assert_eq!(image.command_line.unwrap().bytes().len(), 2 * (MAX_ARGS + 2) - 1);
    }

    #[test]
    fn an_argv_without_its_last_nul_and_one_with_holes() {
        let wire = Wire { argv: span(0, 3), argv_holes: 2, ..Wire::default() };
        let (_, image) = convert(&wire, b"a\0b").unwrap();
        assert_eq!(args(&image), [&b"a"[..], b"b"]);
        assert!(image.args_cut);
        let (_, none) = convert(&Wire::default(), b"").unwrap();
        assert_eq!((none.args.len(), none.command_line, none.executable), (0, None, None));
    }

    #[test]
    fn flags_of_memfd_and_unlinked_files() {
        let mut wire = Wire { flags: exec_flags::MEMFD | exec_flags::UNLINKED, ..Wire::default() };
        let (_, image) = convert(&wire, b"").unwrap();
        assert!(image.memfd && image.unlinked);
        wire.flags = 0;
        wire.file.kernel = Path { span: span(0, 2), flags: path_flags::DELETED, pad: 0 };
        assert!(convert(&wire, b"/x").unwrap().1.unlinked);
    }

    #[test]
    fn every_span_outside_the_tail_is_an_error() {
        let bad = Path { span: span(1, u32::MAX), ..Path::default() };
        let target = |kernel, user, base| Wire { file: Target { kernel, user, base }, ..Wire::default() };
        let ok = Path::default();
        for wire in [
            target(bad, ok, ok),
            target(ok, bad, ok),
            target(ok, ok, bad),
            Wire { interpreter: bad, ..Wire::default() },
            Wire { cwd: bad, ..Wire::default() },
            Wire { argv: bad.span, ..Wire::default() },
        ] {
            assert_eq!(convert(&wire, b"abc").unwrap_err(), BadSpan { span: bad.span, tail: 3 });
        }
    }
}
