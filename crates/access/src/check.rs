//! The form of a change: what can be refused without looking at the state.

use crate::{Change, Namespace, PUBLIC_NAMESPACE, Permission};

/// Bytes of the key that signs tokens: what HMAC-SHA256 gives.
pub const TOKEN_KEY_BYTES: usize = 32;

const NAME_CHARS_MAX: usize = 64;
const NAMESPACE_NAME_CHARS_MAX: usize = 256;
const DESCRIPTION_CHARS_MAX: usize = 1024;
/// Longer patterns are refused: matching takes pattern × name steps at worst.
const PATTERN_CHARS_MAX: usize = 1024;

pub(crate) fn change(change: &Change) -> Result<(), String> {
    match change {
        Change::Initialize { token_key, password_hash } => {
            let bytes = token_key.expose().len();
            if bytes != TOKEN_KEY_BYTES {
                return Err(format!(
                    "token key: {bytes} bytes, {TOKEN_KEY_BYTES} random ones are needed"
                ));
            }
            password_hash.as_deref().map_or(Ok(()), bcrypt)
        }
        Change::CreateAdministrator { password_hash } => bcrypt(password_hash),
        Change::CreateUser { name, password_hash }
        | Change::SetPassword { name, password_hash } => {
            user(name)?;
            bcrypt(password_hash)
        }
        Change::RemoveUser { name } => user(name),
        Change::Grant { user: name, role: given } => {
            user(name)?;
            role(given)
        }
        Change::Revoke { user: name, role: taken } => {
            name.as_deref().map_or(Ok(()), user)?;
            role(taken)
        }
        Change::Permit { role: of, permission: right } => {
            role(of)?;
            permission(right)
        }
        // What can be stored can be taken back, even if it was stored under older rules.
        Change::Forbid { role: of, permission: _ } => role(of),
        Change::CreateNamespace { id, namespace: content }
        | Change::UpdateNamespace { id, namespace: content } => {
            namespace_id(id)?;
            namespace(content)
        }
        Change::RemoveNamespace { id } => namespace_id(id),
    }
}

fn user(name: &str) -> Result<(), String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._@-".contains(&byte);
    if name.is_empty() || name.len() > NAME_CHARS_MAX || !name.bytes().all(allowed) {
        return Err(format!(
            "user name {}: 1 to {NAME_CHARS_MAX} characters of [0-9A-Za-z._@-] are allowed",
            shown(name)
        ));
    }
    Ok(())
}

fn role(name: &str) -> Result<(), String> {
    let strange = |c: char| c.is_control() || c.is_whitespace();
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || name.contains(strange) {
        return Err(format!(
            "role {}: 1 to {NAME_CHARS_MAX} characters without spaces are allowed",
            shown(name)
        ));
    }
    Ok(())
}

fn permission(permission: &Permission) -> Result<(), String> {
    let Permission { resource, action } = permission;
    let too_long = resource.chars().count() > PATTERN_CHARS_MAX;
    if resource.is_empty() || too_long || resource.contains(char::is_control) {
        return Err(format!(
            "resource {}: 1 to {PATTERN_CHARS_MAX} characters, as in `public:*:*`, are allowed",
            shown(resource)
        ));
    }
    if !["r", "w", "rw"].contains(&action.as_ref()) {
        return Err(format!("action {}: r, w or rw is allowed", shown(action)));
    }
    Ok(())
}

/// A bcrypt hash that can be checked without panic and in bounded time: hashes come from imports, too, and one of
/// cost 31 would keep a core busy for days.
fn bcrypt(hash: &str) -> Result<(), String> {
    // The hash itself stays out of the message.
    let wrong = |why: &str| Err(format!("password hash: {why}; a bcrypt hash is needed"));
    let [b'$', b'2', variant, b'$', tens, ones, b'$', rest @ ..] = hash.as_bytes() else {
        return wrong("it does not begin with $2b$ and a cost");
    };
    if !b"aby".contains(variant) {
        return wrong("only the variants 2a, 2b and 2y are allowed");
    }
    if !tens.is_ascii_digit() || !ones.is_ascii_digit() {
        return wrong("the cost is not a number");
    }
    let cost = (tens - b'0') * 10 + (ones - b'0');
    if !(4..=14).contains(&cost) {
        return wrong("the cost is not between 4 and 14");
    }
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"./".contains(byte);
    if rest.len() != 53 || !rest.iter().all(allowed) {
        return wrong("it is not 60 characters of bcrypt's alphabet");
    }
    Ok(())
}

fn namespace_id(id: &str) -> Result<(), String> {
    if id == PUBLIC_NAMESPACE {
        return Err(format!("namespace {id}: it always exists and cannot be changed"));
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    if id.is_empty() || id.len() > NAME_CHARS_MAX || !id.bytes().all(allowed) {
        return Err(format!(
            "namespace {}: 1 to {NAME_CHARS_MAX} characters of [0-9A-Za-z_-] are allowed",
            shown(id)
        ));
    }
    Ok(())
}

fn namespace(namespace: &Namespace) -> Result<(), String> {
    let Namespace { name, description } = namespace;
    if name.trim().is_empty() || name.chars().count() > NAMESPACE_NAME_CHARS_MAX {
        return Err(format!(
            "namespace name {}: 1 to {NAMESPACE_NAME_CHARS_MAX} characters are allowed",
            shown(name)
        ));
    }
    if description.chars().count() > DESCRIPTION_CHARS_MAX {
        return Err(format!(
            "namespace description: at most {DESCRIPTION_CHARS_MAX} characters are allowed"
        ));
    }
    Ok(())
}

/// Foreign text in a message: short and without control characters.
fn shown(text: &str) -> String {
    let start: String = text.chars().take(NAME_CHARS_MAX).collect();
    let more = if start.len() < text.len() { "…" } else { "" };
    format!("{start:?}{more}")
}
