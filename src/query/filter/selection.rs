//! Filters for single conditions, built as trees: ids, a value of a field, an interval of time, words.

use time::UtcDateTime;

use super::ast::{Array, Comparison, Expr, Op, apply};
use super::number::Number;
use super::{Filter, FilterError};
use crate::model::roles::TimeRole;
use crate::model::{Field, FieldType, Value, View};

impl Filter {
    /// Features with one of these ids.
    ///
    /// # Errors
    /// When there are too many.
    pub fn ids<'a>(ids: impl IntoIterator<Item = &'a str>, view: &View<'_>) -> Result<Self, FilterError> {
        let ids = ids.into_iter().map(|id| Expr::Text(id.to_owned())).collect();
        Self::of_expr(&Expr::Apply(Op::In, vec![property("id"), Expr::List(ids)]), view)
    }

    /// Features that have this value in a field, or contain it in a list; those without a value for
    /// [`Value::Unknown`].
    ///
    /// # Errors
    /// When the view does not have the field, or the field holds JSON documents.
    pub fn equals(field: &Field, value: &Value, view: &View<'_>) -> Result<Self, FilterError> {
        let equal = |literal| compare(Comparison::Equal, &field.name, literal);
        let expr = match value {
            Value::Unknown => is_unknown(&field.name),
            Value::Boolean(yes) => equal(Expr::Boolean(*yes)),
            Value::Integer(number) => equal(Expr::Number(Number::Integer(*number))),
            Value::Real(number) => equal(Expr::Number(Number::of(*number))),
            Value::Text(text) | Value::Json(text) => equal(Expr::Text(text.clone())),
            Value::Date(day) => equal(Expr::Date(*day)),
            Value::DateTime(instant) => equal(Expr::Timestamp(*instant)),
            Value::TextList(list) => {
                let items = list.iter().map(|item| Expr::Text(item.clone())).collect();
                Expr::Apply(Op::Array(Array::Contains), vec![property(&field.name), Expr::List(items)])
            }
        };
        Self::of_expr(&expr, view)
    }

    /// Features whose time shares an instant with an interval, both ends included, `None` for an open end. A feature
    /// without a start or an end is open there; one without any time matches.
    ///
    /// # Errors
    /// When the view does not have the fields.
    pub fn during(
        fields: &TimeRole,
        from: Option<UtcDateTime>,
        to: Option<UtcDateTime>,
        view: &View<'_>,
    ) -> Result<Self, FilterError> {
        let unknown_or = |op, name: &str, instant| {
            apply(Op::Or, vec![is_unknown(name), compare(op, name, Expr::Timestamp(instant))])
        };
        let to = to.map(|to| unknown_or(Comparison::LessOrEqual, &fields.start, to));
        let end = fields.end.as_ref().unwrap_or(&fields.start);
        let from = from.map(|from| unknown_or(Comparison::GreaterOrEqual, end, from));
        let expr = match (to, from) {
            (Some(to), Some(from)) => apply(Op::And, vec![to, from]),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => Expr::Boolean(true),
        };
        Self::of_expr(&expr, view)
    }

    /// Features whose id or a text contains these words, regardless of case and accents.
    ///
    /// # Errors
    /// When the view has too many texts.
    pub fn containing(words: &str, view: &View<'_>) -> Result<Self, FilterError> {
        let folded = |inner| Expr::Apply(Op::Accenti, vec![Expr::Apply(Op::Casei, vec![inner])]);
        let escaped: String =
            words.chars().flat_map(|c| "%_\\".contains(c).then_some('\\').into_iter().chain([c])).collect();
        let pattern = folded(Expr::Text(format!("%{escaped}%")));
        let texts = view.fields().filter(|(_, field)| field.field_type == FieldType::Text);
        let names = std::iter::once("id").chain(texts.map(|(_, field)| field.name.as_str()));
        let contains = |name| Expr::Apply(Op::Like, vec![folded(property(name)), pattern.clone()]);
        Self::of_expr(&apply(Op::Or, names.map(contains).collect()), view)
    }
}

fn property(name: &str) -> Expr {
    Expr::Property(name.to_owned())
}

fn compare(op: Comparison, name: &str, literal: Expr) -> Expr {
    Expr::Apply(Op::Compare(op), vec![property(name), literal])
}

fn is_unknown(name: &str) -> Expr {
    Expr::Apply(Op::IsNull, vec![property(name)])
}
