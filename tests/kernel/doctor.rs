//! Every hook of this kernel's tiers is attached and proven by its canary; lower tiers too, when the better ones are not to be used.

use sensor::attach::{Options, doctor, doctor::State, features::Features};
use sensor_common::Tier;

fn expect(options: &Options, objects: bool) {
    let diagnosis = doctor::doctor(options).expect("root on a kernel with BTF");
    assert_eq!(diagnosis.notes, Vec::<String>::new(), "every part of the canary could be carried out");
    for hook in &diagnosis.hooks {
        let announces = hook.slot.ends_with(".file") || hook.slot == "bind.address";
        let want = if announces && !objects { State::Missing } else { State::Proven };
        assert_eq!(hook.state, want, "{}: {:?} {:?}", hook.slot, hook.tier, hook.failures);
    }
    assert!(diagnosis.is_healthy());
    // Since 5.11. A verifier that refuses what the others take would show here.
    let release: Vec<u32> = diagnosis.kernel.release.split(['.', '-']).map_while(|n| n.parse().ok()).collect();
    assert_eq!(diagnosis.typed_pointers, options.typed && release >= vec![5, 11], "{:?}", diagnosis.typed_pointers_failure);
    assert!(diagnosis.text().contains(" proven, 0 silent, "), "{}", diagnosis.text());
}

#[test]
fn every_hook_of_this_kernel_is_proven() {
    expect(&Options::default(), Features::detect().kprobes);
}

#[test]
fn without_kernel_object_hooks_the_tracepoint_tier_is_proven() {
    let tiers = Tier::ALL.iter().copied().filter(|t| *t != Tier::Kprobe).collect();
    expect(&Options { tiers, ..Options::default() }, false);
}

#[test]
fn without_typed_pointers_every_hook_is_proven() {
    expect(&Options { typed: false, ..Options::default() }, Features::detect().kprobes);
}
