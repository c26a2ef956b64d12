//! PMTiles and MBTiles archives of a directory: their list, each as a file with byte ranges, and their tiles.

use std::collections::HashMap;
use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::http::header::{self, AcceptEncoding, Encoding, from_comma_delimited};
use actix_web::http::{Method, StatusCode};
use serde_json::{Map, Value as Json, json};

use crate::http::call::Call;
use crate::http::params::invalid;
use crate::http::reply::Reply;
use crate::http::reply::etag::is_known;
use crate::http::reply::links::encode;
use crate::http::reply::problem::Problem;
use crate::http::reply::range::{RequestedRange, requested_range};
use crate::model::Role;
use crate::tile::pack_reader::{ArchiveState, MBTILES, PackReader};

/// Media type of archives.
pub(crate) const MEDIA_TYPE: &str = "application/vnd.pmtiles";
/// Media type of MBTiles files.
pub(crate) const SQLITE: &str = "application/vnd.sqlite3";
const ENDINGS: [&str; 2] = ["pmtiles", MBTILES];
/// A larger range is streamed, bytes.
const MAX_IN_MEMORY: usize = 1 << 20;
/// Size of a piece of a streamed file, bytes.
const PIECE: usize = 65_536;
/// Maximum number of archives in the list.
const MAX_PACKS: usize = 1_000;

/// The archives of a directory, each opened when it is first requested and again when its file is replaced.
#[derive(Default)]
pub(crate) struct Packs {
    /// `None` without a directory.
    folder: Option<PathBuf>,
    open: Mutex<HashMap<String, Arc<PackReader>>>,
}

impl Packs {
    pub(crate) fn new(folder: Option<PathBuf>) -> Self {
        Self { folder, ..Self::default() }
    }

    /// Names of the archives, in alphabetical order.
    fn names(&self) -> io::Result<Vec<String>> {
        let Some(folder) = &self.folder else { return Ok(Vec::new()) };
        let entries = std::fs::read_dir(folder)?;
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut names: Vec<String> = names.filter(|name| is_pack_name(name)).collect();
        names.sort_unstable();
        names.truncate(MAX_PACKS);
        Ok(names)
    }

    /// An open archive that a role may read.
    async fn get(&self, name: &str, role: Role) -> Result<Arc<PackReader>, Problem> {
        let missing = || {
            let value = name.chars().take(200).collect();
            Problem::NotFound { what: "pack", value, accepted: "the names in /packs".to_owned() }
        };
        let folder = self.folder.as_ref().filter(|_| is_pack_name(name)).ok_or_else(missing)?;
        let path = folder.join(name);
        let state = ArchiveState::of(&path).map_err(|_| missing())?;
        let known = self.open.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        let reader = if let Some(known) = known.filter(|known| known.state() == state) {
            known
        } else {
            let opened = PackReader::open(&path).await;
            let opened = opened.map_err(|error| Problem::internal(&format!("{}: {error}", path.display())))?;
            let opened = Arc::new(opened);
            self.open.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), opened.clone());
            opened
        };
        if reader.role() <= role { Ok(reader) } else { Err(missing()) }
    }
}

/// Whether a file name is one of an archive: no path, no hidden file.
fn is_pack_name(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, ending)| ENDINGS.contains(&ending))
        && !name.starts_with('.')
        && !name.contains(['/', '\\', '\0'])
}

/// `GET /packs`.
pub(crate) async fn list(call: Call<'static>) -> Result<Reply, Problem> {
    let packs = &call.state.packs;
    let names = packs.names().map_err(|error| Problem::internal(&error))?;
    let mut all = Vec::new();
    for name in names {
        // An archive of a higher role, and one that was removed meanwhile, is not listed.
        match packs.get(&name, call.caller.role()).await {
            Ok(reader) => all.push(described(&call, &name, &reader)),
            Err(Problem::Internal { incident }) => {
                all.push(json!({"name": name, "unavailable": format!("the file cannot be read; incident {incident}")}));
            }
            Err(_) => {}
        }
    }
    Ok(call.current.json(json!({"packs": all})))
}

fn described(call: &Call<'_>, name: &str, reader: &PackReader) -> Json {
    let own = format!("{}/packs/{}", call.base_url(), encode(name));
    let (first, last) = reader.zooms();
    json!({
        "name": name,
        "title": reader.metadata().get("name").and_then(Json::as_str).unwrap_or(name),
        "format": reader.format().0,
        "bytes": reader.state().bytes,
        "minzoom": first,
        "maxzoom": last,
        "bounds": reader.envelope().to_array(),
        "url": own,
        "tilejson": format!("{own}/tilejson.json"),
    })
}

