//! One package's Cargo.toml.

use toml::{Table, Value};

/// A dependency as written, and where.
pub struct Dependency {
    /// The package, not the name it is given here.
    pub name: String,
    /// From 1.
    pub line: usize,
    /// Only for tests.
    pub dev: bool,
}

/// One package's Cargo.toml.
pub struct Manifest {
    /// Of the file, from the root.
    pub path: String,
    /// `crates/base`
    pub folder: String,
    /// As cargo knows it.
    pub name: String,
    pub dependencies: Vec<Dependency>,
    /// `[lints] workspace = true` is there.
    pub lints: bool,
}

impl Manifest {
    /// `None` for what is not the manifest of a package of this workspace.
    pub fn read(path: &str, text: &str) -> Option<Self> {
        let folder = path.strip_suffix("/Cargo.toml")?;
        if folder.split('/').count() > if folder.starts_with("crates/") { 2 } else { 1 } {
            return None;
        }
        let table: Table = text.parse().ok()?;
        let name = table.get("package")?.get("name")?.as_str()?.to_owned();
        let lints = table.get("lints").and_then(|lints| lints.get("workspace"))
            == Some(&Value::Boolean(true));
        let dependencies = dependencies(&table, text);
        Some(Self { path: path.to_owned(), folder: folder.to_owned(), name, dependencies, lints })
    }

    /// Is it a Rust file of this package?
    pub fn owns(&self, path: &str) -> bool {
        path.ends_with(".rs")
            && path.strip_prefix(&self.folder).is_some_and(|rest| rest.starts_with('/'))
    }
}

fn dependencies(table: &Table, text: &str) -> Vec<Dependency> {
    let targets = table.get("target").and_then(Value::as_table);
    let tables = targets.into_iter().flat_map(Table::values).filter_map(Value::as_table);
    let mut found = Vec::new();
    for table in tables.chain([table]) {
        for key in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let Some(listed) = table.get(key).and_then(Value::as_table) else { continue };
            for (name, value) in listed {
                let package = value.get("package").and_then(Value::as_str).unwrap_or(name);
                let (line, dev) = (line_of(text, key, name), key == "dev-dependencies");
                found.push(Dependency { name: package.to_owned(), line, dev });
            }
        }
    }
    found
}

/// Where `name` stands under `[…key]`; the first line if it is written in a way this does not know.
fn line_of(text: &str, key: &str, name: &str) -> usize {
    let mut inside = false;
    for (index, line) in text.lines().enumerate() {
        if let Some(head) = line.trim().strip_prefix('[').and_then(|head| head.strip_suffix(']')) {
            inside = head == key || head.ends_with(&format!(".{key}"));
            if head.ends_with(&format!("{key}.{name}")) {
                return index + 1;
            }
        }
        let rest = line.strip_prefix(name).unwrap_or_default();
        if inside && rest.starts_with(['.', ' ', '=']) {
            return index + 1;
        }
    }
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_have_their_package_and_line() {
        let text = "[package]\nname = \"a\"\n[dependencies]\nb = { package = \"c\" }\n\
                    [target.'cfg(unix)'.dev-dependencies]\nd.workspace = true\n";
        let manifest = Manifest::read("crates/a/Cargo.toml", text).expect("it is a package");
        let mut found: Vec<_> =
            manifest.dependencies.iter().map(|d| (d.name.as_str(), d.line, d.dev)).collect();
        found.sort_unstable();
        assert_eq!(found, [("c", 4, false), ("d", 6, true)]);
        assert!(!manifest.lints);
        assert!(Manifest::read("conformance/rust/Cargo.toml", text).is_none());
    }
}
