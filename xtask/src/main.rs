//! Chores of this repository. `cargo run -p xtask -- tidy` reads every tracked file and says where the rules of the house
//! (ARCHITECTURE.md) are broken; `cargo test` does the same, so nobody has to remember it.
#![forbid(unsafe_code)]

mod tidy;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["tidy"] => report(),
        _ => {
            eprintln!("usage: cargo run -p xtask -- tidy");
            ExitCode::from(2)
        }
    }
}

fn report() -> ExitCode {
    let findings = tidy::run(root());
    for finding in &findings {
        println!("{finding}");
    }
    println!("tidy: {} found", findings.len());
    if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is a folder of the workspace")
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_workspace_is_tidy() {
        let findings = crate::tidy::run(crate::root());
        let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
        assert!(findings.is_empty(), "{} found:\n{}", lines.len(), lines.join("\n"));
    }
}
