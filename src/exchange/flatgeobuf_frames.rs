//! The stream of a FlatGeobuf file with stated lengths that the file has. The library reserves the memory of a feature
//! before it reads it, so a few bytes could claim four gigabytes.

use std::io::{Read, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Where the features begin, once the header is read.
#[derive(Clone, Default)]
pub(super) struct FeaturesStart(Arc<Position>);

struct Position {
    /// Bytes read so far.
    passed: AtomicU64,
    /// Position of the first feature.
    start: AtomicU64,
}

impl Default for Position {
    fn default() -> Self {
        Self { passed: AtomicU64::new(0), start: AtomicU64::new(u64::MAX) }
    }
}

impl FeaturesStart {
    /// The features begin so many bytes after what is read.
    pub(super) fn set_after(&self, bytes: u64) {
        let start = self.0.passed.load(Ordering::Relaxed).saturating_add(bytes);
        self.0.start.store(start, Ordering::Relaxed);
    }
}

/// Passes a file on. The length of a feature that would end behind the file becomes one byte more than is left, so that
/// reading it fails.
pub(super) struct Frames<R> {
    inner: R,
    /// Bytes of the file that are left.
    left: u64,
    start: FeaturesStart,
    /// The bytes of a length that are not passed on yet.
    length: Vec<u8>,
    /// Bytes of the feature that are not passed on yet.
    feature_left: u64,
}

impl<R: Read> Frames<R> {
    /// A file with so many bytes.
    pub(super) fn new(inner: R, bytes: u64, start: FeaturesStart) -> Self {
        Self { inner, left: bytes, start, length: Vec::new(), feature_left: 0 }
    }

    fn pass_on(&mut self, to: &mut [u8], at_most: u64) -> Result<usize> {
        let limit = usize::try_from(at_most).unwrap_or(usize::MAX).min(to.len());
        let read = self.inner.read(&mut to[..limit])?;
        self.left = self.left.saturating_sub(read as u64);
        self.start.0.passed.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }

    /// Reads the length of the next feature; nothing at the end of the file.
    fn read_length(&mut self) -> Result<()> {
        const BYTES: usize = 4;
        let mut length = Vec::with_capacity(BYTES);
        (&mut self.inner).take(BYTES as u64).read_to_end(&mut length)?;
        self.left = self.left.saturating_sub(length.len() as u64);
        if let Ok(stated) = <[u8; BYTES]>::try_from(length.as_slice()) {
            let most = self.left.saturating_add(1);
            let bounded = u64::from(u32::from_le_bytes(stated)).min(most);
            self.feature_left = bounded;
            length = u32::try_from(bounded).unwrap_or(u32::MAX).to_le_bytes().to_vec();
        }
        self.length = length;
        Ok(())
    }
}

impl<R: Read> Read for Frames<R> {
    fn read(&mut self, to: &mut [u8]) -> Result<usize> {
        let (passed, start) = (self.start.0.passed.load(Ordering::Relaxed), self.start.0.start.load(Ordering::Relaxed));
        if passed < start {
            return self.pass_on(to, start - passed);
        }
        if self.length.is_empty() && self.feature_left == 0 {
            self.read_length()?;
        }
        if self.length.is_empty() {
            let read = self.pass_on(to, self.feature_left)?;
            self.feature_left -= read as u64;
            return Ok(read);
        }
        let count = to.len().min(self.length.len());
        to[..count].copy_from_slice(&self.length[..count]);
        self.length.drain(..count);
        Ok(count)
    }
}
