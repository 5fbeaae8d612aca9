#!/usr/bin/env bash
# Compiles every pipeline with compilers of drivers and browsers that need no GPU. Nothing runs.
#
#   spirv-val      SPIR-V
#   glslang        GLSL ES
#   tint           WGSL as browsers get it, without subgroups, which wgpu does not have there (npm: webgpu, that is Dawn)
#   dxc            HLSL, with the library that Dawn brings for Windows
#   fxc            the same, without f16 and subgroups, which wgpu does not give it
#   sm_86, sm_90   Metal's language read as CUDA, without subgroups (PyPI: nvidia-cuda-nvrtc, nvidia-cuda-nvdisasm). A proxy:
#                  NVIDIA's Vulkan driver has the same code generator, and takes SPIR-V
#
#   scripts/compilers.sh               all
#   scripts/compilers.sh COMPILER..    these
#
# It fails if a pipeline is refused, or if one spills registers in every iteration of its main loop (sm_86, sm_90). Every
# compiler also gets a broken text: one that takes it has checked nothing. The packages of npm and PyPI go to target/compilers;
# a compiler that is not here is named, and not counted. scripts/hardware.sh has AMD's compiler.
set -euo pipefail
cd "$(dirname "$0")/.."

own=$PWD/scripts/compilers
mkdir -p "${CARGO_TARGET_DIR:-target}/compilers"
work=$(cd "${CARGO_TARGET_DIR:-target}/compilers" && pwd)
[ $# -gt 0 ] || set -- spirv-val glslang tint dxc fxc sm_86 sm_90

# Each of these prints the version of a compiler, and then a line for each file: its name, a tab, and the complaint if it is
# refused. They fail if the compiler cannot be had.

spirv_val() { # COMPILER FILE..
    spirv-val --version | sed -n '1s/^SPIRV-Tools \(\S*\).*/\1/p'
    each spirv-val --target-env vulkan1.3 -- "${@:2}"
}

glslang() {
    glslangValidator --version | sed -n '1s/.*://p'
    each glslangValidator -S comp -- "${@:2}"
}

# A program that takes one file, and fails if it refuses it.
each() { # PROGRAM OPTION.. -- FILE..
    local program=() log
    while [ "$1" != -- ]; do
        program+=("$1")
        shift
    done
    for file in "${@:2}"; do
        if log=$("${program[@]}" "$file" 2>&1); then log=; else log=$(grep -m1 -i error <<<"$log" || echo "$log" | head -n1); fi
        printf '%s\t%s\n' "$file" "$log"
    done
}

dawn() {
    [ -d "$work/node_modules/webgpu" ] || npm install --no-audit --no-fund --prefix "$work" webgpu >&2
}

tint() {
    dawn || return
    node -p "'Dawn ' + require('$work/node_modules/webgpu/package.json').version"
    cp "$own/tint.mjs" "$work" # where node looks for its packages
    node "$work/tint.mjs" "${@:2}" || true
}

hlsl() {
    dawn && x86_64-w64-mingw32-g++ -O1 -static -o "$work/hlsl.exe" "$own/hlsl.cpp" -lversion &&
        cp "$work"/node_modules/webgpu/dist/win32-x64/*.dll "$work" || return
    WINEDEBUG=-all WINEPREFIX=$work/wine WINEDLLOVERRIDES='d3dcompiler_47=n;mscoree,mshtml=' \
        wine "$work/hlsl.exe" "$@" | tr -d '\r' || true
}

nvidia() {
    [ -d "$work/nvidia" ] ||
        python3 -m pip install -q --no-deps --target "$work/nvidia" nvidia-cuda-nvrtc nvidia-cuda-nvdisasm >&2 || return
    python3 "$own/nvidia.py" "$work/nvidia" "$@" || true
}

table=$(printf '%-10s %-20s %9s %8s' compiler version pipelines failures)$'\n'
failures=
not_run=

# Runs a compiler if its programs are here, and adds a line to the table.
check() { # FUNCTION PROGRAMS DEBIAN'S-PACKAGES COMPILER FILE..
    local function=$1 programs=$2 packages=$3 compiler=$4 answers=$work/$4.tsv failed
    shift 4
    for program in $programs; do
        if ! command -v "$program" >/dev/null; then
            not_run+="not run: $compiler (Debian, Ubuntu: apt-get install $packages)"$'\n'
            return
        fi
    done
    if ! "$function" "$compiler" "$@" >"$answers" 2>"$work/log"; then
        not_run+="not run: $compiler ($(tail -n1 "$work/log"))"$'\n'
        return
    fi
    failed=$(
        tail -n +2 "$answers" | awk -F'\t' '$2 != "" { print $1 ": " $2 }'
        printf '%s\n' "$@" | grep -vxFf <(tail -n +2 "$answers" | cut -f1) | sed 's/$/: no answer/'
    ) || true
    if grep -q '^broken\..*: no answer' <<<"$failed" || ! grep -q '^broken\.' <<<"$failed"; then
        failed+=$'\n''the broken text is not refused'
    fi
    failed=$(grep -v '^broken\.' <<<"$failed" | grep . || true)
    table+=$(printf '%-10s %-20s %9d %8d' "$compiler" "$(head -n1 "$answers")" $(($# - 1)) "$(grep -c . <<<"$failed")")$'\n'
    if [ -n "$failed" ]; then failures+=$(sed "s/^/$compiler: /" <<<"$failed")$'\n'; fi
}

rm -rf "$work/pipelines"
CONVGPU_DUMP=$work/pipelines cargo test -q -p convgpu-cli every_pipeline >/dev/null
cd "$work/pipelines"
for ending in spv glsl browser.wgsl hlsl metal; do
    texts=(*."$ending")
    { cat "${texts[0]}" && echo "broken broken  ;"; } >"broken.$ending"
done

for compiler; do
    case $compiler in
    spirv-val) check spirv_val spirv-val spirv-tools "$compiler" *.spv ;;
    glslang) check glslang glslangValidator glslang-tools "$compiler" *.glsl ;;
    tint)
        mapfile -t texts < <(grep -L subgroup *.browser.wgsl)
        check tint 'node npm' 'nodejs npm' "$compiler" "${texts[@]}"
        ;;
    dxc | fxc)
        texts=(*.hlsl)
        if [ "$compiler" = fxc ]; then mapfile -t texts < <(grep -LE 'half|float16_t|Wave' *.hlsl); fi
        check hlsl 'npm wine x86_64-w64-mingw32-g++' 'npm wine g++-mingw-w64-x86-64' "$compiler" "${texts[@]}"
        ;;
    sm_*)
        mapfile -t texts < <(grep -L simd_ *.metal)
        check nvidia python3 python3-pip "$compiler" "${texts[@]}"
        ;;
    *)
        echo "unknown compiler: $compiler" >&2
        exit 2
        ;;
    esac
done

# Of the tiled kernels, which load while they compute, the worst of each number (docs/hardware.md).
for compiler; do
    if [[ $compiler != sm_* || ! -f $work/$compiler.tsv ]]; then continue; fi
    printf '\n%-26s %9s %13s %20s\n' "$compiler" registers 'bytes spilled' 'loads ahead, of all'
    awk -F'\t' '
        /^[a-z0-9]*_tiled.*\t\t/ {
            sub(/-.*/, "", $1)
            kernel = $1 " " $3
            if ($4 > registers[kernel]) registers[kernel] = $4
            if ($5 > spilled[kernel]) spilled[kernel] = $5
            if (!(kernel in loads) || $7 * loads[kernel] < ahead[kernel] * $6) { ahead[kernel] = $7; loads[kernel] = $6 }
        }
        END {
            for (k in loads) printf "%-26s %9d %13d %20s\n", k, registers[k], spilled[k], ahead[k] "/" loads[k]
        }' "$work/$compiler.tsv" | sort
done
printf '\n%s%s%s' "$table" "$failures" "$not_run"
[ -z "$failures" ]
