#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes laws.txt: distribution functions and moments of laws by scipy and mpmath. Each line: kind, four numbers (mean,
std, low, high), x, P(X <= x), mean, std, kurtosis; all as hexadecimal doubles. test_law.c compares."""
import mpmath
import random

mpmath.mp.dps = 40
random.seed(1)


def normal(z):
    return mpmath.ncdf(z)


def truncated(mean, std, low, high):
    a, b = (low - mean) / std, (high - mean) / std
    mass = normal(b) - normal(a)
    moment = [mpmath.quad(lambda z: z**k * mpmath.npdf(z), mpmath.linspace(a, b, 9)) / mass for k in range(5)]
    m1 = moment[1]
    variance = moment[2] - m1**2
    fourth = moment[4] - 4 * m1 * moment[3] + 6 * m1**2 * moment[2] - 3 * m1**4
    return mean + std * m1, std * mpmath.sqrt(variance), fourth / variance**2, mass


def line(kind, numbers, x, values):
    return " ".join([kind] + [float(v).hex() for v in list(numbers) + [x] + list(values)])


with open("laws.txt", "w") as file:
    for _ in range(40):
        mean, std = random.choice([0.0, 0.0, random.uniform(-1, 1)]), 10 ** random.uniform(-3, 1)
        x = mean + std * random.uniform(-4, 4)
        m, s, v = mpmath.mpf(mean), mpmath.mpf(std), mpmath.mpf(x)
        print(line("normal", (mean, std, 0, 0), x, (normal((v - m) / s), m, s, 3)), file=file)
        low, high = mean - std * random.uniform(0.3, 3), mean + std * random.uniform(0.3, 3)
        low_, high_ = mpmath.mpf(low), mpmath.mpf(high)
        x = random.uniform(low, high)
        v = mpmath.mpf(x)
        tm, ts, tk, mass = truncated(m, s, low_, high_)
        cdf = (normal((v - m) / s) - normal((low_ - m) / s)) / mass
        print(line("trunc_normal", (mean, std, low, high), x, (cdf, tm, ts, tk)), file=file)
        cdf = (v - low_) / (high_ - low_)
        values = (cdf, (low_ + high_) / 2, (high_ - low_) / mpmath.sqrt(12), mpmath.mpf("1.8"))
        print(line("uniform", (0, 0, low, high), x, values), file=file)
