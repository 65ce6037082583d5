"""Tests what still works when a node has no descriptors left: all by which an operator finds out what has
used them, and mends it; and that afterwards all is as before.
"""

import collections
import json
import os
import signal
import socket
import time

import lib
from lib.relay import SERVER, RelayCase

LIMIT = 320  # of descriptors; a sixteenth of it is the reserve
PORT = 8099

ECHO = """
import selectors, socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
door = socket.create_server((sys.argv[1], int(sys.argv[2])), family=family, backlog=1000)
ready = selectors.DefaultSelector()
ready.register(door, selectors.EVENT_READ)
print("listening", flush=True)
while True:
    for key, _ in ready.select():
        if key.fileobj is door:
            ready.register(door.accept()[0], selectors.EVENT_READ)
            continue
        try:
            text = key.fileobj.recv(1000)
            key.fileobj.sendall(text)
        except OSError:
            text = b""
        if not text:
            ready.unregister(key.fileobj)
            key.fileobj.close()
"""

# So many connections, opened again when they are refused, for as long as it lives.
CROWD = """
import socket, sys, time
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
address, count = (sys.argv[1], int(sys.argv[2])), int(sys.argv[3])
def connect():
    connection = socket.socket(family)
    connection.settimeout(5)
    try:
        connection.connect(address)
        connection.sendall(b"x")
        connection.recv(1)
    except OSError:
        return None
    return connection
kept = []
while True:
    connection = connect()
    if connection is not None:
        kept.append(connection)
    else:
        print("refused", flush=True)
"""


class Exhausted(RelayCase):
    NODE = 'metrics = "127.0.0.1:9586"'
    RELAY = "[relay.pool]\nhigh = 8\n"

    def descriptors(self, host):
        """What each open one is."""
        folder = f"/proc/{self.nodes[host].pid}/fd"
        kinds = collections.Counter()
        for number in os.listdir(folder):
            try:
                kinds[os.readlink(f"{folder}/{number}").partition(":")[0]] += 1
            except FileNotFoundError:
                pass  # closed meanwhile
        return kinds

    def limit(self, host, most):
        self.net.start(["prlimit", "--pid", str(self.nodes[host].pid), f"--nofile={most}:{most}"]).wait()

    def serve(self):
        for address in SERVER.values():
            self.server.start(["python3", "-c", ECHO, address, PORT]).wait_log("listening")

    def echoes(self, address):
        ask = ("import socket, sys\nc = socket.create_connection((sys.argv[1], int(sys.argv[2])), 10)\n"
               "c.sendall(b'question')\nprint(c.recv(100).decode())\n")
        return self.client.run(["python3", "-c", ask, address, PORT], check=False).stdout == "question\n"

    def is_mendable(self, host):
        """All that an operator has works, and soon."""
        namespace, begin = getattr(self, host), time.monotonic()
        text = namespace.run(["curl", "-s", "--noproxy", "*", "-m", "5", "http://127.0.0.1:9586/metrics"]).stdout
        self.assertIn("thalweg_relay_active", text)
        self.assertGreater(self.status(host)["active"], 0)
        self.assertIn("listening port", lib.wg(namespace, "show", self.interfaces[host]))
        before = self.nodes[host].log().count("reloaded")
        with socket.socket(socket.AF_UNIX) as control:
            control.connect(f"{self.net.folder}/{host}.sock")
            control.sendall(b'{"command":"reload"}\n')
            self.assertIs(json.loads(control.recv(1000))["ok"], True)
        before += 1
        self.nodes[host].signal(signal.SIGHUP)
        lib.wait_until(lambda: self.nodes[host].log().count("reloaded") > before, "the reload")
        self.assertLess(time.monotonic() - begin, 5 * lib.process.SLOWNESS)

    def exhaust(self, host, address):
        before = self.descriptors(host)
        self.limit(host, LIMIT)
        crowds = [self.client.start(["python3", "-c", CROWD, address, PORT, 1000]) for _ in range(2)]
        for crowd in crowds:
            crowd.wait_log("refused", 60)
        for _ in range(3):
            self.is_mendable(host)
        self.assertLess(sum(self.descriptors(host).values()), LIMIT)
        self.assertGreater(sum(self.descriptors(host).values()), LIMIT * 3 // 4)
        for crowd in crowds:
            crowd.end()
        self.await_idle(30)
        lib.wait_until(lambda: self.echoes(address), "connections to be served again")
        self.await_idle(30)

        def is_as_before():
            # Warm legs come and go.
            now = self.descriptors(host)
            return now["/dev/null"] == before["/dev/null"] and now["pipe"] <= before["pipe"] + 8
        lib.wait_until(is_as_before, f"{self.descriptors(host)} to be {before} again", 30)

    def test_the_first_pop(self):
        self.await_warm_legs()
        self.serve()
        for address in SERVER.values():
            self.exhaust("first", address)

    def test_the_last_pop(self):
        self.await_warm_legs()
        self.serve()
        for address in SERVER.values():
            self.exhaust("last", address)


if __name__ == "__main__":
    lib.main()
