//! TLS: the certificate and its key, read again when their files change.

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// Interval at which a change of the files is noticed.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// Files of a certificate, in PEM.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The certificate of the server, then those of its issuers.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or has no certificate or key in PEM.
    #[error("{}: {source}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: rustls::pki_types::pem::Error,
    },
    /// There is no certificate in the file.
    #[error("{} has no certificate in PEM", .0.display())]
    Empty(PathBuf),
    /// The key is of an unknown kind, or belongs to another certificate.
    #[error("{} and {}: {source}", files.certificate.display(), files.key.display())]
    Unsuitable {
        /// The files.
        files: TlsFiles,
        /// The reason.
        source: rustls::Error,
    },
}

/// When files were last written: inode, seconds, nanoseconds, size of each.
type Written = [Option<(u64, i64, i64, u64)>; 2];

struct Certificate {
    files: TlsFiles,
    provider: Arc<CryptoProvider>,
    current: RwLock<Arc<CertifiedKey>>,
    seen: Mutex<(Instant, Written)>,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("files", &self.files).finish_non_exhaustive()
    }
}

/// The TLS configuration of a server.
#[derive(Clone, Debug)]
pub struct Tls(pub(crate) ServerConfig);

impl Tls {
    /// A configuration whose certificate follows its files.
    ///
    /// # Errors
    /// When the files cannot be used.
    pub fn open(files: TlsFiles) -> Result<Self, TlsError> {
        let provider = Arc::new(default_provider());
        let current = read(&files, &provider)?;
        let unsuitable = |source| TlsError::Unsuitable { files: files.clone(), source };
        let builder = ServerConfig::builder_with_provider(provider.clone());
        let builder = builder.with_safe_default_protocol_versions().map_err(unsuitable)?;
        let seen = Mutex::new((Instant::now(), files.written()));
        let certificate = Certificate { files, provider, current: RwLock::new(Arc::new(current)), seen };
        Ok(Self(builder.with_no_client_auth().with_cert_resolver(Arc::new(certificate))))
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.follow();
        Some(self.current.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

impl Certificate {
    /// Reads changed files; while they cannot be used, the last certificate remains.
    fn follow(&self) {
        // Another thread that checks at the same time suffices.
        let Ok(mut seen) = self.seen.try_lock() else { return };
        if seen.0.elapsed() < CHECK_EVERY {
            return;
        }
        let written = self.files.written();
        let is_changed = written != seen.1;
        *seen = (Instant::now(), written);
        if !is_changed {
            return;
        }
        match read(&self.files, &self.provider) {
            Ok(next) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
                tracing::info!(file = %self.files.certificate.display(), "the changed certificate is used");
            }
            // One of the two files may be written later; its change is noticed too.
            Err(error) => tracing::error!(%error, "the changed certificate cannot be used; the last one is"),
        }
    }
}

impl TlsFiles {
    fn written(&self) -> Written {
        let of = |path: &Path| {
            let found = fs::metadata(path).ok()?;
            Some((found.ino(), found.mtime(), found.mtime_nsec(), found.len()))
        };
        [of(&self.certificate), of(&self.key)]
    }
}

fn read(files: &TlsFiles, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
    let pem = |path: &Path| {
        let path = path.to_owned();
        move |source| TlsError::Pem { path, source }
    };
    let chain = CertificateDer::pem_file_iter(&files.certificate).map_err(pem(&files.certificate))?;
    let chain = chain.collect::<Result<Vec<_>, _>>().map_err(pem(&files.certificate))?;
    if chain.is_empty() {
        return Err(TlsError::Empty(files.certificate.clone()));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(pem(&files.key))?;
    let key = CertifiedKey::from_der(chain, key, provider);
    key.map_err(|source| TlsError::Unsuitable { files: files.clone(), source })
}
