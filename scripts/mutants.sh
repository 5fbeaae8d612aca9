#!/usr/bin/env bash
# Mutation testing: changes shaders and host code at random places and runs the tests that reach them.
#
#   scripts/mutants.sh           draws the mutants, tries those that have no result yet, and prints what survived
#   scripts/mutants.sh list      prints the mutants that are drawn
#   scripts/mutants.sh prepare   only draws and builds them, and runs all tests without a mutant
#   scripts/mutants.sh retry     takes the tests as they are now, and tries those again that survived
#   scripts/mutants.sh equivalent    runs 10 000 random cases of each that is drawn and listed as equivalent
#   scripts/mutants.sh report    prints tables and survivors of what was tried
#
# Options: --work DIR (target/mutants), --jobs N (2), --shaders N, --host N, --seed N. About 1100 mutants take hours: first all of
# them with a minute of the likeliest tests, then those that are left with all others. A run that was stopped goes on where it was.
# scripts/mutants/equivalent.txt lists survivors that nothing could kill.
set -euo pipefail
cd "$(dirname "$0")/.."
exec cargo run --quiet -p convgpu-mutants -- "$@"
