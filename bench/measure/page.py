"""A run as one HTML file that opens without a network: bars by scenario, targets, and every figure."""

import html

from .figures import metric, text
from .table import failed_runs

COLOURS = ("#0f7f86", "#d08a1e", "#7d8590", "#8a5fb0", "#4f8f3a", "#b5493f")
LABEL_WIDTH, BAR_WIDTH, BAR_HEIGHT = 150, 520, 20
# Of each scenario's metrics, those that are drawn.
DRAWN = ("gbps", "leg_mbps", "first_resent_bdps", "later_resent_share",
         "pops_cpu_s_per_gb", "receiver_cpu_s_per_gb", "sender_cpu_s_per_gb", "delivered_mbps",
         "loss_share", "rtt_p50_us", "rtt_p99_us", "bystander_p99_us", "cpu_ns_per_packet",
         "delivered_share", "handshakes_per_core_s", "memory_loaded_mb", "memory_10000_mb", "setconf_ms",
         "show_ms", "toml_ms", "relay_cpu_s_per_gb",
         "machine_cpu_s_per_gb", "added_p50_us", "added_p99_us", "exchange_p50_us",
         "forwarding_p50_us", "connections_per_s", "relay_cpu_us_per_connection", "user_kb", "kernel_kb",
         "user_bulk_kb", "kernel_bulk_kb")

HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Thalweg: @TITLE@</title>
<style>
:root { color-scheme: light dark; --ground: #f7f7f4; --card: #fff; --ink: #1c1f23; --soft: #5d646c;
        --line: #dfe1de; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #14171a; --card: #1c2024; --ink: #e8eaec; --soft: #a0a8b0; --line: #31373d; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 2rem 1rem 4rem; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; } h2 { font-size: 1.05rem; margin: 0 0 .5rem; }
h3 { font-size: .9rem; font-weight: 500; color: var(--soft); margin: .8rem 0 .1rem; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px;
          padding: 1rem 1.1rem; margin-top: 1rem; overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
td, th { text-align: right; padding: .25rem .6rem; border-bottom: 1px solid var(--line);
         white-space: nowrap; }
td:first-child, th:first-child { text-align: left; } th { color: var(--soft); font-weight: 500; }
.facts td { text-align: left; white-space: normal; overflow-wrap: anywhere; }
.met { color: #2e8b57; } .missed { color: #c8442f; font-weight: 650; }
svg { display: block; max-width: 100%; font-variant-numeric: tabular-nums; }
text { fill: var(--ink); font-size: 13px; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font: 13px/1.6 ui-monospace, monospace; }
details { margin-top: .6rem; color: var(--soft); } p { color: var(--soft); margin: 0 0 .5rem; }
</style></head><body><main>
"""


def _say(value):
    return html.escape(str(value))


def _table(head, rows, kind=""):
    cells = "".join(f"<th>{_say(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<table class="{kind}"><tr>{cells}</tr>{body}</table>'


def bars(name, by_whom, colours):
    """SVG of one metric: a bar to each median, a whisker from the least run to the most."""
    top = max(one["max"] for one in by_whom.values()) or 1
    height = len(by_whom) * (BAR_HEIGHT + 6) + 4
    parts = [f'<svg width="{LABEL_WIDTH + BAR_WIDTH + 190}" height="{height}" role="img" '
             f'aria-label="{_say(metric(name).label)}">']
    for row, (who, one) in enumerate(by_whom.items()):
        y = 2 + row * (BAR_HEIGHT + 6)
        middle = y + BAR_HEIGHT / 2
        end, least, most = (LABEL_WIDTH + BAR_WIDTH * max(0, one[key]) / top
                            for key in ("median", "min", "max"))
        tick = f"{middle - 4}v8"
        said = text(name, one["median"]) + (f" {metric(name).unit}" if metric(name).unit else "")
        flag = "" if one["shape"] == "steady" else f" ({one['shape']})"
        parts.append(f'<text x="{LABEL_WIDTH - 8}" y="{middle + 4:.0f}" text-anchor="end">{_say(who)}</text>'
                     f'<rect x="{LABEL_WIDTH}" y="{y}" width="{end - LABEL_WIDTH:.1f}" '
                     f'height="{BAR_HEIGHT}" rx="3" fill="{colours[who]}"/>'
                     f'<path d="M{least:.1f} {middle}H{most:.1f}M{least:.1f} {tick}M{most:.1f} {tick}" '
                     f'stroke="currentColor" fill="none"/>'
                     f'<text x="{most + 8:.1f}" y="{middle + 4:.0f}">{_say(said + flag)}</text>')
    return "".join(parts) + "</svg>"


def _scenario(entry, colours):
    results = entry["results"]
    parts = [f"<section><h2>{_say(entry['name'])}: {_say(entry['about'])}</h2>"]
    names = list(dict.fromkeys(name for result in results.values() for name in result["metrics"]))
    for name in names:
        if name in DRAWN:
            by_whom = {who: result["metrics"][name] for who, result in results.items()
                       if name in result["metrics"]}
            better = {"more": "more is better", "less": "less is better", "": ""}[metric(name).better]
            parts.append(f"<h3>{_say(metric(name).label)} — {better}</h3>" + bars(name, by_whom, colours))
    parts += [f"<p>{_say(remark)}</p>" for remark in entry.get("remarks", [])]
    for who, result in results.items():
        if failed := failed_runs(result):
            parts.append(f'<p class="missed">{_say(who)}: {_say(failed)}</p>')
        parts += [f"<p>{_say(who)}: {_say(doubt)}</p>" for doubt in result["doubts"]]
    rows = [[f"{_say(metric(name).label)} <small>{_say(metric(name).unit)}</small>",
             *(_cell(name, result["metrics"].get(name)) for result in results.values())] for name in names]
    table = _table(["median (min–max)", *results], rows)
    drawn = any(name in DRAWN for name in names)
    opened = "" if drawn else " open"
    return "".join(parts) + f"<details{opened}><summary>all figures</summary>{table}</details></section>"


def _cell(name, one):
    if one is None:
        return "–"
    return _say(f"{text(name, one['median'])} ({text(name, one['min'])}–{text(name, one['max'])})")


def _targets(record):
    rows = [[_say(one["what"]), f"{one['relation']} {one['target']:g} {_say(one['unit'])}",
             f"{one['figure']:,.2f}", '<span class="met">met</span>' if one["met"]
             else '<span class="missed">missed</span>'] for one in record["targets"]["checked"]]
    if not rows:
        return ""
    return (f"<section><h2>Targets of {_say(record['targets']['daemon'])}</h2>"
            + _table(["", "target", "figure", ""], rows) + "</section>")


def _limits(record):
    rows = [[_say(one["what"]), f"{one['figure']:,.2f}", f"{one['limit']:,.2f}", f"{one['times']:.2f}×",
             _say(one["unit"])] for one in record["limits"]["distances"]]
    if not rows:
        return ""
    return ("<section><h2>Distance from the limits</h2>"
            + _table(["", "figure", "limit", "times", ""], rows) + "</section>")


def to_page(record):
    """The whole run."""
    names = [*record["daemons"], record["machine"]]
    colours = {name: COLOURS[at % len(COLOURS)] for at, name in enumerate(names)}
    facts = _table(["", ""], [[_say(key), _say(words)] for key, words in record["environment"].items()],
                   "facts")
    commands = "\n".join(record["commands"])
    title = _say(record["title"])
    notes = f"<p>{_say(' '.join(record['notes']))}</p>"
    return (HEAD.replace("@TITLE@", title) + f"<h1>{title}</h1>"
            "<p>Medians; whiskers from the least run to the most. Round by round, each daemon in turn, in "
            "fresh network namespaces.</p>" + notes
            + ("<p>Interrupted: what was done until then.</p>" if record["interrupted"] else "")
            + _targets(record) + _limits(record)
            + "".join(_scenario(entry, colours) for entry in record["scenarios"])
            + f"<section><h2>How</h2>{facts}<h3>Commands</h3><pre>{_say(commands)}</pre></section>"
              "</main></body></html>\n")
