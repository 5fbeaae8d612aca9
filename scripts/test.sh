#!/usr/bin/env bash
# Runs all checks of the project. On Linux it first installs a software Vulkan adapter if there is none.
#
#   scripts/test.sh           everything, as continuous integration does: less than 15 minutes on 2 cores, from nothing
#   scripts/test.sh --quick   what a commit needs: less than 2 minutes on 2 cores once everything has been built
#
# At the end it prints the seconds of every step, and the checks that were not run, with the reason.
set -euo pipefail
cd "$(dirname "$0")/.."

case "$*" in
'') quick= ;;
--quick) quick=yes ;;
*)
    echo "usage: scripts/test.sh [--quick]" >&2
    exit 2
    ;;
esac

# With this, lavapipe (Mesa's software Vulkan driver) works in the thread that submits. Many small dispatches are then
# faster, and the tests run in parallel anyway.
export LP_NUM_THREADS=0

# What the compiler keeps for the next build takes a tenth of the time of one from nothing.
[ -d "${CARGO_TARGET_DIR:-target}" ] || export CARGO_INCREMENTAL=0

current=start   # the step that runs; empty after the last one
seconds_table=  # a line per step
not_run=        # a line per check that cannot run here
log=$(mktemp)   # what the tests print

step() {
    local start=$SECONDS
    current=$1
    shift
    printf '\n== %s\n' "$current"
    "$@"
    seconds_table+=$(printf '%9d  %s' $((SECONDS - start)) "$current")$'\n'
}

skip() {
    not_run+="not run: $1"$'\n'
}

summary() {
    printf '\n%9s  step\n%s%9d  total\n' seconds "$seconds_table" "$SECONDS"
    # Tests print such lines, too, for example if data is missing that is not in the repository.
    printf '%s' "$not_run"
    grep -o 'not run: .*' "$log" | sort -u || true
    rm -f "$log"
    if [ -z "$current" ]; then
        echo "all steps passed"
    else
        echo "failed: $current"
    fi
}
trap summary EXIT

has_vulkan() {
    [ -n "${VK_ICD_FILENAMES:-}${VK_DRIVER_FILES:-}" ] ||
        compgen -G '/usr/share/vulkan/icd.d/*.json' >/dev/null ||
        compgen -G '/etc/vulkan/icd.d/*.json' >/dev/null
}

# The tests fail without an adapter. xz unpacks the archive of the ONNX suite.
install_vulkan() {
    local sudo=
    [ "$(id -u)" = 0 ] || sudo=sudo
    if command -v apt-get >/dev/null && { [ -z "$sudo" ] || command -v sudo >/dev/null; }; then
        $sudo apt-get update -qq
        $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq mesa-vulkan-drivers libvulkan1 xz-utils
    else
        echo "no Vulkan driver: install one (Debian, Ubuntu: mesa-vulkan-drivers), then run this again" >&2
        exit 1
    fi
}

has_wasm32() {
    local libraries
    libraries=$("${RUSTC:-rustc}" --print target-libdir --target wasm32-unknown-unknown 2>/dev/null) &&
        compgen -G "$libraries/*.rlib" >/dev/null
}

# The oldest Rust that Cargo.toml supports, and rustup's name of a toolchain of that version, if one is installed.
oldest_rust() {
    sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml
}

oldest_toolchain() {
    rustup toolchain list 2>/dev/null | cut -d' ' -f1 | grep -m1 "^$(oldest_rust)[.-]"
}

# Every example runs without arguments on files of the repository.
examples() {
    local file
    for file in examples/*.rs; do
        printf '\n-- %s\n' "$file"
        cargo run --all-features --example "$(basename "$file" .rs)"
    done
}

# Packs both crates, unpacks them in the layout of the workspace, and checks them. Plain `cargo package` compiles
# every dependency again for the command line, whose package has no profile: that takes minutes.
packages() {
    local target=${CARGO_TARGET_DIR:-target}
    local unpacked=$target/package/unpacked
    rm -rf "$unpacked" "$target"/package/*.crate
    cargo package -p convgpu -p convgpu-cli --allow-dirty --no-verify
    mkdir -p "$unpacked/cli"
    tar -xzf "$target"/package/convgpu-[0-9]*.crate --strip-components=1 -C "$unpacked"
    tar -xzf "$target"/package/convgpu-cli-[0-9]*.crate --strip-components=1 -C "$unpacked/cli"
    cp Cargo.lock "$unpacked"
    printf '\n[workspace]\nmembers = ["cli"]\n[patch.crates-io]\nconvgpu = { path = "." }\n' >>"$unpacked/Cargo.toml"
    cargo check --workspace --all-features --lib --bins --examples --offline --manifest-path "$unpacked/Cargo.toml" --target-dir "$target"
}

# Runs the command and keeps a copy of what it prints.
logged() {
    "$@" 2>&1 | tee -a "$log"
}

if [ "$(uname)" = Linux ] && ! has_vulkan; then
    step "software Vulkan adapter" install_vulkan
fi

step "format" cargo fmt --all --check
step "lints" cargo clippy --workspace --all-targets --all-features -- -D warnings

if [ -n "$quick" ]; then
    step "unit tests" logged cargo test --workspace --all-features --lib --bins
    # All tests except those of more than a few seconds: whole networks, the ONNX suite, long use.
    step "fast tests" logged cargo test --workspace --all-features --test suite -- \
        --skip networks:: --skip onnx_suite:: --skip soak:: --skip zoo::
    current=
    exit
fi

step "documentation" env RUSTDOCFLAGS="-D warnings" cargo doc --workspace --all-features --no-deps --lib

if has_wasm32; then
    step "library for wasm32" \
        env RUSTFLAGS="-D warnings" cargo check --target wasm32-unknown-unknown -p convgpu --lib
else
    skip "library for wasm32 (rustup target add wasm32-unknown-unknown)"
fi

if toolchain=$(oldest_toolchain); then
    step "Rust $(oldest_rust)" cargo "+$toolchain" check --workspace
else
    skip "oldest Rust (rustup toolchain install $(oldest_rust))"
fi

step "tests, with 25 s of damaged input and 20 s of other engines" \
    logged env CONVGPU_FUZZ_SECONDS=25 CONVGPU_DIFF_SECONDS=20 cargo test --workspace --all-features --no-fail-fast
step "examples" examples
step "packages" packages
# As in a browser: WebGPU's default limits only, and the shader translator's bounds checks, with which an index out of range gives a
# wrong result and not a crash.
step "operators at WebGPU's default limits, with checked shaders" \
    logged env CONVGPU_LIMITS=default CONVGPU_CHECKED=1 cargo test --workspace --all-features --test ops
# Kernels that those limits do not allow.
step "sums of products with checked shaders" \
    logged env CONVGPU_CHECKED=1 cargo test --workspace --all-features --test ops -- conv matmul half linear
current=
