//! Content encodings: the one that a client prefers, and the compression of replies of ordinary size.
//!
//! Each web thread keeps its compressors: to create one takes longer than to compress a reply. Replies that are longer, or
//! streams, are left to the compressor of the library, which works on other threads.

use std::cell::RefCell;

use actix_web::http::StatusCode;
use actix_web::http::header::{
    self, AcceptEncoding, ContentEncoding as Coding, Encoding, HeaderMap, from_comma_delimited,
};
use actix_web::web::Bytes;
use flate2::{Compress, Compression, FlushCompress, Status};
use zstd::bulk::Compressor;

use super::{Reply, ReplyBody};
use crate::tile::ContentEncoding;

/// A shorter reply fits into one packet.
const MIN_BYTES: usize = 1_400;
/// A longer one would take milliseconds of a web thread.
const MAX_BYTES: usize = 64 * 1_024;
/// gzip window, as a power of two bytes: more than most replies have.
const GZIP_WINDOW: u8 = 14;
const ZSTD_LEVEL: i32 = 1;

/// The content encoding that a client prefers among some, the first of which is the best of equals.
pub(crate) fn preferred(headers: &HeaderMap, offered: &[Encoding]) -> ContentEncoding {
    let accepted = from_comma_delimited(headers.get_all(header::ACCEPT_ENCODING)).map(AcceptEncoding).ok();
    match accepted.as_ref().and_then(|accepted| accepted.negotiate(offered.iter())) {
        Some(Encoding::Known(Coding::Brotli)) => ContentEncoding::Brotli,
        Some(Encoding::Known(Coding::Zstd)) => ContentEncoding::Zstd,
        Some(Encoding::Known(Coding::Gzip)) => ContentEncoding::Gzip,
        _ => ContentEncoding::Plain,
    }
}

/// The value of `Content-Encoding`; `None` without compression.
pub(crate) fn coding(encoding: ContentEncoding) -> Option<Coding> {
    match encoding {
        ContentEncoding::Plain => None,
        ContentEncoding::Gzip => Some(Coding::Gzip),
        ContentEncoding::Brotli => Some(Coding::Brotli),
        ContentEncoding::Zstd => Some(Coding::Zstd),
    }
}

impl Reply {
    /// Compresses a reply of text of ordinary size for a client that accepts it.
    #[must_use]
    pub(crate) fn compressed_for(mut self, headers: &HeaderMap) -> Self {
        let ReplyBody::Bytes(plain) = &self.body else { return self };
        let is_complete = self.status == StatusCode::OK && !self.headers.contains_key(header::CONTENT_ENCODING);
        if !is_complete || !(MIN_BYTES..=MAX_BYTES).contains(&plain.len()) || !self.is_text() {
            return self;
        }
        let encoding = preferred(headers, &[Encoding::zstd(), Encoding::gzip(), Encoding::identity()]);
        let packed = match encoding {
            ContentEncoding::Zstd => zstd(plain),
            ContentEncoding::Gzip => gzip(plain),
            ContentEncoding::Plain | ContentEncoding::Brotli => None,
        };
        let packed = packed.filter(|packed| packed.len() < plain.len());
        if let Some((packed, coding)) = packed.zip(coding(encoding)) {
            self.body = ReplyBody::Bytes(Bytes::from(packed));
            self.set_header(coding);
        }
        self.varying_by("Accept-Encoding")
    }

    fn is_text(&self) -> bool {
        let media_type = self.headers.get(header::CONTENT_TYPE).and_then(|media_type| media_type.to_str().ok());
        let essence = media_type.and_then(|media_type| media_type.split(';').next()).unwrap_or_default().trim();
        essence.starts_with("text/") || essence.ends_with("json") || essence.ends_with("xml")
    }
}

/// `None` if it cannot be compressed.
fn gzip(plain: &[u8]) -> Option<Vec<u8>> {
    thread_local! {
        static GZIP: RefCell<Compress> = RefCell::new(Compress::new_gzip(Compression::fast(), GZIP_WINDOW));
    }
    GZIP.with_borrow_mut(|gzip| {
        gzip.reset();
        let mut packed = Vec::with_capacity(plain.len());
        let status = gzip.compress_vec(plain, &mut packed, FlushCompress::Finish).ok()?;
        (status == Status::StreamEnd).then_some(packed)
    })
}

/// `None` if it cannot be compressed.
fn zstd(plain: &[u8]) -> Option<Vec<u8>> {
    thread_local! {
        static ZSTD: RefCell<Option<Compressor<'static>>> = RefCell::new(Compressor::new(ZSTD_LEVEL).ok());
    }
    ZSTD.with_borrow_mut(|zstd| zstd.as_mut()?.compress(plain).ok())
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_compressor_that_was_used_before_gives_whole_replies() -> Result<(), Box<dyn std::error::Error>> {
        for count in [100, 2_000, 10, 5_000] {
            let entries: Vec<String> =
                (0..count).map(|n| format!(r#"{{"id":"n{n}","at":{}}}"#, n * 7_919 % 1_000)).collect();
            let text = entries.join(",");
            let (gzip, zstd) = (gzip(text.as_bytes()).ok_or("gzip")?, zstd(text.as_bytes()).ok_or("zstd")?);
            assert!(gzip.len() < text.len() && zstd.len() < text.len(), "{} {} {}", text.len(), gzip.len(), zstd.len());
            let mut unpacked = String::new();
            flate2::read::GzDecoder::new(&*gzip).read_to_string(&mut unpacked)?;
            assert_eq!(unpacked, text);
            assert_eq!(::zstd::decode_all(&*zstd)?, text.as_bytes());
        }
        Ok(())
    }
}
