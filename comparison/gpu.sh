#!/usr/bin/env bash
# Checks the kernels on the GPU of this machine, then measures them: one call of a few minutes, without a compiler.
#
#   cargo build --release && strip target/release/convgpu        on the machine that builds
#   comparison/gpu.sh [MODEL.onnx ...]                               on the machine with the GPU
#
# CONVGPU  the binary, target/release/convgpu if not set        DEVICE   its --device, auto if not set, which prefers a discrete GPU
# CASES    of conformance, per operator, 60 if not set
# OUT      where the tables and their JSON go, target/gpu       SECONDS_EACH  of every kernel on every layer, 0.2
# LAYERS   files of layers, comparison/layers*.json if not set     TESTS    files of built tests, run on the device first
#          (cargo test --all-features --test ops --test suite --no-run names them; strip them to take them along;
#          suite reads files of the checkout where it lay when it was built)
# WGPU_BACKEND and WGPU_ADAPTER_NAME narrow the choice of an adapter, VK_DRIVER_FILES says where a Vulkan driver is.
# Every result is checked against the CPU reference before it is timed; the exit status is 1 if one was wrong.
set -uo pipefail
cd "$(dirname "$0")/.."
convgpu=${CONVGPU:-target/release/convgpu}
device=${DEVICE:-auto}
out=${OUT:-target/gpu}
seconds=${SECONDS_EACH:-0.2}
layers=${LAYERS:-src/bench/layers.json comparison/layers-batched.json}
failures=0

if [ ! -x "$convgpu" ]; then
    echo "$convgpu does not exist: build it with cargo build --release, or set CONVGPU" >&2
    exit 2
fi
mkdir -p "$out"

# step NAME COMMAND..: runs the command, stores its output in OUT/NAME.txt, counts a failure and continues.
step() {
    local name=$1
    shift
    printf '\n== %s (%s s)\n' "$name" "$SECONDS"
    "$@" 2>"$out/$name.log" | tee "$out/$name.txt"
    local status=${PIPESTATUS[0]}
    if [ "$status" != 0 ]; then
        failures=$((failures + 1))
        echo "$name: status $status: $(tail -n 1 "$out/$name.log")"
    fi
}

ops() { "$convgpu" bench --ops --seconds "$seconds" --device "$device" "$@"; }

step devices "$convgpu" devices
if [ "$device" = auto ] && "$convgpu" devices --json 2>/dev/null | grep -q '"default": "cpu"'; then
    echo "no GPU adapter: is there a Vulkan driver, and libvulkan.so.1?" >&2
    exit 1
fi

# Whether the best adapter has f16, if it is used.
half=$([ "$device" = auto ] && "$convgpu" devices --json 2>/dev/null | sed -n '/"devices"/,/}/p' | grep '"f16": true')

# First whether results are right: questions to the driver, then every kernel on cases with known answers, replays among them.
step check "$convgpu" devices --check --device "$device"
step conformance "$convgpu" conformance --device "$device" --cases "${CASES:-60}" --report "$out/conformance.html"
for tests in ${TESTS:-}; do
    step "tests-$(basename "$tests")" env CONVGPU_TEST_DEVICE="$device" CARGO_MANIFEST_DIR="$PWD" "$tests"
done

for model in tests/models/*.onnx "$@"; do
    name=$(basename "$model" .onnx)
    step "verify-$name" "$convgpu" verify "$model" --device "$device" --replays 20
    step "bench-$name" "$convgpu" bench "$model" --profile --seconds 1 --device "$device"
done

# The layers of src/bench/layers.json, and the memory-bound operators.
[ -n "${LAYERS:-}" ] || step ops ops
for file in $layers; do
    name=$(basename "$file" .json)
    # The same with the shader translator's bounds checks, to measure their cost.
    step "$name-checked" env CONVGPU_CHECKED=1 "$convgpu" bench --ops --chosen --layers "$file" --seconds "$seconds" --device "$device"
    [ "$file" = src/bench/layers.json ] || step "$name" ops --layers "$file"
    step "$name-json" ops --layers "$file" --chosen --json >/dev/null
    if [ -n "$half" ]; then
        step "$name-f16" ops --layers "$file" --precision f16
    fi
done

if python3 -c 'import torch, sys; sys.exit(not torch.cuda.is_available())' 2>/dev/null; then
    for file in $layers; do
        name=$(basename "$file" .json)
        step "torch-$name" python3 comparison/run.py --convgpu "$convgpu" --device "$device" \
            --engines convgpu,torch --layers "$file" --rounds 2 --seconds 0.1 --json "$out/torch-$name.json"
    done
else
    printf '\n== torch: not compared, python3 has no torch with a CUDA device\n'
fi

printf '\n%s s, %s failures; everything is in %s\n' "$SECONDS" "$failures" "$out"
[ "$failures" = 0 ]
