//! The rules of the architecture, checked on the text of the code.

#![allow(clippy::unwrap_used, reason = "a test fails with a panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A file of the crate `shared`.
struct Source {
    /// The path below `shared/src`.
    path: String,
    text: String,
}

#[test]
fn every_entity_is_in_the_data_model() {
    let page = read(&root().join("shared/DATA-MODEL.md"));
    let is_documented = |entity: &str| page.contains(&format!(" `{entity}` |\n"));
    let (mut entities, mut fields) = (BTreeSet::new(), BTreeSet::new());
    for source in sources() {
        entities.extend(implementors(source.code(), " Entity for "));
        fields.extend(implementors(source.code(), "impl Fields for "));
    }
    // Implemented for all records: each is stored either as a record or as a row with more fields.
    assert!(entities.remove("Record<F>") && entities.len() > 25 && fields.len() > 5, "{entities:?} {fields:?}");
    let entities = entities.into_iter().filter(|entity| !is_documented(entity));
    let records = fields.into_iter().map(|fields| format!("Record<{fields}>"));
    let row = |record: &str| record.replace("Record<", "").replace('>', "Row");
    let records = records.filter(|record| !is_documented(record) && !is_documented(&row(record)));
    let missing: Vec<_> = entities.chain(records).collect();
    assert_eq!(missing, [""; 0], "entities without an access pattern");
}

#[test]
fn layers_only_use_layers_below_them() {
    let layers = layers();
    let place = |layer: &str| layers.iter().position(|known| known == layer);
    let mut violations = Vec::new();
    for source in sources().iter().filter(|source| source.path != "lib.rs") {
        let own = place(source.layer());
        for used in source.used_layers() {
            let allowed = own.zip(place(&used)).is_some_and(|(own, used)| used <= own);
            if !allowed {
                violations.push(format!("{} uses {used}", source.path));
            }
        }
    }
    assert_eq!(violations, [""; 0], "the layers, lowest first: {layers:?}");
}

/// The calls that make a scope.
///
/// Narrowing is not one of them: its result is inside of an existing scope.
const SCOPE_CONSTRUCTORS: [&str; 5] =
    ["PlatformScope::root", "ClientScope::of_prefix", "ClientScope::of_key", "home_scope(", ".scope()"];

/// The layers that have evidence for a scope.
///
/// Evidence is a verified token, a stored pointer, or the key of an item.
const LAYERS_WITH_EVIDENCE: [&str; 6] = ["identity", "table", "web", "jobs", "users", "widgets"];

#[test]
fn scopes_are_only_made_from_evidence() {
    let mut violations = Vec::new();
    let mut calls = 0;
    for source in sources() {
        for (number, line) in source.code().lines().enumerate() {
            let Some(call) = SCOPE_CONSTRUCTORS.iter().find(|call| line.contains(**call)) else { continue };
            calls += 1;
            if !LAYERS_WITH_EVIDENCE.contains(&source.layer()) {
                violations.push(format!("{}:{} {call}", source.path, number + 1));
            }
        }
    }
    assert!(calls > 5, "the constructors have other names now");
    assert_eq!(violations, [""; 0], "scopes that are made without evidence");
}

#[test]
fn functions_do_not_depend_on_each_other() {
    let functions = root().join("functions");
    let names: BTreeSet<_> = entries(&functions).iter().filter(|path| path.is_dir()).map(|path| name(path)).collect();
    assert!(names.contains("docs") && names.contains("jobs"), "{names:?}");
    let mut violations = Vec::new();
    // `docs` depends on all functions with routes.
    for function in names.iter().filter(|function| *function != "docs") {
        let dependencies = dependencies(&read(&functions.join(function).join("Cargo.toml")));
        assert!(dependencies.contains("shared"), "{function}: {dependencies:?}");
        violations.extend(dependencies.intersection(&names).map(|other| format!("{function} depends on {other}")));
    }
    assert_eq!(violations, [""; 0], "functions that depend on functions");
}

