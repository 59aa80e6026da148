//! The file format of oslo.config: sections, `key = value`, continuation lines, comment lines.
//!
//! Knows nothing of what the options mean. Every value remembers the line that it stands on. A comment is a line whose
//! first character is `#` or `;`; nothing behind a value is a comment. A line that starts with white space continues
//! the value before it. Section names are compared without regard to case, except that `DEFAULT` is what they all
//! share. Held by the tests at the foot.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::problem::Problem;

/// A line of a file.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Place {
    /// The file, as it was named on the command line.
    pub file: Arc<Path>,
    /// Counted from 1.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

/// What stands behind an option's name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Value {
    /// The text; continuation lines are joined with a newline.
    pub text: String,
    /// Where it begins.
    pub place: Place,
}

/// All files that were read, merged in their order.
#[derive(Clone, Default, Debug)]
pub struct Ini {
    sections: BTreeMap<String, BTreeMap<String, Vec<Value>>>,
    headings: BTreeMap<String, Place>,
}

impl Ini {
    /// The value that counts: the last one given.
    pub fn last(&self, section: &str, option: &str) -> Option<&Value> {
        self.all(section, option).last()
    }

    /// Every value given for an option, in order of appearance.
    pub fn all(&self, section: &str, option: &str) -> &[Value] {
        self.sections
            .get(&normal(section))
            .and_then(|s| s.get(option))
            .map_or(&[], Vec::as_slice)
    }

    /// Section names with the place of their first heading.
    pub fn sections(&self) -> impl Iterator<Item = (&str, &Place)> {
        self.headings
            .iter()
            .map(|(name, place)| (name.as_str(), place))
    }

    /// The options of a section with the first value of each.
    pub fn options(&self, section: &str) -> impl Iterator<Item = (&str, &Value)> {
        let section = self.sections.get(&normal(section));
        section
            .into_iter()
            .flatten()
            .filter_map(|(name, values)| Some((name.as_str(), values.first()?)))
    }

    /// Adds a file. Lines that cannot be understood become problems; the others count.
    pub fn add(&mut self, file: &Path, text: &str, problems: &mut Vec<Problem>) {
        let file: Arc<Path> = Arc::from(file);
        let mut section: Option<String> = None;
        let mut open: Option<(String, Value)> = None;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for (index, raw) in text.lines().enumerate() {
            let place = Place {
                file: file.clone(),
                line: index + 1,
            };
            let line = raw.trim();
            if line.is_empty() {
                self.close(section.as_deref(), open.take());
            } else if raw.starts_with([' ', '\t']) {
                match &mut open {
                    Some((_, value)) => {
                        value.text.push('\n');
                        value.text.push_str(line);
                    }
                    None => problems.push(Problem::syntax(place, line, "it starts with white space but continues nothing: start it in the first column")),
                }
            } else if raw.starts_with(['#', ';']) {
                self.close(section.as_deref(), open.take());
            } else if let Some(rest) = line.strip_prefix('[') {
                self.close(section.as_deref(), open.take());
                match rest.strip_suffix(']').map(str::trim) {
                    Some("") => {
                        problems.push(Problem::syntax(place, line, "the section has no name"))
                    }
                    Some(name) => {
                        let name = normal(name);
                        self.headings.entry(name.clone()).or_insert(place);
                        section = Some(name);
                    }
                    None => problems.push(Problem::syntax(
                        place,
                        line,
                        "a section heading ends with ]",
                    )),
                }
            } else {
                self.close(section.as_deref(), open.take());
                match assignment(line) {
                    Some(("", _)) => problems.push(Problem::syntax(
                        place,
                        line,
                        "there is no name before the =",
                    )),
                    Some(_) if section.is_none() => {
                        problems.push(Problem::syntax(
                            place,
                            line,
                            "it stands before the first section: begin with [DEFAULT]",
                        ));
                    }
                    Some((key, text)) => {
                        open = Some((
                            key.to_owned(),
                            Value {
                                text: text.to_owned(),
                                place,
                            },
                        ))
                    }
                    None => problems.push(Problem::syntax(
                        place,
                        line,
                        "expected `name = value`, [section] or a comment",
                    )),
                }
            }
        }
        self.close(section.as_deref(), open.take());
    }

