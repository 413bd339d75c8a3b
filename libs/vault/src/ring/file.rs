//! Key files: read only if nobody else can, made once, replaced as a whole.
//!
//! A new file is written beside its place with mode 0600, flushed to disk, and only
//! then given its name, so that a crash leaves the old file or the new one. Changes
//! of one folder's key files exclude each other: two rotations at once would lose a
//! key that something may already be sealed to.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use mailfleet_model::Secret;
use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use super::error::Error;
use super::{KeyRing, PublicRing, text};

/// Longest key file, in bytes: ten times what [`super::MAX_KEYS`] keys need.
const MAX_FILE: usize = 64 * 1024;
/// Permission bits that a key file must not have.
const OTHERS: u32 = 0o077;

impl KeyRing {
    /// Reads a private key file.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::TooOpen`], [`Error::Read`] or [`Error::Content`].
    pub fn load(path: &Path) -> Result<Self, Error> {
        let text = read(path)?;
        let content = |source| Error::Content { path: path.to_owned(), source };
        text::parse_private(&text).map_err(content)
    }

    /// Makes a ring with one key, in a new file.
    ///
    /// # Errors
    /// [`Error::Exists`] if there is a file, whatever it holds; [`Error::Write`].
    pub fn create(path: &Path, now: SystemTime) -> Result<Self, Error> {
        let ring = Self::generate(now);
        write_new(path, &ring.to_text())?;
        Ok(ring)
    }

    /// Reads a private key file, or makes it on the first start.
    ///
    /// # Errors
    /// As [`KeyRing::load`] and [`KeyRing::create`].
    pub fn load_or_create(path: &Path, now: SystemTime) -> Result<Self, Error> {
        match Self::load(path) {
            Err(Error::Missing { .. }) => match Self::create(path, now) {
                // Another process was faster, and its file is whole.
                Err(Error::Exists { .. }) => Self::load(path),
                made => made,
            },
            read => read,
        }
    }

    /// Changes a private key file: reads it, lets `change` work on the ring, and replaces
    /// the file as a whole if that succeeds. Links are followed; the owner stays.
    ///
    /// # Errors
    /// As [`KeyRing::load`], what `change` returns, [`Error::Busy`] or [`Error::Write`].
    pub fn update<T>(
        path: &Path,
        change: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let path = fs::canonicalize(path).map_err(|source| failed_read(path, source))?;
        let _lock = lock(&path)?;
        let mut ring = Self::load(&path)?;
        let result = change(&mut ring)?;
        replace(&path, &ring.to_text())?;
        Ok(result)
    }
}

impl PublicRing {
    /// Reads a public key file.
    ///
    /// # Errors
    /// As [`KeyRing::load`]: a public file holds the index key, so it is secret too.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let text = read(path)?;
        let content = |source| Error::Content { path: path.to_owned(), source };
        text::parse_public(&text).map_err(content)
    }

    /// Writes the ring to a new file.
    ///
    /// # Errors
    /// As [`KeyRing::create`].
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        write_new(path, &self.to_text())
    }
}

/// Reads a file that only its owner can use. The permissions are those of the opened
/// file, whatever the path names a moment later.
fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Error> {
    let failed = |source| failed_read(path, source);
    let file = File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o7777;
    if mode & OTHERS != 0 {
        return Err(Error::TooOpen { path: path.to_owned(), mode });
    }
    // At its full size from the start: a vector that grows leaves copies behind.
    let mut text = Zeroizing::new(Vec::with_capacity(MAX_FILE + 1));
    file.take(MAX_FILE as u64 + 1).read_to_end(&mut text).map_err(failed)?;
    if text.len() > MAX_FILE {
        return Err(failed(io::ErrorKind::FileTooLarge.into()));
    }
    Ok(text)
}

fn failed_read(path: &Path, source: io::Error) -> Error {
    let path = path.to_owned();
    match source.kind() {
        io::ErrorKind::NotFound => Error::Missing { path },
        _ => Error::Read { path, source },
    }
}

fn write_new(path: &Path, text: &Secret) -> Result<(), Error> {
    let failed = |source| Error::Write { path: path.to_owned(), source };
    let file = written(path, text).map_err(failed)?;
    file.persist_noclobber(path).map_err(|error| match error.error.kind() {
        io::ErrorKind::AlreadyExists => Error::Exists { path: path.to_owned() },
        _ => failed(error.error),
    })?;
    flush_folder(path).map_err(failed)
}

fn replace(path: &Path, text: &Secret) -> Result<(), Error> {
    let failed = |source| Error::Write { path: path.to_owned(), source };
    let file = written(path, text).map_err(failed)?;
    keep_owner(path, file.as_file()).map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    flush_folder(path).map_err(failed)
}

/// A file beside `path` with the text: mode 0600, flushed, removed if it is not persisted.
fn written(path: &Path, text: &Secret) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".mailfleet-keys-").permissions(fs::Permissions::from_mode(0o600));
    let mut file = builder.tempfile_in(folder(path))?;
    file.write_all(text.expose())?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// An administrator who rotates the keys must not lock the service out.
fn keep_owner(path: &Path, file: &File) -> io::Result<()> {
    let old = fs::metadata(path)?;
    let new = file.metadata()?;
    if (old.uid(), old.gid()) == (new.uid(), new.gid()) {
        return Ok(());
    }
    fchown(file, Some(old.uid()), Some(old.gid()))
}

/// Keeps other changes out until it is dropped, or the process ends however.
fn lock(path: &Path) -> Result<File, Error> {
    let failed = |source| Error::Write { path: path.to_owned(), source };
    let folder = File::open(folder(path)).map_err(failed)?;
    match folder.try_lock() {
        Ok(()) => Ok(folder),
        Err(TryLockError::WouldBlock) => Err(Error::Busy { path: path.to_owned() }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// A rename survives a power cut only once the folder is on disk.
fn flush_folder(path: &Path) -> io::Result<()> {
    File::open(folder(path))?.sync_all()
}

fn folder(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}
