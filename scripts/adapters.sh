#!/usr/bin/env bash
# Checks every operator on every software adapter of this machine (`convgpu conformance --quick --cases 12`): lavapipe with 4, 8 and
# 16 lanes, the GL back end on llvmpipe, SwiftShader; then lavapipe once more below the Vulkan validation layer. Debian's
# chromium-common has the last two. Prints a row per adapter. No time decides anything.
#
#   scripts/adapters.sh              all
#   scripts/adapters.sh NAME..       of: validation swiftshader lanes8 lanes16 lanes4 gl
#   CONVGPU=PROGRAM                  this program instead of a build
#
# It fails if a result is wrong that is not in the list below, if one that is in the list is right, if an adapter is another one than
# its name says, and if the layer has a message that is not in its list.
set -euo pipefail
cd "$(dirname "$0")/.."

# Rows of the ledger that are wrong on an adapter because of its driver, a line each: adapter; operator; kernels; why.
differences() {
    cat <<'LIST'
LIST
}

# Messages of the validation layer that are no faults of convgpu, and why.
#
# VUID-StandaloneSpirv-None-10684: naga copies a uniform struct into a variable of a function, and has one type for both, whose
# offsets such a variable may not have by a rule of 2025. Offsets mean nothing there.
allowed_messages='VUID-StandaloneSpirv-None-10684'

# The slowest first.
all=(validation swiftshader lanes8 lanes16 lanes4 gl)
names=("${all[@]}")
if [ $# -gt 0 ]; then names=("$@"); fi

if [ -z "${CONVGPU:-}" ]; then
    # What the tests are built of: with other features every dependency would be compiled once more.
    cargo build --workspace --all-features --bins --examples
    CONVGPU=${CARGO_TARGET_DIR:-target}/debug/convgpu
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export XDG_RUNTIME_DIR=$work LP_NUM_THREADS=0
chromium=/usr/lib/chromium
lavapipe=$(compgen -G '/usr/share/vulkan/icd.d/lvp_icd*.json' | head -n 1 || true)

# What an adapter is started with; nothing if it is not installed.
environment() {
    local vulkan="VK_DRIVER_FILES=$lavapipe VK_ICD_FILENAMES=$lavapipe"
    case "$1" in
    lanes8) [ -z "$lavapipe" ] || echo "$vulkan LP_NATIVE_VECTOR_WIDTH=256" ;;
    lanes4) [ -z "$lavapipe" ] || echo "$vulkan LP_NATIVE_VECTOR_WIDTH=128" ;;
    lanes16) [ -z "$lavapipe" ] || echo "$vulkan LP_NATIVE_VECTOR_WIDTH=512" ;;
    gl) ! compgen -G '/usr/lib/*/libEGL_mesa.so*' >/dev/null || echo "WGPU_BACKEND=gl LIBGL_ALWAYS_SOFTWARE=1" ;;
    swiftshader)
        local icd=$chromium/vk_swiftshader_icd.json
        [ ! -f $icd ] || echo "VK_DRIVER_FILES=$icd VK_ICD_FILENAMES=$icd"
        ;;
    validation)
        # Without its own validation wgpu leaves the messages to the layer, which prints them.
        [ -z "$lavapipe" ] || [ ! -f $chromium/libVkLayer_khronos_validation.so ] ||
            echo "$vulkan VK_LAYER_PATH=$work VK_INSTANCE_LAYERS=VK_LAYER_KHRONOS_validation WGPU_VALIDATION=0 WGPU_DEBUG=0"
        ;;
    *)
        echo "there is no $1; there are ${all[*]}" >&2
        exit 2
        ;;
    esac
}

# Part of the first line of its ledger.
identity() {
    case "$1" in
    lanes8 | validation) echo '256 bits' ;;
    lanes4) echo '128 bits' ;;
    lanes16) echo '512 bits' ;;
    gl) echo 'Gl' ;;
    swiftshader) echo 'SwiftShader' ;;
    esac
}

package() {
    case "$1" in
    swiftshader | validation) echo chromium-common ;;
    gl) echo libegl-mesa0 ;;
    *) echo mesa-vulkan-drivers ;;
    esac
}

# A manifest of the layer, which chromium-common has not.
cat >"$work/layer.json" <<JSON
{
    "file_format_version": "1.2.0",
    "layer": {
        "name": "VK_LAYER_KHRONOS_validation", "type": "GLOBAL", "api_version": "1.3.0", "implementation_version": "1",
        "library_path": "$chromium/libVkLayer_khronos_validation.so", "description": "validation"
    }
}
JSON

# The rows of a ledger that are wrong, and those of the list, as operator|kernels.
wrong_rows() {
    awk -F '  +' 'NF > 1 && ($NF == "wrong" || $(NF - 1) == "wrong") { print $1 "|" $2 }' "$1" | sort -u
}

known_rows() {
    differences | awk -F ' *; *' -v adapter="$1" '$1 == adapter { print $2 "|" $3 }' | sort -u
}

# Checks an adapter; its row of the table goes to NAME.row, what is behind it to NAME.log. One case runs at a time, on one core.
check() {
    local name=$1
    local settings start=$SECONDS status=0 verdict=ok messages new summary
    local ledger=$work/$name.txt
    settings=$(environment "$name")
    if [ -z "$settings" ]; then
        printf '%-12s not run: it is not installed (Debian, Ubuntu: %s)\n' "$name" "$(package "$name")" >"$work/$name.row"
        return
    fi
    # shellcheck disable=SC2086 # a list of settings
    env $settings "$CONVGPU" conformance --quick --cases 12 --device 0 >"$ledger" 2>"$work/$name.err" || status=$?
    if ! grep -q "$(identity "$name")" "$ledger"; then
        verdict="another adapter: $(head -n 1 "$ledger")$(tail -n 1 "$work/$name.err")"
    elif ! diff <(known_rows "$name") <(wrong_rows "$ledger"); then
        verdict='results differ from what is known (above)'
    elif [ $status -ne 0 ] && [ -z "$(known_rows "$name")" ]; then
        verdict="exit status $status: $(tail -n 1 "$work/$name.err")"
    elif [ "$name" = validation ]; then
        # Of every kind, errors and warnings: "Validation Error: [ NAME ] | ...".
        messages=$(sed -n 's/^Validation [A-Za-z ]*: \[ \([^ ]*\) \].*/\1/p' "$ledger" "$work/$name.err" | sort -u)
        new=$(grep -v -x -F "$allowed_messages" <<<"$messages" || true)
        if [ -z "$messages" ]; then
            verdict='the layer said nothing: it was not there, or its list is too long'
        elif [ -n "$new" ]; then
            verdict="messages of the layer: $new"
            grep -A 8 -m 3 -F "$(head -n 1 <<<"$new")" "$ledger" "$work/$name.err" || true
        fi
    fi
    summary=$(grep -E '^[0-9]+ cases, ' "$ledger" || true)
    printf '%-12s %4d s  %s: %s\n' "$name" $((SECONDS - start)) "${summary%%, 0 refused*}" "$verdict" >"$work/$name.row"
    [ "$verdict" = ok ] || touch "$work/failed"
}

# As many at a time as there are cores.
for name in "${names[@]}"; do
    environment "$name" >/dev/null
    while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do wait -n || true; done
    echo "== $name"
    check "$name" >"$work/$name.log" &
done
wait
for name in "${names[@]}"; do
    cat "$work/$name.log" "$work/$name.row"
done
[ ! -e "$work/failed" ]
