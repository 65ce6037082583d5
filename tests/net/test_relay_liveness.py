"""PoPs that die with connections in them, come back, or only seem to: on the product's path
(lib/relay.py), with nodes that are killed and a tunnel that is cut. Nobody waits for ever, and nobody is
reset who need not be.
"""

import os
import signal
import time

import lib
from lib.relay import SERVER, RelayCase

# Says something first, gives back what it gets, and fills the window of whoever asks for that.
SERVER_CODE = """
import socket, threading
listener = socket.create_server(("{address}", 8080), family=socket.{family})
print("listening", flush=True)
def serve(connection):
    connection.sendall(b"begun")
    try:
        while block := connection.recv(1 << 16):
            if block == b"fill":
                connection.sendall(bytes(16 << 20))
            else:
                connection.sendall(block)
        print("end", flush=True)
    except OSError as error:
        print("error", error.errno, flush=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""

# One that is idle, one that has asked for much and does not read it, and one that sends when it is told
# to; says how they ended, or proves that they have not.
CLIENT_CODE = """
import socket
def connect():
    connection = socket.create_connection(("{address}", 8080), timeout=20)
    assert connection.recv(5) == b"begun"
    return connection
idle, paused, upload = connect(), connect(), connect()
paused.sendall(b"fill")
print("begun", flush=True)
for line in open("{commands}"):
    if line.strip() == "send":
        upload.sendall(b"x" * 100000)
        print("sent", flush=True)
    if line.strip() == "ends":
        for name, connection in (("idle", idle), ("upload", upload), ("paused", paused)):
            connection.settimeout(20)
            try:
                while block := connection.recv(1 << 16):
                    pass
                print(name, "ended in order", flush=True)
            except ConnectionResetError:
                print(name, "reset", flush=True)
    if line.strip() == "alive":
        idle.sendall(b"question")
        assert idle.recv(100) == b"question"
        count = 0
        while count < 100000:
            count += len(upload.recv(1 << 16))
        count = 0
        while count < 16 << 20:
            count += len(paused.recv(1 << 16))
        print("all alive", flush=True)
"""

LATE_CLIENT = """
import socket, time
begun = time.monotonic()
try:
    connection = socket.create_connection(("{address}", 8080), timeout=60)
    connection.sendall(b"question")
    connection.recv(1)
    print("answered")
except ConnectionResetError:
    print("reset", time.monotonic() - begun)
except OSError as error:
    print("refused", error, time.monotonic() - begun)
"""


class LivenessTest(RelayCase):
    RELAY = "connect_timeout_s = 8"

    def setUp(self):
        super().setUp()
        self.await_warm_legs()

    def begin(self, family=4):
        address = SERVER[family]
        server = self.server.start(["python3", "-c", SERVER_CODE.format(
            address=address, family="AF_INET" if family == 4 else "AF_INET6")])
        server.wait_log("listening")
        commands = f"{self.net.folder}/commands-{family}"
        os.mkfifo(commands)
        client = self.client.start(["python3", "-c",
                                    CLIENT_CODE.format(address=address, commands=commands)])
        client.wait_log("begun")
        # Until the test ends: its other end is read until nobody writes any more.
        self.commands = self.enterContext(open(commands, "w", encoding="ascii"))
        return client

    def tell(self, word):
        """Tells the client begun last what to do next."""
        self.commands.write(word + "\n")
        self.commands.flush()

    @staticmethod
    def last_for(seconds):
        """Waits so long: the test is about how long something may last."""
        end = time.monotonic() + seconds
        lib.wait_until(lambda: time.monotonic() >= end, f"{seconds} s to be over", timeout=seconds + 5)

    def late(self, family=4):
        """Returns what a client that connects now is told, and after how long."""
        code = LATE_CLIENT.format(address=SERVER[family])
        return self.client.run(["python3", "-c", code], timeout=60).stdout.split()

    def test_a_pop_that_is_back_resets_what_it_has_forgotten(self):
        for family in (4, 6):
            client = self.begin(family)
            self.nodes["last"].signal(signal.SIGKILL)
            self.nodes["last"].wait()
            self.tell("send")
            client.wait_log("sent")
            self.last_for(3)
            self.start_node("last")
            back = time.monotonic()
            self.tell("ends")
            for name in ("idle", "upload", "paused"):
                client.wait_log(f"{name} reset", timeout=20)
            self.await_warm_legs()
            self.await_idle()

    def test_a_route_that_flaps_and_a_reader_that_paused_reset_nothing(self):
        client = self.begin()
        self.last_for(10)  # the paused one's windows are closed by now
        self.first.run("nft add table inet cut")
        self.first.run("nft add chain inet cut in { type filter hook input priority -300; }")
        self.first.run("nft add rule inet cut in udp sport 51820 drop")
        self.tell("send")
        self.last_for(5)
        self.first.run("nft delete table inet cut")
        self.last_for(10)
        self.tell("alive")
        client.wait_log("all alive", timeout=30)
        for host in ("first", "last"):
            self.assertEqual(self.status(host)["active"], 3)

    def test_a_pop_that_stays_dead_keeps_nobody_waiting(self):
        client = self.begin()
        self.nodes["last"].signal(signal.SIGKILL)
        self.nodes["last"].wait()
        begun = time.monotonic()
        self.tell("ends")
        # At first by a warm leg, then by ones that are never made; by either family.
        for family in (4, 6, 4):
            said, *_, after = self.late(family)
            self.assertEqual(said, "reset")
            self.assertLess(float(after), 8 + 5)  # a busy machine has its share
            if family == 4:
                continue
            for name in ("idle", "upload", "paused"):
                client.wait_log(f"{name} reset", timeout=1)
            self.assertLess(time.monotonic() - begun, 40)
        self.assertEqual(self.status("first")["active"], 0)


if __name__ == "__main__":
    lib.main()
