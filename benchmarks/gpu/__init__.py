"""Checks, tunes and measures fastla on an NVIDIA GPU in minutes: ``python -m benchmarks.gpu``.

- cells.py: what is checked and measured, and what is asked of it; roofs.py: datasheets
- backend.py: arrays of PyTorch or CuPy, and the device's clock; rivals.py: cuBLAS and PyTorch; ours.py: all
  that is used of fastla.cuda
- problems.py: operands, bounds of errors; check.py, measure.py: the steps, for any device
- worker.py: the process that has the device; runner.py: spends the minutes; store.py: what is known so far
- probe.py: the facts; sanitize.py: compute-sanitizer; report.py, pages.py, plots.py: what comes out
"""
