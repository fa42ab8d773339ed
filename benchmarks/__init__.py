"""Measures fastla against the libraries people would use otherwise: ``python -m benchmarks``.

    shapes.py    what is measured: the grid, the size sweep, the fused linear layer
    rivals.py    who takes part, each with its version and its thread control (cblas.py: any CBLAS)
    check.py     each contender's answer is asserted before it is timed
    timer.py     contenders take turns on the same arrays; stats.py: medians and intervals
    runner.py    spends a time budget over the cells
    report.py    JSON, Markdown and terminal tables; plots.py the pictures; machine.py the facts
"""
