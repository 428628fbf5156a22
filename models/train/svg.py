"""A few plots as inline SVG, coloured by the page's style sheet: intervals, lines, reliability, bars."""
from html import escape

import numpy as np


def _text(x, y, text, kind="", anchor="start"):
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(text)}</text>'


def _line(x1, y1, x2, y2, kind):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def _figure(width, height, parts, label):
    return f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label)}">{"".join(parts)}</svg>'


def _nice(limit):
    """A round number near `limit` for the outer tick."""
    power = 10 ** np.floor(np.log10(limit))
    return float(max(s * power for s in (1, 2, 5) if s * power <= limit * 1.0001))


def intervals(names, panels, label, marked=()):
    """Rows of dots with whiskers, one panel per horizon on one scale. panels: [(title, [(mean, half width)] per name)];
    rows in `marked` are drawn as baselines."""
    left, panel, gap, row, top = 130, 172, 12, 20, 26
    width, height = left + len(panels) * (panel + gap), top + len(names) * row + 26
    limit = max(abs(m) + w for _, values in panels for m, w in values if np.isfinite(m + w)) * 1.02
    tick = _nice(limit * 0.8)
    parts = []
    for r, name in enumerate(names):
        y = top + (r + 0.5) * row
        parts.append(_text(left - 10, y + 4, name, "soft" if name in marked else "", "end"))
    for p, (title, values) in enumerate(panels):
        x0 = left + p * (panel + gap)
        at = lambda v: x0 + panel * (v + limit) / (2 * limit)
        parts.append(_text(x0 + panel / 2, 14, title, "title", "middle"))
        for v in (-tick, 0, tick):
            parts.append(_line(at(v), top, at(v), height - 24, "zero" if v == 0 else "grid"))
            parts.append(_text(at(v), height - 8, f"{v:+g}" if v else "0", "tick", "middle"))
        for r, (mean, half) in enumerate(values):
            y = top + (r + 0.5) * row
            kind = "base" if names[r] in marked else "own"
            if np.isfinite(half):
                parts.append(_line(at(mean - half), y, at(mean + half), y, f"whisker {kind}"))
            parts.append(f'<circle cx="{at(mean):.1f}" cy="{y:.1f}" r="4" class="{kind}"><title>{escape(names[r])}, {escape(title)}: {mean:+.4f} ± {half:.4f}</title></circle>')
    return _figure(width, height, parts, label)


def lines(panels, label, ends=None):
    """One panel per horizon, one line per series. panels: [(title, {series: values})]; the first three series get colours.
    ends: texts under the first and last point."""
    panel, gap, tall, top = 190, 20, 130, 26
    width, height = len(panels) * (panel + gap) + 40, top + tall + 24
    every = np.concatenate([v for _, series in panels for v in series.values()])
    low, high = min(0.0, np.nanmin(every)), max(0.0, np.nanmax(every))
    pad = (high - low) * 0.05
    low, high = low - pad, high + pad
    tick = _nice(max(abs(low), abs(high)) * 0.8)
    parts = []
    for p, (title, series) in enumerate(panels):
        x0 = 40 + p * (panel + gap)
        at = lambda v: top + tall * (high - v) / (high - low)
        parts.append(_text(x0 + panel / 2, 14, title, "title", "middle"))
        for v in (-tick, 0, tick):
            if low <= v <= high:
                parts.append(_line(x0, at(v), x0 + panel, at(v), "zero" if v == 0 else "grid"))
                if p == 0:
                    parts.append(_text(x0 - 6, at(v) + 4, f"{v:+g}" if v else "0", "tick", "end"))
        for s, (name, values) in enumerate(series.items()):
            n = max(1, len(values) - 1)
            points = " ".join(f"{x0 + panel * i / n:.1f},{at(v):.1f}" for i, v in enumerate(values))
            parts.append(f'<polyline points="{points}" class="line s{s}"><title>{escape(name)}</title></polyline>')
        if ends:
            parts.append(_text(x0, height - 6, ends[0], "tick"))
            parts.append(_text(x0 + panel, height - 6, ends[1], "tick", "end"))
    return _figure(width, height, parts, label)


def reliability(panels, label):
    """Forecast probability against event rate by tenths; the diagonal is honesty. panels: [(title, [(forecast, rate)])]."""
    side, gap, top, left = 200, 46, 26, 40
    width, height = left + len(panels) * (side + gap), top + side + 40
    parts = []
    for p, (title, points) in enumerate(panels):
        x0 = left + p * (side + gap)
        limit = max(max(a, b) for a, b in points) * 1.15
        tick = _nice(limit * 0.95)
        at = lambda a, b: (x0 + side * a / limit, top + side * (1 - b / limit))
        parts.append(_text(x0 + side / 2, 14, title, "title", "middle"))
        for v in (0, tick):
            parts.append(_line(*at(v, 0), *at(v, limit), "grid"))
            parts.append(_line(*at(0, v), *at(limit, v), "grid"))
            parts.append(_text(at(v, 0)[0], top + side + 16, f"{v:g}", "tick", "middle"))
            parts.append(_text(x0 - 6, at(0, v)[1] + 4, f"{v:g}", "tick", "end"))
        parts.append(_line(*at(0, 0), *at(limit, limit), "zero"))
        parts.append('<polyline points="' + " ".join("%.1f,%.1f" % at(a, b) for a, b in points) + '" class="line s0"/>')
        parts += [f'<circle cx="{at(a, b)[0]:.1f}" cy="{at(a, b)[1]:.1f}" r="4" class="own"><title>forecast {a:.3f}, rate {b:.3f}</title></circle>' for a, b in points]
        parts.append(_text(x0 + side / 2, height - 6, "forecast, rate upward", "tick", "middle"))
    return _figure(width, height, parts, label)


def bars(items, unit, label):
    """Horizontal bars with their values. items: [(name, value)]."""
    left, long, row = 160, 640, 20
    width, height = left + long + 120, len(items) * row + 8
    largest = max(v for _, v in items)
    parts = []
    for r, (name, value) in enumerate(items):
        y = 4 + r * row
        parts.append(_text(left - 10, y + 14, name, "", "end"))
        parts.append(f'<rect x="{left}" y="{y + 3}" width="{long * value / largest:.1f}" height="{row - 6}" rx="3" class="own"/>')
        parts.append(_text(left + long * value / largest + 8, y + 14, f"{value:.2f} {unit}", "tick"))
    return _figure(width, height, parts, label)
