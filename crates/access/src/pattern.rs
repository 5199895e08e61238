//! Text against a pattern with `*` for any number of any characters.

/// Whether the whole text is covered by the pattern.
///
/// Only the latest star is ever widened: whatever an earlier one could take, the latest can take instead. So this
/// needs at most `pattern × text` steps where a regular expression or a recursive matcher could need exponentially many.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    walk(pattern.as_bytes(), text.as_bytes()).0
}

/// Also says how many steps it took.
fn walk(pattern: &[u8], text: &[u8]) -> (bool, usize) {
    let (mut at, mut done, mut steps) = (0, 0, 0);
    // Where to go on when the rest does not fit: after the star, with the star one byte wider.
    let mut star: Option<(usize, usize)> = None;
    while done < text.len() {
        steps += 1;
        match (pattern.get(at), star) {
            (Some(b'*'), _) => {
                at += 1;
                star = Some((at, done));
            }
            (Some(byte), _) if *byte == text[done] => {
                at += 1;
                done += 1;
            }
            (_, Some((after, taken))) => {
                star = Some((after, taken + 1));
                at = after;
                done = taken + 1;
            }
            (_, None) => return (false, steps),
        }
    }
    (pattern[at..].iter().all(|byte| *byte == b'*'), steps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn stars_take_any_number_of_characters() {
        for (pattern, text, fits) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "abc", true),
            ("**", "abc", true),
            ("a*", "abc", true),
            ("a*", "ba", false),
            ("*c", "abc", true),
            ("*b", "abc", false),
            ("a*c", "abc", true),
            ("a*c", "ac", true),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "aXcYb", false),
            ("*aab", "aaaab", true),
            ("abc", "abcd", false),
            ("abcd", "abc", false),
            ("a.c", "abc", false),
            ("配*", "配置", true),
        ] {
            assert_eq!(matches(pattern, text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn the_worst_pattern_takes_no_more_than_pattern_times_text() {
        let text = "a".repeat(1000);
        for pattern in ["a*".repeat(500) + "b", "*a".repeat(500) + "*b", "*".repeat(1000) + "b"] {
            let (fits, steps) = walk(pattern.as_bytes(), text.as_bytes());
            assert!(!fits);
            assert!(steps <= (pattern.len() + 1) * (text.len() + 1), "{steps} steps");
        }
    }

    /// The definition, exponential and obvious.
    fn defined(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern, text) {
            ([], []) => true,
            ([b'*', rest @ ..], _) => (0..=text.len()).any(|taken| defined(rest, &text[taken..])),
            ([p, pattern @ ..], [t, text @ ..]) => p == t && defined(pattern, text),
            ([], [_, ..]) | ([_, ..], []) => false,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn it_matches_as_defined(pattern in "[ab*]{0,8}", text in "[ab]{0,8}") {
            prop_assert_eq!(matches(&pattern, &text), defined(pattern.as_bytes(), text.as_bytes()));
        }
    }
}
