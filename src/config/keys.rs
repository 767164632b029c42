//! What the keys of sealed values are kept under.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::Settings;
use super::section::{Allowed, Any, Secret, section};

section! {
    /// Where the keys are that sign tokens (`access-tokens.json`) and seal values (`data-keys.json`), and what
    /// seals the latter themselves: a master key from elsewhere. Whoever has one of the two reads nothing.
    pub struct Keys = "keys" {
        /// Their directory; "" is `keys` in the data directory. All servers of a cluster have the same keys.
        directory: Option<PathBuf> = None, Any("a directory, or \"\"");
        /// Whether the words of messages are sealed as well, from now on. What is sealed stays so, and opens
        /// whatever this says.
        seal_messages: bool = false, Any("true or false");
        /// The master key, 32 random bytes: `openssl rand 32 | basenc --base64url | tr -d =`. Better in
        /// `BARTERLINE_KEYS__MASTER` than in a file. All servers of a cluster have the same.
        master: Secret = Secret::default(), MasterKey;
        /// The master key of before, for the first start with another, or with none.
        master_before: Secret = Secret::default(), MasterKey;
    }
}

impl Settings {
    /// Where the keys are.
    pub fn keys_directory(&self) -> PathBuf {
        self.keys.directory.clone().unwrap_or_else(|| self.storage.data.join("keys"))
    }
}

impl Keys {
    /// The master key, and the one before, where there are such.
    pub fn masters(&self) -> [Option<[u8; 32]>; 2] {
        [bytes(&self.master), bytes(&self.master_before)]
    }
}

fn bytes(secret: &Secret) -> Option<[u8; 32]> {
    URL_SAFE_NO_PAD.decode(secret.expose()).ok()?.try_into().ok()
}

/// 32 bytes in base64url, or nothing.
struct MasterKey;

impl Allowed<Secret> for MasterKey {
    fn allows(&self, value: &Secret) -> bool {
        value.is_empty() || bytes(value).is_some()
    }

    fn describe(&self) -> String {
        "32 random bytes in base64url (43 characters), or \"\" for none; never shown".to_owned()
    }
}
