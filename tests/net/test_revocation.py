"""A reload ends what the new policy refuses: routed flows in both families and both directions, relayed
connections at either PoP, and those of a PoP that is gone. What stays allowed loses nothing.
"""

import os
import signal

import lib
from lib.relay import FIRST_TOML, LAST_TOML, SERVER, RelayCase

LAN = {4: "198.18.4.2", 6: "2001:db8:4::2"}
ALLOWED, REFUSED = 5001, 5002

# Echoes datagrams at two ports of both families; "push" makes it say so to everybody it has heard of.
UDP_SERVER = """
import select, socket
heard, sockets = set(), []
for family, address in ((socket.AF_INET, "198.18.4.2"), (socket.AF_INET6, "2001:db8:4::2")):
    for port in (5001, 5002):
        sockets.append(socket.socket(family, socket.SOCK_DGRAM))
        sockets[-1].bind((address, port))
print("listening", flush=True)
while True:
    for ready in select.select(sockets, [], [])[0]:
        said, who = ready.recvfrom(100)
        heard.add((ready, who))
        print("got", ready.getsockname()[:2], said.decode(), flush=True)
        if said == b"push":
            for one, peer in heard:
                one.sendto(b"push", peer)
        else:
            ready.sendto(said, who)
"""

# One flow to each of the server's sockets. Prints what comes back; a line in the pipe makes it say that.
UDP_CLIENT = """
import select, socket, sys
flows = {}
for family, address in ((socket.AF_INET, "198.18.4.2"), (socket.AF_INET6, "2001:db8:4::2")):
    for port in (5001, 5002):
        flows[family, port] = socket.socket(family, socket.SOCK_DGRAM)
        flows[family, port].connect((address, port))
print("ready", flush=True)
pipe = open(sys.argv[1], "rb", buffering=0)
while True:
    for ready in select.select([pipe, *flows.values()], [], [])[0]:
        if ready is not pipe:
            try:
                print("back", ready.getpeername()[:2], ready.recv(100).decode(), flush=True)
            except OSError as error:
                print("error", ready.getpeername()[:2], error, flush=True)
        elif line := pipe.read(100):
            for port in (5002, 5001):  # what is to be refused goes first
                if line == b"push" and port == 5002:
                    continue
                for family in (socket.AF_INET6, socket.AF_INET):
                    flows[family, port].send(line)
        else:
            sys.exit()
"""

# The same at two ports, over TCP and without the pipe: a byte a second is enough to show that it lives.
TCP_SERVER = """
import socket, sys, threading
def serve(listener):
    while True:
        connection, peer = listener.accept()
        threading.Thread(target=echo, args=(connection,), daemon=True).start()
def echo(connection):
    port = connection.getsockname()[1]
    try:
        while said := connection.recv(100):
            print("got", port, said.decode(), flush=True)
            connection.sendall(said)
        print("end", port, flush=True)
    except OSError as error:
        print("error", port, type(error).__name__, flush=True)
for port in (5001, 5002):
    for address in sys.argv[1:]:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        listener = socket.create_server((address, port), family=family)
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
print("listening", flush=True)
threading.Event().wait()
"""
TCP_CLIENT = """
import select, socket, sys
flows = [socket.create_connection((address, port), timeout=20)
         for port in (5002, 5001) for address in sys.argv[2:]]
names = {flow: flow.getpeername()[:2] for flow in flows}
print("ready", flush=True)
pipe = open(sys.argv[1], "rb", buffering=0)
while True:
    for ready in select.select([pipe, *flows], [], [])[0]:
        if ready is pipe:
            line = pipe.read(100)
            if not line:
                sys.exit()
            for flow in flows:
                try:
                    flow.send(line)
                except OSError:
                    pass
            continue
        try:
            said = ready.recv(100).decode()
            print("back", names[ready], said or "end", flush=True)
            ended = not said
        except OSError as error:
            print("error", names[ready], type(error).__name__, flush=True)
            ended = True
        if ended:
            flows.remove(ready)
"""

GATEWAY = """
[gateway]
forward = true
masquerade = ["10.9.1.2/32"]
"""
ROUTED = """
[[policy]]
from = ["anna"]
to = ["198.18.4.0/24", "2001:db8:4::/64"]
protocol = "{protocol}"
ports = [{ports}]
action = "route"
"""


def routed(protocol, *ports):
    return ROUTED.format(protocol=protocol, ports=", ".join(f'"{port}"' for port in ports))


class Revocation(RelayCase):
    RELAY = GATEWAY

    def begin(self, host, script, *arguments):
        """A client whose pipe is held open: self.say() writes to it."""
        path = f"{self.net.folder}/pipe"
        os.mkfifo(path)
        client = host.start(["python3", "-c", script, path, *arguments])
        client.wait_log("ready")  # or it says why not; opening the pipe waits for it
        self.pipe = open(path, "wb", buffering=0)
        self.addCleanup(self.pipe.close)
        return client

    def say(self, line):
        self.pipe.write(line.encode())

    def reload(self, host, toml, **replaced):
        """With another text of its configuration; returns when the node has said that it is done."""
        keep, self.TOML = self.TOML, {**self.TOML, host: toml}
        ports, self.PORTS = self.PORTS, replaced.get("ports", self.PORTS)
        self._write_configuration(host)
        self.TOML, self.PORTS = keep, ports
        done = self.nodes[host].log().count("reloaded")
        self.nodes[host].signal(signal.SIGHUP)
        lib.wait_until(lambda: self.nodes[host].log().count("reloaded") > done, "the reload")


