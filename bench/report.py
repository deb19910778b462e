# SPDX-License-Identifier: Apache-2.0
"""The table, and the numbers behind it."""
import statistics

# row, figure, title, unit, digits, whether less is better
FIGURES = [
    ("keepalive", "per_second", "keep-alive, 64 clients", "requests/s", 0, False),
    ("keepalive", "cpu_us", "", "CPU µs/request", 1, True),
    ("keepalive", "p50_us", "", "p50 µs", 0, True),
    ("keepalive", "p99_us", "", "p99 µs", 0, True),
    ("wrk", "per_second", "the same, by wrk", "requests/s", 0, False),
    ("wrk", "cpu_us", "", "CPU µs/request", 1, True),
    ("latency", "p50_us", "at a fixed rate", "p50 µs", 0, True),
    ("latency", "p99_us", "", "p99 µs", 0, True),
    ("latency", "cpu_us", "", "CPU µs/request", 1, True),
    ("handshake", "per_second", "full handshake + request", "per second", 0, False),
    ("handshake", "cpu_us", "", "CPU µs each", 0, True),
    ("resume", "per_second", "resumed + request", "per second", 0, False),
    ("resume", "cpu_us", "", "CPU µs each", 0, True),
    ("storm", "p50_us", "half load in a storm", "p50 µs", 0, True),
    ("storm", "p99_us", "", "p99 µs", 0, True),
    ("storm", "p99_times", "", "× p99 in calm", 2, True),
    ("storm", "storm_per_second", "", "new clients/s", 0, False),
    ("down", "per_second", "1 MiB down", "MiB/s", 0, False),
    ("down", "cpu_us", "", "CPU µs/MiB", 0, True),
    ("up", "per_second", "1 MiB up", "MiB/s", 0, False),
    ("up", "cpu_us", "", "CPU µs/MiB", 0, True),
    ("memory", "idle_kib", "idle TLS connection", "KiB", 1, True),
    ("memory", "rest_kib", "memory at rest", "KiB (PSS)", 0, True),
    ("startup", "ms", "start to first answer", "ms", 0, True),
    ("scaling", "per_second", "keep-alive, 2 workers", "requests/s", 0, False),
    ("scaling", "cpu_us", "", "CPU µs/request", 1, True),
    ("scaling", "gain", "", "× 1 worker", 2, False),
    ("scaling", "cpu_gain", "", "× 1 w. by CPU", 2, False),
]


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def summarize(rows):
    """rows[row][server] is a list with one dict per repeat → the same with spreads per figure."""
    summary = {}
    for row, figure, *_ in FIGURES:
        for server, repeats in rows.get(row, {}).items():
            values = [repeat[figure] for repeat in repeats if figure in repeat]
            if values:
                summary.setdefault(row, {}).setdefault(figure, {})[server] = spread(values)
    return summary


def ratios(rows, ours):
    """Ours divided by each peer's, repeat by repeat: what both had at the same time."""
    result = {}
    for row, figure, *_ in FIGURES:
        mine = [repeat.get(figure) for repeat in rows.get(row, {}).get(ours, [])]
        for server, repeats in rows.get(row, {}).items():
            if server == ours:
                continue
            pairs = [(a, b.get(figure)) for a, b in zip(mine, repeats)]
            values = [a / b for a, b in pairs if a is not None and b]
            if values:
                result.setdefault(row, {}).setdefault(figure, {})[server] = spread(values)
    return result


def number(value, digits):
    return f"{value:,.{digits}f}"


def cells(summary, ratio, row, figure, digits, servers, ranges):
    """One line of the table; with `ranges` the line below it, from smallest to largest."""
    line = []
    for server in servers:
        seen = summary.get(row, {}).get(figure, {}).get(server)
        against = ratio.get(row, {}).get(figure, {}).get(server)
        if seen is None:
            line.append("")
        elif ranges:
            text = f"{number(seen['min'], digits)}…{number(seen['max'], digits)}"
            line.append(text + (f" ({against['min']:.2f}…{against['max']:.2f})" if against else ""))
        else:
            line.append(number(seen["median"], digits) + (f" ({against['median']:.2f})" if against else ""))
    return line


def table(summary, ratio, servers, ranges):
    """Text lines, columns aligned."""
    lines = [["", ""] + list(servers)]
    for row, figure, title, unit, digits, _ in FIGURES:
        if row not in summary or figure not in summary[row]:
            continue
        lines.append([title, unit] + cells(summary, ratio, row, figure, digits, servers, False))
        if ranges:
            lines.append(["", ""] + cells(summary, ratio, row, figure, digits, servers, True))
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    text = []
    for line in lines:
        left = [line[0].ljust(widths[0]), line[1].ljust(widths[1])]
        text.append("  ".join(left + [cell.rjust(width) for cell, width in zip(line[2:], widths[2:])]).rstrip())
    return text


def markdown(summary, ratio, servers):
    lines = ["| | | " + " | ".join(servers) + " |", "|---|---|" + "--:|" * len(servers)]
    for row, figure, title, unit, digits, _ in FIGURES:
        if row in summary and figure in summary[row]:
            values = cells(summary, ratio, row, figure, digits, servers, False)
            lines.append(f"| {title} | {unit} | " + " | ".join(values) + " |")
    return lines
