//! What an archive of configs says of them besides their contents: `.metadata.yml`, and `.meta.yml` of older ones.
//!
//! Both are read by the line, in the one form in which Nacos writes them: a list of flat maps of texts. There is no anchor,
//! alias, tag, nesting or document in it, so none is read, and nothing can grow. What else YAML knows is refused.

use config::Entry;
use std::{collections::BTreeMap, sync::Arc};

/// The file's name, and that of older archives.
pub(crate) const METADATA: &str = ".metadata.yml";
pub(crate) const OLD_METADATA: &str = ".meta.yml";

/// What is said of one config, by Nacos's names.
pub(crate) type Described = BTreeMap<String, String>;

/// Writes it. The key of an encrypted config is not among what Nacos writes there; it reads past it, and without it the
/// content would be lost.
pub(crate) fn write(entries: &[Arc<Entry>]) -> String {
    let mut text = String::from("metadata:\n");
    for entry in entries {
        let (key, details) = (&entry.key, &entry.details);
        let lines = [
            ("appName", &details.app_name),
            ("configTags", &details.tags),
            ("dataId", &key.data_id),
            ("desc", &details.description),
            ("encryptedDataKey", &details.encrypted_data_key),
            ("group", &key.group),
            ("type", &details.content_type),
        ];
        let said = lines.into_iter().filter(|(_, value)| !value.is_empty());
        for (number, (name, value)) in said.enumerate() {
            text.push_str(if number == 0 { "- " } else { "  " });
            text.push_str(&format!("{name}: {}\n", quoted(value)));
        }
    }
    text
}

/// JSON's texts are YAML's, but for control characters that JSON leaves as they are.
fn quoted(value: &str) -> String {
    let json = serde_json::Value::from(value).to_string();
    let escaped = |c: char| match c {
        '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' => {
            format!("\\u{:04x}", u32::from(c))
        }
        c => c.to_string(),
    };
    json.chars().map(escaped).collect()
}

/// Reads it; `None` when it has another form.
pub(crate) fn read(text: &str) -> Option<Vec<Described>> {
    let mut lines = Lines { left: text.strip_prefix('\u{feff}').unwrap_or(text) };
    let mut first = lines.next_said()?;
    if first.trim_end() == "---" {
        first = lines.next_said()?;
    }
    if first.trim_end() != "metadata:" {
        return None;
    }
    let (mut all, mut own_indent): (Vec<Described>, usize) = (Vec::new(), 0);
    while let Some(line) = lines.next_said() {
        let indent = line.len() - line.trim_start_matches(' ').len();
        let mut rest = &line[indent..];
        if let Some(begun) = rest.strip_prefix("- ") {
            let deeper = begun.len() - begun.trim_start_matches(' ').len();
            own_indent = indent + 2 + deeper;
            rest = &begun[deeper..];
            all.push(Described::new());
        } else if indent != own_indent || indent == 0 {
            return None;
        }
        let (name, value) = rest.split_once(':')?;
        let plain_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric());
        if !plain_name || !(value.is_empty() || value.starts_with(' ')) {
            return None;
        }
        let value = scalar(value.trim(), own_indent, &mut lines)?;
        if all.last_mut()?.insert(name.to_owned(), value).is_some() {
            return None;
        }
    }
    Some(all)
}

/// Reads the older form: lines `group.dataId.app=name`, by what is before the `=`.
pub(crate) fn read_old(text: &str) -> Option<BTreeMap<String, String>> {
    let lines = text.split(['\r', '\n']).map(str::trim).filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let (name, value) = line.split_once('=')?;
            (!name.is_empty() && !value.is_empty() && !value.contains('='))
                .then(|| (name.to_owned(), value.to_owned()))
        })
        .collect()
}

/// Writes the older form: of applications alone.
pub(crate) fn write_old(entries: &[Arc<Entry>]) -> String {
    let owned = entries.iter().filter(|entry| !entry.details.app_name.is_empty());
    let line = |entry: &Arc<Entry>| {
        let name = old_name(&entry.key.group, &entry.key.data_id);
        format!("{name}={}\r\n", entry.details.app_name)
    };
    owned.map(line).collect()
}

/// How the older form names the application of a config: the last dot of the data id is a `~`.
pub(crate) fn old_name(group: &str, data_id: &str) -> String {
    let data_id = match data_id.rsplit_once('.') {
        Some((front, end)) => format!("{front}~{end}"),
        None => data_id.to_owned(),
    };
    format!("{group}.{data_id}.app")
}

struct Lines<'a> {
    left: &'a str,
}

