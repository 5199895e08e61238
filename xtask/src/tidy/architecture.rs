//! Every path and type that ARCHITECTURE.md names in back-ticks exists: a map that is wrong is worse than none.
//!
//! A path contains `/` (not as its first letter: that is a route of HTTP) or ends with `.rs`; it is given from the root,
//! or as the end of one file's path (`src/push.rs`), with `*` for any part and `{a,b}` for either. A type is
//! `crate::Type`, and further parts must be declared inside of the part before. What contains a blank is a command.

use super::Finding;
use super::workspace::Workspace;
use proc_macro2::{TokenStream, TokenTree};
use std::collections::{BTreeMap, BTreeSet};
use syn::visit::{self, Visit};

const PAGE: &str = "ARCHITECTURE.md";

pub fn check(workspace: &Workspace) -> Vec<Finding> {
    let Some(text) = workspace.files.get(PAGE) else { return Vec::new() };
    let declared = declared(workspace);
    let mut findings = Vec::new();
    for (line, span) in spans(text) {
        if span.contains(char::is_whitespace) {
            continue;
        }
        let exists = if span.contains("::") {
            type_exists(&declared, span)
        } else if is_path(span) {
            either(span).iter().all(|path| path_exists(workspace, path))
        } else {
            true
        };
        if !exists {
            findings.push(Finding {
                path: PAGE.to_owned(),
                line,
                what: format!("`{span}` does not exist"),
                why: "a reader goes where this page sends him",
                what_to_do: "name what is there now, or drop the sentence",
            });
        }
    }
    findings
}

/// Line and text of everything in single back-ticks outside of fenced blocks.
fn spans(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            found.extend(line.split('`').skip(1).step_by(2).map(|span| (index + 1, span)));
        }
    }
    found
}

/// What has a `/` and is no path of this repository: built things, media types.
const OTHER_FOLDERS: &[&str] = &["target/", "application/", "text/"];

fn is_path(span: &str) -> bool {
    let other = OTHER_FOLDERS.iter().any(|folder| span.starts_with(folder));
    let named = span.contains('/') && !other && !span.contains([':', '<', '(', '=', '?', '@']);
    (named && !span.starts_with('/')) || (span.ends_with(".rs") && !span.starts_with('.'))
}

/// `a/{b,c}.rs` → `a/b.rs`, `a/c.rs`
fn either(path: &str) -> Vec<String> {
    let Some((before, rest)) = path.split_once('{') else { return vec![path.to_owned()] };
    let Some((choices, after)) = rest.split_once('}') else { return vec![path.to_owned()] };
    choices
        .split(',')
        .flat_map(|choice| either(&format!("{before}{}{after}", choice.trim())))
        .collect()
}

fn path_exists(workspace: &Workspace, path: &str) -> bool {
    let wanted: Vec<&str> =
        path.trim_start_matches("./").trim_end_matches('/').split('/').collect();
    workspace.files.keys().any(|file| {
        let parts: Vec<&str> = file.split('/').collect();
        let fits = |parts: &[&str]| {
            parts.len() == wanted.len()
                && parts.iter().zip(&wanted).all(|(part, wanted)| part_fits(part, wanted))
        };
        // From the root, a folder will do; the end of a path must be a file's.
        (parts.len() >= wanted.len() && fits(&parts[..wanted.len()]))
            || (parts.len() > wanted.len() && fits(&parts[parts.len() - wanted.len()..]))
    })
}

fn part_fits(part: &str, wanted: &str) -> bool {
    match wanted.split_once('*') {
        None => part == wanted,
        Some((before, after)) => {
            part.len() >= before.len() + after.len()
                && part.starts_with(before)
                && part.ends_with(after)
        }
    }
}

/// Crate → what is declared at all in it, and what is declared inside of what (`Parent::child`).
type Declared = BTreeMap<String, BTreeSet<String>>;

fn declared(workspace: &Workspace) -> Declared {
    let mut declared = Declared::new();
    for manifest in &workspace.manifests {
        let names = declared.entry(manifest.name.replace('-', "_")).or_default();
        for source in
            workspace.sources.iter().filter(|source| manifest.owns(&source.path) && !source.test)
        {
            let (folder, name) =
                source.path.rsplit_once('/').expect("sources are in a package's folder");
            let module = match name.trim_end_matches(".rs") {
                "mod" => folder.rsplit('/').next().unwrap_or_default(),
                name => name,
            };
            let mut declarations = Declarations { parent: module.to_owned(), names };
            declarations.visit_file(&source.syntax);
        }
    }
    declared
}

/// Only crates of this workspace are known; `std::time::Instant` is somebody else's business.
fn type_exists(declared: &Declared, span: &str) -> bool {
    let bare =
        span.trim_start_matches(['&', '#', '[']).split(['<', '(', '{']).next().unwrap_or_default();
    let parts: Vec<&str> = bare.split("::").collect();
    let Some(names) = declared.get(parts[0]) else { return true };
    let is_inside = |pair: &[&str]| {
        names.contains(&format!("{}::{}", pair[0], pair[1]))
            || names.contains(&format!("!::{}", pair[1]))
    };
    parts.get(1).is_none_or(|name| names.contains(*name)) && parts.windows(2).skip(1).all(is_inside)
}

