//! Keys of state tables that sort bytewise as their parts sort, whatever bytes the parts contain.

use alloc::vec::Vec;

const END: [u8; 2] = [0, 1];
const ZERO: [u8; 2] = [0, 0xff];

/// Appends one part to a key. No encoded part is a prefix of another, so `("a", "bc")` and `("ab", "c")` differ, and
/// keys sort as the tuples of their parts do. A zero byte becomes `00 ff`, the end is `00 01`.
pub fn push_part(key: &mut Vec<u8>, part: &str) {
    for &byte in part.as_bytes() {
        if byte == 0 {
            key.extend_from_slice(&ZERO);
        } else {
            key.push(byte);
        }
    }
    key.extend_from_slice(&END);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(parts: [&str; 2]) -> Vec<u8> {
        let mut key = Vec::new();
        for part in parts {
            push_part(&mut key, part);
        }
        key
    }

    #[test]
    fn keys_sort_as_their_parts_do() {
        let texts =
            ["", "\0", "\0\u{1}", "\u{1}", "a", "a\0", "a\0b", "a\u{1}", "ab", "b", "\u{ff}"];
        for left in texts.iter().flat_map(|a| texts.map(|b| [*a, b])) {
            for right in texts.iter().flat_map(|a| texts.map(|b| [*a, b])) {
                assert_eq!(left.cmp(&right), key(left).cmp(&key(right)), "{left:?} {right:?}");
            }
        }
    }
}
