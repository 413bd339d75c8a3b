//! Writes the seeds of every target into `FOLDER/TARGET/`, and prints the targets' names.

use std::path::PathBuf;
use std::{env, fs, io};

use mailfleet_probe::fuzz::{TARGETS, seeds};

fn main() -> io::Result<()> {
    let folder = PathBuf::from(env::args_os().nth(1).expect("usage: seeds FOLDER"));
    for (name, _) in TARGETS {
        let corpus = folder.join(name);
        fs::create_dir_all(&corpus)?;
        for (number, seed) in seeds(name).iter().enumerate() {
            fs::write(corpus.join(format!("seed-{number:03}")), seed)?;
        }
        println!("{name}");
    }
    Ok(())
}