impl<'a> Lines<'a> {
    fn next(&mut self) -> Option<&'a str> {
        if self.left.is_empty() {
            return None;
        }
        let (line, left) = self.left.split_once('\n').unwrap_or((self.left, ""));
        self.left = left;
        Some(line.strip_suffix('\r').unwrap_or(line))
    }

    /// The next line that is not blank.
    fn next_said(&mut self) -> Option<&'a str> {
        loop {
            let line = self.next()?;
            if !line.trim().is_empty() {
                return Some(line);
            }
        }
    }

    /// The next line if it goes on with a text of a name at this indent.
    fn next_deeper(&mut self, indent: usize) -> Option<&'a str> {
        let line = self.left.split('\n').next()?;
        let own = line.len() - line.trim_start_matches(' ').len();
        if own <= indent || line.trim().is_empty() { None } else { self.next() }
    }
}

fn scalar(text: &str, indent: usize, lines: &mut Lines<'_>) -> Option<String> {
    match text.chars().next() {
        None => Some(String::new()),
        Some(quote @ ('"' | '\'')) => quoted_scalar(&text[1..], quote, lines),
        Some(c) if "&*!|>[]{}%@`#?,".contains(c) || text.starts_with("- ") => None,
        Some(_) => {
            let mut value = text.to_owned();
            while let Some(more) = lines.next_deeper(indent) {
                value.push(' ');
                value.push_str(more.trim());
            }
            let special = value.contains(": ") || value.contains(" #") || value.ends_with(':');
            if special {
                return None;
            }
            Some(if ["null", "~"].contains(&&*value) { String::new() } else { value })
        }
    }
}

/// A quoted text from behind its first quote. Its line breaks fold: one is a blank, of more the first is none.
fn quoted_scalar(first: &str, quote: char, lines: &mut Lines<'_>) -> Option<String> {
    let (mut value, mut line) = (String::new(), first);
    loop {
        let (mut chars, mut joined) = (line.chars(), false);
        while let Some(c) = chars.next() {
            if c == quote {
                if quote == '\'' && chars.as_str().starts_with('\'') {
                    chars.next();
                    value.push('\'');
                    continue;
                }
                return chars.as_str().trim().is_empty().then_some(value);
            }
            if quote == '"' && c == '\\' {
                if chars.as_str().is_empty() {
                    joined = true;
                    break;
                }
                value.push(escaped(&mut chars)?);
            } else {
                value.push(c);
            }
        }
        let mut blank_lines = 0;
        line = loop {
            let next = lines.next()?.trim_start();
            if !next.is_empty() {
                break next;
            }
            blank_lines += 1;
        };
        if !joined {
            value.truncate(value.trim_end_matches([' ', '\t']).len());
        }
        match blank_lines {
            0 if joined => {}
            0 => value.push(' '),
            count => value.push_str(&"\n".repeat(count)),
        }
    }
}

