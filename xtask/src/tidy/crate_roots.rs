//! What the first lines of a crate must promise to the compiler.

use super::Finding;
use super::module_tree::is_root;
use super::source::Source;
use super::workspace::Workspace;

/// Without std there is no clock, socket, thread, file or randomly seeded map to reach for.
const NO_STD: &[&str] = &["base", "journal", "gossip", "distro", "slots"];

pub fn check(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for manifest in &workspace.manifests {
        for source in workspace.sources.iter().filter(|source| is_root(manifest, &source.path)) {
            if !forbids_unsafe_code(source) {
                findings.push(Finding {
                    path: source.path.clone(),
                    line: 1,
                    what: "no `#![forbid(unsafe_code)]`".to_owned(),
                    why: "the workspace's lint can be allowed away further down, this cannot",
                    what_to_do: "add it below the crate's documentation",
                });
            }
            if NO_STD.contains(&manifest.name.as_str()) && !has_no_std(source) {
                findings.push(Finding {
                    path: source.path.clone(),
                    line: 1,
                    what: format!("no `#![no_std]` in `{}`", manifest.name),
                    why: "it keeps clocks, sockets and unordered maps out of the core by the compiler",
                    what_to_do: "add it, import from `alloc`, and let tests say `extern crate std`",
                });
            }
        }
    }
    findings
}

fn has_no_std(source: &Source) -> bool {
    source.syntax.attrs.iter().any(|attribute| attribute.path().is_ident("no_std"))
}

fn forbids_unsafe_code(source: &Source) -> bool {
    source.syntax.attrs.iter().any(|attribute| match &attribute.meta {
        syn::Meta::List(list) if list.path.is_ident("forbid") => {
            let mut lints = list.tokens.clone().into_iter();
            lints.any(|token| token.to_string() == "unsafe_code")
        }
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::found;

    fn root(name: &str, text: &str) -> usize {
        let manifest = format!("[package]\nname = \"{name}\"");
        let (at, root) = (format!("crates/{name}/Cargo.toml"), format!("crates/{name}/src/lib.rs"));
        found(check, &[(&at, &manifest), (&root, text)]).len()
    }

    #[test]
    fn a_root_without_its_promises_is_found() {
        assert_eq!(root("distro", "#![forbid(unsafe_code)]\n#![no_std]"), 0);
        assert_eq!(root("distro", "#![forbid(unsafe_code)]\n#![cfg_attr(not(test), no_std)]"), 1);
        assert_eq!(root("distro", "#![deny(unsafe_code)]\n// #![no_std]"), 2);
        assert_eq!(root("naming", "#![forbid(unsafe_code)]"), 0);
        assert_eq!(root("naming", ""), 1);
    }
}
