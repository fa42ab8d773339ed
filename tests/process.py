"""Python in a fresh process, for what a process can only do once: start threads, fork, die."""

import os
import subprocess
import sys
import textwrap

HERE = os.path.dirname(os.path.abspath(__file__))  # for children that import from here
SETTINGS = ("FASTLA_ISA", "FASTLA_NUM_THREADS", "OMP_NUM_THREADS")


def run_python(code, *, env=None, timeout=120, prefix=(), prepare=None):
    """What `code` prints. The environment is this one's, without fastla's settings, with `env` added."""
    clean = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    done = subprocess.run(
        [*prefix, sys.executable, "-c", textwrap.dedent(code)], env=clean | (env or {}),
        capture_output=True, text=True, timeout=timeout, preexec_fn=prepare, check=False)
    assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout.strip()
