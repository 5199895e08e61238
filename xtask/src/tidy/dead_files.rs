//! A Rust file that no `mod` reaches is not compiled, not tested, and looks as if it were.

use super::Finding;
use super::workspace::Workspace;

pub fn check(workspace: &Workspace) -> Vec<Finding> {
    let dead = workspace.dead.iter();
    dead.map(|path| Finding {
        path: path.clone(),
        line: 1,
        what: "no `mod` reaches this file".to_owned(),
        why: "it is never compiled",
        what_to_do: "declare it or delete it",
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::found;

    #[test]
    fn a_file_without_a_mod_is_found() {
        let manifest = ("crates/a/Cargo.toml", "[package]\nname = \"a\"");
        let count = |root: &str, path: &str| {
            found(check, &[manifest, ("crates/a/src/lib.rs", root), (path, "")]).len()
        };
        assert_eq!(count("mod one;", "crates/a/src/one.rs"), 0);
        assert_eq!(count("mod one;", "crates/a/src/one/mod.rs"), 0);
        assert_eq!(count("// mod one;", "crates/a/src/one.rs"), 1);
        assert_eq!(count("mod one;", "crates/a/src/two/one.rs"), 1);
        assert_eq!(count("#[path = \"other.rs\"] mod one;", "crates/a/src/other.rs"), 0);
        assert_eq!(count("", "crates/a/src/bin/tool.rs"), 0);
        assert_eq!(count("", "crates/a/tests/deep/one.rs"), 0);
    }
}
