//! Compiles the files in `proto/` to Rust, without `protoc`.
//!
//! The descriptor set keeps its comments: reflection serves it, the JSON output reads it,
//! and a test holds every element to its comment.

use std::path::PathBuf;
use std::{env, fs};

const FILES: [&str; 13] = [
    "mailfleet/events/v1/event.proto",
    "mailfleet/v1/batch.proto",
    "mailfleet/v1/batch_service.proto",
    "mailfleet/v1/event_service.proto",
    "mailfleet/v1/fault.proto",
    "mailfleet/v1/fleet_service.proto",
    "mailfleet/v1/job.proto",
    "mailfleet/v1/job_service.proto",
    "mailfleet/v1/leg.proto",
    "mailfleet/v1/mailbox.proto",
    "mailfleet/v1/report.proto",
    "mailfleet/v1/step.proto",
    "mailfleet/v1/validation_service.proto",
];

/// What only gateways and workers exchange. Reflection does not serve it: it is no public API.
const QUEUE_FILES: [&str; 5] = [
    "mailfleet/queue/v1/control.proto",
    "mailfleet/queue/v1/leg.proto",
    "mailfleet/queue/v1/live.proto",
    "mailfleet/queue/v1/news.proto",
    "mailfleet/queue/v1/order.proto",
];

/// Has a hand-written `Debug` that prints no secret, and so has its oneof (`src/redact.rs`).
const SECRET: &str = ".mailfleet.v1.Login";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../../proto");
    println!("cargo::rerun-if-changed={}", root.display());

    let mut compiler = protox::Compiler::new([&root])?;
    compiler.include_imports(true).include_source_info(true).open_files(FILES)?;

    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("descriptors.bin"), compiler.encode_file_descriptor_set())?;
    compiler.open_files(QUEUE_FILES)?;
    fs::write(out.join("all_descriptors.bin"), compiler.encode_file_descriptor_set())?;
    tonic_prost_build::configure()
        .skip_debug([SECRET])
        // Large, and only in the first message of an upload.
        .boxed(".mailfleet.v1.CreateBatchRequest.part.settings")
        .emit_rerun_if_changed(false)
        .compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}
