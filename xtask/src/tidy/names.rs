//! Names that say nothing.

use super::Finding;
use super::source::{Source, lines_of};
use super::words::words;
use super::workspace::Workspace;
use syn::visit::{self, Visit};

/// As a part of a type's, a module's or a crate's name.
const BANNED: &[&str] = &[
    "manager", "managers", "holder", "holders", "helper", "helpers", "util", "utils", "impl",
    "impls", "inner",
];

/// As the whole name of a module.
const BANNED_MODULES: &[&str] = &["core", "misc", "utils"];

pub fn check(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for manifest in &workspace.manifests {
        report(&manifest.path, 1, &manifest.name, true, &mut findings);
    }
    for source in &workspace.sources {
        for part in source.path.split('/').skip(1) {
            report(&source.path, 1, part.trim_end_matches(".rs"), true, &mut findings);
        }
        let mut names = Names { source, findings: &mut findings };
        names.visit_file(&source.syntax);
    }
    findings
}

fn report(path: &str, line: usize, name: &str, module: bool, findings: &mut Vec<Finding>) {
    let words = words(name);
    let banned = words.iter().any(|word| BANNED.contains(&word.as_str()));
    if banned || (module && BANNED_MODULES.contains(&name)) {
        findings.push(Finding {
            path: path.to_owned(),
            line,
            what: format!("the name `{name}`"),
            why: "it fits anything and so says nothing",
            what_to_do: "name the thing: `ClientTable`, `PushQueue`, `SlotMap`",
        });
    }
}

struct Names<'a> {
    source: &'a Source,
    findings: &'a mut Vec<Finding>,
}

impl Names<'_> {
    fn name(&mut self, ident: &syn::Ident, module: bool) {
        report(
            &self.source.path,
            *lines_of(ident).start(),
            &ident.to_string(),
            module,
            self.findings,
        );
    }
}

impl<'ast> Visit<'ast> for Names<'_> {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        match item {
            syn::Item::Struct(item) => self.name(&item.ident, false),
            syn::Item::Enum(item) => self.name(&item.ident, false),
            syn::Item::Union(item) => self.name(&item.ident, false),
            syn::Item::Trait(item) => self.name(&item.ident, false),
            syn::Item::Type(item) => self.name(&item.ident, false),
            // A module in a file of its own is found by the file's name.
            syn::Item::Mod(item) if item.content.is_some() => self.name(&item.ident, true),
            _ => {}
        }
        visit::visit_item(self, item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::found;

    fn count(path: &str, text: &str) -> usize {
        found(check, &[("crates/a/Cargo.toml", "[package]\nname = \"a\""), (path, text)]).len()
    }

    #[test]
    fn empty_words_are_found_wherever_they_stand() {
        let bad = [
            "struct PushManager;",
            "enum HolderKind {}",
            "trait HTTPHelper {}",
            "type ViewImpl = u8;",
            "mod inner { }",
            "fn f() { struct Inner; }",
            "mod misc {}",
        ];
        for text in bad {
            assert_eq!(count("crates/a/src/lib.rs", text), 1, "{text}");
        }
        for path in
            ["crates/a/src/core.rs", "crates/a/src/utils.rs", "crates/a/src/push_helpers/mod.rs"]
        {
            assert_eq!(count(path, ""), 1, "{path}");
        }
        assert_eq!(
            found(check, &[("crates/a/Cargo.toml", "[package]\nname = \"a-utils\"")]).len(),
            1
        );
    }

    #[test]
    fn other_words_are_not() {
        let good = "struct Simple; struct Managed; enum Dinner {} mod corer {} mod simplex {} fn helper() {}";
        assert_eq!(count("crates/a/src/lib.rs", good), 0);
    }
}
