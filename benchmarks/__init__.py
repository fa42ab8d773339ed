"""Measures fastla against the libraries people would use otherwise: ``python -m benchmarks``.

- shapes.py: what is measured: the grid, the size sweep, the fused linear layer
- rivals.py: who takes part, with versions and thread control; cblas.py: any CBLAS library
- check.py: each contender's answer is asserted before it is timed
- worker.py: a process for each, stopped while it is not its turn
- timer.py: contenders take turns; stats.py: medians and their intervals
- runner.py: spends a time budget over the cells; results.py: what comes out
- gpu/: the same for NVIDIA GPUs, ``python -m benchmarks.gpu``
- report.py: JSON, Markdown and terminal tables; plots.py: pictures; machine.py: the facts
"""
