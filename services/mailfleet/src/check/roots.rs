//! Certificate authorities from PEM files, for `--ca` and `trust.roots`.

use std::path::PathBuf;

use mailfleet_model::Violations;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

/// Largest file that is read, in bytes. The whole of a system's roots is a quarter of it.
const MAX_FILE: u64 = 1024 * 1024;

/// One authority, as DER.
pub(crate) type Root = CertificateDer<'static>;

/// Reads all certificates of all files, noting every file that has none.
pub(crate) fn read(option: &str, files: &[PathBuf], wrong: &mut Violations) -> Vec<Root> {
    let mut roots = Vec::new();
    for file in files {
        match read_one(file) {
            Ok(found) => roots.extend(found),
            Err(description) => wrong.add(option, format!("{} {description}", file.display())),
        }
    }
    roots
}

fn read_one(file: &PathBuf) -> Result<Vec<Root>, String> {
    let size = std::fs::metadata(file).map_err(|error| format!("cannot be read: {error}"))?.len();
    if size > MAX_FILE {
        return Err("is larger than 1 MiB".to_owned());
    }
    let pem = std::fs::read(file).map_err(|error| format!("cannot be read: {error}"))?;
    let found: Result<Vec<Root>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match found {
        Ok(found) if found.is_empty() => Err("holds no certificate in PEM".to_owned()),
        Ok(found) => Ok(found),
        Err(_) => Err("is not PEM".to_owned()),
    }
}
