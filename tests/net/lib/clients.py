"""The load generator's two hosts, for the tests that use it: who runs it, and what it is to load."""

import os

from .case import NetTest
from .tunnel import unique_interface, wg

TARGET = "10.77.0.2:51820"
INNER = "10.200.0.1"  # behind the device
SINK = f"{INNER}:7000"
ADDRESSES = "10.64.0.0/10"  # of the clients, inside


class ClientsTest(NetTest):
    """`client` runs the generator, `target` the device under load and what is behind it."""

    def setUp(self):
        super().setUp()
        self.client, self.target = self.net.namespace("c"), self.net.namespace("t")
        self.net.veth(self.client, self.target, "10.77.0.1/24", "10.77.0.2/24")
        self.name = unique_interface()

    def generator(self, *arguments):
        """Its command line."""
        return [os.environ["TW_BIN"], "lab", "clients", "--target", TARGET, *arguments]

    def serve(self, peers, start, *options):
        """Starts a device that knows the clients, by what --print-config writes; returns its Process.
        `start` is lib.thalweg_wg, or takes what that takes."""
        process = start(self.target, self.name, *options)
        configuration = os.path.join(self.net.folder, "target.conf")
        self.client.run(self.generator("--peers", peers, "--print-config", configuration))
        wg(self.target, "setconf", self.name, configuration)
        self.target.address(self.name, f"{INNER}/32", mtu=1420)
        self.target.ip(f"route add {ADDRESSES} dev {self.name}")
        return process
