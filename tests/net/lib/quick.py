"""Tunnels of wg-quick's kind: `thalweg wg up` and `down`, wg-quick itself, and what they change."""

import json
import os
import pathlib
import re

from .case import NetTest
from .process import wait_until
from .tunnel import genkey, genpsk, pubkey, unique_interface

# Fields that differ by nature: numbers of interfaces, times, and two marks that routing does not look at.
LEFT_OUT = {"ifindex", "link_index", "valid_life_time", "preferred_life_time", "protocol", "nodad", "qlen",
            "gso_max_size", "tso_max_size", "link_netnsid"}


def binary():
    """Our program, where ctest says."""
    return os.environ.get("TW_BIN", "")


def plain(value):
    """JSON of `ip` without what may differ."""
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items() if key not in LEFT_OUT}
    if isinstance(value, list):
        return [plain(part) for part in value]
    # The last half of a link-local address is random.
    return re.sub(r"^fe80::[0-9a-f:]+$", "fe80::x", value) if isinstance(value, str) else value


class QuickCase(NetTest):
    """A tunnel of wg-quick's kind, `self.name`, on the host `self.near`, which reaches 10.77.0.2."""

    def setUp(self):
        super().setUp()
        self.near, far = self.net.namespace("near"), self.net.namespace("far")
        self.net.veth(self.near, far, ["10.77.0.1/24", "fd77::1/64"], ["10.77.0.2/24", "fd77::2/64"],
                      mtu=1400)
        self.near.ip("route add default via 10.77.0.2")

        def is_settled():
            shown = self.near.ip("-6 address show dev to-far")
            return "inet6 fe80" in shown and "tentative" not in shown
        wait_until(is_settled, "link-local addresses")
        self.name = unique_interface()
        self.file = pathlib.Path(self.net.folder, f"{self.name}.conf")
        program = pathlib.Path(self.net.folder, "thalweg-wg")
        program.symlink_to(binary())
        self.env = {"WG_QUICK_USERSPACE_IMPLEMENTATION": str(program)}
        self.key = genkey()
        self.addCleanup(lambda: self.near.ip(f"link delete {self.name}", check=False))

    def conf(self, allowed, extra="", endpoint="10.77.0.2:50130", address="10.78.0.1/24, fd78::1/64"):
        self.file.write_text(
            f"[Interface]\nPrivateKey = {self.key}\nAddress = {address}\n{extra}\n[Peer]\n"
            f"PublicKey = {pubkey(genkey())}\nEndpoint = {endpoint}\nAllowedIPs = {allowed}\n"
            f"PresharedKey = {genpsk()}\nPersistentKeepalive = 25\n", encoding="utf-8")
        self.file.chmod(0o600)

    def ours(self, verb, check=True, path=None):
        return self.near.run(["env", f"PATH={path or os.environ['PATH']}", binary(), "wg", verb, self.file],
                             check=check)

    def wg_quick(self, verb):
        self.near.run(["wg-quick", verb, str(self.file)], env=self.env)
        if verb == "down":
            path = pathlib.Path(f"/var/run/wireguard/{self.name}.sock")
            wait_until(lambda: not path.exists(), "the device going down")

    def machine(self):
        """Everything that a tunnel may have changed."""
        shown = {}
        for family in ("-4", "-6"):
            shown["rules" + family] = plain(json.loads(self.near.ip(f"-j {family} rule")))
            routes = plain(json.loads(self.near.ip(f"-j {family} route show table all") or "[]"))
            shown["routes" + family] = sorted(json.dumps(route, sort_keys=True) for route in routes)
        links = plain(json.loads(self.near.ip("-j address")))
        shown["addresses"] = [[link["ifname"], link["mtu"], link["addr_info"]] for link in links]
        ruleset = re.sub(r"\s+", " ", self.near.run("nft list ruleset").stdout)
        shown["firewall"] = re.sub(r"fe80::[0-9a-f:]+", "fe80::x", ruleset)
        return shown
