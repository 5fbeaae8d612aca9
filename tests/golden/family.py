"""Shared by the families of cases: seeded numbers, the rounding to float32, the bytes of a file."""

import argparse
import hashlib
import json
import math
import sys
from collections import Counter

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import save

SEED = 2
DOUBLE = torch.float64


def rounded(value):
    """The tensor or the parameter after one rounding to float32, as float64. Integers and strings stay as they are."""
    if isinstance(value, torch.Tensor):
        return value.to(torch.float32).to(DOUBLE) if value.is_floating_point() else value
    return float(np.float32(value)) if isinstance(value, float) else value


def rounded_params(params):
    """The parameters for PyTorch: rounded to f32, as convgpu takes them, except scale factors, which are f64."""
    return {k: v if k == "scale_factor" else rounded(v) for k, v in params.items()}


def as_json(params):
    """The parameters in the file. JSON has no infinities: they are strings, `inf` and `-inf`."""
    infinite = lambda v: isinstance(v, float) and math.isinf(v)
    return {k: str(v) if infinite(v) else v for k, v in params.items()}


class Draw:
    """Random numbers that depend on the seed and on `key` alone. NumPy has frozen the stream of `RandomState`."""

    def __init__(self, key):
        digest = hashlib.sha256(f"{SEED}/{key}".encode()).digest()
        self.random = np.random.RandomState(np.frombuffer(digest, dtype="<u4"))

    def normal(self, *shape, scale=1.0, shift=0.0):
        return rounded(torch.from_numpy(np.asarray(self.random.standard_normal(shape) * scale + shift)))

    def uniform(self, *shape, low=0.0, high=1.0):
        return rounded(torch.from_numpy(np.asarray(low + (high - low) * self.random.random_sample(shape))))

    def integers(self, *shape, low, high):
        """Integers from `low` to `high`, both included, as floats."""
        return torch.from_numpy(np.asarray(self.random.randint(low, high + 1, shape))).to(DOUBLE)

    def indices(self, n, below):
        return torch.from_numpy(self.random.randint(0, below, n))

    def booleans(self, *shape):
        return torch.from_numpy(np.asarray(self.random.randint(0, 2, shape))).bool()

    def distinct(self, *shape):
        """Multiples of a quarter around 0, no two of them equal."""
        n = int(np.prod(shape))
        return torch.from_numpy((self.random.permutation(n) - n // 2) * 0.25).reshape(shape)

    def pick(self, options):
        return options[self.random.randint(len(options))]


class Family:
    """Cases of one file. `draw` gives the numbers of the next case."""

    # What is added to the names of groups: cases that are drawn and those of hard.py have numbers of their own.
    part = ""

    def __init__(self, name):
        self.name, self.tensors, self.cases, self.counts = name, {}, [], Counter()
        self.start(name)

    def start(self, group):
        """The next cases are those of `group`: their numbers do not depend on the cases of other groups."""
        self.group = group
        self.draw = Draw(f"{self.name}/{group}/{self.counts[group]}")

    def numbers(self, op):
        """The numbers of the next case of `op`."""
        group = op + self.part
        if self.group != group:
            if not self.part:
                # The committed numbers start again where the written cases come back to an operator.
                self.counts[group] = 0
            self.start(group)
        return self.draw

    def add(self, op, params, inputs, outputs):
        number = f"{len(self.cases):03d}"
        for role, tensor in inputs.items():
            exact = torch.equal(rounded(tensor.detach()).nan_to_num(7.0), tensor.detach().nan_to_num(7.0))
            assert exact, f"{self.name} {op}: {role} is not float32"
        for role, tensor in {**inputs, **outputs}.items():
            array = tensor.detach().contiguous().numpy()
            # Without the signs of NaNs, which depend on the processor.
            with np.errstate(over="ignore"):
                single = np.where(np.isnan(array), np.nan, array).astype(np.float32)
            self.tensors[f"{number}.{role}"] = single if tensor.is_floating_point() else array.astype(np.int32)
        case = dict(id=number, op=op, params=as_json(params), inputs=list(inputs), outputs=list(outputs))
        self.cases.append(case)
        self.counts[self.group] += 1
        self.start(self.group)

    def bytes(self):
        # One key only: the library writes several in any order.
        return save(self.tensors, metadata={"cases": json.dumps(self.cases, separators=(",", ":"), allow_nan=False)})


def gelu(x, approximate="none"):
    """F.gelu by formulas that keep the digits for negative arguments, where F.gelu computes 1 - 1."""
    if approximate == "tanh":
        y = x * torch.sigmoid(math.sqrt(8 / math.pi) * (x + 0.044715 * x**3))
    else:
        y = x * torch.special.erfc(-x * math.sqrt(0.5)) / 2
    torch.testing.assert_close(y, F.gelu(x, approximate=approximate), rtol=1e-13, atol=1e-14, equal_nan=True)
    return y


def given(**tensors):
    """The tensors that a case has: those that are not None."""
    return {role: t for role, t in tensors.items() if t is not None}


# Infinities, signed zeros, the smallest normal number, halves, the limits of exp and of piecewise functions, NaN last.
POSITIVE_EDGES = [0.0, 1.1754944e-38, 1e-30, 1e-6, 0.5, 1.0, 1.5, 2.5, 3.0, 6.0, 20.0, 88.8, 1e30, float("inf")]
EDGES = [-v for v in reversed(POSITIVE_EDGES)] + POSITIVE_EDGES + [-8.0, float("nan")]


def edges(values=EDGES, nan=True):
    """A tensor of two rows with these values."""
    values = values if nan else [0.25 if v != v else v for v in values]
    return rounded(torch.tensor(values, dtype=DOUBLE).reshape(2, -1))


def command(about, path, family, versions):
    """The command of a file that is made alone: writes it, or with --check compares it with the one that is there."""
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="make the file in memory and compare with the one here")
    check = parser.parse_args().check
    made = family()
    print(f"{versions}: {len(made.cases)} cases")
    if check:
        same = path.read_bytes() == made.bytes()
        print("the same" if same else "other bytes")
        sys.exit(not same)
    path.write_bytes(made.bytes())
