"""Fits the polynomials behind exp, log, tanh and gelu, and writes every table made from them.

    python tools/fit_functions.py            print the tables with the approximation error of each
    python tools/fit_functions.py --write    rewrite csrc/kernels/coefficients.hpp,
                                             python/fastla/cuda/coefficients.py and
                                             the tables in docs/functions.md

Needs mpmath. Nothing is random and everything runs at 60 digits: two runs write the same bytes.

A polynomial is the weighted least-squares fit on Chebyshev nodes, which is within a small factor
of the minimax one. The first coefficients are rounded to the target type one after the other, and
the remaining ones are fitted again each time, so that they absorb the rounding of those before.
A quotient of polynomials is fitted by the same steps to the equation without its denominator, whose
weight is the last round's (Sanathanan and Koerner, 1963).
"""

import struct
import sys
from collections.abc import Callable
from pathlib import Path

from mpmath import mp, mpf

mp.dps = 60
ROOT = Path(__file__).resolve().parent.parent
TYPES = {"float32": ("f", 24), "float64": ("d", 53)}
Function = Callable[[mpf], mpf]

# From here on gelu is y or -0; docs/functions.md derives it.
GELU_LIMIT = {"float32": mpf("13.125"), "float64": mpf("37.5")}


def rounded(x: mpf, dtype: str) -> float:
    return float(struct.unpack(TYPES[dtype][0], struct.pack(TYPES[dtype][0], float(x)))[0])


def truncated(x: mpf, fraction_bits: int) -> float:
    """x cut to a multiple of 2**-fraction_bits, so that products with small integers are exact."""
    return float(mp.floor(x * mpf(2) ** fraction_bits) / mpf(2) ** fraction_bits)


def nodes(low: mpf, high: mpf, count: int) -> list[mpf]:
    return [
        (low + high) / 2 + (high - low) / 2 * mp.cos(mp.pi * (i + mpf(1) / 2) / count)
        for i in range(count)
    ]


def least_squares(f: Function, weight: Function, xs: list[mpf], powers: range) -> list[mpf]:
    rows = mp.matrix(len(xs), len(powers))
    values = mp.matrix(len(xs), 1)
    for i, x in enumerate(xs):
        w = weight(x)
        values[i] = w * f(x)
        for j, power in enumerate(powers):
            rows[i, j] = w * x**power
    solution, _ = mp.qr_solve(rows, values)
    return list(solution)


def fit(f: Function, weight: Function, low: mpf, high: mpf, degree: int, dtype: str) -> list[float]:
    xs = nodes(low, high, 2 * degree + 10)
    values = {x: f(x) for x in xs}
    fixed: list[float] = []
    for start in range(4):  # later coefficients weigh little: their rounding does not show
        rest = least_squares(
            lambda x: values[x] - mp.polyval(fixed[::-1] or [0], x),
            weight,
            xs,
            range(start, degree + 1),
        )
        fixed.append(rounded(rest[0], dtype))
    return fixed + [rounded(c, dtype) for c in rest[1:]]


def worst(f: Function, weight: Function, low: mpf, high: mpf, c: list[float]) -> mpf:
    return max(abs(weight(x) * (mp.polyval(c[::-1], x) - f(x))) for x in nodes(low, high, 400))


