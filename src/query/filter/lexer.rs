//! The lexer of CQL2 text: tokens with their positions, for error messages.

use super::FilterError;
use super::number::Number;

/// A token.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token<'a> {
    /// An unsigned number.
    Number(Number),
    /// A text in single quotes.
    Text(String),
    /// A name in double quotes: a property even if it is a keyword.
    Quoted(String),
    /// A keyword, function or property.
    Word(&'a str),
    Symbol(&'static str),
}

/// A stream of tokens.
pub(super) struct Tokens<'a> {
    all: Vec<(Token<'a>, usize)>,
    next: usize,
    length: usize,
}

const SYMBOLS: [&str; 14] = ["<>", "<=", ">=", "(", ")", ",", "=", "<", ">", "+", "-", "*", "/", "%"];

impl<'a> Tokens<'a> {
    pub(super) fn new(text: &'a str) -> Result<Self, FilterError> {
        let mut tokens = Vec::new();
        let mut at = 0;
        while let Some(first) = text[at..].chars().next() {
            if first.is_whitespace() {
                at += first.len_utf8();
                continue;
            }
            let (token, length) = token(text, at, first)?;
            tokens.push((token, at));
            at += length;
        }
        Ok(Self { all: tokens, next: 0, length: text.len() })
    }

    pub(super) fn peek(&self) -> Option<&Token<'a>> {
        self.all.get(self.next).map(|(token, _)| token)
    }

    pub(super) fn skip(&mut self) {
        self.next += 1;
    }

    /// Consumes a symbol if it is next.
    pub(super) fn take(&mut self, symbol: char) -> bool {
        let found = matches!(self.peek(), Some(Token::Symbol(own)) if own.chars().eq([symbol]));
        self.next += usize::from(found);
        found
    }

    pub(super) fn want(&mut self, symbol: char) -> Result<(), FilterError> {
        if self.take(symbol) { Ok(()) } else { Err(self.unexpected(&symbol.to_string())) }
    }

    /// Consumes a keyword (case-insensitive) if it is next.
    pub(super) fn take_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.next += usize::from(found);
        found
    }

    pub(super) fn want_word(&mut self, word: &str) -> Result<(), FilterError> {
        if self.take_word(word) { Ok(()) } else { Err(self.unexpected(&word.to_ascii_uppercase())) }
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Some(Token::Word(own)) if own.eq_ignore_ascii_case(word))
    }

    /// Whether this operator, a symbol or word, is next.
    pub(super) fn is_operator(&self, name: &str) -> bool {
        self.is_word(name) || matches!(self.peek(), Some(Token::Symbol(own)) if *own == name)
    }

    /// Whether one of these words and an opening parenthesis are next.
    pub(super) fn is_word_before_parenthesis(&self, words: &[&str]) -> bool {
        let parenthesis = matches!(self.all.get(self.next + 1), Some((Token::Symbol("("), _)));
        parenthesis && words.iter().any(|word| self.is_word(word))
    }

    /// Consumes a text, which is required.
    pub(super) fn text(&mut self) -> Result<String, FilterError> {
        let Some(Token::Text(text)) = self.peek().cloned() else { return Err(self.unexpected("a text in quotes")) };
        self.skip();
        Ok(text)
    }

    /// Consumes a number with an optional sign, which is required.
    pub(super) fn signed_number(&mut self) -> Result<f64, FilterError> {
        let sign = if self.take('-') { -1.0 } else { 1.0 };
        if sign > 0.0 {
            self.take('+');
        }
        let Some(&Token::Number(number)) = self.peek() else { return Err(self.unexpected("a number")) };
        self.skip();
        // Not -0.
        Ok(sign * number.as_f64() + 0.0)
    }

    pub(super) fn end(&self) -> Result<(), FilterError> {
        if self.next == self.all.len() { Ok(()) } else { Err(self.unexpected("an operator or the end")) }
    }

    /// The error for an unexpected token at the current position.
    pub(super) fn unexpected(&self, expected: &str) -> FilterError {
        let (found, at) = match self.all.get(self.next) {
            None => ("the end".to_owned(), self.length),
            Some((token, at)) => (shown(token), *at),
        };
        FilterError::Syntax { at: at + 1, found, expected: expected.to_owned() }
    }
}

fn shown(token: &Token<'_>) -> String {
    match token {
        Token::Number(number) => number.to_string(),
        Token::Text(text) => format!("'{text}'"),
        Token::Quoted(name) => format!("\"{name}\""),
        Token::Word(word) => (*word).to_owned(),
        Token::Symbol(symbol) => (*symbol).to_owned(),
    }
    .chars()
    .take(40)
    .collect()
}

fn token(text: &str, at: usize, first: char) -> Result<(Token<'_>, usize), FilterError> {
    let rest = &text[at..];
    match first {
        '\'' => quoted(rest, at, '\'').map(|(inner, length)| (Token::Text(inner), length)),
        '"' => quoted(rest, at, '"').map(|(inner, length)| (Token::Quoted(inner), length)),
        '^' => Ok((Token::Symbol("^"), 1)),
        '0'..='9' | '.' => number(rest, at),
        first if begins_name(first) => {
            let end = rest.find(|c: char| !begins_name(c) && !c.is_numeric() && c != '.').unwrap_or(rest.len());
            Ok((Token::Word(&rest[..end]), end))
        }
        _ => SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)).map_or_else(
            || Err(syntax(at, &first.to_string(), "CQL2 text")),
            |symbol| Ok((Token::Symbol(symbol), symbol.len())),
        ),
    }
}

fn begins_name(c: char) -> bool {
    c.is_alphabetic() || c == '_' || c == ':'
}

/// A quote inside is doubled; in a text it may also be escaped by a backslash.
fn quoted(rest: &str, at: usize, quote: char) -> Result<(String, usize), FilterError> {
    let mut inner = String::new();
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((place, c)) = chars.next() {
        let next = chars.peek().map(|(_, next)| *next);
        if c == quote || (c == '\\' && quote == '\'' && next == Some(quote)) {
            if next != Some(quote) {
                return Ok((inner, place + 1));
            }
            chars.next();
            inner.push(quote);
        } else {
            inner.push(c);
        }
    }
    Err(syntax(at + rest.len(), "the end", &format!("a closing {quote}")))
}

fn number(rest: &str, at: usize) -> Result<(Token<'_>, usize), FilterError> {
    let digits = |from: usize| rest[from..].bytes().take_while(u8::is_ascii_digit).count();
    let mut end = digits(0);
    if rest[end..].starts_with('.') {
        end += 1 + digits(end + 1);
    }
    if rest[end..].starts_with(['e', 'E']) {
        let sign = usize::from(rest[end + 1..].starts_with(['+', '-']));
        let exponent = digits(end + 1 + sign);
        if exponent > 0 {
            end += 1 + sign + exponent;
        }
    }
    let written = &rest[..end];
    if let Ok(whole) = written.parse() {
        return Ok((Token::Number(Number::Integer(whole)), end));
    }
    match written.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok((Token::Number(Number::of(number)), end)),
        _ => Err(syntax(at, written, "a finite number")),
    }
}

fn syntax(at: usize, found: &str, expected: &str) -> FilterError {
    FilterError::Syntax { at: at + 1, found: found.chars().take(40).collect(), expected: expected.to_owned() }
}
