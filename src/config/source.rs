//! Where settings come from: a file, the environment, flags. The only reader of the environment.

use std::fmt;
use std::path::PathBuf;

use toml::Value;

/// Start of every variable that is ours.
const PREFIX: &str = "BARTERLINE_";
/// Variables that tests and scripts use; none of the server's business.
const TEST_PREFIX: &str = "BARTERLINE_TEST_";
/// Names the settings file, as `--config` does.
const FILE_VARIABLE: &str = "BARTERLINE_CONFIG";
/// Variables that are called like flags.
const SHORT: &[(&str, &str, &str)] = &[
    ("BARTERLINE_LISTEN", "server", "listen"),
    ("BARTERLINE_ADMIN_LISTEN", "server", "admin_listen"),
    ("BARTERLINE_TLS_LISTEN", "server", "tls_listen"),
    ("BARTERLINE_TLS_CERTIFICATE", "server", "tls_certificate"),
    ("BARTERLINE_TLS_KEY", "server", "tls_key"),
    ("BARTERLINE_DATA", "storage", "data"),
];

/// One value for one setting.
#[derive(Debug, Clone, PartialEq)]
pub struct Assignment {
    /// Who says so, for mistakes.
    pub source: Source,
    /// The section's name; of one among several, `SECTION.NAME`.
    pub section: String,
    /// The setting's name.
    pub key: String,
    /// The value as it was written.
    pub value: Value,
}

/// Who sets a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A settings file.
    File(PathBuf),
    /// A variable of the environment.
    Variable(String),
    /// A flag of the command line.
    Flag(&'static str),
}

/// Everything that can set a value.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The settings file, if one was named.
    pub file: Option<PathBuf>,
    /// Variables, by name.
    pub environment: Vec<(String, String)>,
    /// What the command line says; wins over everything.
    pub flags: Vec<Assignment>,
}

impl Sources {
    /// The process's environment, with the flags of its command line.
    pub fn of_process(file: Option<PathBuf>, flags: Vec<Assignment>) -> Self {
        let ours = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            let name = name.into_string().ok()?;
            let ours = name.starts_with(PREFIX) && !name.starts_with(TEST_PREFIX);
            ours.then(|| (name, value.to_string_lossy().into_owned()))
        };
        Self { file, environment: std::env::vars_os().filter_map(ours).collect(), flags }
    }

    /// All assignments, the weakest first, and what could not be read at all.
    pub(super) fn read(&self) -> (Vec<Assignment>, Vec<String>) {
        let mut assignments = Vec::new();
        let mut mistakes = Vec::new();
        let mut file = self.file.clone();
        let mut from_environment = Vec::new();
        for (name, text) in &self.environment {
            if name == FILE_VARIABLE {
                file.get_or_insert_with(|| PathBuf::from(text));
            } else {
                match variable(name, text) {
                    Some(assignment) => from_environment.push(assignment),
                    None => mistakes.push(format!(
                        "there is no setting for the variable {name}; \
                         they read {PREFIX}SECTION__KEY"
                    )),
                }
            }
        }
        if let Some(path) = file {
            match read_file(&path) {
                Ok(from_file) => assignments.extend(from_file),
                Err(mistake) => mistakes.push(mistake),
            }
        }
        assignments.extend(from_environment);
        assignments.extend(self.flags.iter().cloned());
        (assignments, mistakes)
    }
}

impl Assignment {
    /// What a flag says.
    pub fn flag(flag: &'static str, section: &str, key: &str, value: &str) -> Self {
        Self {
            source: Source::Flag(flag),
            section: section.to_owned(),
            key: key.to_owned(),
            value: Value::String(value.to_owned()),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Variable(name) => write!(f, "variable {name}"),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

fn variable(name: &str, text: &str) -> Option<Assignment> {
    let short = SHORT.iter().find(|(short, ..)| *short == name);
    let named = short.map(|(_, section, key)| (*section, *key));
    // What is named itself stands between: SECTION__NAME__KEY.
    let (section, key) = named.or_else(|| name.strip_prefix(PREFIX)?.rsplit_once("__"))?;
    Some(Assignment {
        source: Source::Variable(name.to_owned()),
        section: section.replacen("__", ".", 1).to_lowercase(),
        key: key.to_lowercase(),
        value: Value::String(text.to_owned()),
    })
}

fn read_file(path: &PathBuf) -> Result<Vec<Assignment>, String> {
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("the settings file {shown} cannot be read: {error}"))?;
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        // The message alone: the full text quotes the line, which may hold a secret.
        let line = error.span().map_or(1, |span| text[..span.start].lines().count().max(1));
        format!("{shown}, line {line}: {}", error.message())
    })?;
    let mut assignments = Vec::new();
    for (section, value) in table {
        let Value::Table(keys) = value else {
            return Err(format!(
                "{shown}: `{section}` stands outside of every section; sections read [name]"
            ));
        };
        let assigned = |section: &str, key, value| {
            let (source, section) = (Source::File(path.clone()), section.to_owned());
            Assignment { source, section, key, value }
        };
        for (key, value) in keys {
            match value {
                // [section.name]
                Value::Table(keys) => {
                    let section = format!("{section}.{key}");
                    assignments.extend(
                        keys.into_iter().map(|(key, value)| assigned(&section, key, value)),
                    );
                }
                value => assignments.push(assigned(&section, key, value)),
            }
        }
    }
    Ok(assignments)
}
