//! Parses CQL2 text (OGC 21-065r2, annex B) into the syntax tree: recursive descent with bounded depth.
//!
//! Parentheses may contain a condition, an arithmetic expression or a list, which only the following token determines.
//! So one precedence grammar parses all of them, and types are checked later.

use super::FilterError;
use super::ast::{Arithmetic, Comparison, Expr, MAX_DEPTH, Op, apply};
use super::geometry;
use super::lexer::{Token, Tokens};
use super::number::Number;
use super::temporal::{interval_bound, parse_date, parse_timestamp};

/// Parses a text.
pub(super) fn parse(text: &str) -> Result<Expr, FilterError> {
    expression(text).map_err(|error| match error {
        // The lexer counts bytes, but the message counts characters.
        FilterError::Syntax { at, found, expected } => {
            let at = text.char_indices().take_while(|(byte, _)| byte + 1 < at).count() + 1;
            FilterError::Syntax { at, found, expected }
        }
        other => other,
    })
}

fn expression(text: &str) -> Result<Expr, FilterError> {
    let mut parser = Parser { tokens: Tokens::new(text)?, nesting: 0 };
    let (expr, _) = parser.disjunction()?;
    parser.tokens.end()?;
    Ok(expr)
}

/// An expression and its depth: chains of operators add depth without parentheses.
type Deep = (Expr, usize);

struct Parser<'a> {
    tokens: Tokens<'a>,
    nesting: usize,
}

fn build(op: Op, operands: Vec<Deep>) -> Result<Deep, FilterError> {
    let depth = 1 + operands.iter().map(|(_, depth)| *depth).max().unwrap_or(0);
    if depth > MAX_DEPTH {
        return Err(FilterError::TooDeep { max: MAX_DEPTH });
    }
    Ok((apply(op, operands.into_iter().map(|(expr, _)| expr).collect()), depth))
}

