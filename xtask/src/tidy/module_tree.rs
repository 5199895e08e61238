//! Which files `mod` reaches from a crate's roots, and which of them are for tests only.

use super::manifest::Manifest;
use super::source::{Source, is_for_tests};
use std::collections::BTreeMap;
use syn::Item;

/// Marks the sources that only tests reach; gives the files under `src` that nothing reaches.
pub fn walk(manifests: &[Manifest], sources: &mut [Source]) -> Vec<String> {
    let mut reached = BTreeMap::new();
    {
        let by_path: BTreeMap<&str, &Source> =
            sources.iter().map(|source| (source.path.as_str(), source)).collect();
        for manifest in manifests {
            for path in by_path.keys().copied().filter(|path| is_root(manifest, path)) {
                follow(&by_path, path, false, &mut reached);
            }
        }
    }
    let mut dead = Vec::new();
    for source in sources {
        let package = manifests.iter().find(|manifest| manifest.owns(&source.path));
        let folder = &package.expect("sources are read per package").folder;
        let inside = source.path[folder.len() + 1..].to_owned();
        let test_folder = ["tests/", "benches/"].iter().any(|folder| inside.starts_with(folder));
        source.test = test_folder || reached.get(&source.path) == Some(&true);
        if inside.starts_with("src/") && !reached.contains_key(&source.path) {
            dead.push(source.path.clone());
        }
    }
    dead
}

/// `src/lib.rs`, `src/main.rs` and the binaries beside them.
pub fn is_root(manifest: &Manifest, path: &str) -> bool {
    let Some(inside) = path.strip_prefix(&manifest.folder) else { return false };
    let binary = inside.strip_prefix("/src/bin/");
    matches!(inside, "/src/lib.rs" | "/src/main.rs")
        || binary.is_some_and(|name| !name.contains('/') || name.ends_with("/main.rs"))
}

/// `reached`: path → only tests come here.
fn follow(
    sources: &BTreeMap<&str, &Source>,
    path: &str,
    test: bool,
    reached: &mut BTreeMap<String, bool>,
) {
    // Again only if code comes where only tests had come.
    if reached.get(path).is_some_and(|&only_tests| !only_tests || test) {
        return;
    }
    let Some(source) = sources.get(path) else { return };
    reached.insert(path.to_owned(), test);
    let (folder, name) = path.rsplit_once('/').expect("sources are in a package's folder");
    let children = match name {
        "lib.rs" | "main.rs" | "mod.rs" => folder.to_owned(),
        // A binary beside `src/main.rs` is a root of its own, and roots keep their modules beside them.
        _ if folder.ends_with("/src/bin") => folder.to_owned(),
        _ => path.strip_suffix(".rs").expect("sources end so").to_owned(),
    };
    modules(&source.syntax.items, folder, &children, test, &mut |candidates, test| {
        for candidate in candidates {
            follow(sources, &candidate, test, reached);
        }
    });
}

/// Calls `found` with the places where each `mod name;` may have its file.
fn modules(
    items: &[Item],
    folder: &str,
    children: &str,
    test: bool,
    found: &mut dyn FnMut([String; 2], bool),
) {
    for item in items {
        let Item::Mod(module) = item else { continue };
        let test = test || is_for_tests(&module.attrs);
        let name = module.ident.to_string();
        let name = name.trim_start_matches("r#");
        let inside = format!("{children}/{name}");
        if let Some((_, items)) = &module.content {
            modules(items, &inside, &inside, test, found);
        } else if let Some(path) = path_attribute(module) {
            found([format!("{folder}/{path}"), format!("{folder}/{path}")], test);
        } else {
            found([format!("{inside}.rs"), format!("{inside}/mod.rs")], test);
        }
    }
}

fn path_attribute(module: &syn::ItemMod) -> Option<String> {
    module.attrs.iter().find_map(|attribute| match &attribute.meta {
        syn::Meta::NameValue(syn::MetaNameValue {
            path,
            value: syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }),
            ..
        }) if path.is_ident("path") => Some(text.value()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use crate::tidy::workspace::Workspace;

    #[test]
    fn tests_are_what_only_tests_reach() {
        let files = [
            ("crates/a/Cargo.toml", "[package]\nname = \"a\""),
            ("crates/a/src/lib.rs", "mod one;\n#[cfg(test)]\nmod tests;\nmod inline { mod deep; }"),
            ("crates/a/src/one.rs", "mod two;\n#[cfg(all(test, unix))] mod seen;"),
            ("crates/a/src/one/two.rs", ""),
            ("crates/a/src/one/seen.rs", ""),
            ("crates/a/src/inline/deep/mod.rs", ""),
            ("crates/a/src/tests.rs", "mod more;"),
            ("crates/a/src/tests/more.rs", ""),
            ("crates/a/tests/whole.rs", ""),
        ];
        let files = files.iter().map(|(path, text)| (path.to_string(), text.to_string())).collect();
        let workspace = Workspace::new(files);
        assert_eq!(workspace.dead, Vec::<String>::new());
        let tests: Vec<&str> =
            workspace.sources.iter().filter(|s| s.test).map(|s| s.path.as_str()).collect();
        let expected = [
            "crates/a/src/one/seen.rs",
            "crates/a/src/tests.rs",
            "crates/a/src/tests/more.rs",
            "crates/a/tests/whole.rs",
        ];
        assert_eq!(tests, expected);
    }
}
