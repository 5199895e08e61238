//! A form with files (`multipart/form-data`, RFC 7578), as browsers and `curl -F` send it.

use crate::fault::Fault;
use bytes::Bytes;

/// Parts of one body.
pub(crate) const PARTS_MAX: usize = 16;
/// Characters of a boundary, by RFC 2046.
const BOUNDARY_CHARS_MAX: usize = 70;
/// Bytes before the content of a part.
const PART_HEAD_BYTES_MAX: usize = 8 << 10;

/// One field of the form.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) content: Bytes,
}

fn malformed(why: &str) -> Fault {
    Fault::caused(format!("the form cannot be read: {why}"))
}

/// Reads a body of this content type.
pub(crate) fn read(content_type: &str, body: &Bytes) -> Result<Vec<Part>, Fault> {
    let boundary = boundary(content_type).ok_or_else(|| malformed("it names no boundary"))?;
    let opening = format!("--{boundary}").into_bytes();
    let delimiter = [b"\r\n", &opening[..]].concat();
    if !body.starts_with(&opening) {
        return Err(malformed("it does not begin with its boundary"));
    }
    let (mut parts, mut at) = (Vec::new(), opening.len());
    loop {
        let rest = &body[at..];
        if rest.starts_with(b"--") {
            return Ok(parts);
        }
        if parts.len() >= PARTS_MAX {
            return Err(malformed("it has too many parts"));
        }
        let head = rest.strip_prefix(b"\r\n").ok_or_else(|| malformed("a boundary goes on"))?;
        let head_at = at + 2;
        let cut = head.len().min(PART_HEAD_BYTES_MAX);
        // A part without headers has no name, and ends here, too.
        let blank =
            find(&head[..cut], b"\r\n\r\n").ok_or_else(|| malformed("a part has no head"))?;
        let content_at = head_at + blank + 4;
        let content = &body[content_at..];
        let end = find(content, &delimiter).ok_or_else(|| malformed("a part has no end"))?;
        let name = name(&head[..blank]).ok_or_else(|| malformed("a part has no name"))?;
        parts.push(Part { name, content: body.slice(content_at..content_at + end) });
        at = content_at + end + delimiter.len();
    }
}

/// Where `wanted`, which begins with `\r` and has no second one in front of its end, is: linear in the text.
fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + text[from..].iter().position(|byte| *byte == b'\r')?;
        if text[at..].starts_with(wanted) {
            return Some(at);
        }
        from = at + 1;
    }
}

fn boundary(content_type: &str) -> Option<&str> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let boundary = parameter(parameters, "boundary")?;
    (!boundary.is_empty() && boundary.len() <= BOUNDARY_CHARS_MAX).then_some(boundary)
}

/// The field's name in `Content-Disposition: form-data; name="…"`.
fn name(head: &[u8]) -> Option<String> {
    let head = std::str::from_utf8(head).ok()?;
    head.split("\r\n").find_map(|line| {
        let (header, value) = line.split_once(':')?;
        let (kind, parameters) = value.split_once(';')?;
        (header.trim().eq_ignore_ascii_case("content-disposition")
            && kind.trim().eq_ignore_ascii_case("form-data"))
        .then_some(())?;
        parameter(parameters, "name").map(str::to_owned)
    })
}

/// One of `a=1; b="2; 3"`.
fn parameter<'a>(mut text: &'a str, name: &str) -> Option<&'a str> {
    loop {
        let (key, rest) = text.split_once('=')?;
        let rest = rest.trim_start();
        let (value, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => rest.split_at(rest.find(';').unwrap_or(rest.len())),
        };
        if key.trim().trim_start_matches(';').trim().eq_ignore_ascii_case(name) {
            return Some(value.trim());
        }
        text = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: &str = "multipart/form-data; boundary=----x";

    #[test]
    fn fields_and_files_come_out_as_they_were_sent() {
        let body = b"------x\r\nContent-Disposition: form-data; name=\"policy\"\r\n\r\nSKIP\r\n\
            ------x\r\ncontent-type: application/zip\r\ncontent-disposition: form-data; filename=\"a;name=b.zip\"; name=file\r\n\r\n\
            PK\r\n--\r\n----\r\n------x--\r\n";
        let parts = read(KIND, &Bytes::from_static(body)).unwrap();
        let shown: Vec<(&str, &[u8])> = parts.iter().map(|p| (&*p.name, &p.content[..])).collect();
        assert_eq!(shown, [("policy", &b"SKIP"[..]), ("file", b"PK\r\n--\r\n----")]);
        let quoted = "Multipart/Form-Data; charset=x; Boundary=\"----x\"";
        assert_eq!(read(quoted, &Bytes::from_static(body)).unwrap(), parts);
        assert_eq!(read(KIND, &Bytes::from_static(b"------x--")).unwrap(), []);
    }

    #[test]
    fn what_is_no_form_is_refused() {
        let part = "------x\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n";
        for (kind, body) in [
            ("application/json", format!("{part}------x--")),
            ("multipart/form-data", format!("{part}------x--")),
            ("multipart/form-data; boundary=", format!("{part}------x--")),
            (KIND, String::new()),
            (KIND, part.to_owned()),
            (KIND, format!(" {part}------x--")),
            (KIND, "------xy\r\n".to_owned()),
            (KIND, "------x\r\n\r\n1\r\n------x--".to_owned()),
            (KIND, "------x\r\nContent-Disposition: form-data\r\n\r\n1\r\n------x--".to_owned()),
            (KIND, format!("{}------x--", part.repeat(PARTS_MAX + 1))),
            (KIND, format!("------x\r\n{}\r\n\r\n------x--", "a".repeat(PART_HEAD_BYTES_MAX))),
        ] {
            assert!(read(kind, &body.clone().into()).is_err(), "{kind} {body}");
        }
        let long = format!("multipart/form-data; boundary={}", "b".repeat(71));
        assert!(read(&long, &format!("--{}--", "b".repeat(71)).into()).is_err());
    }
}
