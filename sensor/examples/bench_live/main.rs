//! What the sensor costs the machine it runs on, as root: each probe, system calls, memory, start-up.
//! `bench_live SENSOR [RULES...]`, where SENSOR is a release build with the kernel programs; `cargo xtask bench` calls it.
//!
//! The load is this program's own, in a folder of its own; it looks at no other process. Ratios are medians of interleaved pairs, with and
//! without the sensor, of the CPU time that the load took itself. Figures are for reading: nothing is asserted about time.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is a program for the terminal")]

mod child;
mod load;
mod probes;

use anyhow::{Context as _, Result};
use child::{Running, Scratch, Sensor};
use load::Load;
use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Interleaved pairs, and starts.
const PAIRS: usize = 7;
/// Findings whose way is measured.
const FINDINGS: usize = 41;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, name, count, folder] = args.as_slice()
        && flag == "--load"
    {
        let (load, ..) = Load::ALL.iter().find(|(_, n, _)| n == name).context("no such load")?;
        println!("{}", load.run(count.parse()?, Path::new(folder))?);
        return Ok(());
    }
    let (binary, rules) = args.split_first().context("usage: bench_live SENSOR [RULES...]")?;
    let rules: Vec<PathBuf> = if rules.is_empty() { vec!["rules".into()] } else { rules.iter().map(PathBuf::from).collect() };
    let loaded = sensor::score::load(&rules);
    println!("{} rules run", loaded.report.running());
    let others = probes::others();
    if others > 0 {
        println!("NOTE: {others} other sensors are attached to this kernel; they slow down what is measured here");
    }
    let scratch = Scratch::new()?;
    let sensor = Sensor { binary: PathBuf::from(binary), rules };
    println!("\nProbes (kernel's run-time statistics)");
    probes::measure(&loaded.engine, scratch.path())?;
    println!("\nSystem calls with the sensor and without ({PAIRS} pairs, CPU time of the load, median)");
    slowdown(&sensor, scratch.path())?;
    println!("\nStart-up ({PAIRS} starts, from the start of the process)");
    start_up(&sensor)?;
    println!("\nFrom the start of an attack to its finding on standard output ({FINDINGS} times)");
    latency(&sensor)?;
    println!("\nMemory and CPU time");
    memory(&sensor, scratch.path())
}

/// Runs every load with and without the sensor, in turns.
fn slowdown(sensor: &Sensor, folder: &Path) -> Result<()> {
    let budgets = [("open-muted", 1.15), ("open-reported", 1.40), ("exec", 1.03), ("tcp-connect", 1.10), ("getppid", 1.10)];
    let measured: Vec<_> =
        Load::ALL.iter().filter_map(|(_, name, count)| Some((*name, *count, budgets.iter().find(|b| b.0 == *name)?.1))).collect();
    let all = || measured.iter().map(|(name, count, _)| load::in_child(name, *count, folder)).collect::<std::io::Result<Vec<f64>>>();
    all()?; // Warm.
    let mut pairs = Vec::new();
    let mut report = String::new();
    for n in 0..PAIRS {
        // By turns which comes first, so that a drift of the machine's speed does not favour one.
        let with = || -> Result<_> {
            let running = sensor.start(&["--output", "none", "--listen", "none"], Stdio::null())?;
            let figures = all()?;
            Ok((figures, running.stop()?))
        };
        let (without, (with, said)) = if n % 2 == 0 {
            (all()?, with()?)
        } else {
            let with = with()?;
            (all()?, with)
        };
        pairs.push((without, with));
        report = said;
    }
    println!("{:<16} {:>12} {:>12} {:>8} {:>18} {:>8}", "load", "without, ns", "with, ns", "ratio", "(least..most)", "budget");
    for (i, (name, _, budget)) in measured.iter().enumerate() {
        let mut ratios: Vec<f64> = pairs.iter().map(|(without, with)| with[i] / without[i]).collect();
        let without = median(pairs.iter().map(|p| p.0[i]).collect());
        let with = median(pairs.iter().map(|p| p.1[i]).collect());
        ratios.sort_by(f64::total_cmp);
        let range = format!("({:.2}..{:.2})", ratios[0], ratios[ratios.len() - 1]);
        println!("{name:<16} {without:>12.0} {with:>12.0} {:>8.2} {range:>18} {budget:>8.2}", median(ratios));
    }
    for line in report.lines().filter(|l| l.contains("LOST") || l.contains("nothing was lost")) {
        println!("{}", line.trim());
    }
    Ok(())
}

