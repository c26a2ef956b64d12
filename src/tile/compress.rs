//! Content encodings of tiles.

use std::io::Write;

/// Brotli quality (0..=11): a tile is compressed once and sent many times, which justifies more than the minimum but
/// not the maximum.
const BROTLI_QUALITY: u32 = 5;
/// Brotli window, as a power of two bytes.
const BROTLI_WINDOW: u32 = 20;
/// Zstandard level (1..=22).
const ZSTD_LEVEL: i32 = 9;

/// Content encoding of a tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContentEncoding {
    /// No compression.
    Plain,
    /// gzip (RFC 1952).
    Gzip,
    /// Brotli (RFC 7932).
    Brotli,
    /// Zstandard (RFC 8878).
    Zstd,
}

/// Compresses bytes; equal bytes give equal results.
pub(super) fn compress(plain: &[u8], encoding: ContentEncoding) -> std::io::Result<Vec<u8>> {
    let buffer = Vec::with_capacity(plain.len() / 2);
    match encoding {
        ContentEncoding::Plain => Ok(plain.to_vec()),
        ContentEncoding::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(buffer, flate2::Compression::default());
            encoder.write_all(plain)?;
            encoder.finish()
        }
        ContentEncoding::Brotli => {
            let mut encoder = brotli::CompressorWriter::new(buffer, 4096, BROTLI_QUALITY, BROTLI_WINDOW);
            encoder.write_all(plain)?;
            Ok(encoder.into_inner())
        }
        ContentEncoding::Zstd => zstd::bulk::compress(plain, ZSTD_LEVEL),
    }
}
