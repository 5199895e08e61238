//! Everything that checks look at, read and parsed once.

use super::manifest::Manifest;
use super::module_tree;
use super::source::Source;
use std::collections::BTreeMap;

/// The repository as text, its packages and its Rust sources.
pub struct Workspace {
    /// Path from the root → text, of every tracked file.
    pub files: BTreeMap<String, String>,
    /// One per package of this workspace. The suites under `conformance` are other people's worlds.
    pub manifests: Vec<Manifest>,
    /// Rust files of these packages.
    pub sources: Vec<Source>,
    /// Rust files that no parser takes, with the reason and its line.
    pub unparsed: Vec<(String, usize, String)>,
    /// Files under a package's `src` that no `mod` reaches.
    pub dead: Vec<String>,
}

impl Workspace {
    pub fn new(files: BTreeMap<String, String>) -> Self {
        let manifests: Vec<Manifest> =
            files.iter().filter_map(|(path, text)| Manifest::read(path, text)).collect();
        let mut sources = Vec::new();
        let mut unparsed = Vec::new();
        for manifest in &manifests {
            for (path, text) in files.iter().filter(|(path, _)| manifest.owns(path)) {
                match Source::parse(path, text) {
                    Ok(source) => sources.push(source),
                    Err(error) => {
                        unparsed.push((path.clone(), error.span().start().line, error.to_string()))
                    }
                }
            }
        }
        let dead = module_tree::walk(&manifests, &mut sources);
        Self { files, manifests, sources, unparsed, dead }
    }
}
