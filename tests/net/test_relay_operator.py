"""What an operator sees and steers of the relay, on the product's path: a wireguard-go client, a plain
routed client, two nodes and servers behind the last one.
"""

import json
import os
import re
import signal

import lib

CLIENT, LAN, SERVER = "10.9.1.2", "198.18.4.2", "192.0.2.80"
PORT = 8080

FIRST_TOML = """
[node]
control_socket = "{folder}/first.sock"
metrics = "127.0.0.1:9586"
[tunnel]
interface = "{first_if}"
private_key_file = "{folder}/first.key"
listen_port = 51820
addresses = ["10.9.0.1/16"]
[gateway]
forward = true
[[peer]]
name = "anna"
public_key = "{client_public}"
allowed_ips = ["10.9.1.2/32"]
[[peer]]
name = "tokyo"
public_key = "{last_public}"
endpoint = "198.18.2.2:51820"
allowed_ips = ["10.9.0.2/32", "192.0.2.0/24"]
[relay]
enabled = true
client_devices = ["to-lan"]
[relay.log]
connections = true
file = "{folder}/connections.log"
format = "{{client}} {{target}} {{way}}/{{leg}}/{{early}} {{claim_ms}}/{{first_byte_ms}}/{{total_ms}} \
{{bytes_up}} {{bytes_down}} {{outcome}} {{errno}}"
[[pop]]
peer = "tokyo"
overlay_address = "10.9.0.2"
routes = ["192.0.2.0/24"]
[[policy]]
from = ["anna", "198.18.4.0/24"]
to = ["192.0.2.80"]
protocol = "tcp"
action = "relay"
[[policy]]
from = ["anna", "198.18.4.0/24"]
to = ["192.0.2.0/24"]
action = "route"
"""

LAST_TOML = """
[node]
control_socket = "{folder}/last.sock"
[tunnel]
interface = "{last_if}"
private_key_file = "{folder}/last.key"
listen_port = 51820
addresses = ["10.9.0.2/16"]
[gateway]
forward = true
[[peer]]
name = "paris"
public_key = "{first_public}"
endpoint = "198.18.2.1:51820"
allowed_ips = ["10.9.0.1/32", "10.9.1.2/32", "198.18.4.0/24"]
[relay]
enabled = true
proxy_protocol = ["192.0.2.80/32:8085", "192.0.2.80/32:8087"]
[relay.log]
connections = true
[[pop]]
peer = "paris"
overlay_address = "10.9.0.1"
[[policy]]
from = ["10.9.1.0/24", "198.18.4.0/24"]
to = ["192.0.2.0/24"]
protocol = "tcp"
ports = ["8080-8090"]
action = "relay"
[[policy]]
from = ["10.9.1.0/24", "198.18.4.0/24"]
to = ["192.0.2.0/24"]
protocol = "udp"
action = "route"
"""

# Answers each datagram with the address it was sent to.
UDP_SERVER = """
import select, socket
sockets = []
for address in (("192.0.2.80", 443), ("192.0.2.81", 443), ("192.0.2.80", 444)):
    sockets.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    sockets[-1].bind(address)
print("listening", flush=True)
while True:
    for ready in select.select(sockets, [], [])[0]:
        _, peer = ready.recvfrom(2000)
        ready.sendto(ready.getsockname()[0].encode(), peer)
"""

# Retransmits, as QUIC does: the kernel rations what it sends by ICMP, redirects among it.
UDP_CLIENT = """
import socket
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.settimeout(0.5)
client.connect(("{}", {}))
said = "silence"
for attempt in range(20):
    try:
        client.send(b"initial")
        said = client.recv(100).decode()
        break
    except ConnectionRefusedError:
        said = "refused"
        break
    except TimeoutError:
        pass
print(said)
"""

