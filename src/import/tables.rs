//! Rows of a GeoPackage file or of a PostGIS table, read by a thread of its own.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};

use crate::exchange::read_ahead::read_ahead;
use crate::exchange::{Record, RecordSource, Unreadable};
use crate::store::foreign_rows::{DescribedTable, ForeignRow, RowReader};
use crate::store::{StoreError, foreign_rows};

/// Where rows are.
pub enum TableSource {
    /// A GeoPackage file.
    GeoPackage(PathBuf),
    /// The URL of a PostGIS database; it may contain a password.
    PostGis(String),
}

impl TableSource {
    /// Whether a name is the URL of a database.
    #[must_use]
    pub fn is_database(name: &Path) -> bool {
        let text = name.to_string_lossy();
        ["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme))
    }

    /// The source that a name is, if it is one.
    #[must_use]
    pub fn of(name: &Path) -> Option<Self> {
        let is_package = name.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("gpkg"));
        if Self::is_database(name) {
            Some(Self::PostGis(name.to_string_lossy().into_owned()))
        } else {
            is_package.then(|| Self::GeoPackage(name.to_owned()))
        }
    }

    /// Opens a table: the one of this name, otherwise one with the name of the layer, otherwise the only one.
    ///
    /// # Errors
    /// When it cannot be read, or several tables are possible.
    pub fn open(self, table: Option<&str>, layer: &str) -> Result<RecordSource, StoreError> {
        let (opened, described) = channel();
        let (table, layer) = (table.map(str::to_owned), layer.to_owned());
        let records = read_ahead(move |rows| {
            let mut take = |row: ForeignRow| {
                let number = rows.count() + 1;
                rows.push(record(number, row))
            };
            let failed = self.read(table.as_deref(), &layer, &opened, &mut take);
            if let Err(error) = failed
                && let Err(unsent) = opened.send(Err(error))
                && let Err(error) = unsent.0
            {
                // The rows before were read already.
                rows.push_cut(None, error.to_string());
            }
        });
        let DescribedTable { crs, rows } =
            described.recv().unwrap_or_else(|_| Err(unread("its reader ended unexpectedly".to_owned())))?;
        let unnamed_crs =
            crs.is_none().then(|| "the table does not say its reference system: name it with crs".to_owned());
        Ok(RecordSource { crs, unnamed_crs, rows, records })
    }

    /// Reads everything in a runtime of this thread.
    fn read(
        &self,
        table: Option<&str>,
        layer: &str,
        opened: &Sender<Result<DescribedTable, StoreError>>,
        take: RowReader<'_>,
    ) -> Result<(), StoreError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| unread(error.to_string()))?;
        // Nobody waits for the description any more if it was sent already.
        let mut describe = |found: DescribedTable| drop(opened.send(Ok(found)));
        runtime.block_on(async {
            match self {
                Self::GeoPackage(path) => foreign_rows::read_geopackage(path, table, layer, &mut describe, take).await,
                Self::PostGis(url) => foreign_rows::read_postgis(url, table, layer, &mut describe, take).await,
            }
        })
    }
}

/// The error of a table that was not read, for a reason that is not its own.
fn unread(reason: String) -> StoreError {
    StoreError::NoTable { location: "the table".to_owned(), reason }
}

fn record(row: usize, found: ForeignRow) -> Result<Record, Unreadable> {
    let ForeignRow { geometry, properties } = found;
    let geometry = geometry.map_err(|reason| Unreadable { row, line: None, reason, is_end: false })?;
    Ok(Record { row, line: None, id: None, geometry, properties })
}
