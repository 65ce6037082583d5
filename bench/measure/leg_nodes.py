"""Who competes for legs: builds of Thalweg, and the first of them with legs that start as TCP does."""

import dataclasses
import json
import time

import lib

from . import leg_bed as places
from . import shown
from .pops import NODE, PEER
from .relays import write_private

PORT = 51820
OVERLAYS = {"first": "10.9.0.1", "last": "10.9.0.2", "other": "10.9.0.3"}
POP = """[[pop]]
peer = "{name}"
overlay_address = "{address}"
"""
POLICY = """[[policy]]
from = ["{clients}"]
to = [{servers}]
protocol = "tcp"
action = "relay"
"""
# Legs that no learned rate paces, and that begin with the window of RFC 6928.
UNPACED = "pacing = false\ninitcwnd = 10\n"
REFERENCE = "unpaced"
PATIENCE_S = 15  # until legs wait


@dataclasses.dataclass(frozen=True)
class Node:
    """A competitor. `turbo`: lines of [relay.turbo] that it has beside the congestion control."""

    name: str
    binary: str
    is_ours: bool = True
    turbo: str = ""
    more_toml: str = ""

    def text_of(self, label, far, keys, interface, folder, congestion):
        """The configuration of one PoP. `far` are the far ones, `keys` {label: (private, public)}."""
        servers = ", ".join(f'"{pop.servers}"' for pop in far)
        text = NODE.format(folder=folder, label=label, interface=interface, port=PORT,
                           address=OVERLAYS[label])
        others = {"first": None} if label != "first" else {pop.label: pop for pop in far}
        for name, pop in others.items():
            text += PEER.format(name=name, public_key=keys[name][1], allowed=f'"{OVERLAYS[name]}/32"')
            if pop:
                text += f'endpoint = "{pop.endpoint}:{PORT}"\n'
        for name, pop in others.items():
            text += POP.format(name=name, address=OVERLAYS[name])
            if pop:
                text += f'routes = ["{pop.servers}"]\n'
        text += POLICY.format(clients=places.ACCESS, servers=servers)
        text += f'[relay.turbo]\ncongestion_control = "{congestion}"\n{self.turbo}[relay]\nenabled = true\n'
        if label == "first":
            text += 'client_devices = ["to-client"]\n'
        return text + self.more_toml

    def start(self, bed):
        """Runs it on every PoP; returns when legs wait for use."""
        labels = ("first", *(pop.label for pop in bed.far))
        keys = {label: lib.genkey() for label in labels}
        keys = {label: (private, lib.pubkey(private)) for label, private in keys.items()}
        for label in reversed(labels):
            interface, folder = lib.unique_interface(), bed.net.folder
            write_private(folder, f"{label}.key", keys[label][0] + "\n")
            text = self.text_of(label, bed.far, keys, interface, folder, bed.settings.congestion)
            path = write_private(folder, f"{label}.toml", text)
            bed.run_on(label, [self.binary, "run", "-c", path]).wait_log("up, port")
        deadline = time.monotonic() + PATIENCE_S
        while not all(pop["warm"]["idle"] for pop in self.status(bed, "first")["relay"]["pops"]):
            bed.check_alive()
            if time.monotonic() > deadline:
                raise AssertionError(f"no leg of {self.name} waits after {PATIENCE_S} s")
            time.sleep(0.2)

    def status(self, bed, label):
        """What one PoP says of itself."""
        done = bed.hosts[label].run([self.binary, "status", "--json", "--socket",
                                     f"{bed.net.folder}/{label}.sock"])
        return json.loads(done.stdout)

    def learned(self, bed):
        """Metrics of what the far PoPs together know of their paths; empty if they do not say."""
        paths = [self.status(bed, pop.label)["relay"]["pops"][0].get("path") for pop in bed.far]
        paths = [path for path in paths if path]
        if not paths:
            return {}
        names = {"probes_passed": "starts_passed", "probes_failed": "starts_failed",
                 "probes_undecided": "starts_undecided"}
        found = {name: sum(path.get(key, 0) for path in paths) for key, name in names.items()}
        return {"last_learned_mbps": sum(path["rate_bps"] for path in paths) / 1e6, **found}

    def command(self):
        """How it is run."""
        lines = "; ".join(self.turbo.strip().splitlines())
        return f"{shown(self.binary)} run -c FILE" + (f", [relay.turbo] {lines}" if lines else "")


def everybody(settings):
    """All there are: ours first, then what it is held against."""
    return [Node("thalweg", settings.thalweg, more_toml=settings.more_toml),
            Node(REFERENCE, settings.thalweg, False, UNPACED, settings.more_toml),
            *(Node(name, path, more_toml=settings.more_toml) for name, path in settings.also)]
