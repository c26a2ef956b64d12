//! Change detection for tables of other programs: by triggers if they can be created and record every change, otherwise
//! by comparing rows.

use std::sync::Arc;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection};

use super::WITHOUT_STANDBY;
use super::source::{Source, Watch};
use super::sql::{query_as, query_scalar};
use crate::store::quoting::{identifier, literal};

/// Limits the time that creating triggers waits for other transactions on the table.
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '2s'";

/// The events, their bits in `pg_trigger.tgtype`, and their transition tables.
const EVENTS: [(&str, i16, &str); 4] = [
    ("INSERT", 4, "REFERENCING NEW TABLE AS now_rows"),
    ("UPDATE", 16, "REFERENCING NEW TABLE AS now_rows OLD TABLE AS old_rows"),
    ("DELETE", 8, "REFERENCING OLD TABLE AS old_rows"),
    ("TRUNCATE", 32, ""),
];

/// A table of another program on which triggers may be created.
pub(super) struct Watchable<'a> {
    /// `schema.table` as configured, for messages.
    pub(super) table: &'a str,
    /// Quoted name.
    pub(super) relation: &'a str,
    pub(super) layer: &'a str,
    pub(super) key: &'a str,
}

/// An existing trigger of the change log.
struct Present {
    name: String,
    event: i16,
    /// It belongs to this layer.
    is_own: bool,
    /// It writes the configured key.
    is_right: bool,
    is_enabled: bool,
}

impl Watchable<'_> {
    /// Creates missing triggers; correct ones are not touched.
    ///
    /// # Errors
    /// When the connection fails. If triggers cannot be created, the rows are compared instead; this is not an error.
    pub(super) async fn ensure(&self, connection: &mut PgConnection) -> Result<Watch, sqlx::Error> {
        if let Some(reason) = self.unsuitable_reason(connection).await? {
            tracing::info!(table = self.table, reason, "triggers would miss changes; the rows are compared instead");
            return Ok(Watch::Compare);
        }
        let mut attempt = connection.begin().await?;
        match self.create_missing(&mut attempt).await {
            Ok(watch) => {
                attempt.commit().await?;
                Ok(watch)
            }
            Err(error) if error.as_database_error().is_some() => {
                attempt.rollback().await?;
                tracing::warn!(
                    table = self.table, %error,
                    "no triggers could be created on it, perhaps because the role is read-only; the rows are compared instead"
                );
                Ok(Watch::Compare)
            }
            Err(error) => Err(error),
        }
    }

    /// The reason why statement triggers would miss changes; `None` if they would not.
    async fn unsuitable_reason(&self, connection: &mut PgConnection) -> Result<Option<&'static str>, sqlx::Error> {
        const FACTS: &str = "\
            SELECT relkind = 'r', \
              EXISTS (SELECT FROM pg_inherits WHERE inhparent = pg_class.oid OR inhrelid = pg_class.oid), \
              EXISTS (SELECT FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0] \
                      WHERE indrelid = pg_class.oid AND indisunique AND indisvalid AND indnkeyatts = 1 \
                        AND indpred IS NULL AND attname = $2) \
            FROM pg_class WHERE oid = to_regclass($1)";
        let facts = query_as(FACTS).bind(self.relation).bind(self.key).fetch_optional(connection).await?;
        Ok(match facts {
            None => Some("it does not exist"),
            Some((false, _, _)) => Some("it is a view, a partitioned table or a foreign table"),
            Some((_, true, _)) => Some("rows may be written through a partition, or through a table it inherits from"),
            Some((_, _, false)) => Some("no unique index makes its key unique"),
            Some((true, false, true)) => None,
        })
    }

    async fn create_missing(&self, connection: &mut PgConnection) -> Result<Watch, sqlx::Error> {
        const PRESENT: &str = "\
            SELECT tgname::text AS name, tgtype AS event, tgenabled <> 'D' AS is_enabled, \
              position(convert_to($2, getdatabaseencoding()) || '\\000'::bytea IN tgargs) = 1 AS is_own, \
              tgargs = convert_to($2, getdatabaseencoding()) || '\\000'::bytea \
                       || convert_to($3, getdatabaseencoding()) || '\\000'::bytea AS is_right \
            FROM pg_trigger WHERE tgrelid = $1::regclass AND tgfoid = to_regprocedure('onemap.note_foreign()')";
        let rows: Vec<(String, i16, bool, bool, bool)> =
            query_as(PRESENT).bind(self.relation).bind(self.layer).bind(self.key).fetch_all(&mut *connection).await?;
        let present =
            |(name, event, is_enabled, is_own, is_right)| Present { name, event, is_own, is_right, is_enabled };
        let present: Vec<Present> = rows.into_iter().map(present).collect();
        if present.iter().any(|trigger| trigger.is_right && !trigger.is_enabled) {
            tracing::warn!(
                table = self.table,
                "its triggers are disabled; the rows are compared until they are enabled"
            );
            return Ok(Watch::Compare);
        }
        let taken: Vec<String> = query_scalar("SELECT tgname::text FROM pg_trigger WHERE tgrelid = $1::regclass")
            .bind(self.relation)
            .fetch_all(&mut *connection)
            .await?;
        let mut statements: Vec<String> = present
            .iter()
            .filter(|trigger| trigger.is_own && !trigger.is_right)
            .map(|trigger| format!("DROP TRIGGER {} ON {}", identifier(&trigger.name), self.relation))
            .collect();
        for (event, bit, rows) in EVENTS {
            if present.iter().any(|trigger| trigger.is_right && trigger.event == bit) {
                continue;
            }
            let base = format!("onemap_noted_{}", event.to_ascii_lowercase());
            let names = std::iter::once(base.clone()).chain((2..).map(|number| format!("{base}_{number}")));
            let name = names.into_iter().find(|name| !taken.contains(name)).unwrap_or(base);
            statements.push(format!(
                "CREATE TRIGGER {name} AFTER {event} ON {} {rows} FOR EACH STATEMENT \
                 EXECUTE FUNCTION onemap.note_foreign({}, {})",
                self.relation,
                literal(self.layer),
                literal(self.key)
            ));
        }
        if !statements.is_empty() {
            sqlx::raw_sql(LOCK_TIMEOUT).execute(&mut *connection).await?;
            sqlx::raw_sql(WITHOUT_STANDBY).execute(&mut *connection).await?;
            sqlx::raw_sql(AssertSqlSafe(statements.join(";\n"))).execute(connection).await?;
        }
        Ok(Watch::Log)
    }
}

