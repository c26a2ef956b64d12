//! Pinyin of Chinese names without tones: whole syllables or initials, in any mixture.

use std::ops::Range;

use pinyin::{PinyinMulti, ToPinyinMulti};

/// Maximum length of a word that is compared as pinyin, bytes; bounds the work.
const MAX_WORD_BYTES: usize = 64;
/// Minimum number of initials that may be scattered over a name; fewer are in too many names.
const MIN_SCATTERED_INITIALS: usize = 4;

/// The characters of a name whose pinyin matches a word of ASCII letters; the last syllable may be incomplete.
pub(super) fn sounds_like(name: &str, word: &str) -> Option<Range<usize>> {
    if word.len() > MAX_WORD_BYTES {
        return None;
    }
    let syllables: Vec<(char, Option<PinyinMulti>)> = name.chars().map(|c| (c, c.to_pinyin_multi())).collect();
    // At least one Chinese character must match.
    let spoken = |start: usize| {
        syllables[start].1?;
        follows(&syllables[start..], word.as_bytes()).map(|count| start..start + count)
    };
    (0..syllables.len()).find_map(spoken)
}

/// Whether a name begins with the first of several initials and has the others in their order: mcxx is 梅城镇中心小学.
pub(super) fn are_initials(name: &str, word: &str) -> bool {
    if !(MIN_SCATTERED_INITIALS..=MAX_WORD_BYTES).contains(&word.len()) {
        return false;
    }
    let begins = |c: char, letter: u8| {
        c.to_pinyin_multi().is_some_and(|readings| {
            (0..readings.count()).any(|nth| in_common(readings.get(nth).plain(), &[letter]) > 0)
        })
    };
    let mut rest = name.chars();
    let mut letters = word.bytes();
    let first = rest.next().zip(letters.next());
    first.is_some_and(|(c, letter)| begins(c, letter)) && letters.all(|letter| rest.any(|c| begins(c, letter)))
}

/// Number of characters of the rest of a name that the rest of a word covers. The set of reachable letters bounds the
/// work to the product of both lengths.
fn follows(syllables: &[(char, Option<PinyinMulti>)], word: &[u8]) -> Option<usize> {
    let mut reached: u128 = 1;
    for (index, (c, readings)) in syllables.iter().enumerate() {
        let mut next: u128 = 0;
        for at in (0..word.len()).filter(|at| reached & (1 << at) > 0) {
            let mut take = |letters: usize| next |= 1 << (at + letters);
            let Some(readings) = readings else {
                if c.is_ascii() && word[at].eq_ignore_ascii_case(&(*c as u8)) {
                    take(1);
                }
                continue;
            };
            for reading in (0..readings.count()).map(|nth| readings.get(nth).plain()) {
                let same = in_common(reading, &word[at..]);
                if same > 0 {
                    take(1);
                }
                if same == reading.chars().count() || at + same == word.len() {
                    take(same);
                }
            }
        }
        if next & (1 << word.len()) > 0 {
            return Some(index + 1);
        }
        reached = next & !1;
        if reached == 0 {
            return None;
        }
    }
    None
}

/// Length of the common prefix of a reading and a word; ü is typed as v or u.
fn in_common(reading: &str, word: &[u8]) -> usize {
    let same = |(own, typed): (char, &u8)| match own {
        'ü' => matches!(typed, b'v' | b'u'),
        own => own == char::from(*typed),
    };
    reading.chars().zip(word).take_while(|(own, typed)| same((*own, typed))).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pinyin_is_matched_in_common_spellings() {
        for (name, word, place) in [
            ("闽清县", "minqing", Some(0..2)),
            ("闽清县", "mq", Some(0..2)),
            ("闽清县", "mqx", Some(0..3)),
            ("闽清县", "minqx", Some(0..3)),
            ("闽清县", "mqing", Some(0..2)),
            ("闽清县", "qingxian", Some(1..3)),
            ("闽清县", "minqin", Some(0..2)),
            ("闽清县", "mng", None),
            ("重庆路", "chongqing", Some(0..2)),
            ("重庆路", "zhongqing", Some(0..2)),
            ("绿洲", "lvzhou", Some(0..2)),
            ("绿洲", "lz", Some(0..2)),
            ("县第一中学A区", "dyzxaq", Some(1..7)),
            ("abc", "abc", None),
        ] {
            assert_eq!(sounds_like(name, word), place, "{name} {word}");
        }
    }
    #[test]
    fn initials_may_be_scattered_over_a_name() {
        for (name, word, expected) in [
            ("梅城镇中心小学", "mcxx", true),
            ("梅城镇中心小学", "mczxxx", true),
            ("梅城镇中心小学", "cxxx", false),
            ("梅城镇中心小学", "mxx", false),
            ("梅城镇中心小学", "mxcx", false),
            ("闽清县第一中学", "mqyz", true),
            ("Minqing school", "mqsc", false),
            ("", "mcxx", false),
        ] {
            assert_eq!(are_initials(name, word), expected, "{name} {word}");
        }
    }
}
