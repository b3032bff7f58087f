#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Draws a comparison that compare.py wrote: elements a second on a logarithmic scale, one line a fill or a model.

usage: plot.py RESULTS.json -o performance.svg"""

import argparse
import html
import json
import math

WIDTH, LABELS, RATIOS, LINE = 900, 250, 110, 24
LEFT, RIGHT = LABELS, WIDTH - RATIOS
LOW, HIGH = 0.005, 100  # G elements/s
FONT = "DejaVu Sans, Verdana, sans-serif"
SERIES = {  # what: colour, radius
    "torch": ("#8c8c8c", 5),
    "scalar": ("#d9d9d9", 4),
    "avx2": ("#6baed6", 5),
    "avx512": ("#08519c", 5),
    "threads": ("#c0392b", 5),
}
WORDS = {
    "torch": "torch",
    "avx2": "fanin, AVX2",
    "avx512": "fanin, AVX-512",
    "threads": "fanin, two threads",
    "store": "a store of a constant",
}

FILLS = [
    ("uniform", "f32"),
    ("uniform", "bf16"),
    ("normal", "f32"),
    ("normal", "bf16"),
    ("normal", "f16"),
    ("normal", "f64"),
    ("trunc_normal std 0.02", "f32"),
    ("trunc_normal", "f32"),
    ("sparse", "f32"),
    ("randperm", "i64"),
    ("dirac", "f32"),
    ("eye", "f32"),
]


def rate(nelem, seconds):
    return nelem / seconds / 1e9


def find(rows, **wanted):
    return [row for row in rows if all(row[k] == v for k, v in wanted.items())]


def line_of(label, rows):
    """One line of a panel: a rate for each series, the roofline, the best rate over torch's best."""
    rates, store = {}, None
    for row in rows:
        series = row["variant"] if row["threads"] == 1 else "threads"
        rates[series] = rate(row["nelem"], row["seconds"]["median"])
        if row["torch_seconds"]:
            rates["torch"] = max(rates.get("torch", 0), rate(row["nelem"], row["torch_seconds"]))
        if row["store_seconds"] and row["threads"] == 1:
            store = rate(row["nelem"], row["store_seconds"])
    return label, {s: r for s, r in rates.items() if s in WORDS}, store


def panels_of(rows):
    found = []
    for section, title in (
        ("cache", "One core, tensors of 1 MiB in cache"),
        ("memory", "One core, into memory touched before"),
    ):
        lines = [
            line_of(f"{name} {dtype}", find(rows, section=section, name=name, dtype=dtype)) for name, dtype in FILLS
        ]
        found.append((title, [line for line in lines if line[1]]))
    threads = {(r["name"], r["dtype"], r["nelem"]) for r in find(rows, section="threads")}
    lines = [
        line_of(
            f"{name} {dtype}, {nelem >> 20} M",
            [
                r
                for r in find(rows, section="threads", name=name, dtype=dtype, nelem=nelem)
                if r["variant"] == "avx512" or not find(rows, section="threads", variant="avx512")
            ],
        )
        for name, dtype, nelem in sorted(threads)
    ]
    found.append(("Two cores, one tensor", lines))
    models = list(dict.fromkeys((r["name"], r["dtype"]) for r in find(rows, section="model")))
    found.append(
        (
            "Whole models, from description to weights in memory touched before",
            [
                line_of(f"{name}, {dtype}", find(rows, section="model", name=name, dtype=dtype))
                for name, dtype in models
            ],
        )
    )
    return [panel for panel in found if panel[1]]


def x_of(value):
    position = (math.log10(value) - math.log10(LOW)) / (math.log10(HIGH) - math.log10(LOW))
    return LEFT + min(max(position, 0), 1) * (RIGHT - LEFT)


def text(x, y, words, anchor="start", size=13, colour="#222222", weight="normal"):
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{colour}" '
        f'font-weight="{weight}">{html.escape(words)}</text>'
    )


def mark(series, x, y):
    colour, radius = SERIES[series]
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{colour}"/>'


def tick(x, y):
    return f'<line x1="{x:.1f}" y1="{y - 8:.1f}" x2="{x:.1f}" y2="{y + 8:.1f}" stroke="#222222" stroke-width="2.5"/>'


def draw_line(label, rates, store, y):
    out = [text(LEFT - 14, y + 4.5, label, "end")]
    own = [r for s, r in rates.items() if s != "torch"]
    if "torch" in rates and own:
        out.append(
            f'<line x1="{x_of(rates["torch"]):.1f}" y1="{y}" x2="{x_of(max(own)):.1f}" y2="{y}" stroke="#c6dbef" '
            f'stroke-width="3"/>'
        )
        ratio = max(own) / rates["torch"]
        out.append(
            text(WIDTH - 20, y + 4.5, f"{ratio:.0f} x" if ratio >= 10 else f"{ratio:.1f} x", "end", weight="bold")
        )
    if store:
        out.append(tick(x_of(store), y))
    return out + [mark(series, x_of(rates[series]), y) for series in SERIES if series in rates]


def draw_panel(title, lines, top):
    bottom = top + 34 + LINE * len(lines)
    out = [
        text(20, top + 16, title, size=15, weight="bold"),
        text(WIDTH - 20, top + 16, "to torch", "end", 12, "#666666"),
    ]
    for power in range(math.ceil(math.log10(LOW)), int(math.log10(HIGH)) + 1):
        x = x_of(10.0**power)
        out.append(f'<line x1="{x:.1f}" y1="{top + 26}" x2="{x:.1f}" y2="{bottom}" stroke="#e4e4e4"/>')
        out.append(text(x, bottom + 15, f"{10.0 ** power:g}", "middle", 12, "#666666"))
    for i, (label, rates, store) in enumerate(lines):
        out += draw_line(label, rates, store, top + 34 + LINE * i + LINE / 2)
    return out, bottom + 30


def draw(result):
    machine = result["machine"]
    torch = f", torch {result['torch']['version']}" if result["torch"] else ""
    out = [
        text(20, 30, "Elements a second, in billions (logarithmic scale)", size=18, weight="bold"),
        text(
            20,
            52,
            f"{machine['processor']}, {machine['nprocessors']} processors; fanin {result['fanin']['version']}, "
            f"{result['fanin']['compiler']}{torch}; {result['date']}",
            size=12,
            colour="#666666",
        ),
    ]
    x, y = 24, 76
    panels = panels_of(result["rows"])
    used = {series for _, lines in panels for _, rates, _ in lines for series in rates}
    for series in [s for s in SERIES if s in used] + ["store"]:
        out.append(tick(x, y) if series == "store" else mark(series, x, y))
        out.append(text(x + 12, y + 4.5, WORDS[series]))
        x += 40 + 7.2 * len(WORDS[series])
    top = 100
    for title, lines in panels:
        drawn, top = draw_panel(title, lines, top)
        out += drawn
    size = f'width="{WIDTH}" height="{top:.0f}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {WIDTH} {top:.0f}" font-family="{FONT}">'
    return "\n".join([head, f'<rect {size} fill="#ffffff"/>'] + out + ["</svg>", ""])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results")
    parser.add_argument("-o", "--output", required=True)
    options = parser.parse_args()
    with open(options.results) as file:
        result = json.load(file)
    with open(options.output, "w") as file:
        file.write(draw(result))


if __name__ == "__main__":
    main()
