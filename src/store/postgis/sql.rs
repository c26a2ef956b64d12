//! Unnamed statements: a pooler in transaction mode gives each transaction another connection, on which an earlier named
//! statement does not exist.

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::{Query, QueryAs, QueryScalar};
use sqlx::{Decode, FromRow, Postgres, SqlSafeStr, Type};

/// A statement with binary results.
pub(super) fn query<'q>(sql: impl SqlSafeStr) -> Query<'q, Postgres, PgArguments> {
    sqlx::query(sql).persistent(false)
}

/// A statement whose rows are tuples.
pub fn query_as<'q, T>(sql: impl SqlSafeStr) -> QueryAs<'q, Postgres, T, PgArguments>
where
    T: for<'r> FromRow<'r, PgRow>,
{
    sqlx::query_as(sql).persistent(false)
}

/// A statement whose rows have one column.
pub(super) fn query_scalar<'q, T>(sql: impl SqlSafeStr) -> QueryScalar<'q, Postgres, T, PgArguments>
where
    T: for<'r> Decode<'r, Postgres> + Type<Postgres> + Send + Unpin,
{
    sqlx::query_scalar(sql).persistent(false)
}
