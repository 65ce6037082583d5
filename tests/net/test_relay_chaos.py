"""Rough use of the relay: hundreds of connections of which each does what a seed says, PoPs that are
killed, and PoPs whose cable is pulled. What arrives is compared byte by byte at both ends; an end in
order comes only after everything that was sent.

TW_SEED repeats a run; TW_LONG does more of them.
"""

import collections
import json
import os
import secrets
import signal

import lib
from lib.relay import SERVER, RelayCase

FOLDER = os.path.dirname(os.path.abspath(__file__))
SEED = os.environ.get("TW_SEED") or secrets.token_hex(4)
ROUGH_RUNS = 10 if os.environ.get("TW_LONG") else 1
ROUGH, ALIVE, STEADY = 240, 48, 24  # connections


def module(side, kind, seed, indices, addresses=()):
    return ["env", f"PYTHONPATH={FOLDER}", "python3", "-B", "-m", "chaos.side", side, kind, seed,
            indices.start, len(indices), indices.step, *addresses]


def retransmitted(host):
    """Segments that TCP has sent again in this namespace."""
    names, values = (line.split() for line in host.run("grep ^Tcp: /proc/net/snmp").stdout.splitlines())
    return int(dict(zip(names, values))["RetransSegs"])


def reports(process):
    """{index: report} of a side that has ended."""
    lines = [line for line in process.log().splitlines() if line.startswith("{")]
    return {report["index"]: report for report in map(json.loads, lines)}


class ChaosCase(RelayCase):
    # Who only listens asks after some seconds whether the other PoP still knows the connection.
    RELAY = "keepalive_s = 4\n"

    def setUp(self):
        super().setUp()
        print(f"TW_SEED={SEED}", flush=True)
        self.await_warm_legs()

    def begin(self, kind, count, seed=SEED):
        """Half of the connections by the tunnel's client, half by the LAN's."""
        server = self.server.start(module("server", kind, seed, range(count)))
        server.wait_log("listening")
        clients = [host.start(module("client", kind, seed, range(first, count, 2), SERVER.values()))
                   for first, host in enumerate((self.client, self.lan))]
        return server, clients

    def finish(self, server, clients, timeout=120):
        """(clients' reports, server's reports)."""
        for process in clients:
            self.assertEqual(process.wait(timeout), 0, process.log()[-2000:])
        server.signal(signal.SIGTERM)
        self.assertEqual(server.wait(timeout), 0, server.log()[-2000:])
        return {**reports(clients[0]), **reports(clients[1])}, reports(server)

    def sockets(self, host):
        """Open at that PoP, without those of warm legs."""
        folder = f"/proc/{self.nodes[host].pid}/fd"
        count = 0
        for name in os.listdir(folder):
            try:
                count += os.readlink(f"{folder}/{name}").startswith("socket:")
            except FileNotFoundError:
                pass
        relay = self.status(host)
        warm = [pop["warm"] for pop in relay["pops"]]
        return count - relay["waiting_legs"] - sum(pool["idle"] + pool["connecting"] for pool in warm)

    def check_rough(self, ours, theirs, seed):
        results = collections.Counter()
        for index in range(ROUGH):
            client = ours[index]
            server = theirs.get(index, {"result": "none", "ended": False})
            what = f"TW_SEED={seed}: connection {index}: {client} {server}"
            if server["result"] == "none":  # reset before there was anything to accept
                self.assertEqual(client["result"], "resetting", what)
            for one, other in ((client, server), (server, client)):
                results[one["result"]] += 1
                if other["result"] == "resetting":
                    self.assertIn(one["result"], ("reset", "none", "whole"), what)
                    self.assertTrue(one["result"] != "whole" or other["ended"], what)
                elif one["result"] != "resetting":
                    self.assertEqual(one["result"], "whole", what)
        slowest = max(report["seconds"] for report in (*ours.values(), *theirs.values()))
        print(f"{ROUGH} connections, ends: {dict(results)}, the slowest {slowest} s", flush=True)
        self.assertGreater(results["whole"], ROUGH)
        self.assertGreater(results["reset"], 0)

    def check_rough_runs(self):
        before = {host: self.sockets(host) for host in self.nodes}
        for run in range(ROUGH_RUNS):
            seed = f"{SEED}" if run == 0 else f"{SEED}.{run}"
            self.check_rough(*self.finish(*self.begin("rough", ROUGH, seed)), seed)
        self.await_idle()
        for host, count in before.items():
            lib.wait_until(lambda host=host, count=count: self.sockets(host) <= count,
                           f"{host} to have no more than {count} sockets")

    def kill_and_restart(self, host):
        """kill -9 with connections of all kinds alive: each ends with an error, soon, at both ends."""
        server, clients = self.begin("held", ALIVE)
        lib.wait_until(lambda: self.status("last")["bytes_upstream"] > 100_000, "bytes to move")
        lib.wait_until(lambda: self.status("last")["active"] >= ALIVE, "the connections")
        self.nodes[host].signal(signal.SIGKILL)
        self.nodes[host].wait()
        self.start_node(host)
        if host == "first":
            # The client's device would find out by itself, after 15 s of silence.
            self.introduce_client()
        ours, theirs = self.finish(server, clients)
        self.assertEqual(len(ours), ALIVE)
        self.assertEqual(len(theirs), ALIVE)
        for report in (*ours.values(), *theirs.values()):
            self.assertEqual(report["result"], "reset", f"TW_SEED={SEED}: {report}")
        self.await_warm_legs(60)
        self.check_new_connections()
        self.await_idle()

    def check_new_connections(self):
        ours, theirs = self.finish(*self.begin("steady", STEADY))
        for report in (*ours.values(), *theirs.values()):
            self.assertEqual(report["result"], "whole", f"TW_SEED={SEED}: {report}")
        self.assertEqual((len(ours), len(theirs)), (STEADY, STEADY))


class ChaosTest(ChaosCase):
    def test_rough_connections(self):
        self.check_rough_runs()

    def test_a_killed_last_pop(self):
        self.kill_and_restart("last")

    def test_a_killed_first_pop(self):
        self.kill_and_restart("first")

    def test_an_unplugged_pop(self):
        """Its cable to the other PoP, then that to the client: what is under way waits and goes on."""
        server, clients = self.begin("steady", STEADY)
        for cable, host in (("to-last", self.first), ("to-client", self.client)):
            moved = self.status("last")["bytes_upstream"]
            lib.wait_until(lambda moved=moved: self.status("last")["bytes_upstream"] > moved, "bytes to move")
            before = retransmitted(host)
            self.first.ip(f"link set {cable} down")
            # Each of them twice or more: that takes about a second.
            lib.wait_until(lambda host=host, before=before: retransmitted(host) >= before + 2 * STEADY,
                           "TCP to try again in vain")
            self.first.ip(f"link set {cable} up")
        ours, theirs = self.finish(server, clients)
        for report in (*ours.values(), *theirs.values()):
            self.assertEqual(report["result"], "whole", f"TW_SEED={SEED}: {report}")
        self.assertEqual((len(ours), len(theirs)), (STEADY, STEADY))
        self.check_new_connections()
        self.await_idle()


if __name__ == "__main__":
    lib.main()