    fn close(&mut self, section: Option<&str>, open: Option<(String, Value)>) {
        if let (Some(section), Some((key, mut value))) = (section, open) {
            value.text = unquoted(&value.text).to_owned();
            self.sections
                .entry(section.to_owned())
                .or_default()
                .entry(key)
                .or_default()
                .push(value);
        }
    }
}

/// How a section's name is kept.
fn normal(section: &str) -> String {
    if section.eq_ignore_ascii_case("default") {
        "DEFAULT".to_owned()
    } else {
        section.to_ascii_lowercase()
    }
}

/// `name = value` or `name: value`, whichever sign comes first.
fn assignment(line: &str) -> Option<(&str, &str)> {
    let at = line.find(['=', ':'])?;
    let (key, value) = line.split_at(at);
    Some((key.trim(), value[1..].trim()))
}

/// One pair of quotes around the whole value keeps its white space and is no part of it.
fn unquoted(text: &str) -> &str {
    let inner = |q| text.strip_prefix(q).and_then(|t: &str| t.strip_suffix(q));
    inner('"').or_else(|| inner('\'')).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> (Ini, Vec<String>) {
        let (mut ini, mut problems) = (Ini::default(), Vec::new());
        ini.add(Path::new("f.conf"), text, &mut problems);
        (ini, problems.iter().map(ToString::to_string).collect())
    }

    fn text<'a>(ini: &'a Ini, section: &str, option: &str) -> Option<&'a str> {
        ini.last(section, option).map(|v| v.text.as_str())
    }

    #[test]
    fn reads_what_oslo_config_reads() {
        let (ini, problems) = parse(
            "\u{feff}# comment\n[DEFAULT]\nhost = hv1\r\n; another\n[OVS]\nlocal_ip: 192.0.2.1\n\
             bridge_mappings = a:br-a,\n    b:br-b\nurl = sqlite:////x=y\nquoted = \" two  \"\nempty =\n\
             tag = a # b\n[ovs]\nlocal_ip = 192.0.2.2\n",
        );
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(text(&ini, "DEFAULT", "host"), Some("hv1"));
        assert_eq!(text(&ini, "ovs", "local_ip"), Some("192.0.2.2"));
        assert_eq!(ini.all("ovs", "local_ip").len(), 2);
        assert_eq!(
            text(&ini, "ovs", "bridge_mappings"),
            Some("a:br-a,\nb:br-b")
        );
        assert_eq!(text(&ini, "ovs", "url"), Some("sqlite:////x=y"));
        assert_eq!(text(&ini, "ovs", "quoted"), Some(" two  "));
        assert_eq!(text(&ini, "ovs", "empty"), Some(""));
        assert_eq!(text(&ini, "ovs", "tag"), Some("a # b"));
        assert_eq!(
            ini.last("ovs", "bridge_mappings")
                .unwrap()
                .place
                .to_string(),
            "f.conf:7"
        );
        assert_eq!(
            ini.sections().map(|(s, p)| (s, p.line)).collect::<Vec<_>>(),
            [("DEFAULT", 2), ("ovs", 5)]
        );
    }

    #[test]
    fn names_every_line_it_cannot_understand() {
        let (ini, problems) = parse("x = 1\n[ovs\n[]\n= 3\nnonsense\n[ovs]\n\n  lost\nok = 1");
        let expected = [
            "f.conf:1: ",
            "f.conf:2: ",
            "f.conf:3: ",
            "f.conf:4: ",
            "f.conf:5: ",
            "f.conf:8: ",
        ];
        assert_eq!(problems.len(), expected.len(), "{problems:#?}");
        for (problem, place) in problems.iter().zip(expected) {
            assert!(problem.starts_with(place), "{problem}");
        }
        assert_eq!(text(&ini, "ovs", "ok"), Some("1"));
    }

    #[test]
    fn a_lone_quote_stays() {
        let (ini, _) = parse("[a]\nx = \"\ny = 'a\"\nz = ''");
        assert_eq!(
            [
                text(&ini, "a", "x"),
                text(&ini, "a", "y"),
                text(&ini, "a", "z")
            ],
            [Some("\""), Some("'a\""), Some("")]
        );
    }
}