/// Descriptions of the tables of layers: identity, columns, parents and children, and the triggers of the change log.
/// Empty for a missing table. An unchanged text means that the change log recorded every change.
pub(super) async fn structures(
    connection: &mut PgConnection,
    sources: &[Arc<Source>],
) -> Result<Vec<String>, sqlx::Error> {
    const STRUCTURES: &str = "\
        SELECT coalesce(concat_ws(' ', c.oid, c.relkind, \
          (SELECT string_agg(concat_ws(':', attnum, attname, atttypid, atttypmod), ',' ORDER BY attnum) \
             FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped), \
          (SELECT string_agg(concat_ws(':', inhrelid, inhparent), ',' ORDER BY inhrelid, inhparent) \
             FROM pg_inherits WHERE inhrelid = c.oid OR inhparent = c.oid), \
          (SELECT string_agg(concat_ws(':', t.oid, t.xmin, t.tgenabled), ',' ORDER BY t.oid) \
             FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_namespace o ON o.oid = p.pronamespace \
             WHERE t.tgrelid = c.oid AND o.nspname = 'onemap')), '') \
        FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS wanted (schema, name, at) \
        LEFT JOIN (pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace) ON n.nspname = schema AND c.relname = name \
        ORDER BY at";
    let (schemas, names): (Vec<String>, Vec<String>) = sources.iter().map(|source| source.schema_and_name()).unzip();
    query_scalar(STRUCTURES).bind(schemas).bind(names).fetch_all(connection).await
}
