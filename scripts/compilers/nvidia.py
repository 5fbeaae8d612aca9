#!/usr/bin/env python3
"""NVIDIA's compiler on kernels, from PyPI's nvidia-cuda-nvrtc and nvidia-cuda-nvdisasm:

  scripts/compilers/nvidia.py PACKAGES ARCHITECTURE FILE.metal ...    PACKAGES: where pip put them; ARCHITECTURE: sm_86, sm_90, ..

It is a proxy: the code generator is that of the Vulkan driver, but it gets naga's MSL read as CUDA (metal.h), not SPIR-V. Prints
the version, then a line for each file, its fields separated by tabs: the name; the complaint if it is refused, or if every
iteration of its main loop spills registers; the precision of its tensors; registers; bytes per invocation that it spills; of an iteration the
loads from memory, those whose first use is behind at least half of the multiply-adds, and the multiply-adds.
"""
import ctypes
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

LIBRARY = (Path(__file__).parent / "metal.h").read_text()
BUILTINS = {
    "thread_position_in_grid": "metal::uint3(blockIdx.x * blockDim.x + threadIdx.x, blockIdx.y, blockIdx.z)",
    "thread_index_in_threadgroup": "threadIdx.x",
    "threadgroup_position_in_grid": "metal::uint3(blockIdx.x, blockIdx.y, blockIdx.z)",
    "threadgroups_per_grid": "metal::uint3(gridDim.x, gridDim.y, gridDim.z)",
}


class Refused(Exception):
    """What the compiler says."""


def to_cuda(metal):
    """MSL as naga writes it, as CUDA with metal.h."""
    text = "using metal::uint;\n" + metal.partition("using metal::uint;\n")[2]
    head = re.search(r"(?:\[\[max_total_threads_per_threadgroup\((\d+)\)\]\] )?kernel void (\w+)\(\n(.*?)\n?\) \{\n", text, re.S)
    if not head:
        raise Refused("no kernel found")
    threads, name, parameters = head.groups()
    outer, inner = [], []
    for parameter in re.split(r"\n?, ", parameters.strip()):
        attribute = re.search(r"\[\[(\w+)", parameter)
        kind, variable = re.match(r"(.*\W)(\w+)", parameter.partition(" [[")[0]).groups()
        kind = re.sub(r"^(constant|device|threadgroup) |&|\s+$", "", kind).strip()
        if parameter.startswith("constant"):
            outer.append(f"const __grid_constant__ {kind} {variable}")
        elif parameter.startswith("device"):
            outer.append(f"{kind}* __restrict__ {variable}_")
            inner.append(f"{kind}& {variable} = *{variable}_;")
        elif parameter.startswith("threadgroup"):
            inner.append(f"__shared__ alignas(16) char {variable}_[sizeof({kind})]; {kind}& {variable} = *({kind}*){variable}_;")
        else:
            inner.append(f"{kind} {variable} = {BUILTINS[attribute[1]]};")
    kernel = f'extern "C" __global__ void __launch_bounds__({threads or 1024}) {name}({", ".join(outer)}) {{\n'
    text = text[: head.start()] + kernel + "\n".join(inner) + "\n" + text[head.end() :]
    text = re.sub(r"^constant ", "constexpr ", text, flags=re.M)
    text = re.sub(r"\bconstant ", "const ", text)
    text = re.sub(r"\b(device|threadgroup|thread) ", "", text)
    text = re.sub(r"(?<![\w.])(\d+\.\d+(e[-+]?\d+)?)h?(?![\w.])", r"\1f", text)
    return LIBRARY + re.sub(r"\.([xyzw]{2,4})\b", swizzle, text)


def swizzle(found):
    return ".swizzle<" + ", ".join(str("xyzw".index(c)) for c in found[1]) + ">()"


