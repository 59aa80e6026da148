//! How many cases a property tries.

/// The environment variable that proptest reads as well.
const VARIABLE: &str = "PROPTEST_CASES";

/// As many as `PROPTEST_CASES` says, or this many.
///
/// # Panics
///
/// If the variable holds no number: a property that tries fewer cases than it was asked for would pass for nothing.
pub fn cases(default: u32) -> u32 {
    let Some(text) = std::env::var_os(VARIABLE) else {
        return default;
    };
    let number = text.to_str().and_then(|text| text.trim().parse().ok());
    number.unwrap_or_else(|| panic!("{VARIABLE} is {text:?}, which is no number of cases"))
}
