use serde::{Deserialize, Serialize};

use crate::value::Name;

/// The maximum number of characters.
const MAX: usize = 40;

/// The name in the greeting of a mail, if it is suitable.
///
/// Names are written by users, who may be other people than the recipient. A name that could be a message or become
/// a link is left out: only letters, spaces, hyphens and apostrophes are suitable, at most 40 of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GreetingName(Option<String>);

impl GreetingName {
    /// The name as text, if it is suitable.
    pub fn as_deref(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

impl From<&Name> for GreetingName {
    fn from(name: &Name) -> Self {
        let name = name.to_string();
        let is_suitable = name.chars().count() <= MAX && name.chars().all(is_suitable);
        Self(is_suitable.then_some(name))
    }
}

fn is_suitable(c: char) -> bool {
    c.is_alphabetic() || matches!(c, ' ' | '-' | '\'')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn greeting(name: &str) -> Option<String> {
        GreetingName::from(&name.parse().unwrap()).0
    }

    #[test]
    fn names_of_many_languages_are_suitable() {
        for name in ["Ada", "Zoë-Ann O'Hara", "Nguyễn Thị Minh Khai", "Дарья", "美咲", "عائشة", &"a".repeat(40)]
        {
            assert_eq!(greeting(name).as_deref(), Some(name));
        }
    }

    #[test]
    fn messages_and_links_are_left_out() {
        let messages = ["evil.example", "https://evil", "a@b", "call 555", "Win! Now", "a\\b", "<b>", "Pay €"];
        for name in messages.into_iter().chain([&*"a".repeat(41)]) {
            assert_eq!(greeting(name), None, "{name}");
        }
    }

    proptest! {
        #[test]
        fn greeting_is_short_and_has_only_suitable_characters(name in "\\PC{1,200}") {
            if let Ok(name) = name.parse::<Name>() && let Some(shown) = GreetingName::from(&name).as_deref() {
                prop_assert_eq!(shown, name.to_string());
                prop_assert!(shown.chars().count() <= 40);
                prop_assert!(!shown.contains(|c: char| c.is_ascii_punctuation() && c != '-' && c != '\''));
                prop_assert!(!shown.contains(|c: char| c.is_numeric() && !c.is_alphabetic()));
            }
        }
    }
}
