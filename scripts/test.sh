#!/usr/bin/env bash
# Everything a fresh machine needs to pass the tests: a software Vulkan adapter if there is none, then every check.
set -euo pipefail
cd "$(dirname "$0")/.."
start=$SECONDS

step() {
    printf '\n== %s (%s s)\n' "$1" "$((SECONDS - start))"
    shift
    "$@"
}

has_vulkan() {
    [ -n "${VK_ICD_FILENAMES:-}${VK_DRIVER_FILES:-}" ] ||
        compgen -G '/usr/share/vulkan/icd.d/*.json' >/dev/null ||
        compgen -G '/etc/vulkan/icd.d/*.json' >/dev/null
}

# lavapipe: a Vulkan driver that runs on the CPU. The tests refuse to pass without an adapter.
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

# lavapipe then works in the thread that submits: many tiny dispatches go faster, and the tests run side by side anyway.
export LP_NUM_THREADS=0

[ "$(uname)" != Linux ] || has_vulkan || step "software Vulkan adapter" install_vulkan

step "format" cargo fmt --all --check
step "lints" cargo clippy --workspace --all-targets -- -D warnings
step "documentation" env RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --lib
step "tests, a minute of damaged input among them" env CONVGPU_FUZZ_SECONDS=60 cargo test --workspace --no-fail-fast
# No more than WebGPU promises everywhere: what a browser would give.
step "tests at WebGPU's default limits" env CONVGPU_LIMITS=default cargo test --test ops
# The shader translator's bounds checks stay in: an index out of range then shows as a wrong result, not as a crash.
step "operators with checked shaders" env CONVGPU_CHECKED=1 cargo test --test ops

printf '\nall passed: format, lints, documentation, tests, default limits, checked shaders (%s s)\n' "$((SECONDS - start))"
