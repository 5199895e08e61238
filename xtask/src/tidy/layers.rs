//! Imports point only down: the layers of ARCHITECTURE.md, as the manifests must keep them.

use super::Finding;
use super::workspace::Workspace;

/// A crate, its layer, and the one core that it owns.
struct Row {
    name: &'static str,
    layer: u8,
    owns: Option<&'static str>,
}

const fn row(name: &'static str, layer: u8) -> Row {
    Row { name, layer, owns: None }
}

const fn owner(name: &'static str, layer: u8, core: &'static str) -> Row {
    Row { name, layer, owns: Some(core) }
}

/// Crates that do not exist yet are here too: a crate is not born outside of the order.
const TABLE: &[Row] = &[
    row("base", 0),
    owner("journal", 0, "base"),
    row("consensus", 1),
    row("gossip", 1),
    row("distro", 1),
    row("slots", 1),
    row("storage", 1),
    owner("naming", 2, "distro"),
    row("config", 2),
    row("access", 2),
    row("lock", 2),
    owner("cluster", 2, "gossip"),
    owner("cache", 2, "slots"),
    row("nacos", 3),
    row("resp", 3),
    row("console", 3),
    row("node", 4),
    row("host", 5),
    row("server", 6),
    row("sim", 6),
    row("trine", 7),
    row("xtask", 7),
    row("bench", 7),
    row("fuzz", 7),
];

/// Their tests drive the whole, so they may name any part of it.
const TESTS_OF_THE_WHOLE: &[&str] = &["server", "trine", "sim"];

fn find(name: &str) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.name == name)
}

fn may_import(from: &Row, to: &Row) -> bool {
    if from.owns == Some(to.name) {
        return true;
    }
    match from.layer {
        0 => false,
        1 | 2 => to.layer == 0,
        3 => matches!(to.layer, 0 | 2),
        4 => to.layer <= 2,
        _ => to.layer < from.layer,
    }
}

pub fn check(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for manifest in &workspace.manifests {
        let Some(from) = find(&manifest.name) else {
            findings.push(Finding {
                path: manifest.path.clone(),
                line: 1,
                what: format!("the crate `{}` has no layer", manifest.name),
                why: "what has no place in the order can import anything",
                what_to_do: "give it a row in xtask/src/tidy/layers.rs and in ARCHITECTURE.md",
            });
            continue;
        };
        for dependency in &manifest.dependencies {
            let Some(to) = find(&dependency.name) else { continue };
            let excused = dependency.dev && TESTS_OF_THE_WHOLE.contains(&from.name);
            if excused || may_import(from, to) {
                continue;
            }
            findings.push(Finding {
                path: manifest.path.clone(),
                line: dependency.line,
                what: format!("`{}` (layer {}) imports `{}` (layer {})", from.name, from.layer, to.name, to.layer),
                why: "imports point only down, cores and planes and edges do not know each other",
                what_to_do: "hand the value in from above, or move what both need into a lower layer",
            });
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::found;

    fn imports(from: &str, section: &str, to: &str) -> usize {
        let path = format!("crates/{from}/Cargo.toml");
        found(
            check,
            &[(
                &path,
                &format!("[package]\nname = \"{from}\"\n[{section}]\n{to}.workspace = true\n"),
            )],
        )
        .len()
    }

    #[test]
    fn each_layer_has_its_bounds() {
        let forbidden = [
            ("base", "journal"),
            ("distro", "gossip"),
            ("consensus", "storage"),
            ("naming", "config"),
            ("naming", "gossip"),
            ("config", "storage"),
            ("nacos", "distro"),
            ("nacos", "console"),
            ("nacos", "node"),
            ("node", "nacos"),
            ("host", "server"),
            ("server", "sim"),
            ("sim", "trine"),
            ("bench", "xtask"),
        ];
        let allowed = [
            ("journal", "base"),
            ("distro", "journal"),
            ("naming", "distro"),
            ("cluster", "gossip"),
            ("cache", "slots"),
            ("nacos", "naming"),
            ("node", "storage"),
            ("host", "nacos"),
            ("server", "node"),
            ("sim", "host"),
            ("trine", "sim"),
        ];
        for (from, to) in forbidden {
            assert_eq!(imports(from, "dependencies", to), 1, "{from} → {to}");
            assert_eq!(imports(from, "build-dependencies", to), 1, "{from} → {to}");
        }
        for (from, to) in allowed {
            assert_eq!(imports(from, "dependencies", to), 0, "{from} → {to}");
        }
    }

    #[test]
    fn tests_keep_the_order_unless_they_are_of_the_whole() {
        assert_eq!(imports("naming", "dev-dependencies", "node"), 1);
        assert_eq!(imports("server", "dev-dependencies", "sim"), 0);
    }

    #[test]
    fn a_crate_without_a_layer_and_the_line_are_said() {
        let text = "[package]\nname = \"extra\"\n";
        assert!(
            found(check, &[("crates/extra/Cargo.toml", text)])[0].contains("`extra` has no layer")
        );
        let text = "[package]\nname = \"base\"\n\n[dependencies]\nserde.workspace = true\nnode.workspace = true\n";
        assert!(
            found(check, &[("crates/base/Cargo.toml", text)])[0]
                .starts_with("crates/base/Cargo.toml:6: ")
        );
    }
}
