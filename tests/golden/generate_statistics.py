#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Golden statistics: what NumPy and SciPy say of values that both sides make from the same integers.

    python generate_statistics.py -o statistics.txt

One line a tensor, as test_statistics.c reads it: dtype law seed nrows ncols, SHA-256 of its bytes, then name=value.
Doubles are hexadecimal. Moments are computed in extended precision where NumPy has it; of each quantile stand the two
values between which any definition puts it. Values that are not finite are left out, as in statistics.h; of rows and
columns they count as 0.
"""
import argparse
import hashlib

import ml_dtypes
import numpy as np
import scipy.stats

QUANTILES = (0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999)
DTYPES = {"f64": np.float64, "f32": np.float32, "f16": np.float16, "bf16": ml_dtypes.bfloat16}
BYTES = {"f8_e4m3": ml_dtypes.float8_e4m3fn, "f8_e5m2": ml_dtypes.float8_e5m2}


def mix(x):
    """SplitMix64's finalizer, modulo 2^64."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def values(law, seed, n):
    """Doubles, every step of which rounds as in C."""
    i = np.arange(n, dtype=np.uint64)
    h = mix((np.uint64(seed) << np.uint64(32) | i) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(1))
    u = [((h >> np.uint64(16 * k)) & np.uint64(0xFFFF)).astype(np.float64) for k in range(4)]
    bell = (u[0] + u[1] + u[2] + u[3] - 131070.0) / 65536.0
    if law == "uniform":
        return (u[0] + 0.5) / 65536.0 - 0.5
    if law == "bell":
        return bell * 0.03125
    if law == "far":  # a small spread around a mean that is not small
        return 1.0 + bell * 0.0078125
    if law == "skewed":
        x = (u[0] + 1.0) / 65536.0
        return x * x * x
    if law == "heavy":
        return bell * np.exp2(np.mod(u[3], 13.0) - 6.0)
    x = bell.copy()  # "spoiled"
    x[n // 3 : n // 3 + 40] = 0.0
    x[n // 2] = -0.0
    x[[5 % n, n // 2 + 1]] = np.nan
    x[7 % n] = np.inf
    x[n - 1] = -np.inf
    return x


def tensor(dtype, law, seed, n):
    if dtype in BYTES:  # the upper bytes of the same integers: every pattern, NaN and infinity among them
        i = np.arange(n, dtype=np.uint64)
        h = mix((np.uint64(seed) << np.uint64(32) | i) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(1))
        return (h >> np.uint64(56)).astype(np.uint8).view(BYTES[dtype])
    x = values(law, seed, n)
    return x if dtype == "f64" else x.astype(np.float32).astype(DTYPES[dtype])


def toward_zero(x):
    """As f32, but never further from zero."""
    y = x.astype(np.float32)
    return np.where(np.abs(y.astype(np.float64)) > np.abs(x), np.nextafter(y, np.float32(0)), y).astype(np.float64)


def extremes(variances, is_zero):
    kept = variances[~is_zero]
    return (kept.min(), kept.max()) if kept.size else (np.nan, np.nan)


def line(dtype, law, seed, nrows, ncols):
    with np.errstate(all="ignore"):
        stored = tensor(dtype, law, seed, nrows * ncols)
        x = stored.astype(np.float64)
    finite = x[np.isfinite(x)]
    extended = finite.astype(np.longdouble)
    matrix = np.where(np.isfinite(x), x, 0).reshape(nrows, ncols).astype(np.longdouble)
    nonzero = np.abs(finite[finite != 0])
    first = toward_zero(x[:65536])
    centred = np.where(np.isfinite(first), first - first[np.isfinite(first)].astype(np.longdouble).mean(), 0)
    is_zero_row = (matrix == 0).all(axis=1)
    # SciPy computes in double; two ways that agree leave no doubt about either.
    variance = extended.var()
    skewness = ((extended - extended.mean()) ** 3).mean() / variance**1.5
    kurtosis = ((extended - extended.mean()) ** 4).mean() / variance**2
    assert np.isclose(float(skewness), scipy.stats.skew(finite), rtol=1e-9, atol=1e-9)
    assert np.isclose(float(kurtosis), scipy.stats.kurtosis(finite, fisher=False), rtol=1e-9)
    row_min, row_max = extremes(matrix.var(axis=1), is_zero_row)
    column_min, column_max = extremes(matrix.var(axis=0), (matrix == 0).all(axis=0))
    doubles = {"min": finite.min(), "max": finite.max(), "mean": extended.mean(), "variance": variance,
               "skewness": skewness, "kurtosis": kurtosis,
               "median_abs_low": np.quantile(nonzero, 0.5, method="lower"),
               "median_abs_high": np.quantile(nonzero, 0.5, method="higher"),
               "lag1": (centred[1:] * centred[:-1]).sum() / (centred * centred).sum(),
               "row_variance_min": row_min, "row_variance_max": row_max,
               "column_variance_min": column_min, "column_variance_max": column_max}
    for i, p in enumerate(QUANTILES):
        doubles["q%d_low" % i] = np.quantile(finite, p, method="lower")
        doubles["q%d_high" % i] = np.quantile(finite, p, method="higher")
    counts = {"nnan": np.isnan(x).sum(), "ninf": np.isinf(x).sum(), "nzero": (x == 0).sum(),
              "nmin": (finite == finite.min()).sum(), "nmax": (finite == finite.max()).sum(),
              "nzero_rows": is_zero_row.sum(), "ndistinct": np.unique(first).size}
    fields = [dtype, law, str(seed), str(nrows), str(ncols), hashlib.sha256(stored.tobytes()).hexdigest()]
    fields += ["%s=%d" % item for item in counts.items()]
    fields += ["%s=%s" % (name, float(value).hex()) for name, value in doubles.items()]
    return " ".join(fields)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", required=True)
    options = parser.parse_args()
    shapes = [(1, 10), (3, 17), (48, 100), (1000, 777), (3, 300000)]
    lines, seed = [], 0
    for dtype in DTYPES:
        for law in ("uniform", "bell", "far", "skewed", "heavy", "spoiled"):
            for shape in shapes if dtype == "f32" or law == "spoiled" else shapes[2:4]:
                seed += 1
                lines.append(line(dtype, law, seed, *shape))
    for dtype in BYTES:
        for shape in shapes[2:]:
            seed += 1
            lines.append(line(dtype, "bytes", seed, *shape))
    with open(options.o, "w", encoding="ascii") as file:
        file.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
