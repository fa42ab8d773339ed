"""What a kernel's machine code consists of, as cuobjdump tells."""

import collections
import pathlib
import re
import subprocess
import tempfile
from dataclasses import dataclass

import nvidia.cu13

from fastla.cuda.code import compile_kernel


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
