"""Hosts whose ends are bench_load: the server's end answers, the client's asks."""

import json
import time

from . import bed as beds

LOAD_PORT = 9000
PATIENCE_S = 15  # until the way there is open


class LoadHosts(beds.Hosts):
    """Hosts of which one is `client` and one `server`."""

    def start_answers(self):
        """The server's end of bench_load."""
        argv = [*self.pin("server"), self.settings.load_program, "answer", LOAD_PORT]
        self.note("server", argv)
        process = self.hosts["server"].start(argv)
        process.wait_log("^ready$")
        self.processes["server"] = process

    def load(self, *words):
        """The command line of the client's end."""
        argv = [*self.pin("client"), self.settings.load_program, *words]
        self.note("client", argv)
        return argv

    def report_of(self, seconds, *words):
        """Runs the client's end for so long; returns its report, which has measured something."""
        done = self.hosts["client"].run(self.load(*words), check=False, timeout=seconds + 30)
        if done.returncode != 0 or not done.stdout.startswith("{"):
            self.check_alive()
            raise AssertionError(f"bench_load {words[0]}: {(done.stderr or done.stdout).strip()[-300:]}")
        report = json.loads(done.stdout)
        if report["measured"] == 0:
            raise AssertionError(f"bench_load {words[0]}: nothing has come back")
        return report

    def await_way(self, way):
        """Waits until a connection comes to the server the way it is to. `way` has a name, the address to
        connect to, and the client's address `seen_as` the server sees it."""
        argv = [self.settings.load_program, "once", way.address, LOAD_PORT]
        deadline = time.monotonic() + PATIENCE_S
        while True:
            self.check_alive()
            done = self.hosts["client"].run(argv, check=False)
            if done.stdout.strip() == way.seen_as:
                return
            if time.monotonic() > deadline:
                raise AssertionError(f"no connection has come through {way.name} for {PATIENCE_S} s: "
                                     f"{(done.stdout + done.stderr).strip()[-200:]}")
            time.sleep(0.05)
