//! The form of a request: what can be refused without looking at the state.

use crate::{Author, ConfigKey, Details, GrayName, GrayRule, Refusal};
use std::sync::Arc;

/// The longest content, in bytes: 10 MiB, as in Nacos. A setting may be less, not more: entries of the log have a limit, too.
pub const CONTENT_BYTES_MAX: usize = 10 << 20;
/// The content types that Nacos knows. Anything else is stored as `text`.
pub const CONTENT_TYPES: [&str; 8] =
    ["properties", "xml", "json", "text", "html", "yaml", "toml", "unset"];

/// Characters of the tag of a gray version.
pub const GRAY_TAG_CHARS_MAX: usize = 16;
/// Characters of the addresses of a beta version.
pub const BETA_ADDRESSES_CHARS_MAX: usize = 32_768;

/// How many tags a config may have.
const TAGS_MAX: usize = 5;
/// Characters of one tag.
const TAG_CHARS_MAX: usize = 64;
/// Characters of an encrypted data key: eight times what Nacos's table holds.
const ENCRYPTED_DATA_KEY_CHARS_MAX: usize = 8192;

pub(crate) fn content(content: &str, bytes_max: usize) -> Result<(), Refusal> {
    if content.trim().is_empty() {
        return Err(Refusal::ContentBlank);
    }
    if content.len() > bytes_max {
        return Err(Refusal::ContentTooLarge { bytes: content.len(), bytes_max });
    }
    Ok(())
}

pub(crate) fn key(key: &ConfigKey) -> Result<(), Refusal> {
    let ConfigKey { namespace, group, data_id } = key;
    no_longer_than("tenant", namespace, 128)?;
    no_longer_than("group", group, 128)?;
    no_longer_than("dataId", data_id, 256)
}

pub(crate) fn author(author: &Author) -> Result<(), Refusal> {
    let Author { user, address } = author;
    no_longer_than("src_user", user, 128)?;
    no_longer_than("src_ip", address, 128)
}

pub(crate) fn gray_rule(rule: &GrayRule) -> Result<(), Refusal> {
    match rule {
        GrayRule::Beta(addresses) if addresses.trim().is_empty() => Err(Refusal::AddressesBlank),
        GrayRule::Beta(addresses) => no_longer_than("betaIps", addresses, BETA_ADDRESSES_CHARS_MAX),
        GrayRule::Tag(_) => gray_name(&rule.name()),
    }
}

pub(crate) fn gray_name(name: &GrayName) -> Result<(), Refusal> {
    let GrayName::Tag(tag) = name else { return Ok(()) };
    if tag.is_empty() || !tag.chars().all(|c| c.is_alphanumeric() || "_-.:".contains(c)) {
        return Err(Refusal::TagIllegal);
    }
    no_longer_than("tag", tag, GRAY_TAG_CHARS_MAX)
}

/// Checks the lengths and puts the content type in order.
pub(crate) fn details(details: Details) -> Result<Details, Refusal> {
    let Details {
        content_type,
        encrypted_data_key,
        app_name,
        description,
        tags,
        usage,
        effect,
        schema,
    } = &details;
    no_longer_than("encryptedDataKey", encrypted_data_key, ENCRYPTED_DATA_KEY_CHARS_MAX)?;
    no_longer_than("appName", app_name, 128)?;
    no_longer_than("desc", description, 128)?;
    no_longer_than("use", usage, 32)?;
    no_longer_than("effect", effect, 32)?;
    no_longer_than("schema", schema, 32_768)?;
    if tags.split(',').count() > TAGS_MAX {
        return Err(Refusal::TooManyTags { limit: TAGS_MAX });
    }
    tags.split(',').try_for_each(|tag| no_longer_than("config_tags", tag, TAG_CHARS_MAX))?;
    let content_type = if CONTENT_TYPES.contains(&content_type.as_ref()) {
        Arc::clone(content_type)
    } else {
        Arc::from("text")
    };
    Ok(Details { content_type, ..details })
}

fn no_longer_than(what: &'static str, text: &str, limit: usize) -> Result<(), Refusal> {
    // A text has at most as many characters as bytes: most are decided without counting.
    if text.len() > limit && text.chars().count() > limit {
        return Err(Refusal::DetailTooLong { what, limit });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_at_the_limit_pass_and_one_more_does_not() {
        let with = |set: fn(&mut Details, Arc<str>), text: String| {
            let mut all = Details::default();
            set(&mut all, text.into());
            details(all).err()
        };
        type Set = fn(&mut Details, Arc<str>);
        let table: [(&str, usize, Set); 7] = [
            ("encryptedDataKey", 8192, |d, t| d.encrypted_data_key = t),
            ("appName", 128, |d, t| d.app_name = t),
            ("desc", 128, |d, t| d.description = t),
            ("use", 32, |d, t| d.usage = t),
            ("effect", 32, |d, t| d.effect = t),
            ("schema", 32_768, |d, t| d.schema = t),
            ("config_tags", 64, |d, t| d.tags = t),
        ];
        for (what, limit, set) in table {
            assert_eq!(with(set, "ü".repeat(limit)), None, "{what}: characters count, not bytes");
            let refusal = Some(Refusal::DetailTooLong { what, limit });
            assert_eq!(with(set, "ü".repeat(limit + 1)), refusal);
        }
        assert_eq!(with(|d, t| d.tags = t, "a,b,c,d,e".into()), None);
        let refusal = Some(Refusal::TooManyTags { limit: 5 });
        assert_eq!(with(|d, t| d.tags = t, "a,b,c,d,e,f".into()), refusal);
    }

    #[test]
    fn an_unknown_content_type_becomes_text() {
        for (given, stored) in
            [("yaml", "yaml"), ("", "text"), ("exe", "text"), ("YAML", "text"), ("unset", "unset")]
        {
            let given = Details { content_type: given.into(), ..Details::default() };
            assert_eq!(details(given).expect("short").content_type.as_ref(), stored);
        }
    }

    #[test]
    fn content_is_neither_blank_nor_over_the_limit() {
        let bytes_max = 100;
        assert_eq!(content("", bytes_max), Err(Refusal::ContentBlank));
        assert_eq!(content(" \n\t", bytes_max), Err(Refusal::ContentBlank));
        assert_eq!(content(&"x".repeat(bytes_max), bytes_max), Ok(()));
        let (bytes, too_long) = (bytes_max + 1, "x".repeat(bytes_max + 1));
        let refusal = Refusal::ContentTooLarge { bytes, bytes_max };
        assert_eq!(content(&too_long, bytes_max), Err(refusal));
    }
}
