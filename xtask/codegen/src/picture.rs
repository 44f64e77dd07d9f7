//! `docs/replay.svg`, the picture in README.md: what `sensor replay` really prints for the recorded attacks, as a terminal shows it.
//!
//! Runs the pipeline in this process, so that the picture holds nothing of the machine that draws it. Knows only the few colour codes that
//! the sensor uses.

use anyhow::{Context as _, Result};
use sensor::{
    app::{
        Outlet,
        pipeline::{self, Stages, Time},
        stop::Stop,
    },
    cli::live::Engine,
    collect::{Collector, Losses as _, order, recording::Reader},
    enrich::{Enricher, table},
    score,
    sink::{
        Body, Item,
        text::{self, Style},
    },
};
use sensor_common::{EventKind, stats::Reason};
use std::{fmt::Write as _, path::Path, sync::Arc};

const COLUMNS: usize = 100;
const COMMAND: &str = "$ sensor replay tests/replay/data/attacks.rec --rules rules";
/// The findings in the picture, by their titles: all of them would be pages.
const SHOWN: &[&str] = &["Denied Read Of The Password Hash File", "Network Connection Made By A Shell"];

/// Pixels.
const CELL: f64 = 7.8;
const LINE: f64 = 17.0;
const MARGIN: f64 = 18.0;

struct Kept(Vec<Item>);

impl Outlet for Kept {
    fn publish(&mut self, item: Item) {
        self.0.push(item);
    }

    fn lost(&mut self) -> Vec<(EventKind, Reason, u64)> {
        Vec::new()
    }
}

/// The picture.
pub(crate) fn draw(root: &Path) -> Result<String> {
    let mut reader = Reader::open(&root.join("tests/replay/data/attacks.rec")).context("the recorded attacks")?;
    let mut enricher = Enricher::replay(table::Limits::default());
    for context in reader.context() {
        enricher.learn(context);
    }
    let mut stages = Stages {
        source: reader,
        collector: Collector::new(order::Options::default()),
        enricher,
        score: Engine(score::load(&[root.join("rules")]).engine),
        counters: Arc::default(),
    };
    let mut kept = Kept(Vec::new());
    pipeline::run(&mut stages, &mut kept, Time::Records, None, &Stop::default()).1.context("the recorded attacks")?;
    let mut shown = format!("{COMMAND}\n");
    for item in &kept.0 {
        if let Body::Finding(finding) = &item.body
            && SHOWN.contains(&finding.rule.title.as_str())
        {
            text::write(item, &mut shown, Style { color: true, width: COLUMNS });
        }
    }
    svg(shown.trim_end())
}

/// A terminal's picture of a text with colour codes.
fn svg(shown: &str) -> Result<String> {
    let lines: Vec<&str> = shown.lines().collect();
    let (width, height) = (COLUMNS as f64 * CELL + 2.0 * MARGIN, lines.len() as f64 * LINE + 2.0 * MARGIN + 14.0);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" role=\"img\" \
         aria-label=\"Output of sensor replay: two of its findings\">\n\
         <style>text{{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#c9d1d9;white-space:pre}}\
         .b{{font-weight:700;fill:#f0f6fc}}.f{{fill:#7d8590}}.h{{font-weight:700;fill:#ff7b72}}.m{{font-weight:700;fill:#e3b341}}\
         .l{{font-weight:700;fill:#56d4dd}}.c{{font-weight:700;fill:#fff}}</style>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"10\" fill=\"#0d1117\"/>\n"
    );
    for (n, line) in lines.iter().enumerate() {
        let y = MARGIN + 13.0 + n as f64 * LINE;
        write!(out, "<text x=\"{MARGIN}\" y=\"{y:.0}\" xml:space=\"preserve\">")?;
        // Each piece is placed in its column: fonts differ in the width of box drawings.
        let mut column = 0;
        for piece in line.split("\x1b[") {
            let (code, text) = piece.split_once('m').filter(|_| column > 0 || line.starts_with('\x1b')).unwrap_or(("0", piece));
            let class = match code {
                "1;97;41" => "c",
                "1;31" => "h",
                "1;33" => "m",
                "1;36" => "l",
                "1" => "b",
                "2" => "f",
                _ => "",
            };
            if !text.is_empty() {
                let x = MARGIN + column as f64 * CELL;
                let text_escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
                let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
                write!(out, "<tspan x=\"{x:.1}\"{class}>{text_escaped}</tspan>")?;
                column += text.chars().count();
            }
        }
        out.push_str("</text>\n");
    }
    out.push_str("</svg>\n");
    Ok(out)
}
