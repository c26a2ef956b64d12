//! `onemap audit`: verifies and exports the audit log.

use std::io::{BufWriter, Write};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::command_origin;
use super::store::StoreOptions;
use crate::clock;
use crate::store::AuditSpool;
use crate::store::audit_retention::{MAX_RETENTION_DAYS, MIN_RETENTION_DAYS, Pruned, prune, read_verified};

/// How long the audit log is kept.
#[derive(Args)]
pub(super) struct RetentionOptions {
    /// Days for which entries of the audit log are kept; older ones are removed, which is recorded in the log [default: all
    /// are kept].
    #[arg(long, value_name = "DAYS", env = "ONEMAP_AUDIT_RETENTION_DAYS", value_parser = parse_retention)]
    pub(super) audit_retention_days: Option<u32>,
}

fn parse_retention(text: &str) -> Result<u32, String> {
    let accepted = format!("accepted: {MIN_RETENTION_DAYS} to {MAX_RETENTION_DAYS}");
    match text.parse() {
        Ok(days) if days < MIN_RETENTION_DAYS => Err(format!(
            "{days} days are less than the six months for which the law has logs kept (网络安全法, article 21); {accepted}"
        )),
        Ok(days) if days <= MAX_RETENTION_DAYS => Ok(days),
        _ => Err(format!("no number of days; {accepted}")),
    }
}

#[derive(Subcommand)]
pub(super) enum AuditCommand {
    /// Check that no entry was changed or removed, and print the number and the hash of the last one.
    #[command(after_help = "\
Keep the printed hash outside of the store: if the log is later cut off at its end, its last hash is another one.
If old entries were removed, an entry records it, and the check begins behind them.

Examples:
  onemap audit verify
  onemap audit verify --store postgres://onemap@db/county")]
    Verify(AuditOptions),
    /// Print all entries as JSON lines with number and hash.
    Export(AuditOptions),
    /// Remove entries that are older than a number of days, and record it.
    #[command(after_help = "\
For a database whose server may not remove entries. Export the log first if it is to be archived.

Examples:
  onemap audit export > audit.jsonl
  onemap audit prune --audit-retention-days 365 --store postgres://county@db/county")]
    Prune(PruneOptions),
}

#[derive(Args)]
pub(super) struct AuditOptions {
    #[command(flatten)]
    store: StoreOptions,
}

#[derive(Args)]
pub(super) struct PruneOptions {
    #[command(flatten)]
    retention: RetentionOptions,

    #[command(flatten)]
    audit: AuditOptions,
}

pub(super) async fn run(command: &AuditCommand) -> anyhow::Result<ExitCode> {
    let options = match command {
        AuditCommand::Verify(options) | AuditCommand::Export(options) => options,
        AuditCommand::Prune(own) => {
            let days = own.retention.audit_retention_days;
            let days = days.ok_or_else(|| anyhow::anyhow!("--audit-retention-days is required"))?;
            return remove(&own.audit, days).await;
        }
    };
    let config = options.store.config()?;
    let store = options.store.open_existing(&config.catalog).await?;
    AuditSpool::new(options.store.audit_spool_file()).drain(&*store).await?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut written = Ok(());
    let read = read_verified(&*store, |row| {
        if matches!(command, AuditCommand::Export(_)) {
            written = writeln!(out, "{{\"number\":{},\"hash\":\"{}\",\"entry\":{}}}", row.number, row.hash, row.body);
        }
        written.is_ok()
    });
    let read = read.await;
    store.close().await;
    let (start, head) = read?;
    written?;
    if matches!(command, AuditCommand::Verify(_)) {
        let removed = if start.number > 0 { format!(", {} older ones removed", start.number) } else { String::new() };
        writeln!(out, "{} entries{removed}, last hash {}", head.number - start.number, head.hash)?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

async fn remove(options: &AuditOptions, days: u32) -> anyhow::Result<ExitCode> {
    let config = options.store.config()?;
    let store = options.store.open_existing(&config.catalog).await?;
    AuditSpool::new(options.store.audit_spool_file()).drain(&*store).await?;
    let pruned = prune(&*store, days, &command_origin()?, clock::now()).await;
    store.close().await;
    let entries = pruned?.map_or(0, |Pruned { entries, .. }| entries);
    writeln!(std::io::stdout(), "{entries} entries older than {days} days removed")?;
    Ok(ExitCode::SUCCESS)
}
