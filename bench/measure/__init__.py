"""What bench/tunnel is made of. The hosts, programs and their removal come from tests/net/lib.

In reading order: daemons (who competes), bed (the hosts they run on), cpu, iperf, prober (what is read),
scenarios and paths, crowds, control, limits (what is measured), runner (in which order), figures,
statistics and targets (what it comes to), record, table and page (how it is told).
"""

import pathlib
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(TOP / "tests/net"))
