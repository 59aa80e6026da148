//! Vectors as they are in the files: one JSON object per line.

use std::path::{Path, PathBuf};

use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
pub struct Vector {
    #[serde(default)]
    pub source: String,
    pub name: String,
    #[serde(default)]
    pub version: Option<String>,
    #[serde(default)]
    pub kind: String,
    #[serde(default)]
    hex: Option<String>,
    #[serde(default)]
    pub hex_mask: Option<String>,
    #[serde(default)]
    normalized: Option<String>,
    #[serde(default)]
    reencode: Option<String>,
    #[serde(default)]
    pub text: Option<String>,
    #[serde(default)]
    pub printed: Option<String>,
    #[serde(default)]
    pub input_text: Option<String>,
    #[serde(default)]
    pub expect_error: Option<String>,
    #[serde(default)]
    pub error_name: Option<String>,
    #[serde(default)]
    pub options: Option<String>,
    #[serde(default)]
    pub verbosity: Option<u8>,
}

pub fn unhex(text: &str) -> Vec<u8> {
    assert!(
        text.len().is_multiple_of(2),
        "odd number of nibbles in {text}"
    );
    (0..text.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&text[i..i + 2], 16).expect("hex digits"))
        .collect()
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

impl Vector {
    pub fn hex(&self) -> Option<Vec<u8>> {
        self.hex.as_deref().map(unhex)
    }

    pub fn normalized(&self) -> Option<Vec<u8>> {
        self.normalized.as_deref().map(unhex)
    }

    /// The bytes a canonical encoder makes of the value.
    pub fn canonical(&self) -> Option<Vec<u8>> {
        self.reencode.as_deref().map(unhex).or_else(|| self.hex())
    }

    pub fn has_reencode(&self) -> bool {
        self.reencode.is_some()
    }

    pub fn is_version(&self, version: &str) -> bool {
        self.version.as_deref() == Some(version)
    }
}

pub fn files(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return Vec::new();
    };
    let mut files: Vec<_> = entries
        .map(|e| e.expect("readable directory").path())
        .filter(|p| p.extension().is_some_and(|e| e == "jsonl"))
        .collect();
    files.sort();
    files
}

pub fn file_name(path: &Path) -> String {
    path.file_name()
        .expect("a file")
        .to_string_lossy()
        .into_owned()
}

pub fn load(path: &Path) -> Vec<Vector> {
    let text = std::fs::read_to_string(path).expect("readable vector file");
    let line = |(i, line): (usize, &str)| -> Vector {
        serde_json::from_str(line)
            .unwrap_or_else(|e| panic!("{} line {}: {e}", path.display(), i + 1))
    };
    text.lines()
        .enumerate()
        .filter(|(_, l)| !l.trim().is_empty())
        .map(line)
        .collect()
}