def fit_quotient(
    f: Function, high: mpf, over: int, under: int, dtype: str
) -> tuple[list[float], list[float], mpf]:
    """Numerator, denominator and the largest relative error on [0, high]; f(0) is 1/2. The denominator is
    1.5 there: just above 1, or a numerator just above 1/2, would round by twice as much of itself."""
    edge = (high - 4) / (high + 4)  # nodes where f varies: near 0

    def places(count: int) -> list[mpf]:
        return [4 * (1 + v) / (1 - v) for v in nodes(mpf(-1), edge, count)]

    xs = places(3 * (over + under) + 10)
    values, scales = [f(x) for x in xs], [mpf(1)] * len(xs)
    unknown = [(0, i) for i in range(1, over + 1)] + [(1, i) for i in range(1, under + 1)]
    known = {(0, 0): mpf("0.75"), (1, 0): mpf("1.5")}

    def polynomial(which: int, solved: dict[tuple[int, int], mpf]) -> list[mpf]:
        return [solved[which, i] for i in range((over, under)[which] + 1)]

    # The lowest coefficients are rounded first: their errors count most.
    order = sorted(unknown, key=lambda term: (term[1], term[0]))
    for step in range(-4, len(order)):
        left = order[max(step, 0) :]
        rows, right = mp.matrix(len(xs), len(left)), mp.matrix(len(xs), 1)
        for i, (x, value, scale) in enumerate(zip(xs, values, scales, strict=True)):
            weight = {0: 1 / (value * scale), 1: -1 / scale}
            for j, (which, power) in enumerate(left):
                rows[i, j] = weight[which] * x**power
            right[i] = -mp.fsum(weight[which] * c * x**power for (which, power), c in known.items())
        solution, _ = mp.qr_solve(rows, right)
        solved = known | dict(zip(left, solution, strict=True))
        scales = [mp.polyval(polynomial(1, solved)[::-1], x) for x in xs]
        if step >= 0:
            known[order[step]] = mpf(rounded(solved[order[step]], dtype))
    top, bottom = ([float(c) for c in polynomial(which, known)] for which in (0, 1))
    error = max(abs(mp.polyval(top[::-1], x) / mp.polyval(bottom[::-1], x) / f(x) - 1) for x in places(400))
    return top, bottom, error


# The functions. Where 0 lies in the interval it is never a node.
def exp_slope(r: mpf) -> mpf:
    """(exp(r) - 1) / r"""
    return mp.expm1(r) / r


def exp2_slope(r: mpf) -> mpf:
    """(2^r - 1) / r"""
    return mp.expm1(r * mp.log(2)) / r


def log_tail(z: mpf) -> mpf:
    """(log((1 + s) / (1 - s)) - 2s) / (s z) with z = s^2"""
    s = mp.sqrt(z)
    return (2 * mp.atanh(s) - 2 * s) / (s * z)


def mills(m: mpf) -> mpf:
    """Phi(-m) exp(m^2 / 2); Phi is the normal distribution."""
    return mp.erfc(m / mp.sqrt(2)) * mp.exp(m * m / 2) / 2


def polynomials(dtype: str) -> dict[str, tuple[list[float], mpf]]:
    """Name -> coefficients from the constant term up, and the largest relative error they cause."""
    single = dtype == "float32"
    half = mp.log(2) / 2 * mpf("1.0001")
    s = (mp.sqrt(2) - 1) / (mp.sqrt(2) + 1)
    jobs = {
        "exp": (exp_slope, lambda r: r / mp.exp(r), -half, half, 5 if single else 10),
        "exp2": (exp2_slope, lambda r: r / mpf(2) ** r, -mpf(1) / 2, mpf(1) / 2, 5 if single else 10),
        "log": (log_tail, lambda z: z / 2, mpf(0), s * s, 3 if single else 6),
    }
    result = {}
    for name, (f, weight, low, high, degree) in jobs.items():
        c = fit(f, weight, low, high, degree, dtype)
        result[name] = (c, worst(f, weight, low, high, c))
    over, under, error = fit_quotient(mills, GELU_LIMIT[dtype], *((4, 5) if single else (10, 11)), dtype)
    return result | {"mills_over": (over, error), "mills_under": (under, error)}


def constants(dtype: str) -> dict[str, float]:
    single = dtype == "float32"
    ln2, linear = mp.log(2), 2 * mp.sqrt(2 / mp.pi)
    cubic = linear * mpf("0.044715")
    ln2_high = truncated(ln2, 15 if single else 41)  # times an integer below 2^9 or 2^12: exact
    linear_high = truncated(linear, 20 if single else 47)
    cubic_high = rounded(cubic, dtype)
    return {
        "log2_e": rounded(1 / ln2, dtype),
        "ln2_high": ln2_high,
        "ln2_low": rounded(ln2 - ln2_high, dtype),
        "sqrt_half": rounded(mp.sqrt(mpf(1) / 2), dtype),
        "density": rounded(1 / mp.sqrt(2 * mp.pi), dtype),
        "linear_high": linear_high,
        "linear_low": rounded(linear - linear_high, dtype),
        "cubic_high": cubic_high,
        "cubic_low": rounded(cubic - cubic_high, dtype),
    }


