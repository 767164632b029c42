//! The rules, as tables. An arrow that is not forbidden here is allowed; a part that is not listed
//! is refused, so that a new one has to choose its place.

/// A part of the server (a module of `src/`), and the parts it may name besides itself.
pub struct Part {
    pub name: &'static str,
    pub may_use: &'static [&'static str],
}

/// app ─► gateway · rest · admin · jobs ─► services ─► hub · auth · limits · mail · adapters;
/// hub · limits ─► cluster; edges and hub ─► wire; config and telemetry look at nobody.
pub const PARTS: &[Part] = &[
    // The front of the house: puts everything together.
    Part { name: "main", may_use: EVERYTHING },
    Part { name: "app", may_use: EVERYTHING },
    Part { name: "lifecycle", may_use: EVERYTHING },
    Part {
        name: "cli",
        may_use: &[
            "admin",
            "app",
            "config",
            "data",
            "data_dir",
            "keys",
            "lifecycle",
            "listings",
            "schema",
            "search",
            "telemetry",
        ],
    },
    Part {
        name: "load_test",
        may_use: &["auth", "config", "hub", "readiness", "services", "telemetry"],
    },
    // Seeds as an edge would, with what the edge of HTTP was given.
    Part { name: "demo", may_use: &["rest", "services"] },
    // The tables of the cluster, made by hand before a server starts. What it shows the database is
    // read as what the listener shows.
    Part { name: "schema", may_use: &["config", "listener"] },
    // Things for sale, put up by hand.
    Part { name: "listings", may_use: &["admin", "config"] },
    // The search index of a running server, asked for by hand.
    Part { name: "search", may_use: &["admin", "config"] },
    // The keys of a data directory, changed by hand before a server starts.
    Part { name: "keys", may_use: &["auth", "config"] },
    // Whole stores, moved by hand, or by the server that has one.
    Part { name: "data", may_use: &["admin", "app", "clock", "config", "data_dir"] },
    Part { name: "data_dir", may_use: &[] },
    Part { name: "readiness", may_use: &[] },
    // Accepts connections and hands them to a service it is given; knows no edge by name.
    // What counts as one address is what counts as one for the limits.
    Part { name: "listener", may_use: &["config", "limits", "telemetry"] },
    // Settings and measurements: look at nobody.
    Part { name: "config", may_use: &[] },
    Part { name: "telemetry", may_use: &[] },
    // Edges. An upgrade that is refused is an answer of HTTP, so the gateway may say it as rest
    // does; rest knows no gateway.
    Part {
        name: "gateway",
        may_use: &["auth", "hub", "limits", "listener", "rest", "services", "telemetry", "wire"],
    },
    Part {
        name: "rest",
        may_use: &["auth", "limits", "listener", "readiness", "services", "telemetry", "wire"],
    },
    Part {
        name: "admin",
        may_use: &[
            "auth",
            "data_dir",
            "hub",
            "load_test",
            "readiness",
            "rest",
            "services",
            "telemetry",
        ],
    },
    Part { name: "jobs", may_use: &["services", "telemetry"] },
    // Rules.
    Part {
        name: "services",
        may_use: &["adapters", "auth", "cluster", "hub", "limits", "mail", "telemetry"],
    },
    // Means.
    Part { name: "hub", may_use: &["cluster", "telemetry", "wire"] },
    Part { name: "limits", may_use: &["cluster", "telemetry"] },
    Part { name: "auth", may_use: &["telemetry"] },
    // Letters and how they leave: knows nobody's account.
    Part { name: "mail", may_use: &["telemetry"] },
    Part { name: "adapters", may_use: &["telemetry"] },
    Part { name: "cluster", may_use: &["telemetry"] },
    // Domain to protocol.
    Part { name: "wire", may_use: &[] },
    // Where the wall clock and randomness enter.
    Part { name: "clock", may_use: &[] },
    Part { name: "ids", may_use: &[] },
    // Where tests break things on purpose.
    Part { name: "fault", may_use: &[] },
];

/// Stands for every part.
const EVERYTHING: &[&str] = &["*"];

/// What everybody may name.
pub const COMMON: &[&str] = &["clock", "fault", "ids"];

/// Words that only some files of `src/` may hold.
pub struct Key {
    pub word: &'static str,
    /// Beginnings of paths in `src/`.
    pub held_by: &'static [&'static str],
    pub because: &'static str,
}

