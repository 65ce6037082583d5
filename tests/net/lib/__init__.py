"""Networks made of namespaces, and what runs in them, for the tests in tests/net.

A test is a unittest file that ends with `lib.main()`; its cases derive from lib.NetTest, which gives
them `self.net`. Whatever they make is gone when the test is, however it ends (see leftovers.py).
"""

from .case import NetTest, main
from .clients import ClientsTest
from .network import Namespace, Network
from .process import Process, at_once, wait_until
from .quick import QuickCase
from .traffic import curl, free_port, iperf3, ping, serve_files, unanswered
from .tunnel import (Peer, configure, genkey, genpsk, is_about_the_kernel, pubkey, resumes_transfers,
                     run_wireguard, thalweg, thalweg_wg, tun_has_udp_tunnels, unique_interface, wg,
                     wireguard_go)

__all__ = ["NetTest", "main", "ClientsTest", "Namespace", "Network", "Process", "QuickCase", "at_once",
           "wait_until", "curl", "free_port", "iperf3", "ping", "serve_files", "unanswered", "Peer",
           "configure", "genkey", "genpsk", "is_about_the_kernel", "pubkey", "resumes_transfers",
           "run_wireguard", "thalweg", "thalweg_wg", "tun_has_udp_tunnels", "unique_interface", "wg",
           "wireguard_go"]