struct Declarations<'a> {
    parent: String,
    names: &'a mut BTreeSet<String>,
}

impl Declarations<'_> {
    fn add(&mut self, name: &str) {
        self.names.insert(name.to_owned());
        self.names.insert(format!("{}::{name}", self.parent));
    }

    /// What a macro declares is among its words; inside of what (`!::child`) only the compiler could say.
    fn words_of_macro(&mut self, tokens: TokenStream) {
        for token in tokens {
            match token {
                TokenTree::Ident(word) => {
                    self.names.insert(word.to_string());
                    self.names.insert(format!("!::{word}"));
                }
                TokenTree::Group(group) => self.words_of_macro(group.stream()),
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
    }

    fn inside(&mut self, parent: String, visit: impl FnOnce(&mut Self)) {
        let before = std::mem::replace(&mut self.parent, parent);
        visit(self);
        self.parent = before;
    }
}

impl<'ast> Visit<'ast> for Declarations<'_> {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let name = match item {
            syn::Item::Struct(item) => &item.ident,
            syn::Item::Enum(item) => &item.ident,
            syn::Item::Union(item) => &item.ident,
            syn::Item::Trait(item) => &item.ident,
            syn::Item::Type(item) => &item.ident,
            syn::Item::Mod(item) => &item.ident,
            syn::Item::Const(item) => &item.ident,
            syn::Item::Static(item) => &item.ident,
            syn::Item::Fn(item) => &item.sig.ident,
            syn::Item::Macro(item) => return self.words_of_macro(item.mac.tokens.clone()),
            _ => return visit::visit_item(self, item),
        };
        self.add(&name.to_string());
        self.inside(name.to_string(), |declarations| visit::visit_item(declarations, item));
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        if let syn::Type::Path(path) = &*item.self_ty
            && let Some(last) = path.path.segments.last()
        {
            self.inside(last.ident.to_string(), |declarations| {
                visit::visit_item_impl(declarations, item)
            });
        }
    }

    fn visit_variant(&mut self, variant: &'ast syn::Variant) {
        self.add(&variant.ident.to_string());
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        if let Some(name) = &field.ident {
            self.add(&name.to_string());
        }
    }

    fn visit_impl_item(&mut self, item: &'ast syn::ImplItem) {
        match item {
            syn::ImplItem::Fn(item) => self.add(&item.sig.ident.to_string()),
            syn::ImplItem::Const(item) => self.add(&item.ident.to_string()),
            syn::ImplItem::Type(item) => self.add(&item.ident.to_string()),
            _ => {}
        }
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        self.add(&item.sig.ident.to_string());
    }

    fn visit_use_name(&mut self, name: &'ast syn::UseName) {
        self.add(&name.ident.to_string());
    }

    fn visit_use_rename(&mut self, rename: &'ast syn::UseRename) {
        self.add(&rename.rename.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::found;

    fn missing(page: &str) -> usize {
        let lib = "mod push; pub enum Input { Wake } impl Input { pub fn of() {} } pub struct S { pub at: u8 } \
                   number!(NodeId, \"n\");";
        let files = [
            ("crates/a/Cargo.toml", "[package]\nname = \"a\""),
            ("crates/a/src/lib.rs", lib),
            ("crates/a/src/push.rs", "pub struct Queue; pub use other::Thing;"),
            (PAGE, page),
        ];
        found(check, &files).len()
    }

    #[test]
    fn what_is_not_there_is_found() {
        let missing_names = [
            "`crates/b`",
            "`crates/a/src/pull.rs`",
            "`pull.rs`",
            "`ush.rs`",
            "`crates/a/src/{lib,pull}.rs`",
            "`crates/b*`, but `crates/*`",
            "`a::Output`",
            "`a::Input::Sleep`",
            "`a::push::Input`",
            "`a::S::of`",
        ];
        for page in missing_names {
            assert_eq!(missing(page), 1, "{page}");
        }
        assert_eq!(missing("ok\n\n`b.rs` and `c.rs`\n"), 2);
    }

    #[test]
    fn what_is_there_and_what_is_no_name_is_not() {
        let fine = [
            "`crates/a`, `crates/a/`, `crates/*/src`, `push.rs`, `src/push.rs`, `crates/a/src/{lib,push}.rs`",
            "`a::Input::Wake`, `a::Input::of()`, `a::push::Queue`, `a::Thing`, `a::S::at`, `&a::S`, `a::NodeId`",
            "`/v1/health`, `http://x/y`, `std::time::Instant`, `run crates/b`, `Nothing`, `.rs`, `host:1/x`, `target/release/trine`",
            "```\ncrates/b `crates/b`\n```",
        ];
        for page in fine {
            assert_eq!(missing(page), 0, "{page}");
        }
    }
}
