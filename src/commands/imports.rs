//! `onemap imports` and `onemap undo`: what was imported, and restoring what was stored before.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;

use super::command_origin;
use super::plain_line::plain_line;
use super::store::StoreOptions;
use crate::clock;
use crate::model::import::KEPT_IMPORTS;
use crate::model::{ImportCounts, PastImport, Undo, Undone};

/// Imports that are listed.
const LISTED: u32 = 100;

/// List the imports of the store, newest first.
#[derive(Args)]
pub(super) struct ImportsArguments {
    #[command(flatten)]
    store: StoreOptions,
}

/// Undo an import: its features have their earlier values again.
#[derive(Args)]
pub(super) struct UndoArguments {
    /// Id of the import; `onemap imports` lists them.
    import: String,

    /// Leave features as they are that changed since; without it they refuse the command.
    #[arg(long)]
    skip_changed: bool,

    #[command(flatten)]
    store: StoreOptions,
}

pub(super) async fn list(arguments: ImportsArguments) -> anyhow::Result<ExitCode> {
    let catalog = arguments.store.config()?.catalog;
    let store = arguments.store.open_existing(&catalog).await?;
    let imports = store.imports(None, LISTED).await?;
    store.close().await;
    let mut out = std::io::stdout().lock();
    writeln!(out, "id\ttime\tlayer\tfile\tby\tmode\tnew\tchanged\tunchanged\tremoved\tundone")?;
    for PastImport { id, at, layer, file, actor, mode, counts, undone_at } in imports {
        let ImportCounts { new, changed, unchanged, removed, .. } = counts;
        let undone = undone_at.unwrap_or_default();
        let (file, actor) = (plain_line(&file), plain_line(&actor));
        writeln!(
            out,
            "{id}\t{at}\t{layer}\t{file}\t{actor}\t{mode}\t{new}\t{changed}\t{unchanged}\t{removed}\t{undone}"
        )?;
    }
    eprintln!("the last {KEPT_IMPORTS} of a layer can be undone with: onemap undo ID");
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn undo(arguments: UndoArguments) -> anyhow::Result<ExitCode> {
    let catalog = arguments.store.config()?.catalog;
    let store = arguments.store.open_existing(&catalog).await?;
    let at = clock::now();
    let mut audit = command_origin()?.entry(0, "undo-import", at);
    audit.id = Some(arguments.import.clone());
    let undo = Undo { id: arguments.import, skip_changed: arguments.skip_changed, at, audit };
    let undone = store.undo_import(&undo).await;
    store.close().await;
    let Undone { restored, removed, kept } = undone?;
    tracing::info!(restored, removed, kept, "import undone");
    Ok(ExitCode::SUCCESS)
}
