//! The language of a printed page: Chinese, or English with `lang=en`.

use crate::http::params::{QueryParams, spec};
use crate::http::reply::numbers::tenths;
use crate::http::reply::problem::Problem;
use crate::model::schema::Label;

/// The language of a printed page. Names and texts of features are as they are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PageLanguage {
    Chinese,
    English,
}

impl PageLanguage {
    /// The language that a request wants.
    ///
    /// # Errors
    /// When it is another one.
    pub(crate) fn of(params: &QueryParams) -> Result<Self, Problem> {
        Ok(if params.choice(&spec::LANG)? == spec::LANG.values[1] { Self::English } else { Self::Chinese })
    }

    /// One of two texts.
    pub(crate) fn say(self, zh: &'static str, en: &'static str) -> &'static str {
        match self {
            Self::Chinese => zh,
            Self::English => en,
        }
    }

    /// Its name in members of replies that have both.
    pub(crate) fn code(self) -> &'static str {
        self.say(spec::LANG.values[0], spec::LANG.values[1])
    }

    /// The text of a label.
    pub(crate) fn pick(self, label: &Label) -> &str {
        match self {
            Self::Chinese => &label.zh,
            Self::English => &label.en,
        }
    }

    /// Texts as a list.
    pub(crate) fn join(self, texts: &[String]) -> String {
        texts.join(self.say("、", ", "))
    }

    /// Where something is not known.
    pub(crate) fn unknown(self) -> &'static str {
        self.say("不明", "unknown")
    }

    /// A distance: whole metres below a kilometre, otherwise kilometres.
    pub(crate) fn metres(self, metres: f64) -> String {
        if metres < 999.5 {
            format!("{metres:.0} {}", self.say("米", "m"))
        } else {
            format!("{} {}", tenths(metres / 1_000.0), self.say("公里", "km"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_in_metres_or_kilometres() {
        for (metres, zh, en) in [
            (0.4, "0 米", "0 m"),
            (999.4, "999 米", "999 m"),
            (999.6, "1 公里", "1 km"),
            (1_500.0, "1.5 公里", "1.5 km"),
            (12_345.0, "12.3 公里", "12.3 km"),
        ] {
            assert_eq!(
                (PageLanguage::Chinese.metres(metres), PageLanguage::English.metres(metres)),
                (zh.to_owned(), en.to_owned())
            );
        }
    }
}