/// `GET /packs/{pack}/tilejson.json`.
pub(crate) async fn tilejson(call: Call<'static>) -> Result<Reply, Problem> {
    let name = call.segment("pack");
    let reader = call.state.packs.get(name, call.caller.role()).await?;
    let (first, last) = reader.zooms();
    let mut document = Map::new();
    document.insert("tilejson".to_owned(), json!("3.0.0"));
    for member in ["name", "description", "attribution", "version", "vector_layers"] {
        document.extend(reader.metadata().get(member).map(|value| (member.to_owned(), value.clone())));
    }
    let own = format!("{}/packs/{}/{{z}}/{{x}}/{{y}}", call.base_url(), encode(name));
    let facts = json!({
        "scheme": "xyz", "tiles": [own], "minzoom": first, "maxzoom": last, "bounds": reader.envelope().to_array(),
        "encoding": reader.format().0,
    });
    document.extend(facts.as_object().cloned().unwrap_or_default());
    Ok(call.current.json(Json::Object(document)))
}

/// `GET /packs/{pack}/{z}/{x}/{y}`.
pub(crate) async fn tile(call: Call<'static>) -> Result<Reply, Problem> {
    let number = |name: &str| {
        let text = call.segment(name);
        text.parse::<u32>().map_err(|_| invalid(name, text, "it is not a whole number", "a whole number"))
    };
    let (zoom, x, y) = (number("z")?, number("x")?, number("y")?);
    let zoom = u8::try_from(zoom).unwrap_or(u8::MAX);
    let reader = call.state.packs.get(call.segment("pack"), call.caller.role()).await?;
    let (reply, is_known) = opened(&call, &reader, reader.format().1);
    if is_known {
        return Ok(reply.not_modified());
    }
    let is_compressed = reader.has_gzip() && accepts_gzip(&call);
    let tile = reader.tile(zoom, x, y, is_compressed).await.map_err(|error| Problem::internal(&error))?;
    Ok(match tile {
        None => reply.status(StatusCode::NO_CONTENT),
        Some(bytes) if is_compressed => reply.header(header::ContentEncoding::Gzip).body(bytes),
        Some(bytes) => reply.body(bytes),
    })
}

fn accepts_gzip(call: &Call<'_>) -> bool {
    let accepted = from_comma_delimited(call.headers.get_all(header::ACCEPT_ENCODING)).map(AcceptEncoding).ok();
    let offered = [Encoding::gzip(), Encoding::identity()];
    accepted.is_some_and(|accepted| accepted.negotiate(offered.iter()) == Some(Encoding::gzip()))
}

/// `GET /packs/{pack}`: the file, or the requested range of it.
pub(crate) async fn file(call: Call<'static>) -> Result<Reply, Problem> {
    let reader = call.state.packs.get(call.segment("pack"), call.caller.role()).await?;
    let media_type = if call.segment("pack").ends_with(MBTILES) { SQLITE } else { MEDIA_TYPE };
    let (reply, is_known) = opened(&call, &reader, media_type);
    let reply = reply.header((header::ACCEPT_RANGES, "bytes"));
    if is_known {
        return Ok(reply.not_modified());
    }
    let length = usize::try_from(reader.state().bytes).unwrap_or(usize::MAX);
    let range = if call.method == Method::GET {
        requested_range(&call.headers, &reader.state().tag(), length)
    } else {
        RequestedRange::Whole
    };
    let (reply, part) = match range {
        RequestedRange::Whole => (reply, 0..length),
        RequestedRange::Part(part) => {
            let place = format!("bytes {}-{}/{length}", part.start, part.end - 1);
            (reply.status(StatusCode::PARTIAL_CONTENT).header((header::CONTENT_RANGE, place)), part)
        }
        RequestedRange::Unsatisfiable => {
            let place = format!("bytes */{length}");
            return Ok(reply.status(StatusCode::RANGE_NOT_SATISFIABLE).header((header::CONTENT_RANGE, place)));
        }
    };
    if part.len() <= MAX_IN_MEMORY {
        let mut bytes = Vec::with_capacity(part.len());
        let read = tokio::task::spawn_blocking(move || copy_part(&reader, part, &mut bytes).map(|()| bytes)).await;
        let read = read.map_err(io::Error::other).and_then(|read| read);
        return Ok(reply.body(read.map_err(|error| Problem::internal(&error))?));
    }
    Ok(reply
        .stream(call.state.downloads.begin(call.limited_caller().as_ref(), move |out| copy_part(&reader, part, out))?))
}

/// Writes a part of an archive. A file that became shorter ends the transfer with an error.
fn copy_part(reader: &PackReader, part: Range<usize>, out: &mut dyn Write) -> io::Result<()> {
    let mut piece = vec![0; PIECE.min(part.len())];
    let mut at = part.start;
    while at < part.end {
        let length = piece.len().min(part.end - at);
        let (own, _) = piece.split_at_mut(length);
        reader.file().read_exact_at(own, at as u64)?;
        out.write_all(own)?;
        at += length;
    }
    Ok(())
}

/// A reply from an archive with its entity tag, and whether the client has it.
fn opened(call: &Call<'_>, reader: &PackReader, media_type: &'static str) -> (Reply, bool) {
    let tag = reader.state().tag();
    let reply = Reply::new(StatusCode::OK)
        .header((header::CONTENT_TYPE, media_type))
        // Ranges of compressed content could not be combined.
        .header((header::CACHE_CONTROL, "no-cache, no-transform"))
        .header((header::VARY, "Accept-Encoding"))
        .header((header::ETAG, tag.as_str()));
    (reply, is_known(&call.headers, &tag))
}