pub const KEYS: &[Key] = &[
    Key {
        word: "barterline_storage::embedded",
        held_by: &["app", "main.rs"],
        because: "the composition root alone names concrete backends",
    },
    Key {
        word: "barterline_storage::scylla",
        held_by: &["app", "main.rs", "schema"],
        because: "the composition root alone names concrete backends",
    },
    Key {
        word: "barterline_search::embedded",
        held_by: &["app"],
        because: "the composition root alone names concrete engines",
    },
    Key {
        word: "barterline_search::opensearch",
        held_by: &["adapters/opensearch"],
        because: "one adapter alone speaks to an engine of others",
    },
    Key {
        word: "barterline_storage::stores",
        held_by: &["app", "main.rs", "lifecycle"],
        because: "a part is handed the one trait it needs, not the bundle",
    },
    Key {
        word: "barterline_storage::bulk",
        held_by: &["app", "data", "admin"],
        because: "who reads a store whole reads what one module alone may open",
    },
    Key {
        word: "Credentials",
        held_by: &["services/accounts", "app"],
        because: "one module alone opens the credentials",
    },
    Key {
        word: "Codes",
        held_by: &["services/accounts", "app"],
        because: "a code that was sent opens an account: it is kept as its password is",
    },
    Key {
        word: "Identities",
        held_by: &["services/accounts", "app"],
        because: "an identity opens an account as a password does",
    },
    Key {
        word: "ChatLog",
        held_by: &["hub", "services/chats", "app", "gateway/writer.rs"],
        because: "the log is appended to by the hub and read by chats and writers",
    },
    Key {
        word: "PushOutbox",
        held_by: &["jobs", "app"],
        because: "intents are written as effects of the log and taken by jobs",
    },
];

/// Crates that a part of `src/` may not name.
pub struct Stranger {
    pub part: &'static str,
    pub crates: &'static [&'static str],
    /// Paths into those crates that it may name all the same.
    pub except: &'static [&'static str],
    pub because: &'static str,
}

pub const STRANGERS: &[Stranger] = &[
    Stranger {
        part: "services",
        crates: &["barterline_protocol", "axum", "hyper", "tokio_tungstenite"],
        // The numbers that both sides keep to are no frames.
        except: &["barterline_protocol::limits::"],
        because: "services know no frame and no status",
    },
    Stranger {
        part: "auth",
        crates: &["barterline_protocol", "axum", "hyper", "tokio_tungstenite"],
        except: &[],
        because: "auth knows no edge",
    },
    Stranger {
        part: "mail",
        crates: &["barterline_protocol", "barterline_storage", "axum", "hyper"],
        except: &[],
        because: "mail knows no store and no edge",
    },
    Stranger {
        part: "hub",
        crates: &["axum", "hyper", "tokio_tungstenite"],
        except: &[],
        because: "the hub knows no socket",
    },
    Stranger {
        part: "rest",
        crates: &["tokio_tungstenite"],
        except: &[],
        because: "sockets are the gateway's",
    },
    Stranger {
        part: "config",
        crates: &["barterline_storage", "barterline_protocol", "axum", "tokio_tungstenite"],
        // Defaults that clients are told of stand in the protocol.
        except: &["barterline_protocol::limits::"],
        because: "config looks at nobody",
    },
];

/// A crate of the workspace, by its folder, and what it may depend on.
pub struct Crate {
    pub folder: &'static str,
    /// Crates of ours.
    pub ours: &'static [&'static str],
    /// Crates of others that it may never have, as beginnings of names.
    pub never: &'static [&'static str],
}

const RUNTIMES: &[&str] = &["tokio", "async-trait", "futures", "axum", "hyper", "redb"];
const EDGES: &[&str] = &["axum", "hyper", "http", "tower", "tokio-tungstenite", "reqwest"];

pub const CRATES: &[Crate] = &[
    Crate { folder: "domain", ours: &[], never: RUNTIMES },
    Crate { folder: "protocol", ours: &["barterline-domain"], never: RUNTIMES },
    Crate { folder: "storage", ours: &["barterline-domain"], never: EDGES },
    Crate { folder: "push", ours: &["barterline-domain"], never: &["axum", "redb"] },
    // An index is derived, and knows no store.
    Crate { folder: "search", ours: &["barterline-domain"], never: &["axum", "hyper", "redb"] },
    // Bytes in, bytes out.
    Crate { folder: "media", ours: &["barterline-domain"], never: RUNTIMES },
    Crate {
        folder: "loadtest",
        ours: &["barterline-domain", "barterline-protocol"],
        never: &["axum", "redb"],
    },
    Crate { folder: "benches/floor", ours: &[], never: &["axum", "redb"] },
    Crate {
        folder: "fuzz",
        // Decoders stand in the server, too.
        ours: &[
            "barterline",
            "barterline-domain",
            "barterline-media",
            "barterline-protocol",
            "barterline-storage",
        ],
        never: &["axum"],
    },
    Crate { folder: "xtask", ours: &[], never: &["tokio", "axum"] },
    Crate {
        folder: ".",
        ours: &[
            "barterline-domain",
            "barterline-protocol",
            "barterline-storage",
            "barterline-push",
            "barterline-search",
            "barterline-media",
        ],
        never: &[],
    },
];
