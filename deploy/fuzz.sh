#!/usr/bin/env bash
# Fuzzes everything that reads remote bytes, guided by coverage, for some seconds a target.
#
# Usage: deploy/fuzz.sh SECONDS [TARGET…]
# Needs cargo-fuzz (`cargo install --locked cargo-fuzz`) and a C++ compiler. Works on stable
# Rust: without sanitizers, since there is no unsafe code of ours to watch. An input that
# fails is left in target/fuzz/artifacts; put it into libs/probe/testdata/fuzz/TARGET
# together with the fix, so that the ordinary tests try it from then on.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:?usage: deploy/fuzz.sh SECONDS [TARGET…]}
shift
cargo fuzz --version >/dev/null 2>&1 || {
    echo "deploy/fuzz.sh: cargo-fuzz is missing: cargo install --locked cargo-fuzz" >&2
    exit 1
}
out=${CARGO_TARGET_DIR:-$PWD/target}/fuzz
mkdir -p "$out"

names=$(
    RUSTFLAGS="--cfg fuzzing" CARGO_TARGET_DIR=$out/seeds-build \
        cargo run --quiet --manifest-path libs/probe/fuzz/Cargo.toml --bin seeds -- "$out/corpus"
)
mapfile -t known <<<"$names"
failed=()
for target in "${@:-${known[@]}}"; do
    echo "=== $target"
    mkdir -p "$out/artifacts/$target"
    # Leaks cannot be told without a sanitizer; memory is bounded by the fuzzer itself.
    (cd libs/probe && CARGO_TARGET_DIR=$out/build cargo fuzz run --sanitizer none "$target" "$out/corpus/$target" -- \
        -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
        -artifact_prefix="$out/artifacts/$target/") || failed+=("$target")
done
if [ ${#failed[@]} -gt 0 ]; then
    echo "failed: ${failed[*]}; the inputs are in $out/artifacts" >&2
    exit 1
fi
