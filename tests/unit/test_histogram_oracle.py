#!/usr/bin/python3
"""Replays streams of values through the histogram of each profile and checks what it says against exact
arithmetic (integers and fractions) and the formulas of the reference (go-metrics, sample.go).

    test_histogram_oracle.py L=<replay program> M1=<replay program> M2=<replay program> [--sizes N,N,...]
"""
import array
import math
import random
import subprocess
import sys
from decimal import Decimal, getcontext

getcontext().prec = 60
SHARES = (0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999)
BOUND = {"L": 0.0079, "M1": 0.0483, "M2": 1 / 33 + 1e-6}
UNIT = {"L": {"ns": 1, "bytes": 1}, "M1": {"ns": 16, "bytes": 1}, "M2": {"ns": 16, "bytes": 1}}
UNITS_MAX = 2**32 - 2  # of the small profiles: what lies beyond ends there
RANGE_FIRST_NS = 1024  # of the small profiles; below it they are off by at most 128 ns
failures = 0


def check(ok, *what):
    global failures
    if not ok:
        failures += 1
        print(*what, file=sys.stderr)


def streams(seed):
    r = random.Random(seed)
    edges = [1 << e for e in range(10, 36)] + [(1 << e) - 1 for e in range(11, 37)]
    return {
        "lognormal": ("ns", lambda: int(r.lognormvariate(math.log(5e6), 1))),
        "bimodal": ("ns", lambda: int(abs(r.gauss(1e6, 5e4) if r.random() < 0.9
                                          else r.gauss(2e8, 1e7))) + 2000),
        "pareto": ("ns", lambda: min(int(1e6 * r.paretovariate(1.1)), 60 * 10**9)),
        "log-uniform": ("ns", lambda: int(math.exp(r.uniform(math.log(1e3), math.log(6e10))))),
        "sizes": ("bytes", lambda: r.choice((0, 512, 512, 1460, r.randrange(200, 60000)))),
        "atoms": ("ns", lambda: r.choice((10**6, 2 * 10**6, 5 * 10**6, 10**7, 10**9))),
        "edges": ("ns", lambda: r.choice(edges)),
        "constant": ("ns", lambda: 59999999984),
        "zero": ("bytes", lambda: 0),
        "empty bodies": ("bytes", lambda: r.choice((-1, -1, 0, 77))),
        "narrow": ("ns", lambda: 60 * 10**9 + r.choice((-10, 10)) * 16),
    }


def extremes(r):
    return r.choice((-2**63, 2**63 - 1, 0, 1, -1, 2**47, -2**47, 2**62))


def percentile(ordered, share):
    """go-metrics, SamplePercentiles."""
    n = len(ordered)
    position = share * (n + 1)
    if position < 1.0:
        return float(ordered[0])
    if position >= n:
        return float(ordered[n - 1])
    lower = float(ordered[int(position) - 1])
    upper = float(ordered[int(position)])
    return lower + (position - math.floor(position)) * (upper - lower)


def near(got, want, error):
    return abs(got - want) <= error * abs(want)


def replay(program, unit, values):
    done = subprocess.run([program, unit], input=array.array("q", values).tobytes(),
                          stdout=subprocess.PIPE, check=True)
    pairs = (line.split() for line in done.stdout.decode().splitlines())
    return {name: float.fromhex(text) if "x" in text else int(text) for name, text in pairs}


def check_stream(profile, program, name, unit, values, exact):
    got = replay(program, unit, values)
    one = UNIT[profile][unit]
    taken = values if one == 1 else [min(v // one, UNITS_MAX) * one for v in values]
    ordered = exact["ordered"] if one == 1 else sorted(taken)
    n = len(values)
    where = f"{profile} {name} n={n}:"
    check(got["count"] == n, where, "count", got["count"])
    check(got["min"] == ordered[0], where, "min", got["min"], ordered[0])
    check(got["max"] == ordered[-1], where, "max", got["max"], ordered[-1])
    total = exact["sum"] if one == 1 else sum(taken)
    squares = exact["squares"] if one == 1 else sum(v * v for v in taken)
    variance = Decimal(n * squares - total * total) / (n * n)
    precise = profile == "L"
    if precise and n <= got["kept"]:
        check(got["mean"] == float(total) / float(n), where, "mean", got["mean"])
    check(near(got["mean"], total / n, 1e-15 if precise else 3e-8), where, "mean", got["mean"])
    error = 1e-12 if precise else 1e-6
    check(near(got["variance"], float(variance), error), where, "variance", got["variance"])
    check(near(got["std_dev"], float(variance.sqrt()), error), where, "deviation", got["std_dev"])
    for i, share in enumerate(SHARES):
        # A board keeps the frozen percentile in 24 bits.
        check(near(got[f"p{i}"], got[f"live{i}"], 0 if precise else 6e-8), where, "live", share)
        if n <= got["kept"]:
            want = percentile(ordered, share)
            check(got[f"live{i}"] == want, where, share, got[f"live{i}"], want)
            continue
        want = percentile(exact["ordered"], share)
        bound = BOUND[profile] * abs(want)
        if one > 1 and want < RANGE_FIRST_NS:
            bound = 128
        check(abs(got[f"p{i}"] - want) <= bound, where, share, got[f"p{i}"], want)


def check_extremes(profile, program, values):
    """Nothing wraps: everything stays between minimum and maximum, percentiles rise."""
    for unit in ("ns", "bytes"):
        got = replay(program, unit, values)
        where = f"{profile} extremes {unit} n={len(values)}:"
        check(got["count"] == len(values), where, "count")
        if profile == "L":
            check(got["min"] == min(values) and got["max"] == max(values), where, "min, max")
        shown = [got["min"]] + [got[f"p{i}"] for i in range(len(SHARES))] + [got["max"]]
        # float32 of a board may round up at the very end
        check(all(a <= b + 1e-7 * abs(b) for a, b in zip(shown, shown[1:])), where, shown)
        check(got["min"] <= got["mean"] <= got["max"], where, "mean", got["mean"])
        check(got["variance"] >= 0 and math.isfinite(got["variance"]), where, "variance")


def main():
    programs = dict(a.split("=", 1) for a in sys.argv[1:] if "=" in a and not a.startswith("--"))
    sizes = [1, 2, 9, 108, 109, 216, 217, 1000, 1028, 1029, 10**4, 10**5, 10**6]
    for argument in sys.argv[1:]:
        if argument.startswith("--sizes="):
            sizes = [int(n) for n in argument[8:].split(",")]
    checked = 0
    for name, (unit, draw) in streams(7).items():
        stream = [draw() for _ in range(max(sizes))]
        for n in sizes:
            values = stream[:n]
            exact = {"ordered": sorted(values), "sum": sum(values),
                     "squares": sum(v * v for v in values)}
            for profile, program in programs.items():
                check_stream(profile, program, name, unit, values, exact)
                checked += 1
    r = random.Random(3)
    for n in (1, 3, 500, 5000):
        values = [extremes(r) for _ in range(n)]
        for profile, program in programs.items():
            check_extremes(profile, program, values)
            checked += 1
    print(f"{checked} streams, {failures} failures")
    return 1 if failures or not checked else 0


if __name__ == "__main__":
    sys.exit(main())
