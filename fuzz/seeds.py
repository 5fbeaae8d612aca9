#!/usr/bin/env python3
"""Writes the seeds of the corpora anew: small models of tests/onnx, small files of every type of elements, and the
first draws of every operator."""

import json
import random
import shutil
import struct
from pathlib import Path

FUZZ = Path(__file__).resolve().parent
TESTS = FUZZ.parent / "tests"
# At least the number of families in src/conformance/families.
FAMILIES = 40


def folder(target):
    """The corpus of a target, without its old seeds."""
    path = FUZZ / "corpus" / target
    path.mkdir(parents=True, exist_ok=True)
    for seed in path.glob("*.*"):
        seed.unlink()
    return path


def onnx():
    to = folder("onnx")
    for file in sorted(TESTS.glob("onnx/**/*.onnx")):
        if file.stat().st_size <= 2048:
            name = file.parent.name if file.stem == "model" else file.stem
            shutil.copy(file, to / f"{name.removeprefix('test_')}.onnx")


def safetensors():
    to = folder("safetensors")
    sizes = {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "F16": 2, "BF16": 2, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}

    def write(name, tensors):
        header, data = {"__metadata__": {"format": "pt"}}, b""
        for tensor, dtype, shape in tensors:
            count = 1
            for extent in shape:
                count *= extent
            length = count * sizes[dtype]
            header[tensor] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + length]}
            data += bytes(k % 2 for k in range(length))
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        (to / f"{name}.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)

    for dtype in sizes:
        write(dtype.lower(), [("a.weight", dtype, [2, 3])])
    write("several", [("a.weight", "F32", [2, 1]), ("b", "I64", []), ("empty", "F16", [0, 4]), ("é", "U8", [1])])


def npy():
    to = folder("npy")

    def write(name, descr, shape, order="False", version=1):
        size = int(descr[2:])
        for extent in shape:
            size *= extent
        text = f"{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {tuple(shape)}, }}\n".encode()
        length = struct.pack("<H" if version == 1 else "<I", len(text))
        data = bytes(k % 2 for k in range(size))
        (to / f"{name}.npy").write_bytes(b"\x93NUMPY" + bytes([version, 0]) + length + text + data)

    for kind in ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"]:
        write(kind, ("|" if kind[1] == "1" else "<") + kind, [2, 3])
    write("big", ">f4", [3])
    write("fortran", "<i2", [2, 1, 3], order="True")
    write("scalar", "=f8", [])
    write("empty", "<f4", [0, 4])
    write("version2", "<f4", [1], version=2)


def shape_rules():
    to, rng = folder("shape_rules"), random.Random(1)
    for family in range(FAMILIES):
        (to / f"{family:02}.draws").write_bytes(bytes([family]) + rng.randbytes(47))


onnx()
safetensors()
npy()
shape_rules()