def hexadecimal(x: float) -> str:
    mantissa, exponent = x.hex().split("p")
    return f"{mantissa.rstrip('0').rstrip('.')}p{int(exponent)}"


def wrapped(items: list[str], indent: str) -> str:
    lines = [""]
    for item in items:
        if len(indent) + len(lines[-1]) + len(item) + 2 > 100:
            lines.append("")
        lines[-1] += (" " if lines[-1] else "") + item + ","
    return "\n".join(indent + line for line in lines)


def cpp_table(dtype: str, tables: dict[str, list[float]], values: dict[str, float]) -> str:
    kind, suffix = ("float", "f") if dtype == "float32" else ("double", "")
    lines = [f"template <> struct Coefficients<{kind}> {{"]
    for name, value in values.items():
        lines.append(f"  static constexpr {kind} {name} = {hexadecimal(value)}{suffix};")
    for name, c in tables.items():
        body = wrapped([hexadecimal(x) + suffix for x in c], "      ")
        lines.append(f"  static constexpr {kind} {name}[] = {{\n{body}\n  }};")
    return "\n".join(lines) + "\n};\n"


def python_table(dtype: str, tables: dict[str, list[float]], values: dict[str, float]) -> str:
    lines = [f"{dtype.upper()}: dict[str, Any] = {{"]
    lines += [f'    "{name}": "{hexadecimal(value)}",' for name, value in values.items()]
    for name, c in tables.items():
        body = "\n".join(f'        "{hexadecimal(x)}",' for x in c)
        lines.append(f'    "{name}": [\n{body}\n    ],')
    return "\n".join(lines) + "\n}\n"


def doc_table(dtype: str, tables: dict[str, list[float]], values: dict[str, float]) -> str:
    lines = [f"### {dtype}", "", "| constant | value |", "|---|---|"]
    lines += [f"| {name} | `{hexadecimal(value)}` |" for name, value in values.items()]
    for name, c in tables.items():
        lines += ["", f"| {name} | coefficient |", "|---|---|"]
        lines += [f"| {i} | `{hexadecimal(x)}` |" for i, x in enumerate(c)]
    return "\n".join(lines) + "\n"


CPP_HEADER = """\
// Constants and polynomials of math.hpp, constant term first; docs/functions.md says what they fit.
// Written by tools/fit_functions.py --write; do not edit.
// clang-format off
#pragma once

namespace {

template <class T> struct Coefficients;
"""
PYTHON_HEADER = '''\
"""Constants and polynomial coefficients of docs/functions.md, constant term first, as hex floats.

Written by tools/fit_functions.py --write; do not edit.
"""

from typing import Any

'''
MARK = "<!-- tables: tools/fit_functions.py --write -->\n"


def main() -> None:
    cpp, python, doc = [], [], []
    for dtype in TYPES:
        fitted = polynomials(dtype)
        tables = {name: c for name, (c, _) in fitted.items()}
        for name, (c, error) in fitted.items():
            print(f"{dtype} {name:11} degree {len(c) - 1:2}  error 2^{mp.nstr(mp.log(error, 2), 4)}")
        values = constants(dtype)
        cpp.append(cpp_table(dtype, tables, values))
        python.append(python_table(dtype, tables, values))
        doc.append(doc_table(dtype, tables, values))
    if "--write" not in sys.argv[1:]:
        print("\n".join(python))
        return
    header = CPP_HEADER + "".join(cpp) + "\n}  // namespace\n"
    (ROOT / "csrc/kernels/coefficients.hpp").write_text(header)
    (ROOT / "python/fastla/cuda/coefficients.py").write_text(PYTHON_HEADER + "\n".join(python))
    page = ROOT / "docs/functions.md"
    page.write_text(page.read_text().split(MARK)[0] + MARK + "\n" + "\n".join(doc))


if __name__ == "__main__":
    main()