class RoutedFlows(Revocation):
    TOML = {"first": FIRST_TOML.replace("action = \"relay\"", "action = \"refuse\"")
                     .replace("[[policy]]", routed("udp", ALLOWED, REFUSED) + "[[policy]]"),
            "last": LAST_TOML}

    def setUp(self):
        super().setUp()
        self.names = {(address, port) for address in LAN.values() for port in (ALLOWED, REFUSED)}

    def test_datagrams(self):
        server = self.lan.start(["python3", "-c", UDP_SERVER])
        server.wait_log("listening")
        client = self.begin(self.client, UDP_CLIENT)
        self.say("before")
        for name in self.names:
            client.wait_log(rf"back \({name[0]!r}, {name[1]}\) before")
        self.reload("first", self.TOML["first"].replace(f', "{REFUSED}"', ""))
        self.nodes["first"].wait_log("2 established flows are ended")
        self.say("after")
        for address in LAN.values():
            client.wait_log(rf"back \({address!r}, {ALLOWED}\) after")
        self.say("push")
        for address in LAN.values():
            client.wait_log(rf"back \({address!r}, {ALLOWED}\) push")
            self.assertNotRegex(server.log(), rf"got \({address!r}, {REFUSED}\) after")
            self.assertNotRegex(client.log(), rf"back \({address!r}, {REFUSED}\) (after|push)")

    def test_connections_and_pings(self):
        first = self.TOML["first"].replace('"udp"', '"tcp"').replace(
            "[[policy]]", '[[policy]]\nfrom = ["anna"]\nprotocol = "icmp"\naction = "route"\n[[policy]]', 1)
        self.reload("first", first)
        server = self.lan.start(["python3", "-c", TCP_SERVER, *LAN.values()])
        server.wait_log("listening")
        client = self.begin(self.client, TCP_CLIENT, *LAN.values())
        pings = self.client.start(["ping", "-i", "0.05", LAN[4]])
        self.say("before")
        for name in self.names:
            client.wait_log(rf"back \({name[0]!r}, {name[1]}\) before")
        pings.wait_log("icmp_seq=3")
        # A flow that stays allowed keeps its address translation and loses nothing.
        self.reload("first", first.replace(f', "{REFUSED}"', ""))
        self.say("after")
        for address in LAN.values():
            client.wait_log(rf"back \({address!r}, {ALLOWED}\) after")
            self.assertNotRegex(server.log(), rf"got {REFUSED} after")
        pings.signal(signal.SIGINT)
        pings.wait()
        self.assertEqual(lib.unanswered(pings.log()), [])
        # And a policy without that rule ends the rest.
        pings = self.client.start(["ping", "-i", "0.05", LAN[4]])
        pings.wait_log("icmp_seq=3")
        self.reload("first", self.TOML["first"])
        answered = pings.log().count("icmp_seq")
        pings.wait_log("Packet filtered|Unreachable|prohibited")
        self.assertLessEqual(pings.log().count("bytes from"), answered + 1)  # one was on its way


class RelayedConnections(Revocation):
    PORTS = f"{ALLOWED}-{REFUSED}"

    def carried(self):
        self.server_program = self.server.start(["python3", "-c", TCP_SERVER, *SERVER.values()])
        self.server_program.wait_log("listening")
        self.await_warm_legs()
        client = self.begin(self.client, TCP_CLIENT, *SERVER.values())
        self.say("before")
        for address in SERVER.values():
            for port in (ALLOWED, REFUSED):
                client.wait_log(rf"back \({address!r}, {port}\) before")
        return client

    def refused_ones_end(self, client, ports, still):
        for address in SERVER.values():
            for port in ports:
                client.wait_log(rf"error \({address!r}, {port}\) ConnectionResetError")
        for port in ports:
            self.server_program.wait_log(rf"error {port} ConnectionResetError")
        self.say("after")
        for address in SERVER.values():
            for port in still:
                client.wait_log(rf"back \({address!r}, {port}\) after")

    def test_by_the_first_pop(self):
        client = self.carried()
        refuse = ('[[policy]]\nfrom = ["anna"]\nprotocol = "tcp"\n'
                  f'ports = ["{REFUSED}"]\naction = "refuse"\n[[policy]]')
        self.reload("first", self.TOML["first"].replace("[[policy]]", refuse, 1))
        self.nodes["first"].wait_log("relay: 2 connections are reset")
        self.assertEqual(self.status("first")["outcomes"]["revoked"], 2)
        self.refused_ones_end(client, [REFUSED], [ALLOWED])

    def test_by_the_last_pop(self):
        client = self.carried()
        self.reload("last", self.TOML["last"], ports=ALLOWED)
        self.assertEqual(self.status("last")["outcomes"]["revoked"], 2)
        self.refused_ones_end(client, [REFUSED], [ALLOWED])

    def test_of_a_pop_that_is_gone(self):
        client = self.carried()
        toml = self.TOML["last"]
        at = toml.index("[[pop]]"), toml.index("[[policy]]")
        self.reload("last", toml[:at[0]] + toml[at[1]:])
        self.refused_ones_end(client, [REFUSED, ALLOWED], [])
        self.assertEqual(self.status("last")["active"], 0)
        self.assertEqual(self.status("last")["waiting_legs"], 0)


if __name__ == "__main__":
    lib.main()
