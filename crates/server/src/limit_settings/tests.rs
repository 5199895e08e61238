use super::*;
use std::{collections::BTreeSet, fs, path::Path};

/// Begins and ends the table in `docs/limits.md`.
const MARKS: (&str, &str) = ("<!-- limits -->\n", "<!-- /limits -->");

fn with(flag: &str, value: &str) -> Result<Limits, String> {
    resolve(LimitFlags::default().with(flag, value), FileLimits::default())
        .map_err(|error| error.to_string())
}

#[test]
fn each_limit_is_a_flag_a_variable_and_a_key_and_reaches_its_own_field() {
    let defaults = Limits::default();
    for (at, (row, names)) in ROWS.iter().zip(NAMES.iter()).enumerate() {
        let default = (row.get)(&defaults);
        assert!((row.least..=row.most).contains(&default), "{}", row.name);
        let other = if row.least == default { row.most } else { row.least };
        let mut changed = defaults.clone();
        (row.set)(&mut changed, other);
        assert_eq!((row.get)(&changed), other, "{}", row.name);
        let alike = ROWS.iter().filter(|row| (row.get)(&changed) != (row.get)(&defaults));
        assert_eq!(alike.map(|row| row.name).collect::<Vec<_>>(), [row.name]);
        let text = format!("{} = \"{}\"", names.key, row.kind.write(other));
        let file: FileLimits = toml::from_str(&text).expect("a known key");
        assert_eq!(file.0, BTreeMap::from([(at, row.kind.write(other))]));
        assert_eq!(row.read(&row.kind.write(other)), Ok(other), "{}", row.name);
    }
}

#[test]
fn values_have_units_and_a_wrong_one_says_what_is_right() {
    for (flag, value, field) in [
        ("limits-config-content", "512KiB", 512 * 1024),
        ("limits-head-timeout", "1500ms", 1_500),
        ("limits-head-timeout", "2m", 120_000),
        ("limits-linger-timeout", "0", 0),
        ("limits-calls", "7", 7),
    ] {
        let limits = with(flag, value).expect("valid");
        let row = ROWS.iter().find(|row| flag.ends_with(row.name)).expect("a row");
        assert_eq!((row.get)(&limits), field, "{flag}={value}");
    }
    for (flag, value, said) in [
        ("limits-config-content", "10", "units B, KiB, MiB, GiB"),
        ("limits-config-content", "11MiB", "from 1B to 10MiB"),
        ("limits-config-content", "99999999999GiB", "units B"),
        ("limits-head-timeout", "5", "units ms, s, m, h"),
        ("limits-calls", "many", "not a whole number"),
        ("limits-calls", "0", "from 1 to"),
        ("limits-connection-bodies", "1MiB", "the largest body (10MiB) must fit"),
        ("limits-bodies", "16MiB", "--limits-connection-bodies"),
        ("limits-config-body", "1MiB", "--limits-config-body"),
        ("limits-push-size", "1GiB", "--limits-push-size"),
    ] {
        let error = with(flag, value).expect_err("wrong");
        assert!(error.contains(said), "{flag}={value}: {error}");
    }
}

#[test]
fn every_limit_that_is_counted_can_be_set_or_is_said_to_be_fixed() {
    let set: BTreeSet<&str> =
        ROWS.iter().flat_map(|row| row.counted).map(|limit| limit.label()).collect();
    let document = fs::read_to_string(document()).expect("the document");
    for limit in Limit::ALL.iter().filter(|limit| !set.contains(limit.label())) {
        assert!(document.contains(&format!("`{}`", limit.label())), "{limit:?} is not mentioned");
    }
}

#[test]
fn the_document_says_what_the_table_says() {
    let text = fs::read_to_string(document()).expect("the document");
    let (before, rest) = text.split_once(MARKS.0).expect("a table begins");
    let (_, after) = rest.split_once(MARKS.1).expect("it ends");
    let whole = format!("{before}{}{}{}{after}", MARKS.0, table(), MARKS.1);
    // Writing the environment's wish here keeps the table and its document in one commit.
    if std::env::var_os("UPDATE_GOLDENFILES").is_some() {
        fs::write(document(), &whole).expect("the document can be written");
    } else {
        assert!(text == whole, "docs/limits.md is old: UPDATE_GOLDENFILES=1 writes it anew");
    }
}

#[test]
fn each_limit_names_a_test_that_exists() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crates");
    let mut sources = String::new();
    read_all(crates, &mut sources);
    for row in ROWS {
        assert!(sources.contains(&format!("fn {}(", row.test)), "{}: no {}", row.name, row.test);
    }
}

#[test]
fn each_attack_in_its_document_names_tests_that_exist() {
    let last_cell = |row: &str| row.trim_end_matches(" |").rsplit(" | ").next().map(str::to_owned);
    named_tests_exist("attacks.md", "| attack", last_cell, 40);
}

#[test]
fn each_fault_in_its_document_names_tests_that_exist() {
    named_tests_exist("faults.md", "| fault", |row| Some(row.to_owned()), 50);
}

/// Every row of a document's tables names tests, at least one, and all of them exist.
fn named_tests_exist(
    document: &str,
    head: &str,
    cell: impl Fn(&str) -> Option<String>,
    count_min: usize,
) {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crates");
    let mut sources = String::new();
    read_all(crates, &mut sources);
    let text = fs::read_to_string(crates.join("../docs").join(document)).expect("the document");
    let rows = text.lines().filter(|line| line.starts_with("| ") && !line.starts_with(head));
    let mut count = 0;
    for row in rows {
        let cell = cell(row).expect("cells");
        let tests: Vec<&str> = cell.split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty(), "no test: {row}");
        for test in tests {
            assert!(sources.contains(&format!("fn {test}(")), "there is no {test}: {row}");
            count += 1;
        }
    }
    assert!(count > count_min, "only {count} tests: is the table another one now?");
}

fn document() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/limits.md")
}

fn read_all(directory: &Path, sources: &mut String) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            read_all(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push_str(&fs::read_to_string(&path).expect("UTF-8"));
        }
    }
}

fn table() -> String {
    let defaults = Limits::default();
    let mut table = "| limit | setting | default | range | at the limit | counted as | test |\n\
                     |---|---|---|---|---|---|---|\n"
        .to_owned();
    for (row, names) in ROWS.iter().zip(NAMES.iter()) {
        let counted: Vec<String> =
            row.counted.iter().map(|limit| format!("`{}`", limit.label())).collect();
        let counted = if counted.is_empty() { "–".to_owned() } else { counted.join(", ") };
        let range = format!("{} – {}", row.kind.write(row.least), row.kind.write(row.most));
        table.push_str(&format!(
            "| {} | `{}` | {} | {range} | {} | {counted} | `{}` |\n",
            row.what,
            names.key,
            row.default(&defaults),
            row.answer,
            row.test
        ));
    }
    table
}