class Compiler:
    def __init__(self, packages, architecture):
        library = next(Path(packages).rglob("libnvrtc.so.*"))
        for builtins in library.parent.glob("libnvrtc-builtins.so.*"):
            ctypes.CDLL(str(builtins))
        self.nvrtc = ctypes.CDLL(str(library))
        self.disassembler = str(next(Path(packages).rglob("nvdisasm")))
        self.architecture = architecture

    def version(self):
        major, minor = ctypes.c_int(), ctypes.c_int()
        self.nvrtc.nvrtcVersion(ctypes.byref(major), ctypes.byref(minor))
        return f"{major.value}.{minor.value}"

    def output(self, of, program):
        """The bytes that the compiler has: its `ProgramLog` or `CUBIN`."""
        size = ctypes.c_size_t()
        getattr(self.nvrtc, f"nvrtcGet{of}Size")(program, ctypes.byref(size))
        data = ctypes.create_string_buffer(size.value)
        getattr(self.nvrtc, f"nvrtcGet{of}")(program, data)
        return data.raw

    def compile(self, cuda):
        """The code, and what the assembler says of it."""
        program = ctypes.c_void_p()
        self.nvrtc.nvrtcCreateProgram(ctypes.byref(program), cuda.encode(), b"kernel", 0, None, None)
        options = ["-arch=" + self.architecture, "-default-device", "-std=c++17", "-use_fast_math", "-w", "--ptxas-options=-v"]
        status = self.nvrtc.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*map(str.encode, options)))
        log = self.output("ProgramLog", program).decode(errors="replace").strip("\0")
        code = None if status else self.output("CUBIN", program)
        self.nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
        if code is None:
            raise Refused(next((line for line in log.splitlines() if "error" in line), f"status {status}"))
        return code, log

    def disassemble(self, code):
        with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
            file.write(code)
            file.flush()
            return subprocess.run([self.disassembler, "-c", file.name], capture_output=True, text=True, check=True).stdout


def count(loop, name):
    return sum(op.startswith(name) for op, _ in loop)


def main_loop(assembly):
    """The smallest loop that loads and has products of a tile, as (operation, operands)."""
    code, labels, loops = [], {}, []
    for line in assembly.splitlines():
        if label := re.match(r"(\.L_\w+):", line):
            labels[label[1]] = len(code)
        elif found := re.match(r"\s+/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+\s+)?([A-Z][\w.]*)\s*(.*?);", line):
            code.append(found.groups())
            target = re.search(r"`\((\.L_\w+)\)", found[2])
            if found[1].startswith("BRA") and target and target[1] in labels:
                loops.append(code[labels[target[1]] :])
    return min((loop for loop in loops if count(loop, "LDG") and count(loop, "FFMA") >= 16), key=len, default=[])


def ahead(loop):
    """The loads of an iteration that have at least half of its products between them and the first use of what they load."""
    half = count(loop, "FFMA") / 2
    pending, products, decided, found = {}, 0, set(), set()
    for k, (op, operands) in enumerate(loop * 2):  # a load may be for the next iteration
        products += op.startswith("FFMA")
        width = int((re.search(r"\.(64|128)\b", op) or [0, 32])[1]) // 32
        named = [int(r) for r in re.findall(r"\bR(\d+)", operands)]
        for load, before in {pending.pop(r + i) for r in named for i in range(width) if r + i in pending} - decided:
            decided.add((load, before))
            if products - before >= half:
                found.add(load % len(loop))
        if op.startswith("LDG"):
            pending.update({named[0] + i: (k, products) for i in range(width)})
    return len(found)


def facts(compiler, metal):
    """The complaint, and the fields behind it."""
    try:
        code, log = compiler.compile(to_cuda(metal))
    except Refused as refused:
        return str(refused), []
    registers, = re.findall(r"Used (\d+) registers", log)
    spilled, = re.findall(r"(\d+) bytes spill stores", log)
    loop = main_loop(compiler.disassemble(code))
    complaint = "its main loop spills registers" if count(loop, "STL") else ""
    precision = "f16" if re.search("metal::half|<half>", metal) else "f32"
    return complaint, [precision, registers, spilled, count(loop, "LDG"), ahead(loop), count(loop, "FFMA")]


def main():
    packages, architecture, *files = sys.argv[1:]
    compiler = Compiler(packages, architecture)
    print(compiler.version())
    for file in files:
        complaint, fields = facts(compiler, Path(file).read_text())
        print(os.path.basename(file), complaint, *fields, sep="\t", flush=True)


main()