# Two servers that insist on the header, and one that has never heard of it.
NGINX = """
daemon off;
worker_processes 1;
user root;
pid {folder}/told.pid;
error_log stderr;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/told-body;
  proxy_temp_path {folder}/told-proxy;
  fastcgi_temp_path {folder}/told-fastcgi;
  uwsgi_temp_path {folder}/told-uwsgi;
  scgi_temp_path {folder}/told-scgi;
  server {{
    listen 192.0.2.80:8085 proxy_protocol;
    return 200 "$proxy_protocol_addr $proxy_protocol_server_addr:$proxy_protocol_server_port";
  }}
  server {{
    listen 192.0.2.80:8086;
    return 200 "$remote_addr";
  }}
}}
"""

HAPROXY = """
defaults
  mode http
  timeout connect 5s
  timeout client 5s
  timeout server 5s
frontend told
  bind 192.0.2.80:8087 accept-proxy
  http-request return status 200 content-type text/plain lf-string "%[src] %[dst]:%[dst_port]"
"""


class RelayOperatorTest(lib.NetTest):
    def setUp(self):
        super().setUp()
        self.client, self.first = self.net.namespace("client"), self.net.namespace("first")
        self.last, self.server = self.net.namespace("last"), self.net.namespace("server")
        self.lan = self.net.namespace("lan")
        self.net.veth(self.client, self.first, "198.18.1.1/24", "198.18.1.2/24")
        self.net.veth(self.first, self.last, "198.18.2.1/24", "198.18.2.2/24")
        self.net.veth(self.last, self.server, "192.0.2.1/24", ["192.0.2.80/24", "192.0.2.81/24"])
        self.net.veth(self.first, self.lan, "198.18.4.1/24", "198.18.4.2/24")
        self.lan.ip("route add default via 198.18.4.1")
        self.server.ip("route add default via 192.0.2.1")
        self.write_files()
        self.nodes = {}
        for host in ("first", "last"):
            node = lib.thalweg(getattr(self, host), "run", "-c", f"{self.net.folder}/{host}.toml")
            node.wait_log(r"up, port")
            self.nodes[host] = node
        interface = lib.unique_interface()
        lib.wireguard_go(self.client, interface)
        lib.configure(self.client, interface, self.keys["client"], [lib.Peer(
            lib.pubkey(self.keys["first"]), "10.9.0.0/16,192.0.2.0/24", "198.18.1.2:51820")])
        self.client.address(interface, "10.9.1.2/32", mtu=1420)
        for prefix in ("10.9.0.0/16", "192.0.2.0/24"):
            self.client.ip(f"route add {prefix} dev {interface}")
        lib.wait_until(lambda: self.relay("first")["pops"][0]["warm"]["idle"] >= 4, "warm legs")
        lib.wait_until(lambda: self.relay("last")["waiting_legs"] >= 4, "them at the other end")

    def write_files(self):
        self.keys = {host: lib.genkey() for host in ("client", "first", "last")}
        names = {"folder": self.net.folder, "first_if": lib.unique_interface(),
                 "last_if": lib.unique_interface(),
                 **{f"{host}_public": lib.pubkey(key) for host, key in self.keys.items()}}
        for host, text in (("first", FIRST_TOML), ("last", LAST_TOML)):
            with open(os.open(f"{self.net.folder}/{host}.key", os.O_CREAT | os.O_WRONLY, 0o600), "w",
                      encoding="ascii") as stream:
                stream.write(self.keys[host] + "\n")
            with open(f"{self.net.folder}/{host}.toml", "w", encoding="utf-8") as stream:
                stream.write(text.format(**names))

    def ask(self, host, *words, check=True):
        return getattr(self, host).run([os.environ["TW_BIN"], *words, "--socket",
                                        f"{self.net.folder}/{host}.sock"], check=check)

    def status(self, host):
        return json.loads(self.ask(host, "status", "--json").stdout)

    def relay(self, host):
        return self.status(host)["relay"]

    def set(self, host, key, value):
        self.ask(host, "set", key, value)

    def lines(self, name="connections.log"):
        path = f"{self.net.folder}/{name}"
        if not os.path.exists(path):
            return []
        with open(path, encoding="utf-8") as stream:
            return stream.read().splitlines()

    def wait_lines(self, count, name="connections.log"):
        return lib.wait_until(lambda: len(self.lines(name)) >= count and self.lines(name),
                              f"{count} lines in {name}")

    def download(self, namespace, target=SERVER, port=PORT):
        return lib.curl(namespace, f"http://{target}:{port}/small")

    def test_times_of_each_stage_are_in_status_and_metrics(self):
        lib.serve_files(self.server, SERVER, {"small": b"x" * 10_000}, PORT)
        for _ in range(3):
            self.assertEqual(self.download(self.client).exit_code, 0)
        lib.wait_until(lambda: self.relay("first")["active"] == 0, "the connections to end")
        lib.wait_until(lambda: self.relay("last")["active"] == 0, "them at the other end")
        stages = self.relay("first")["stages"]
        for stage in ("claim", "connect", "request", "first_byte", "total"):
            times = stages["warm_leg"][stage]
            self.assertEqual((times["count"], stages["direct"][stage]["count"]), (3, 0), stage)
            self.assertLessEqual(times["p50_us"], times["p99_us"])
            self.assertLessEqual(times["p99_us"], times["max_us"])
            self.assertEqual(sum(count for _, count in times["buckets"]), 3)
        self.assertLessEqual(stages["warm_leg"]["first_byte"]["max_us"],
                             stages["warm_leg"]["total"]["max_us"])
        self.assertEqual(self.relay("last")["stages"]["for_pop"]["first_byte"]["count"], 3)
        self.assertRegex(self.ask("first", "status").stdout, r"warm_leg +first_byte +3 +[\d.]+ +[\d.]+")
        text = self.first.run("curl -s --noproxy * http://127.0.0.1:9586/metrics").stdout
        series = 'thalweg_relay_stage_seconds_{}{{via="warm_leg",stage="first_byte"{}}} {}'
        self.assertIn(series.format("count", "", 3), text)
        self.assertIn(series.format("bucket", ',le="+Inf"', 3), text)
        bounds = re.findall(r'stage_seconds_bucket\{via="warm_leg",stage="total",le="[\d.e+-]+"\} (\d+)',
                            text)
        counts = [int(count) for count in bounds]
        self.assertEqual((counts, counts[-1]), (sorted(counts), 3))

    def test_a_line_says_who_and_how(self):
        lib.serve_files(self.server, SERVER, {"small": b"x" * 10_000}, PORT)
        self.assertEqual(self.download(self.client).exit_code, 0)
        self.assertEqual(self.download(self.lan).exit_code, 0)
        lines = self.wait_lines(2)
        time, ms = r"^\d{4}-\d\d-\d\dT[\d:.]+Z", r"\d+\.\d{3}"
        self.assertRegex(lines[0], rf"{time} 10\.9\.1\.2:\d+ 192\.0\.2\.80:8080 tokyo/warm/early "
                                   rf"{ms}/{ms}/{ms} \d+ 10\d{{3}} closed -$")
        self.assertRegex(lines[1], rf"{time} 198\.18\.4\.2:\d+ 192\.0\.2\.80:8080 tokyo/warm/")
        # The last PoP's go to its ordinary log, in the default words.
        self.nodes["last"].wait_log(rf"info +paris 10\.9\.1\.2:\d+ 192\.0\.2\.80:8080 direct/-/- "
                                    rf"-/{ms}/{ms}/{ms} \d+ 10\d{{3}} closed - \d$")
        # What fails says why.
        self.assertNotEqual(self.download(self.client, port=8089).exit_code, 0)
        self.assertRegex(self.wait_lines(3)[2], r" reset ECONNRESET$")
        self.nodes["last"].wait_log(r"192\.0\.2\.80:8089 direct/-/- .* connect_failed ECONNREFUSED \d$")

    def test_the_log_is_rotated_and_changed_by_hand(self):
        lib.serve_files(self.server, SERVER, {"small": b"x" * 10_000}, PORT)
        self.assertEqual(self.download(self.client).exit_code, 0)
        self.wait_lines(1)
        os.rename(f"{self.net.folder}/connections.log", f"{self.net.folder}/connections.log.1")
        self.nodes["first"].signal(signal.SIGHUP)
        self.nodes["first"].wait_log("reloaded")
        self.assertEqual(self.download(self.client).exit_code, 0)
        self.assertEqual(len(self.wait_lines(1)), 1)
        self.assertEqual(len(self.lines("connections.log.1")), 1)
        self.set("first", "relay.log.format", "only {target}")
        self.assertEqual(self.download(self.client).exit_code, 0)
        self.assertTrue(self.wait_lines(2)[1].endswith("Z only 192.0.2.80:8080"))
        refused = self.ask("first", "set", "relay.log.format", "{clinet}", check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("did you mean {client}?", refused.stderr)
        self.set("first", "relay.log.connections", "off")
        self.assertEqual(self.download(self.client).exit_code, 0)
        lib.wait_until(lambda: self.relay("first")["active"] == 0, "the connection to end")
        log = self.relay("first")["log"]
        self.assertEqual((log["lines"], log["left_out"], log["lost"]), (3, 0, 0))

    def udp(self, namespace, address, port):
        return namespace.run(["python3", "-c", UDP_CLIENT.format(address, port)]).stdout.strip()

    def test_quic_is_rejected_where_its_tcp_would_be_relayed(self):
        self.server.start(["python3", "-c", UDP_SERVER]).wait_log("listening")
        clients = (self.client, self.lan)
        for client in clients:
            self.assertEqual(self.udp(client, SERVER, 443), SERVER, f"{client.label}, as a route")
        self.set("first", "relay.quic", "reject")
        for client in clients:
            self.assertEqual(self.udp(client, SERVER, 443), "refused", client.label)
            # Its TCP is routed; and what is not HTTP/3.
            self.assertEqual(self.udp(client, "192.0.2.81", 443), "192.0.2.81", client.label)
            self.assertEqual(self.udp(client, SERVER, 444), SERVER, client.label)
        rejected = self.status("first")["firewall"]["quic"]
        self.assertGreaterEqual(rejected, 2)
        self.assertIn("quic", self.ask("first", "status").stdout)
        self.set("first", "relay.quic", "route")
        self.assertEqual(self.udp(self.client, SERVER, 443), SERVER)
        self.assertEqual(self.status("first")["firewall"]["quic"], rejected)

    def test_servers_are_told_their_client(self):
        for name, text in (("told.conf", NGINX), ("told.cfg", HAPROXY)):
            with open(f"{self.net.folder}/{name}", "w", encoding="ascii") as stream:
                stream.write(text.format(folder=self.net.folder) if name == "told.conf" else text)
        self.server.start(["nginx", "-c", f"{self.net.folder}/told.conf"])
        self.server.start(["haproxy", "-db", "-f", f"{self.net.folder}/told.cfg"])
        lib.wait_until(lambda: all(f":{port} " in self.server.run("ss -Hltn").stdout
                                   for port in (8085, 8086, 8087)), "the servers")
        for namespace, address in ((self.client, CLIENT), (self.lan, LAN)):
            for port, said in ((8085, f"{address} 192.0.2.80:8085"), (8086, "192.0.2.1"),
                               (8087, f"{address} 192.0.2.80:8087")):
                done = namespace.run(["curl", "-s", "-m", 10, "--noproxy", "*", f"http://192.0.2.80:{port}/"])
                self.assertEqual(done.stdout, said, f"{namespace.label}, port {port}")


if __name__ == "__main__":
    lib.main()
