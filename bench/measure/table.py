"""A run as text for people. Everything is read from the record, so that text and JSON say the same."""

from .figures import metric, text

HOW_TO_READ = "median (min–max) of the runs; ~ they differ by more than 25 %; ≈ so do they, in two groups."
FLAGS = {"steady": "", "wide": " ~", "two modes": " ≈"}


def _value(name, summary):
    if summary is None:
        return "–"
    said = text(name, summary["median"])
    if summary["min"] != summary["max"]:
        said += f" ({text(name, summary['min'])}–{text(name, summary['max'])})"
    return said + FLAGS[summary["shape"]]


def failed_runs(result):
    """How many runs failed, and why the first did; empty if none."""
    failed = [run["failed"] for run in result["runs"] if "failed" in run]
    if not failed:
        return ""
    return f"{len(failed)} of {len(result['runs'])} runs failed: {failed[0].splitlines()[0]}"


def _aligned(rows):
    """Columns as wide as their widest cell; the first to the left, the others to the right."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) if at == 0 else cell.rjust(width)
                 for at, (cell, width) in enumerate(zip(row, widths))]
        lines.append(("  " + "  ".join(cells)).rstrip())
    return lines


def _scenario(entry, first):
    results = entry["results"]
    lines = [f"{entry['name']}: {entry['about']}"]
    names = list(dict.fromkeys(name for result in results.values() for name in result["metrics"]))
    others = [who for who, result in results.items() if "ratios" in result]
    rows = [["", *results, *(f"{who} / {first}" for who in others)]]
    for name in names:
        known = metric(name)
        cells = [_value(name, result["metrics"].get(name)) for result in results.values()]
        ratios = [results[who]["ratios"].get(name) for who in others]
        shown = [f"{one:.2f}×" if one is not None and known.better else "" for one in ratios]
        rows.append([f"{known.label}{', ' + known.unit if known.unit else ''}", *cells, *shown])
    lines += _aligned(rows) if names else []
    lines += [f"  {remark}" for remark in entry.get("remarks", [])]
    for who, result in results.items():
        if failed := failed_runs(result):
            lines.append(f"  {who}: {failed}")
        lines += [f"  {who}: {doubt}" for doubt in result["doubts"]]
    return lines + [""]


def _targets(record):
    checked = record["targets"]["checked"]
    if not checked:
        return []
    rows = [["", "target", "figure", ""]]
    for one in checked:
        rows.append([f"{one['what']}{', ' + one['unit'] if one['unit'] else ''}",
                     f"{one['relation']} {one['target']:g}", f"{one['figure']:,.2f}",
                     "met" if one["met"] else "MISSED"])
    met = sum(one["met"] for one in checked)
    return [f"targets, of {record['targets']['daemon']}: {met} of {len(checked)} met", *_aligned(rows), ""]


def _limits(record):
    found = record["limits"]["distances"]
    if not found:
        return []
    rows = [["", "figure", "limit", "times"]]
    rows += [[f"{one['what']}, {one['unit']}", f"{one['figure']:,.2f}", f"{one['limit']:,.2f}",
              f"{one['times']:.2f}×"] for one in found]
    return [f"distance from the limits, of {record['limits']['daemon']}", *_aligned(rows), ""]


def to_table(record):
    """The whole run."""
    lines = [f"{key}: {words}" for key, words in record["environment"].items()] + [""]
    for entry in record["scenarios"]:
        lines += _scenario(entry, record["daemons"][0])
    lines += _targets(record) + _limits(record)
    if record["commands"]:
        lines += ["commands", *(f"  {command}" for command in record["commands"]), ""]
    lines += [HOW_TO_READ, *record["notes"]]
    if record["interrupted"]:
        lines.append("interrupted: the figures are of what was done until then.")
    return "\n".join(lines) + "\n"
