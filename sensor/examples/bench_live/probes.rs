//! What each probe costs, from the kernel's own run-time statistics. They contain the kernel's two looks at its clock per run.

use crate::load::{self, Load};
use anyhow::{Context as _, Result};
use sensor::{
    attach::{Options, attach},
    collect::Source as _,
    score::{Engine, ReadOf},
};
use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

/// Attaches the probes to this process, runs each load and prints the programs that ran.
pub(crate) fn measure(engine: &Engine, folder: &Path) -> Result<()> {
    let mut attached = attach(&Options::default())?;
    attached.set_read_names(engine.read_names().iter().map(|n| (n.name.as_slice(), n.what == ReadOf::File)))?;
    let statistics = aya::sys::enable_stats(aya::sys::Stats::RunTime).context("the kernel keeps no statistics")?;
    println!("{:<16} {:<20} {:>10} {:>12} {:>10}", "load", "program", "runs", "runs per op", "ns a run");
    for (load, name, count) in Load::ALL {
        if *load == Load::Getppid {
            continue; // No program runs for it.
        }
        let before = programs()?;
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let load = scope.spawn(|| {
                let result = load::in_child(name, *count, folder);
                done.store(true, Ordering::Release);
                result
            });
            // Read like the sensor does, so that the rings do not fill.
            while !done.load(Ordering::Acquire) {
                attached.drain(&mut |_| {})?;
                thread::sleep(Duration::from_millis(5));
            }
            load.join().map_err(|_| anyhow::anyhow!("the load has died"))?.map_err(anyhow::Error::from)
        })?;
        for (program, (time_ns, runs)) in programs()? {
            let (time_before, runs_before) = before.get(&program).copied().unwrap_or_default();
            let (time_ns, runs) = (time_ns - time_before, runs - runs_before);
            // Others work on this machine, too: what ran a few times only is theirs.
            if runs * 10 > u64::from(*count) {
                let per_operation = runs as f64 / f64::from(*count);
                println!("{name:<16} {program:<20} {runs:>10} {per_operation:>12.2} {:>10.0}", time_ns as f64 / runs as f64);
            }
        }
    }
    drop(statistics);
    let lost: u64 = attached.counters().iter().filter(|(_, reason, _)| reason.is_loss()).map(|(.., n)| n).sum();
    println!("records lost meanwhile: {lost}");
    Ok(())
}

/// Time and runs of the programs that this process has loaded, by name.
fn programs() -> Result<BTreeMap<String, (u64, u64)>> {
    let mut out = BTreeMap::new();
    for entry in fs::read_dir("/proc/self/fd")? {
        let entry = entry?;
        if fs::read_link(entry.path()).is_ok_and(|target| target.as_os_str() == "anon_inode:bpf-prog") {
            let info = fs::read_to_string(Path::new("/proc/self/fdinfo").join(entry.file_name()))?;
            let number = |key: &str| info.lines().find_map(|l| l.strip_prefix(key)?.trim().parse::<u64>().ok()).unwrap_or(0);
            let id = u32::try_from(number("prog_id:"))?;
            let (time_ns, runs) = (number("run_time_ns:"), number("run_cnt:"));
            out.insert(name(id)?, (time_ns, runs));
        }
    }
    Ok(out)
}

/// What a program is called; the kernel keeps 15 letters.
fn name(id: u32) -> Result<String> {
    for program in aya::programs::loaded_programs() {
        let program = program?;
        if program.id() == id {
            return Ok(program.name_as_str().unwrap_or("?").to_owned());
        }
    }
    Ok(format!("#{id}"))
}

/// Programs of other sensors that are attached now: they would be measured, too.
pub(crate) fn others() -> usize {
    aya::programs::loaded_programs().flatten().filter(|p| p.name_as_str() == Some("open_tp")).count()
}
