//! The value of `--public-url`: where callers reach the server behind a proxy.

use std::str::FromStr;

/// An absolute URL of http or https without query and fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PublicUrl(pub(super) String);

impl FromStr for PublicUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const ACCEPTED: &str = "give http://HOST or https://HOST with the path prefix, such as https://gis.example/map";
        let after_scheme = ["http://", "https://"].iter().find_map(|scheme| text.strip_prefix(scheme));
        let host = after_scheme.and_then(|rest| rest.split('/').next()).unwrap_or_default();
        let is_host_char = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
        let is_path_char = |c: char| c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:@%/[]".contains(c);
        let is_host =
            host.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[') && host.chars().all(is_host_char);
        if is_host && text.chars().all(is_path_char) { Ok(Self(text.to_owned())) } else { Err(ACCEPTED) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_absolute_urls_are_accepted() {
        for text in ["http://localhost:8080", "https://gis.example/gis/onemap/", "https://[::1]:8443/a"] {
            assert_eq!(text.parse(), Ok(PublicUrl(text.to_owned())));
        }
        for text in [
            "",
            "gis.example",
            "javascript:alert(1)",
            "https://",
            "https:///a",
            "https://a b/",
            "https://a/?q=1",
            "https://a/#b",
            "https://a/\"",
            "https://用户",
        ] {
            assert!(text.parse::<PublicUrl>().is_err(), "{text}");
        }
    }
}
