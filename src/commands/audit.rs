//! `onemap audit`: verifies and exports the audit log.

use std::io::{BufWriter, Write};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::store::StoreOptions;
use crate::store::{AuditHead, AuditPart, AuditRow, AuditSpool, Store};

/// Entries that are read at once.
const PAGE: u32 = 1_000;

#[derive(Subcommand)]
pub(super) enum AuditCommand {
    /// Check that no entry was changed or removed, and print the number and the hash of the last one.
    #[command(after_help = "\
Keep the printed hash outside of the store: if the log is later cut off at its end, its last hash is another one.

Examples:
  onemap audit verify
  onemap audit verify --store postgres://onemap@db/county")]
    Verify(AuditOptions),
    /// Print all entries as JSON lines with number and hash.
    Export(AuditOptions),
}

#[derive(Args)]
pub(super) struct AuditOptions {
    #[command(flatten)]
    store: StoreOptions,
}

pub(super) async fn run(command: &AuditCommand) -> anyhow::Result<ExitCode> {
    let (AuditCommand::Verify(options) | AuditCommand::Export(options)) = command;
    let config = options.store.config()?;
    let store = options.store.open_existing(&config.catalog).await?;
    AuditSpool::new(options.store.audit_spool_file()).drain(&*store).await?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut head = AuditHead::default();
    let read = each_row(&*store, |row| {
        head.verify(row).map_err(|reason| anyhow::anyhow!("the audit log is damaged: {reason}"))?;
        if matches!(command, AuditCommand::Export(_)) {
            writeln!(out, "{{\"number\":{},\"hash\":\"{}\",\"entry\":{}}}", row.number, row.hash, row.body)?;
        }
        Ok(())
    });
    let read = read.await;
    store.close().await;
    read?;
    if matches!(command, AuditCommand::Verify(_)) {
        writeln!(out, "{} entries, last hash {}", head.number, head.hash)?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// Reads the log in order.
async fn each_row(store: &dyn Store, mut take: impl FnMut(&AuditRow) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let mut after = 0;
    loop {
        let rows = store.audit_rows(AuditPart::After(after), PAGE).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.number;
        rows.iter().try_for_each(&mut take)?;
    }
}
