//! The keyspaces: one for each part of the house that has a door of its own.
//!
//! Each can be opened with a database role of its own, so that a breach of one opens no other.

/// A keyspace by what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Area {
    /// Passwords.
    Credentials,
    /// People: profiles, log-ins, blocks, choices.
    Users,
    /// Things for sale, and what is known of uploaded files.
    Listings,
    /// Logs and inboxes.
    Chats,
    /// Orders and payments.
    Commerce,
    /// What staff read, and the schema's own row.
    Operations,
}

const AREAS: [(Area, &str); 6] = [
    (Area::Credentials, "credentials"),
    (Area::Users, "users"),
    (Area::Listings, "listings"),
    (Area::Chats, "chats"),
    (Area::Commerce, "commerce"),
    (Area::Operations, "operations"),
];

impl Area {
    /// Those that have tables, which is more than the schema's own.
    pub const OPENED: [Self; 5] =
        [Self::Credentials, Self::Users, Self::Listings, Self::Chats, Self::Operations];

    /// The one that is called so.
    pub fn named(word: &str) -> Option<Self> {
        AREAS.iter().find(|(_, known)| *known == word).map(|(area, _)| *area)
    }
}

/// The names of the keyspaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyspaces {
    prefix: String,
}

impl Keyspaces {
    /// Those whose names begin with `prefix`.
    pub fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    /// What all names begin with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The name of one.
    pub fn name(&self, area: Area) -> String {
        let word = AREAS.iter().find(|(known, _)| *known == area).map_or("", |(_, word)| word);
        format!("{}{word}", self.prefix)
    }

    /// The names of all.
    pub fn names(&self) -> Vec<String> {
        AREAS.iter().map(|(area, _)| self.name(*area)).collect()
    }

    /// Puts names in the places that stand in braces: `{users}.accounts`.
    pub fn fill(&self, text: &str) -> String {
        AREAS.iter().fold(text.to_owned(), |text, (area, word)| {
            text.replace(&format!("{{{word}}}"), &self.name(*area))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_put_in_the_place_of_words() {
        let keyspaces = Keyspaces::new("shop_");
        assert_eq!(
            keyspaces.fill("SELECT a FROM {users}.b, {operations}.c WITH x = {'a': 1}"),
            "SELECT a FROM shop_users.b, shop_operations.c WITH x = {'a': 1}"
        );
        assert_eq!(keyspaces.names().len(), 6);
    }
}
