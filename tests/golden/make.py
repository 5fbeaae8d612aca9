"""Makes the files in this folder and in src/conformance/pytorch with PyTorch, or checks them: README.md describes them.

usage: python tests/golden/make.py [--check]
"""

import argparse
import gzip
import io
import json
import pathlib
import sys
import warnings
from collections import Counter

import numpy as np
import torch
from safetensors.numpy import load

import functional
import interpolate
import modules
import operators

HERE = pathlib.Path(__file__).parent
ENDING = ".safetensors"
# These families are part of the library, compressed.
PACKED = {"functional", "module"}
LIBRARY = HERE.parent.parent / "src" / "conformance" / "pytorch"

warnings.filterwarnings("ignore", message="Using padding='same'")


def families():
    # The order of the sums must not depend on the number of cores.
    torch.set_num_threads(1)
    with torch.no_grad():
        for make in operators.FAMILIES + functional.FAMILIES + modules.FAMILIES + interpolate.FAMILIES:
            yield make()


def path_of(family):
    return LIBRARY / (family.name + ENDING + ".gz") if family.name in PACKED else HERE / (family.name + ENDING)


def packed(data):
    """The data as a gzip file whose bytes depend on nothing else: without a time and a name."""
    file = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=file, mtime=0) as pack:
        pack.write(data)
    return file.getvalue()


def ordered(x):
    """The bits of float32 numbers as integers whose difference counts the numbers between."""
    bits = x.view(np.int32).astype(np.int64)
    return np.where(bits < 0, -(bits & 0x7FFFFFFF), bits)


def distance(a, b):
    """The largest number of units in the last place between two tensors; infinity if nothing compares."""
    if a.dtype != b.dtype or a.shape != b.shape:
        return np.inf
    if a.dtype != np.float32:
        return 0 if np.array_equal(a, b) else np.inf
    if not np.array_equal(np.isnan(a), np.isnan(b)):
        return np.inf
    ulps = np.abs(ordered(a) - ordered(b))[~np.isnan(a)]
    return int(ulps.max(initial=0))


def differences(family, path):
    """What differs between the family and its file, in words; nothing if they are the same bytes."""
    new = family.bytes()
    if not path.exists():
        return ["no file"]
    old = gzip.decompress(path.read_bytes()) if family.name in PACKED else path.read_bytes()
    if old == new:
        return []
    said = []
    header = json.loads(old[8 : 8 + int.from_bytes(old[:8], "little")])
    cases = json.loads(header["__metadata__"]["cases"])
    if cases != family.cases:
        pairs = zip(cases, family.cases)
        first = next((a["id"] for a, b in pairs if a != b), "beyond the shorter list")
        said.append(f"other cases: {len(cases)} and {len(family.cases)}, the first that differs is {first}")
    a, b = load(old), load(new)
    if missing := sorted(a.keys() ^ b.keys()):
        said.append(f"{len(missing)} tensors are in only one of them: {', '.join(missing[:3])}")
    off = {name: distance(a[name], b[name]) for name in sorted(a.keys() & b.keys())}
    off = {name: d for name, d in off.items() if d > 0}
    if off:
        worst = max(off, key=off.get)
        said.append(f"{len(off)} of {len(b)} tensors differ, at most {off[worst]} ulp ({worst})")
    return said or ["the same numbers in other bytes: a zero has another sign"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="make the files in memory and compare with those here")
    check = parser.parse_args().check
    print(f"PyTorch {torch.__version__}")
    failed, names = False, set()
    for family in families():
        path = path_of(family)
        names.add(path.name)
        if check:
            said = differences(family, path)
            failed |= bool(said)
            print(f"{family.name}: {'; '.join(said) or 'the same'}")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(packed(family.bytes()) if family.name in PACKED else family.bytes())
            ops = Counter(case["op"] for case in family.cases)
            counts = ", ".join(f"{op} {n}" for op, n in ops.items())
            print(f"{family.name}: {path.stat().st_size} bytes, {len(family.cases)} cases: {counts}")
    names.update({"onnx_resize" + ENDING, "pixels" + ENDING, "vision" + ENDING})  # scripts of those names make them
    files = [*HERE.glob("*" + ENDING), *LIBRARY.glob("*" + ENDING + "*")]
    for other in sorted(p.name for p in files if p.name not in names):
        failed = True
        print(f"{other}: belongs to no family")
    sys.exit(failed)


if __name__ == "__main__":
    main()
