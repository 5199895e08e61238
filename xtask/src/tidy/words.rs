//! Names cut into their words.

/// The words of `CamelCase` and `snake_case`, small. An abbreviation is one word: `HTTPDoor` → `http`, `door`.
pub fn words(name: &str) -> Vec<String> {
    let letters: Vec<char> = name.chars().collect();
    let mut words = vec![String::new()];
    for (index, letter) in letters.iter().enumerate() {
        let after_small = index > 0 && !letters[index - 1].is_uppercase();
        let before_small = letters.get(index + 1).is_some_and(|next| next.is_lowercase());
        if !letter.is_alphanumeric() || (letter.is_uppercase() && (after_small || before_small)) {
            words.push(String::new());
        }
        if letter.is_alphanumeric() {
            words.last_mut().expect("there is one from the start").extend(letter.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fall_into_words() {
        assert_eq!(words("ClientTable"), ["client", "table"]);
        assert_eq!(words("HTTPDoor"), ["http", "door"]);
        assert_eq!(words("simple_utils"), ["simple", "utils"]);
        assert_eq!(words("Grpc2"), ["grpc2"]);
    }
}
