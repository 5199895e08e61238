//! The same seed is the same run, also in another process: nothing of the machine that runs it gets in.

use std::process::Command;

fn outcome(seed: u64) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_sim"))
        .args(["--seed", &seed.to_string()])
        .output()
        .expect("the program was built for this test");
    let text = String::from_utf8(output.stdout).expect("it prints text");
    assert!(text.contains("hash "), "it printed {text:?}, {:?}", output.stderr);
    text
}

#[test]
fn two_processes_see_the_same_run() {
    let mut hashes = Vec::new();
    for seed in [1, 2, 3] {
        let first = outcome(seed);
        assert_eq!(first, outcome(seed), "seed {seed}");
        hashes.push(first);
    }
    assert!(hashes[0] != hashes[1] && hashes[1] != hashes[2], "seeds make no difference");
}
