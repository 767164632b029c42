//! Who opens which keyspace of the cluster.

use super::section::{Any, Secret, section};

section! {
    /// Roles of the database for the keyspaces, so that a breach of one opens no other. A keyspace
    /// without one is opened by `scylla.user`. `barterline schema grants` says what to grant.
    pub struct ScyllaRoles = "scylla_roles" {
        /// Opens the passwords, and nothing else.
        credentials: String = String::new(), Any("a role, or \"\": that of `scylla.user`");
        /// Its password. Like the others better in the environment than in a file.
        credentials_password: Secret = Secret::default(), Any("a text, never shown");
        /// Opens profiles, log-ins, blocks and choices.
        users: String = String::new(), Any("a role, or \"\": that of `scylla.user`");
        /// Its password.
        users_password: Secret = Secret::default(), Any("a text, never shown");
        /// Opens things for sale.
        listings: String = String::new(), Any("a role, or \"\": that of `scylla.user`");
        /// Its password.
        listings_password: Secret = Secret::default(), Any("a text, never shown");
        /// Opens logs and inboxes.
        chats: String = String::new(), Any("a role, or \"\": that of `scylla.user`");
        /// Its password.
        chats_password: Secret = Secret::default(), Any("a text, never shown");
        /// Opens reports.
        operations: String = String::new(), Any("a role, or \"\": that of `scylla.user`");
        /// Its password.
        operations_password: Secret = Secret::default(), Any("a text, never shown");
    }
}

/// A role with its password.
#[derive(Debug, Clone, Copy)]
pub struct Role<'a> {
    /// The keyspace, without the beginning of its name.
    pub keyspace: &'static str,
    /// The role; empty when the keyspace has none of its own.
    pub user: &'a str,
    /// The role's password.
    pub password: &'a Secret,
}

impl ScyllaRoles {
    /// One for each keyspace.
    pub fn all(&self) -> [Role<'_>; 5] {
        let role = |keyspace, user, password| Role { keyspace, user, password };
        [
            role("credentials", self.credentials.as_str(), &self.credentials_password),
            role("users", self.users.as_str(), &self.users_password),
            role("listings", self.listings.as_str(), &self.listings_password),
            role("chats", self.chats.as_str(), &self.chats_password),
            role("operations", self.operations.as_str(), &self.operations_password),
        ]
    }

    /// Mistakes that only show in two settings together.
    pub(super) fn contradictions(&self, has_common: bool) -> Vec<String> {
        let mut mistakes = Vec::new();
        for Role { keyspace, user, password } in self.all() {
            let of = format!("scylla_roles.{keyspace}");
            if user.is_empty() && !password.is_empty() {
                mistakes.push(format!("`{of}_password` needs `{of}` as well"));
            }
            if !user.is_empty() && !has_common {
                mistakes.push(format!("`{of}` needs `scylla.user` as well"));
            }
        }
        mistakes
    }
}