/// To the report of being ready, and to the first event on standard output.
fn start_up(sensor: &Sensor) -> Result<()> {
    let (mut ready, mut first) = (Vec::new(), Vec::new());
    for _ in 0..PAIRS {
        let mut running = sensor.start(&["--events", "--output", "json", "--listen", "none"], Stdio::piped())?;
        ready.push(running.ready.as_secs_f64() * 1e3);
        Command::new("/bin/true").status()?;
        let mut out = BufReader::new(running.child.stdout.take().context("no standard output")?);
        let mut line = String::new();
        out.read_line(&mut line)?;
        first.push(running.started.elapsed().as_secs_f64() * 1e3);
        // Somebody must read on, or it could not end.
        let reader = thread::spawn(move || std::io::copy(&mut out, &mut std::io::sink()).map(drop));
        running.stop()?;
        drop(reader.join());
    }
    for (name, mut values) in [("ready", ready), ("first event written", first)] {
        values.sort_by(f64::total_cmp);
        let range = format!("({:.0}..{:.0})", values[0], values[values.len() - 1]);
        println!("{name:<20} {:>8.0} ms {range:>16}   budget 2000 ms", median(values));
    }
    Ok(())
}

/// Starts a program that a rule looks for, and waits for the line that tells of it.
fn latency(sensor: &Sensor) -> Result<()> {
    let mut running = sensor.start(&["--output", "json", "--listen", "none"], Stdio::piped())?;
    let mut out = BufReader::new(running.child.stdout.take().context("no standard output")?);
    let mut values = Vec::new();
    for n in 0..FINDINGS {
        // Not in step with the reader's own rounds.
        thread::sleep(Duration::from_millis(60 + (n as u64 * 7) % 20));
        let mark = format!("bench-{}-{n}", std::process::id());
        let start = Instant::now();
        Command::new("bash").args(["-c", "true | base64 -d | sh", &mark]).stdin(Stdio::null()).status()?;
        let mut line = String::new();
        while !line.contains(&mark) {
            line.clear();
            if out.read_line(&mut line)? == 0 {
                anyhow::bail!("the sensor has ended before it told of {mark}");
            }
        }
        values.push(start.elapsed().as_secs_f64() * 1e3);
    }
    let reader = thread::spawn(move || std::io::copy(&mut out, &mut std::io::sink()).map(drop));
    running.stop()?;
    drop(reader.join());
    values.sort_by(f64::total_cmp);
    let range = format!("({:.0}..{:.0})", values[0], values[values.len() - 1]);
    println!("{:<20} {:>8.0} ms {range:>16}   budget 1000 ms", "finding written", median(values));
    Ok(())
}

/// Idle, and while all loads run one after the other on all cores.
fn memory(sensor: &Sensor, folder: &Path) -> Result<()> {
    let socket = format!("unix:{}", folder.join("socket").display());
    let running = sensor.start(&["--output", "none", "--listen", &socket], Stdio::null())?;
    thread::sleep(Duration::from_secs(2));
    show("idle for 2 s", &running)?;
    let (before, started) = (running.spent()?, Instant::now());
    thread::sleep(Duration::from_secs(4));
    let share = (running.spent()? - before).as_secs_f64() / started.elapsed().as_secs_f64();
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let workers: Vec<_> = (0..cores)
        .map(|n| -> Result<_> {
            let folder = folder.join(n.to_string());
            std::fs::create_dir(&folder)?;
            Ok(thread::spawn(move || -> std::io::Result<()> {
                for _ in 0..3 {
                    for (load, name, count) in Load::ALL.iter().filter(|(load, ..)| *load != Load::Getppid) {
                        load::in_child(name, if *load == Load::Exec { 2000 } else { *count }, &folder)?;
                    }
                }
                Ok(())
            }))
        })
        .collect::<Result<_>>()?;
    let before = running.spent()?;
    for worker in workers {
        worker.join().map_err(|_| anyhow::anyhow!("a load has died"))??;
    }
    show("after a load", &running)?;
    let spent = running.spent()? - before;
    let report = running.stop()?;
    let events: u64 = report.lines().find_map(|l| l.split_once(" events,")?.0.trim().parse().ok()).unwrap_or(0);
    println!("CPU while the load was idle: {:.2} % of a core (with whatever else ran on this machine)", share * 100.0);
    println!("CPU under load, all threads: {:.0} ns for each of {events} events", spent.as_nanos() as f64 / events.max(1) as f64);
    for line in report.lines().filter(|l| l.contains("LOST") || l.contains("nothing was lost")) {
        println!("{}", line.trim());
    }
    Ok(())
}

fn show(when: &str, running: &Running) -> Result<()> {
    let m = running.memory()?;
    let mib = |kib: u64| kib as f64 / 1024.0;
    println!(
        "{when:<14} resident {:>6.1} MiB (peak {:.1}), without the kernel's rings {:>6.1} MiB, of which heap and stacks {:.1}; budget 60 MB",
        mib(m.resident),
        mib(m.peak),
        mib(m.resident - m.rings),
        mib(m.anonymous)
    );
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
