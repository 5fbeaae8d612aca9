#!/usr/bin/env bash
# Compiles every pipeline with AMD's compiler, on a machine without a GPU: RADV, Mesa's Vulkan driver, compiles for a family of GPUs
# without a device. Prints a table per family (docs/hardware.md explains it). Nothing runs, and no time decides anything.
#
#   scripts/hardware.sh            vega10, navi10, navi21, and navi31 where Mesa is new enough
#   scripts/hardware.sh FAMILY..   these families
#
# It fails if a pipeline does not compile, if one uses scratch memory, or if a tiled kernel waits for memory more than once in a row.
set -euo pipefail
cd "$(dirname "$0")/.."

icd=$(compgen -G '/usr/share/vulkan/icd.d/radeon_icd*.json' | head -n 1 || true)
if [ -z "$icd" ]; then
    echo "not run: AMD's compiler (Debian, Ubuntu: apt-get install mesa-vulkan-drivers)"
    exit 0
fi

# Before Mesa 24 this compiler spills registers on navi31, where later ones do not.
families=(vega10 navi10 navi21)
mesa=$(dpkg-query -W -f '${Version}' mesa-vulkan-drivers 2>/dev/null | grep -o '^[0-9]*' || echo 0)
if [ "$mesa" -ge 24 ]; then families+=(navi31); fi
if [ $# -gt 0 ]; then families=("$@"); fi

# What the tests are built of: with other features every dependency would be compiled once more.
cargo build --workspace --all-features --bins --examples
program=${CARGO_TARGET_DIR:-target}/debug/convgpu-hardware
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

check() {
    local family=$1 start=$SECONDS
    printf '\n== %s\n' "$family"
    VK_DRIVER_FILES=$icd VK_ICD_FILENAMES=$icd RADV_FORCE_FAMILY=$family MESA_SHADER_CACHE_DISABLE=true "$program" ||
        touch "$work/failed"
    echo "$((SECONDS - start)) s"
}

# A family takes one core: as many at a time as there are.
for family in "${families[@]}"; do
    while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do wait -n || true; done
    check "$family" >"$work/$family.log" 2>&1 &
done
wait
for family in "${families[@]}"; do cat "$work/$family.log"; done
if [ "$mesa" -lt 24 ] && [ $# -eq 0 ]; then echo "not run: navi31 (its compiler is good from Mesa 24 on)"; fi
[ ! -e "$work/failed" ]
