#!/usr/bin/env bash
# Checks the kernels on whatever GPU this machine has, then measures them: one call of a few minutes, no compiler needed.
#
#   cargo build --release && strip target/release/convgpu        on a machine that builds
#   benches/gpu.sh [MODEL.onnx ...]                               on the machine with the GPU
#
# CONVGPU  the binary, target/release/convgpu if not set        DEVICE   its --device, auto if not set
# OUT      where the tables and their JSON go, target/gpu       SECONDS_EACH  of every kernel on every layer, 0.2
# Every result is checked against the CPU reference before it is timed; the exit status is 1 if one was wrong.
set -uo pipefail
cd "$(dirname "$0")/.."
convgpu=${CONVGPU:-target/release/convgpu}
device=${DEVICE:-auto}
out=${OUT:-target/gpu}
seconds=${SECONDS_EACH:-0.2}
failures=0

if [ ! -x "$convgpu" ]; then
    echo "$convgpu is not there: build it with cargo build --release, or name it in CONVGPU" >&2
    exit 2
fi
mkdir -p "$out"

# step NAME COMMAND..: runs it, keeps what it prints in OUT/NAME.txt, counts a failure and goes on.
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

step devices "$convgpu" devices
if [ "$device" = auto ] && "$convgpu" devices --json 2>/dev/null | grep -q '"default": "cpu"'; then
    echo "no GPU adapter: is there a Vulkan driver, and libvulkan.so.1?" >&2
    exit 1
fi

for model in tests/models/*.onnx "$@"; do
    name=$(basename "$model" .onnx)
    step "verify-$name" "$convgpu" verify "$model" --device "$device"
    step "bench-$name" "$convgpu" bench "$model" --profile --seconds 1 --device "$device"
done

ops() { "$convgpu" bench --ops --seconds "$seconds" --device "$device" "$@"; }
step ops ops
step ops-batched ops --layers benches/layers-batched.json
step ops-json ops --chosen --json >/dev/null

if python3 -c 'import torch, sys; sys.exit(not torch.cuda.is_available())' 2>/dev/null; then
    for layers in layers layers-batched; do
        step "torch-$layers" python3 benches/peers/run.py --convgpu "$convgpu" --device "$device" \
            --engines convgpu,torch --layers "benches/$layers.json" --rounds 2 --seconds 0.1 --json "$out/torch-$layers.json"
    done
else
    printf '\n== torch: not compared, python3 has no torch with a CUDA device\n'
fi

printf '\n%s s, %s failures; everything is in %s\n' "$SECONDS" "$failures" "$out"
[ "$failures" = 0 ]
