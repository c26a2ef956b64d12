//! `[options]`: values of options of the command line, which the commands know and check.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::{Spanned, Value};

use super::{ConfigError, excerpt, position};

/// The options of a configuration file.
#[derive(Debug, Default)]
pub struct ConfiguredOptions {
    path: PathBuf,
    text: String,
    /// In the order of their names.
    pub entries: Vec<ConfiguredOption>,
}

/// An option of a configuration file.
#[derive(Debug)]
pub struct ConfiguredOption {
    /// Its name in the file, with underscores.
    pub name: String,
    /// Its values as on a command line; `None` for a table or a date.
    pub values: Option<Vec<String>>,
    /// Byte offsets of its name and of its value.
    pub at: (usize, usize),
}

#[derive(Deserialize)]
struct OptionsOnly {
    #[serde(default)]
    options: BTreeMap<Spanned<String>, Spanned<Value>>,
}

impl ConfiguredOptions {
    /// Reads the options of a file. A file that cannot be read has none here; [`super::Config::read`] reports that.
    #[must_use]
    pub fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let options = toml::from_str(&text).map_or_else(|_| BTreeMap::new(), |OptionsOnly { options }| options);
        let entry = |(name, value): (Spanned<String>, Spanned<Value>)| ConfiguredOption {
            at: (name.span().start, value.span().start),
            values: texts(value.get_ref()),
            name: name.into_inner(),
        };
        Self { path: path.to_owned(), entries: options.into_iter().map(entry).collect(), text }
    }

    /// The error of a mistake at a byte offset.
    #[must_use]
    pub fn mistake(&self, at: usize, reason: &str) -> ConfigError {
        let (line, column) = position(&self.text, at);
        ConfigError::Content { path: self.path.clone(), reason: excerpt(&self.text, line, column, reason) }
    }

    /// The file and the line of a byte offset, for people to read.
    #[must_use]
    pub fn place(&self, at: usize) -> String {
        format!("{}, line {}", self.path.display(), position(&self.text, at).0)
    }
}

fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Integer(number) => Some(vec![number.to_string()]),
        Value::Float(number) => Some(vec![number.to_string()]),
        Value::Boolean(yes) => Some(vec![yes.to_string()]),
        Value::Array(values) => values.iter().map(|value| value.as_str().map(str::to_owned)).collect(),
        Value::Datetime(_) | Value::Table(_) => None,
    }
}
