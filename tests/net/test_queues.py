"""More for one peer than its tunnel can carry: what is too much is dropped at the edge and counted, and
who has little to send does not notice."""

import json
import sys

import lib

RECEIVE = """
import socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:
    sink.bind((sys.argv[1], 9000))
    sink.settimeout(1.5)
    print("listening", flush=True)
    seen = set()
    try:
        while True:
            seen.add(sink.recv(64))
            sink.settimeout(4)
    except TimeoutError:
        pass
    print("arrived", len(seen), flush=True)
"""

SEND = """
import socket, sys, time
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as source:
    begin = time.monotonic()
    for number in range(int(sys.argv[2])):
        time.sleep(max(0, begin + number * 0.004 - time.monotonic()))
        source.sendto(number.to_bytes(8, "big"), (sys.argv[1], 9000))
"""


class Overload(lib.NetTest):
    """A hub with two peers: one is sent far too much, the other 250 small packets a second."""

    def test_a_blast_to_one_peer_leaves_the_other_alone(self):
        hub = self.net.namespace("hub")
        keys = {name: lib.genkey() for name in ("hub", "loud", "quiet")}
        interface = lib.unique_interface()
        lib.thalweg_wg(hub, interface)
        peers, hosts = [], {}
        for number, name in enumerate(("loud", "quiet"), start=2):
            host = hosts[name] = self.net.namespace(name)
            self.net.veth(hub, host, f"198.18.{number}.1/24", f"198.18.{number}.2/24")
            far = lib.unique_interface()
            lib.thalweg_wg(host, far)
            lib.configure(host, far, keys[name],
                          [lib.Peer(lib.pubkey(keys["hub"]), "10.9.0.0/24", f"198.18.{number}.1:51820")], 51820)
            host.address(far, f"10.9.0.{number}/24", mtu=1420)
            peers.append(lib.Peer(lib.pubkey(keys[name]), f"10.9.0.{number}/32", f"198.18.{number}.2:51820"))
        lib.configure(hub, interface, keys["hub"], peers, 51820)
        hub.address(interface, "10.9.0.1/24", mtu=1420)
        for number in (2, 3):
            lib.ping(hub, f"10.9.0.{number}")

        receiver = hosts["quiet"].start([sys.executable, "-c", RECEIVE, "10.9.0.3"])
        receiver.wait_log("listening")
        loud = hosts["loud"].start(["iperf3", "--forceflush", "-s", "-1", "-B", "10.9.0.2"])
        loud.wait_log("listening")
        blast = hub.start(["iperf3", "-c", "10.9.0.2", "-u", "-b", "0", "-P", "2", "-l", "1300", "-t", "4"])
        hub.run([sys.executable, "-c", SEND, "10.9.0.3", "500"])
        blast.wait()
        receiver.wait_log("arrived")
        arrived = int(receiver.log().split()[-1])
        link = json.loads(hub.run(["ip", "-s", "-j", "link", "show", interface]).stdout)[0]
        dropped = link["stats64"]["tx"]["dropped"]
        print(f"{arrived} of 500 arrived beside a blast; {dropped} packets turned away at the queue")
        self.assertGreaterEqual(arrived, 450)
        self.assertGreater(dropped, 0)


if __name__ == "__main__":
    lib.main()
