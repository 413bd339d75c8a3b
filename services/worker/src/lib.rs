//! The worker: owns shards and runs their legs.
