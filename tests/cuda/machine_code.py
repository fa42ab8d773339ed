"""What a kernel's machine code consists of, as cuobjdump tells; run as a script, it writes the table that
tests compare with (machine_code.json)."""

import collections
import concurrent.futures
import json
import multiprocessing
import pathlib
import re
import subprocess
import tempfile
from dataclasses import dataclass

import nvidia.cu13

from fastla.cuda import families
from fastla.cuda.code import compile_kernel

TABLE = pathlib.Path(__file__).with_suffix(".json")
# What the table counts: tensor cores' instructions, fused multiply-adds, copies, barriers, local memory.
COUNTED = ("HGMMA", "IGMMA", "QGMMA", "HMMA", "DMMA", "FFMA", "DFMA", "UTMALDG", "LDGSTS", "LDSM", "SYNCS",
           "BAR", "USETMAXREG", "LDL", "STL")


@dataclass(frozen=True)
class Seen:
    registers: int
    stack: int
    instructions: collections.Counter
    between_barriers: collections.Counter  # from the first one to the last

    def count(self, *names):
        return sum(self.instructions[name] for name in names)


def tool(name):
    folder, = nvidia.cu13.__path__
    return pathlib.Path(folder) / "bin" / name


def of(kernel, arguments, compute_capability, threads, cluster=1):
    code = compile_kernel(kernel, arguments, compute_capability, threads, cluster)
    complaints = set(re.findall(r"C75\d\d", code.log)) - {"C7519"}
    assert not complaints, code.log
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(code.cubin)
        file.flush()

        def ask(what):
            return subprocess.run([tool("cuobjdump"), what, file.name], capture_output=True, text=True,
                                  check=True).stdout

        usage = dict(re.findall(r"(REG|STACK):(\d+)", ask("-res-usage")))
        lines = re.findall(r"^\s+/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+ )?([A-Z0-9_]+)", ask("-sass"), re.M)
    barriers = [i for i, name in enumerate(lines) if name == "BAR"]
    between = collections.Counter(lines[barriers[0]:barriers[-1]] if barriers else [])
    return Seen(int(usage["REG"]), int(usage["STACK"]), collections.Counter(lines), between)


def shipped():
    """(variant, compute capability) of all machine code that tests look at."""
    return [(variant, capability) for variant, where in families.shipped() for capability in where]


def row(number):
    """A line of the table."""
    variant, capability = shipped()[number]
    seen = of(variant.make(), variant.signature, capability, variant.threads, variant.cluster)
    counts = {name: seen.count(name) for name in COUNTED if seen.count(name)}
    name = f"{variant.name} sm_{capability[0]}{capability[1]}"
    return name, {"registers": seen.registers, "stack": seen.stack, **counts}


def table():
    """All lines, by two processes, as compilers use one core."""
    everything = range(len(shipped()))
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(2, spawn) as pool:
        return dict(pool.map(row, everything, chunksize=5))


if __name__ == "__main__":
    TABLE.write_text("{\n" + ",\n".join(f"{json.dumps(name)}: {json.dumps(line)}" for name, line in
                                        sorted(table().items())) + "\n}\n")
