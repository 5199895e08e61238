//! Every package takes the workspace's lints.

use super::Finding;
use super::workspace::Workspace;

pub fn check(workspace: &Workspace) -> Vec<Finding> {
    let without = workspace.manifests.iter().filter(|manifest| !manifest.lints);
    without
        .map(|manifest| Finding {
            path: manifest.path.clone(),
            line: 1,
            what: format!("`{}` does not take the workspace's lints", manifest.name),
            why: "cargo leaves them out in silence",
            what_to_do: "add `[lints]` with `workspace = true`",
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::found;

    #[test]
    fn a_package_without_lints_is_found() {
        let with = "[package]\nname = \"a\"\n[lints]\nworkspace = true";
        assert!(found(check, &[("crates/a/Cargo.toml", with)]).is_empty());
        for without in
            ["[package]\nname = \"a\"", "[package]\nname = \"a\"\n[lints]\nworkspace = false"]
        {
            assert_eq!(found(check, &[("xtask/Cargo.toml", without)]).len(), 1);
        }
    }
}
