//! Masks names and phone numbers of persons.

/// A phone number with its middle replaced by asterisks: 138****1234. Numbers of fewer than seven digits keep two.
#[must_use]
pub fn mask_phone(phone: &str) -> String {
    let digits = phone.chars().filter(char::is_ascii_digit).count();
    let (first, last) = if digits >= 11 {
        (3, 4)
    } else if digits >= 7 {
        (0, 2)
    } else {
        (0, 0)
    };
    let mut position = 0;
    let mask = |own: char| {
        if !own.is_ascii_digit() {
            // Letters could be a name; separators tell nothing.
            return if own.is_alphanumeric() { '*' } else { own };
        }
        position += 1;
        if position <= first || position > digits - last { own } else { '*' }
    };
    phone.chars().map(mask).collect()
}

/// A name of which only the first character remains: 张**.
#[must_use]
pub fn mask_name(name: &str) -> String {
    let mut characters = name.chars();
    let first = characters.next();
    first.into_iter().chain(characters.map(|own| if own.is_whitespace() { own } else { '*' })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_digits_of_a_phone_number_are_hidden() {
        for (phone, masked) in [
            ("13812341234", "138****1234"),
            ("138-1234-1234", "138-****-1234"),
            ("0591-22332233", "059*-****2233"),
            ("22332233", "******33"),
            ("119", "***"),
            ("13812341234 张三", "138****1234 **"),
            ("", ""),
        ] {
            assert_eq!(mask_phone(phone), masked);
        }
    }

    #[test]
    fn only_the_first_character_of_a_name_remains() {
        assert_eq!(mask_name("张三丰"), "张**");
        assert_eq!(mask_name("Ann Lee"), "A** ***");
        assert_eq!(mask_name(""), "");
    }
}