#[test]
fn jobs_function_depends_on_shared_and_the_runtime_alone() {
    let dependencies = dependencies(&read(&root().join("functions/jobs/Cargo.toml")));
    assert_eq!(dependencies, BTreeSet::from(["shared".to_owned(), "tokio".to_owned()]));
}

impl Source {
    /// The module below the root that the file belongs to.
    fn layer(&self) -> &str {
        let first = self.path.split('/').next().unwrap();
        first.strip_suffix(".rs").unwrap_or(first)
    }

    /// The layers named by paths from the root of the crate, whether through `crate` or through `super`.
    fn used_layers(&self) -> BTreeSet<String> {
        let mut used = first_names(&self.text, "crate::");
        let supers = "super::".repeat(self.depth());
        used.extend(first_names(self.code(), &supers));
        // A test module is one level deeper than its file.
        used.extend(first_names(&self.text, &format!("super::{supers}")));
        used.remove("super");
        used
    }

    /// How many times `super` leads from the module of this file to the root of the crate.
    fn depth(&self) -> usize {
        let folders = self.path.matches('/').count();
        folders + usize::from(!self.path.ends_with("/mod.rs"))
    }

    /// The text without test modules.
    fn code(&self) -> &str {
        let is_test = self.path.ends_with("/data_model.rs") || self.path.contains("/tests/");
        let end = if is_test { Some(0) } else { self.text.find("#[cfg(test)]\nmod tests {") };
        &self.text[..end.unwrap_or(self.text.len())]
    }
}

/// The layers in the order of `lib.rs`, lowest first.
fn layers() -> Vec<String> {
    let lib = read(&root().join("shared/src/lib.rs"));
    let layers: Vec<_> =
        lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).map(str::to_owned).collect();
    assert!(layers.starts_with(&["value".to_owned()]) && layers.len() > 10, "{layers:?}");
    layers
}

/// The types that implement a trait, by the text between `impl` and the type.
fn implementors(code: &str, trait_for: &str) -> BTreeSet<String> {
    let lines = code.lines().filter(|line| line.starts_with("impl"));
    let types = lines.filter_map(|line| Some(line.split_once(trait_for)?.1.split_once(" {")?.0.to_owned()));
    types.collect()
}

/// The first names of all paths that start with this text.
fn first_names(text: &str, start: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for (at, _) in text.match_indices(start) {
        let path = &text[at + start.len()..];
        match path.strip_prefix('{') {
            Some(group) => used.extend(members(group)),
            None => used.extend(identifier(path)),
        }
    }
    used
}

/// The first names of the members of a group, without its opening brace.
fn members(group: &str) -> Vec<String> {
    let mut depth = 1;
    let mut starts = vec![0];
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => starts.push(at + 1),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    starts.into_iter().filter_map(|start| identifier(group[start..].trim_start())).collect()
}

fn identifier(text: &str) -> Option<String> {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    (end > 0).then(|| text[..end].to_owned())
}

/// The names of all dependencies of a manifest.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut is_dependencies = false;
    for line in manifest.lines() {
        if let Some(section) = line.strip_prefix('[') {
            is_dependencies = section.trim_end_matches(']').ends_with("dependencies");
        } else if is_dependencies {
            names.extend(line.split(['.', ' ', '=']).next().filter(|name| !name.is_empty()).map(str::to_owned));
        }
    }
    names
}

/// All files of the crate.
fn sources() -> Vec<Source> {
    let src = root().join("shared/src");
    let mut sources = Vec::new();
    let mut folders = vec![src.clone()];
    while let Some(folder) = folders.pop() {
        for path in entries(&folder) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let relative = path.strip_prefix(&src).unwrap().to_str().unwrap().to_owned();
                sources.push(Source { path: relative, text: read(&path) });
            }
        }
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The root of the workspace.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}
