//! Which texts a search takes.

/// A pattern as Nacos's searches understand it; blank takes everything.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    pattern: String,
    /// `*` stands for any characters.
    blurred: bool,
}

impl Filter {
    pub(crate) fn blurred(pattern: &str) -> Self {
        Self { pattern: pattern.to_owned(), blurred: true }
    }

    pub(crate) fn accurate(pattern: &str) -> Self {
        Self { pattern: pattern.to_owned(), blurred: false }
    }

    /// Blurred: the pieces between `*` in their order, the first and last at the ends.
    pub(crate) fn takes(&self, text: &str) -> bool {
        let Self { pattern, blurred } = self;
        if pattern.is_empty() {
            return true;
        }
        let Some((first, rest)) = pattern.split_once('*').filter(|_| *blurred) else {
            return pattern == text;
        };
        let Some(mut left) = text.strip_prefix(first) else { return false };
        let mut pieces: Vec<&str> = rest.split('*').collect();
        let last = pieces.pop().unwrap_or_default();
        for piece in pieces {
            match left.find(piece) {
                Some(at) => left = &left[at + piece.len()..],
                None => return false,
            }
        }
        left.ends_with(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_any_characters_in_a_blurred_search_only() {
        for (pattern, text, blurred, accurate) in [
            ("", "abc", true, true),
            ("abc", "abc", true, true),
            ("abc", "abcd", false, false),
            ("ab*", "abc", true, false),
            ("*", "", true, false),
            ("*b*", "abc", true, false),
            ("a*b*c", "aXbYc", true, false),
            ("a*b*c", "acb", false, false),
            ("ab*ba", "aba", false, false),
            ("a*c", "a*c", true, true),
        ] {
            assert_eq!(Filter::blurred(pattern).takes(text), blurred, "{pattern} {text}");
            assert_eq!(Filter::accurate(pattern).takes(text), accurate, "{pattern} {text}");
        }
    }
}