impl Parser<'_> {
    /// Runs a part of the grammar one level deeper.
    fn nested<T>(&mut self, part: impl FnOnce(&mut Self) -> Result<T, FilterError>) -> Result<T, FilterError> {
        self.nesting += 1;
        if self.nesting > MAX_DEPTH {
            return Err(FilterError::TooDeep { max: MAX_DEPTH });
        }
        let result = part(self);
        self.nesting -= 1;
        result
    }

    fn disjunction(&mut self) -> Result<Deep, FilterError> {
        self.joined("or", Op::Or, Self::conjunction)
    }

    fn conjunction(&mut self) -> Result<Deep, FilterError> {
        self.joined("and", Op::And, Self::negation)
    }

    fn joined(
        &mut self,
        word: &str,
        op: Op,
        mut part: impl FnMut(&mut Self) -> Result<Deep, FilterError>,
    ) -> Result<Deep, FilterError> {
        let first = part(self)?;
        let mut parts = vec![first];
        while self.tokens.take_word(word) {
            parts.push(part(self)?);
        }
        match parts.len() {
            1 => parts.pop().ok_or(FilterError::TooDeep { max: MAX_DEPTH }),
            _ => build(op, parts),
        }
    }

    fn negation(&mut self) -> Result<Deep, FilterError> {
        if self.tokens.take_word("not") {
            let inner = self.nested(Self::negation)?;
            return build(Op::Not, vec![inner]);
        }
        self.predicate()
    }

    /// A scalar and the predicate on it.
    fn predicate(&mut self) -> Result<Deep, FilterError> {
        let subject = self.sum()?;
        if self.tokens.take_word("is") {
            let negated = self.tokens.take_word("not");
            self.tokens.want_word("null")?;
            return negate(build(Op::IsNull, vec![subject])?, negated);
        }
        let negated = self.tokens.take_word("not");
        if self.tokens.take_word("like") {
            let pattern = self.sum()?;
            return negate(build(Op::Like, vec![subject, pattern])?, negated);
        }
        if self.tokens.take_word("between") {
            let low = self.sum()?;
            self.tokens.want_word("and")?;
            let high = self.sum()?;
            return negate(build(Op::Between, vec![subject, low, high])?, negated);
        }
        if self.tokens.take_word("in") {
            self.tokens.want('(')?;
            let list = self.nested(Self::list)?;
            return negate(build(Op::In, vec![subject, list])?, negated);
        }
        if negated {
            return Err(self.tokens.unexpected("LIKE, BETWEEN or IN"));
        }
        let comparison = match self.tokens.peek() {
            Some(Token::Symbol(symbol)) => Comparison::ALL.iter().copied().find(|own| own.name() == *symbol),
            _ => None,
        };
        let Some(comparison) = comparison else { return Ok(subject) };
        self.tokens.skip();
        let other = self.sum()?;
        build(Op::Compare(comparison), vec![subject, other])
    }

    fn sum(&mut self) -> Result<Deep, FilterError> {
        self.chain(&[Arithmetic::Add, Arithmetic::Subtract], Self::product)
    }

    fn product(&mut self) -> Result<Deep, FilterError> {
        let operators = [Arithmetic::Multiply, Arithmetic::Divide, Arithmetic::Modulo, Arithmetic::IntegerDivide];
        self.chain(&operators, Self::signed)
    }

    fn chain(
        &mut self,
        operators: &[Arithmetic],
        part: fn(&mut Self) -> Result<Deep, FilterError>,
    ) -> Result<Deep, FilterError> {
        let mut left = part(self)?;
        while let Some(op) = operators.iter().copied().find(|op| self.tokens.is_operator(op.name())) {
            self.tokens.skip();
            let right = part(self)?;
            left = build(Op::Arithmetic(op), vec![left, right])?;
        }
        Ok(left)
    }

    fn signed(&mut self) -> Result<Deep, FilterError> {
        if self.tokens.take('+') {
            return self.nested(Self::signed);
        }
        if !self.tokens.take('-') {
            return self.power();
        }
        let (inner, depth) = self.nested(Self::signed)?;
        match inner {
            Expr::Number(Number::Integer(number)) => Ok((Expr::Number(Number::Integer(-number)), depth)),
            Expr::Number(Number::Real(number)) => Ok((Expr::Number(Number::of(-number)), depth)),
            other => {
                let minus_one = (Expr::Number(Number::Integer(-1)), 1);
                build(Op::Arithmetic(Arithmetic::Multiply), vec![minus_one, (other, depth)])
            }
        }
    }

    fn power(&mut self) -> Result<Deep, FilterError> {
        let base = self.primary()?;
        if !self.tokens.take('^') {
            return Ok(base);
        }
        let exponent = self.nested(Self::signed)?;
        build(Op::Arithmetic(Arithmetic::Power), vec![base, exponent])
    }

    fn primary(&mut self) -> Result<Deep, FilterError> {
        let Some(token) = self.tokens.peek().cloned() else {
            return Err(self.tokens.unexpected("a property, a literal or a function"));
        };
        let expr = match token {
            Token::Number(number) => Expr::Number(number),
            Token::Text(text) => Expr::Text(text),
            Token::Quoted(name) => Expr::Property(name),
            Token::Symbol("(") => {
                self.tokens.skip();
                return self.nested(Self::parenthesis);
            }
            Token::Word(word) if word.eq_ignore_ascii_case("true") => Expr::Boolean(true),
            Token::Word(word) if word.eq_ignore_ascii_case("false") => Expr::Boolean(false),
            Token::Word(word) if is_reserved(word) => {
                return Err(self.tokens.unexpected("a property, a literal or a function"));
            }
            Token::Word(word) => {
                let word = word.to_owned();
                self.tokens.skip();
                return self.named(&word);
            }
            Token::Symbol(_) => return Err(self.tokens.unexpected("a property, a literal or a function")),
        };
        self.tokens.skip();
        Ok((expr, 1))
    }

    /// After an opening parenthesis: an expression, or a list of zero or several.
    fn parenthesis(&mut self) -> Result<Deep, FilterError> {
        if self.tokens.take(')') {
            return Ok((Expr::List(Vec::new()), 1));
        }
        let first = self.disjunction()?;
        if self.tokens.take(')') {
            return Ok(first);
        }
        self.tokens.want(',')?;
        self.rest_of_list(vec![first])
    }

    /// After the opening parenthesis of a list with at least one element.
    fn list(&mut self) -> Result<Deep, FilterError> {
        let first = self.disjunction()?;
        if self.tokens.take(')') {
            return Ok((Expr::List(vec![first.0]), first.1 + 1));
        }
        self.tokens.want(',')?;
        self.rest_of_list(vec![first])
    }

    fn rest_of_list(&mut self, mut items: Vec<Deep>) -> Result<Deep, FilterError> {
        loop {
            items.push(self.disjunction()?);
            if self.tokens.take(')') {
                let depth = 1 + items.iter().map(|(_, depth)| *depth).max().unwrap_or(0);
                return Ok((Expr::List(items.into_iter().map(|(item, _)| item).collect()), depth));
            }
            self.tokens.want(',')?;
        }
    }

    /// A property, function or literal that begins with a word.
    fn named(&mut self, word: &str) -> Result<Deep, FilterError> {
        let called = matches!(self.tokens.peek(), Some(Token::Symbol("(")));
        if let Some(kind) = geometry::WktKind::of(word)
            && (called || self.tokens.is_word_before_parenthesis(&["z", "m", "zm"]))
        {
            return geometry::read(&mut self.tokens, kind).map(|geometry| (Expr::Geometry(geometry), 1));
        }
        if !called {
            return Ok((Expr::Property(word.to_owned()), 1));
        }
        self.tokens.skip();
        match word.to_ascii_lowercase().as_str() {
            "date" => {
                let text = self.tokens.text()?;
                self.tokens.want(')')?;
                return Ok((Expr::Date(parse_date(&text)?), 1));
            }
            "timestamp" => {
                let text = self.tokens.text()?;
                self.tokens.want(')')?;
                return Ok((Expr::Timestamp(parse_timestamp(&text)?), 1));
            }
            "interval" => return Ok((self.interval()?, 1)),
            "bbox" => return Ok((Expr::Bbox(geometry::read_bbox(&mut self.tokens)?), 1)),
            _ => {}
        }
        let (operands, depth) = match self.nested(Self::parenthesized)? {
            (Expr::List(items), depth) => (items, depth),
            (one, depth) => (vec![one], depth),
        };
        let Some(op) = Op::function(word) else { return Ok((Expr::Call(word.to_owned(), operands), depth)) };
        super::check_operands(op, operands.len())?;
        if depth > MAX_DEPTH {
            return Err(FilterError::TooDeep { max: MAX_DEPTH });
        }
        Ok((apply(op, operands), depth))
    }

    /// The operands of a function, after its opening parenthesis.
    fn parenthesized(&mut self) -> Result<Deep, FilterError> {
        if self.tokens.take(')') {
            return Ok((Expr::List(Vec::new()), 1));
        }
        self.list()
    }

    fn interval(&mut self) -> Result<Expr, FilterError> {
        let start = self.bound()?;
        self.tokens.want(',')?;
        let end = self.bound()?;
        self.tokens.want(')')?;
        Ok(Expr::Interval(Box::new([start, end])))
    }

    fn bound(&mut self) -> Result<Expr, FilterError> {
        match self.tokens.peek().cloned() {
            Some(Token::Text(text)) => {
                self.tokens.skip();
                interval_bound(&text)
            }
            Some(Token::Quoted(name)) => {
                self.tokens.skip();
                Ok(Expr::Property(name))
            }
            Some(Token::Word(word)) if !is_reserved(word) => {
                self.tokens.skip();
                Ok(Expr::Property(word.to_owned()))
            }
            _ => Err(self.tokens.unexpected("an instant in quotes, '..' or a property")),
        }
    }
}

fn negate(inner: Deep, negated: bool) -> Result<Deep, FilterError> {
    if negated { build(Op::Not, vec![inner]) } else { Ok(inner) }
}

/// Reserved words, which name a property only in quotes.
fn is_reserved(word: &str) -> bool {
    ["and", "or", "not", "is", "null", "like", "between", "in", "div", "true", "false"]
        .iter()
        .any(|own| own.eq_ignore_ascii_case(word))
}
