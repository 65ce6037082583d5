"""How the three ends of the tunnels know each other: keys, addresses, allowed IPs, routes. The client calls
the first PoP, and that the last."""

import lib

from . import bed as beds
from . import pop_bed as places
from . import udp_buffers

PORT = beds.PORT
ADDRESSES = {"client": places.OVERLAY_CLIENT, "first": places.OVERLAY_FIRST, "last": places.OVERLAY_LAST}
ENDPOINTS = {"first": places.FIRST_ACCESS, "last": places.LAST}
ALLOWED = {"client": (f"{places.OVERLAY_CLIENT}/32",), "last": (f"{places.OVERLAY_LAST}/32", places.SERVERS),
           "first": (f"{places.OVERLAY_FIRST}/32", places.CLIENTS)}
# What is routed into the tunnel beside the overlay, which the PoPs have by their prefix.
NETWORKS = {"client": (places.OVERLAY, places.SERVERS), "first": (places.SERVERS,), "last": ()}
PEERS = {"client": ("first",), "first": ("client", "last"), "last": ("first",)}


class Keys:
    """Of one measurement's three tunnel ends."""

    def __init__(self):
        self.private = {label: lib.genkey() for label in ADDRESSES}
        self.public = {label: lib.pubkey(key) for label, key in self.private.items()}


def start_device(bed, label, daemon, keys):
    """A WireGuard daemon on a host, with its peers, address and routes; returns its interface."""
    host, interface = bed.hosts[label], lib.unique_interface()
    process = bed.keep(label, "tunnels", daemon.start(host, interface, bed.pin(label)))
    peers = []
    for other in PEERS[label]:
        # The client reaches everything by its one peer.
        allowed = NETWORKS[label] if label == "client" else ALLOWED[other]
        endpoint = f"{ENDPOINTS[other]}:{PORT}" if calls(label, other) else None
        peers.append(lib.Peer(keys.public[other], ",".join(allowed), endpoint))
    lib.configure(host, interface, keys.private[label], peers, PORT)
    prefix = 32 if label == "client" else 16
    host.address(interface, f"{ADDRESSES[label]}/{prefix}", mtu=beds.MTU)
    for network in NETWORKS[label]:
        host.ip(f"route add {network} dev {interface}")
    lib.wait_until(lambda: udp_buffers.enlarge(process.pid), f"the socket of {label}'s tunnel")
    return interface


def calls(label, other):
    """Whether an end knows the other's address from the start."""
    return (label, other) in {("client", "first"), ("first", "last")}


def set_congestion_of(host, interface, algorithm):
    """Of every route by that interface, whoever has made it: a namespace cannot choose it otherwise."""
    for line in host.ip(f"-4 route show dev {interface}").splitlines():
        words = line.split()
        if words and "linkdown" not in words:
            host.ip(f"route replace {' '.join(words)} dev {interface} congctl {algorithm}")