fn escaped(chars: &mut std::str::Chars<'_>) -> Option<char> {
    let c = chars.next()?;
    let digits = match c {
        'x' => 2,
        'u' => 4,
        'U' => 8,
        _ => {
            return Some(match c {
                '0' => '\0',
                'a' => '\u{7}',
                'b' => '\u{8}',
                't' | '\t' => '\t',
                'n' => '\n',
                'v' => '\u{b}',
                'f' => '\u{c}',
                'r' => '\r',
                'e' => '\u{1b}',
                ' ' => ' ',
                '"' => '"',
                '/' => '/',
                '\\' => '\\',
                'N' => '\u{85}',
                '_' => '\u{a0}',
                'L' => '\u{2028}',
                'P' => '\u{2029}',
                _ => return None,
            });
        }
    };
    let text = chars.as_str().get(..digits)?;
    *chars = chars.as_str()[digits..].chars();
    text.chars().all(|c| c.is_ascii_hexdigit()).then_some(())?;
    u32::from_str_radix(text, 16).ok().and_then(char::from_u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn described(pairs: &[(&str, &str)]) -> Described {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    /// As the library that Nacos uses writes it: sorted names, no indent before the dash, long texts folded.
    #[test]
    fn what_nacos_writes_is_read() {
        let text = "metadata:\n- appName: app\n  configTags: a,b\n  dataId: fx.yaml\n  desc: 'it''s: a\n    long text'\n  \
            group: DEFAULT_GROUP\n  type: yaml\n- dataId: \"q\\\"\\n\\u503c\\\n    \\ x\"\n  desc: a plain one\n    that goes on\n  \
            group: G\n  appName: null\n  type: ''\n- dataId: n\n  desc: 'a\n\n    b'\n  group: 12\n  type: text\n";
        let expected = [
            described(&[
                ("appName", "app"),
                ("configTags", "a,b"),
                ("dataId", "fx.yaml"),
                ("desc", "it's: a long text"),
                ("group", "DEFAULT_GROUP"),
                ("type", "yaml"),
            ]),
            described(&[
                ("dataId", "q\"\n值 x"),
                ("desc", "a plain one that goes on"),
                ("group", "G"),
                ("appName", ""),
                ("type", ""),
            ]),
            described(&[("dataId", "n"), ("desc", "a\nb"), ("group", "12"), ("type", "text")]),
        ];
        assert_eq!(read(text).unwrap(), expected);
        assert_eq!(read(&text.replace('\n', "\r\n")).unwrap(), expected);
        let indented = "---\nmetadata:\n\n  - dataId: a\n    group: G\n";
        assert_eq!(read(indented).unwrap(), [described(&[("dataId", "a"), ("group", "G")])]);
    }

    /// Nine lists of nine aliases each would be 9⁹ texts: no alias is read at all.
    #[test]
    fn a_billion_laughs_are_no_metadata() {
        let mut bomb = "a: &a [lol,lol,lol,lol,lol,lol,lol,lol,lol]\n".to_owned();
        for (name, before) in ('b'..='i').zip('a'..) {
            let aliases = vec![format!("*{before}"); 9].join(",");
            bomb.push_str(&format!("{name}: &{name} [{aliases}]\n"));
        }
        assert_eq!(read(&bomb), None);
        assert_eq!(read(&format!("{bomb}metadata: *i\n")), None);
        for text in [
            "",
            "metadata",
            "metadata: []",
            "metadata:\n- dataId: &a x\n",
            "metadata:\n- dataId: *a\n",
            "metadata:\n- *a\n",
            "metadata:\n- <<: *a\n",
            "metadata:\n- !!java.net.URL [x]\n",
            "metadata:\n- dataId: !!str x\n",
            "metadata:\n- dataId: [a]\n",
            "metadata:\n- dataId: {a: b}\n",
            "metadata:\n- dataId: |\n    x\n",
            "metadata:\n- dataId:\n    deeper: x\n",
            "metadata:\n- dataId: a\n  dataId: b\n",
            "metadata:\n- dataId: 'open\n",
            "metadata:\n- dataId: \"\\q\"\n",
            "metadata:\n- dataId: \"\\ud800\"\n",
            "metadata:\n- dataId: 'a' b\n",
            "metadata:\n- dataId: a: b\n",
            "metadata:\n- dataId: a\n group: G\n",
            "metadata:\n  dataId: a\n",
            "metadata:\n-\tdataId: a\n",
            "other:\n- dataId: a\n",
            "!!com.x.Y\nmetadata:\n- dataId: a\n",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(read(&format!("metadata:\n- {}", "[".repeat(100_000))), None);
    }

    #[test]
    fn the_older_form_names_applications() {
        let read = read_old("G.fx~yaml.app=shop\r\nG.plain.app=other\n").unwrap();
        assert_eq!(read[&old_name("G", "fx.yaml")], "shop");
        assert_eq!(read[&old_name("G", "plain")], "other");
        assert_eq!(old_name("G", "a.b.yaml"), "G.a.b~yaml.app");
        for text in ["x", "x=", "=x", "a=b=c"] {
            assert_eq!(read_old(text), None, "{text}");
        }
        assert_eq!(read_old("").unwrap().len(), 0);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(texts in proptest::collection::vec((any::<String>(), any::<String>()), 0..4)) {
            let entry = |(number, (app, description)): (usize, &(String, String))| {
                let details = config::Details {
                    app_name: app.as_str().into(),
                    description: description.as_str().into(),
                    content_type: "yaml".into(),
                    ..config::Details::default()
                };
                let key = config::ConfigKey {
                    namespace: "public".into(),
                    group: "G".into(),
                    data_id: number.to_string().into(),
                };
                let zero = base::Revision(0);
                let none = Arc::from("");
                Arc::new(Entry {
                    key, content: Arc::clone(&none), md5: none, details, revision: zero, created: zero,
                    created_ms: 0, modified_ms: 0, author: config::Author::default(),
                })
            };
            let entries: Vec<Arc<Entry>> = texts.iter().enumerate().map(entry).collect();
            let read = read(&write(&entries)).expect("our own form");
            prop_assert_eq!(read.len(), entries.len());
            for (described, entry) in read.iter().zip(&entries) {
                let said = |name: &str| described.get(name).map_or("", String::as_str);
                prop_assert_eq!(said("appName"), &*entry.details.app_name);
                prop_assert_eq!(said("desc"), &*entry.details.description);
                prop_assert_eq!(said("dataId"), &*entry.key.data_id);
            }
        }

        #[test]
        fn junk_never_panics(text in any::<String>(), lines in "(metadata:\n)?([ -]{0,3}[a-z]{0,2}:? ?['\"\\\\a-z]{0,4}\n){0,8}") {
            let _ = read(&text);
            let _ = read(&lines);
            let _ = read_old(&text);
        }
    }
}
