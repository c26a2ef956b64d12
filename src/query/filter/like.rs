//! Text comparison without case and accents, and `LIKE` patterns.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// What a comparison ignores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fold {
    /// Case (full case folding: `Straße` equals `STRASSE`).
    Case,
    /// Accents and other marks.
    Accent,
}

impl Fold {
    /// The folded form of a text.
    pub(super) fn apply(self, text: &str) -> String {
        match self {
            Self::Case => caseless::default_case_fold_str(text),
            Self::Accent => text.nfd().filter(|c| !is_combining_mark(*c)).nfc().collect(),
        }
    }
}

/// A `LIKE` pattern: `%` matches any text, `_` one character; a backslash escapes the next character.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pattern(Vec<PatternPart>);

#[derive(Clone, Copy, Debug, PartialEq)]
enum PatternPart {
    This(char),
    One,
    Any,
}

impl Pattern {
    pub(super) fn new(text: &str) -> Self {
        let mut pieces = Vec::new();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            let piece = match c {
                '%' => PatternPart::Any,
                '_' => PatternPart::One,
                '\\' => PatternPart::This(chars.next().unwrap_or('\\')),
                other => PatternPart::This(other),
            };
            // Consecutive `%` are equivalent to one.
            if piece != PatternPart::Any || pieces.last() != Some(&PatternPart::Any) {
                pieces.push(piece);
            }
        }
        Self(pieces)
    }

    /// Whether the whole text matches. Costs at most the product of both lengths.
    pub(super) fn fits(&self, text: &str) -> bool {
        let text: Cow<'_, [char]> = text.chars().collect();
        let (mut at, mut piece) = (0, 0);
        // Where to continue if the last `%` matches one more character.
        let mut retry: Option<(usize, usize)> = None;
        while at < text.len() {
            match self.0.get(piece) {
                Some(PatternPart::Any) => {
                    retry = Some((piece + 1, at));
                    piece += 1;
                }
                Some(PatternPart::One) => (at, piece) = (at + 1, piece + 1),
                Some(PatternPart::This(c)) if *c == text[at] => (at, piece) = (at + 1, piece + 1),
                _ => {
                    let Some((after, taken)) = retry else { return false };
                    retry = Some((after, taken + 1));
                    (at, piece) = (taken + 1, after);
                }
            }
        }
        self.0[piece..].iter().all(|rest| *rest == PatternPart::Any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_texts() {
        for (pattern, text, fits) in [
            ("闽%", "闽清县", true),
            ("_清_", "闽清县", true),
            ("%清", "闽清县", false),
            ("%a%b%", "xxaxxbxx", true),
            ("%ab", "aab", true),
            ("a\\%", "a%", true),
            ("a\\%", "ab", false),
            ("", "", true),
            ("%%", "", true),
            ("_", "", false),
        ] {
            assert_eq!(Pattern::new(pattern).fits(text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn case_and_accents_fold_fully() {
        assert_eq!(Fold::Case.apply("Straße"), Fold::Case.apply("STRASSE"));
        assert_eq!(Fold::Accent.apply("Chișinău"), "Chisinau");
        assert_eq!(Fold::Accent.apply("København"), "København");
    }
}
