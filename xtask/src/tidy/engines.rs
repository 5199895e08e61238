//! A foreign engine is known in one place: behind our own surface it can be replaced, and nobody else learns its ways.

use super::Finding;
use super::workspace::Workspace;

struct Engine {
    crates: &'static [&'static str],
    /// The crates of ours that may name it.
    owners: &'static [&'static str],
    why: &'static str,
}

const ENGINES: &[Engine] = &[
    Engine {
        crates: &["tokio", "tokio-util", "tokio-stream", "tokio-rustls"],
        owners: &["server", "trine", "bench"],
        why: "everything below `server` is stepped by whoever holds it and must run under virtual time",
    },
    Engine {
        crates: &["raft", "raft-proto", "raft-engine"],
        owners: &["consensus"],
        why: "the Raft engine stays behind `consensus` and its own messages",
    },
    Engine {
        crates: &["redb"],
        owners: &["storage"],
        why: "the database stays behind `storage` and its faults",
    },
];

pub fn check(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for manifest in &workspace.manifests {
        for dependency in &manifest.dependencies {
            let name = dependency.name.as_str();
            let Some(engine) = ENGINES.iter().find(|engine| engine.crates.contains(&name)) else {
                continue;
            };
            if !engine.owners.contains(&manifest.name.as_str()) {
                findings.push(Finding {
                    path: manifest.path.clone(),
                    line: dependency.line,
                    what: format!("`{}` depends on `{name}`", manifest.name),
                    why: engine.why,
                    what_to_do: "ask its owner for an input or an output that says what you need",
                });
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::found;

    fn depends(from: &str, to: &str) -> usize {
        let text = format!(
            "[package]\nname = \"{from}\"\n[dev-dependencies]\n{to} = {{ workspace = true }}\n"
        );
        found(check, &[(&format!("crates/{from}/Cargo.toml"), &text)]).len()
    }

    #[test]
    fn only_owners_name_their_engine() {
        for (from, to) in
            [("host", "tokio"), ("node", "raft"), ("host", "redb"), ("sim", "tokio-util")]
        {
            assert_eq!(depends(from, to), 1, "{from} → {to}");
        }
        for (from, to) in
            [("server", "tokio"), ("consensus", "raft"), ("storage", "redb"), ("host", "bytes")]
        {
            assert_eq!(depends(from, to), 0, "{from} → {to}");
        }
    }
}
