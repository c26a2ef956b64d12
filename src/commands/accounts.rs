//! `onemap token`: adds, lists and revokes accounts.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};
use time::Duration;

use super::command_origin;
use super::store::StoreOptions;
use crate::access::{Account, AccountsFile, NewAccount};
use crate::clock;
use crate::model::division::division_prefix;
use crate::model::{AuditEntry, Role, format_instant};
use crate::store::AuditSpool;

/// Longest life of an account, days.
const MAX_DAYS: u32 = 3_660;

/// The file of the accounts.
#[derive(Args)]
pub(super) struct AccountOptions {
    /// File with the accounts [default: beside the store].
    #[arg(long, value_name = "FILE", env = "ONEMAP_ACCOUNTS")]
    accounts: Option<PathBuf>,
}

impl AccountOptions {
    pub(super) fn file(&self, store: &StoreOptions) -> AccountsFile {
        AccountsFile::new(self.accounts.clone().unwrap_or_else(|| store.file_beside(".accounts")))
    }
}

#[derive(Subcommand)]
pub(super) enum TokenCommand {
    /// Add an account and print its secret, which is shown this once.
    #[command(after_help = "\
Examples:
  onemap token add 大屏 --role viewer
  onemap token add 梅城镇 --role editor --layer shelters,teams --region 350124100 --days 365
  onemap token add 指挥中心 --role dispatcher

A running server accepts the account within a second. As soon as there is an account, callers without credentials see
only what is public; [access] anonymous in onemap.toml says otherwise.")]
    Add(AddOptions),
    /// List the accounts, without their secrets.
    List(ListOptions),
    /// Revoke an account by its name or id; a running server refuses it within a second.
    Revoke(RevokeOptions),
}

#[derive(Args)]
pub(super) struct AddOptions {
    /// Name for people, unique.
    name: String,

    /// public, viewer, editor, dispatcher or admin.
    #[arg(long, value_name = "ROLE")]
    role: Role,

    /// Layers that the account may write; may be given several times [default: all that its role may write].
    #[arg(long, value_name = "LAYER", value_delimiter = ',')]
    layer: Vec<String>,

    /// Division codes whose features the account may write, such as 350124101 [default: all].
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    region: Vec<String>,

    /// Days until the account expires [default: never].
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_DAYS)))]
    days: Option<u32>,

    #[command(flatten)]
    accounts: AccountOptions,

    #[command(flatten)]
    store: StoreOptions,
}

#[derive(Args)]
pub(super) struct ListOptions {
    #[command(flatten)]
    accounts: AccountOptions,

    #[command(flatten)]
    store: StoreOptions,
}

#[derive(Args)]
pub(super) struct RevokeOptions {
    /// Name or id.
    account: String,

    #[command(flatten)]
    accounts: AccountOptions,

    #[command(flatten)]
    store: StoreOptions,
}

pub(super) fn run(command: &TokenCommand) -> anyhow::Result<ExitCode> {
    match command {
        TokenCommand::Add(options) => add(options)?,
        TokenCommand::List(options) => list(options)?,
        TokenCommand::Revoke(options) => {
            let revoked = options.accounts.file(&options.store).revoke(&options.account)?;
            record(&options.store, "token-revoke", &revoked)?;
            writeln!(std::io::stdout(), "revoked {} ({}, {})", revoked.name, revoked.id, revoked.role.name())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn add(options: &AddOptions) -> anyhow::Result<()> {
    let config = options.store.config()?;
    let own = config.catalog.layers.iter().map(|layer| layer.id.as_str());
    let known: BTreeSet<&str> = own.chain(config.layers.iter().filter_map(|table| table.id.as_deref())).collect();
    if let Some(unknown) = options.layer.iter().find(|layer| !known.contains(layer.as_str())) {
        let accepted = known.into_iter().collect::<Vec<_>>().join(", ");
        anyhow::bail!("--layer: unknown layer {unknown:?}; accepted: {accepted}");
    }
    if let Some(wrong) = options.region.iter().find(|region| division_prefix(region).is_none()) {
        anyhow::bail!("--region: {wrong:?} is no division code; accepted: 2, 4, 6, 9 or 12 digits, such as 350124101");
    }
    let now = clock::now();
    let life = options.days.map(|days| Duration::days(i64::from(days)));
    let expires_at = life.map(|life| now.checked_add(life).context("--days is too far in the future")).transpose()?;
    let new = NewAccount {
        name: options.name.clone(),
        role: options.role,
        layers: options.layer.iter().cloned().collect(),
        regions: options.region.iter().cloned().collect(),
        expires_at,
    };
    let file = options.accounts.file(&options.store);
    let (account, secret) = file.add(new, now)?;
    record(&options.store, "token-add", &account)?;
    eprintln!("account {} ({}, {}) added to {}", account.name, account.id, account.role.name(), file.path().display());
    eprintln!(
        "send its secret as Authorization: Bearer SECRET, or as the password of HTTP Basic; it is not shown again:"
    );
    writeln!(std::io::stdout(), "{secret}")?;
    Ok(())
}

/// Records a change of the accounts in the audit log; a server, or the next audit command, moves it into the store.
fn record(store: &StoreOptions, action: &str, account: &Account) -> anyhow::Result<()> {
    let of_account = [("name", Some(account.name.clone())), ("role", Some(account.role.name().to_owned()))];
    let entry = AuditEntry {
        id: Some(account.id.clone()),
        changes: of_account.map(|(name, value)| (name.to_owned(), [None, value])).into(),
        ..command_origin()?.entry(0, action, clock::now())
    };
    let spool = AuditSpool::new(store.audit_spool_file());
    spool.append(&entry).with_context(|| format!("cannot write {}", spool.path().display()))
}

fn list(options: &ListOptions) -> anyhow::Result<()> {
    let now = clock::now();
    let listed = |items: &BTreeSet<String>| {
        if items.is_empty() { "all".to_owned() } else { items.iter().cloned().collect::<Vec<_>>().join(",") }
    };
    let end = |account: &Account| match account.expires_at {
        Some(at) if account.is_expired(now) => format!("expired {}", format_instant(at)),
        Some(at) => format_instant(at),
        None => "never".to_owned(),
    };
    let mut out = std::io::stdout().lock();
    writeln!(out, "id\tname\trole\tlayers\tregions\texpires")?;
    for account in options.accounts.file(&options.store).read()? {
        let (layers, regions) = (listed(&account.layers), listed(&account.regions));
        let Account { id, name, role, .. } = &account;
        writeln!(out, "{id}\t{name}\t{}\t{layers}\t{regions}\t{}", role.name(), end(&account))?;
    }
    Ok(())
}
