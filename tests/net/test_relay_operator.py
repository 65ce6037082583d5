"""What an operator sees and steers of the relay, on the product's path: a wireguard-go client, a plain
routed client, two nodes and servers behind the last one.
"""

import json
import os
import re
import signal

import lib
from lib.relay import COMMON_TOML, RelayCase

CLIENT, LAN, SERVER = "10.9.1.2", "198.18.4.2", "192.0.2.80"
PORT = 8080

FIRST_TOML = COMMON_TOML + """
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
persistent_keepalive_s = {keepalive_s}
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

LAST_TOML = COMMON_TOML + """
addresses = ["10.9.0.2/16"]
[gateway]
forward = true
[[peer]]
name = "paris"
public_key = "{first_public}"
endpoint = "198.18.2.1:51820"
allowed_ips = ["10.9.0.1/32", "10.9.1.2/32", "198.18.4.0/24"]
persistent_keepalive_s = {keepalive_s}
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


class RelayOperatorTest(RelayCase):
    TOML = {"first": FIRST_TOML, "last": LAST_TOML}
    NODE = 'metrics = "127.0.0.1:9586"'

    def setUp(self):
        super().setUp()
        self.server.address("to-last", "192.0.2.81/24")
        self.server.ip("route add default via 192.0.2.1")  # for what is routed
        self.await_warm_legs()
        lib.wait_until(lambda: self.status("last")["waiting_legs"] >= 4, "them at the other end")

    def set(self, key, value):
        done = self.control("set", key, value)
        self.assertEqual(done.returncode, 0, done.stderr)

    def firewall(self):
        return json.loads(self.control("status", "--json").stdout)["firewall"]

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
        self.await_idle()
        stages = self.status("first")["stages"]
        for stage in ("claim", "connect", "request", "first_byte", "total"):
            times = stages["warm_leg"][stage]
            self.assertEqual((times["count"], stages["direct"][stage]["count"]), (3, 0), stage)
            self.assertLessEqual(times["p50_us"], times["p99_us"])
            self.assertLessEqual(times["p99_us"], times["max_us"])
            self.assertEqual(sum(count for _, count in times["buckets"]), 3)
        self.assertLessEqual(stages["warm_leg"]["first_byte"]["max_us"],
                             stages["warm_leg"]["total"]["max_us"])
        self.assertEqual(self.status("last")["stages"]["for_pop"]["first_byte"]["count"], 3)
        self.assertRegex(self.control("status").stdout, r"warm_leg +first_byte +3 +[\d.]+ +[\d.]+")
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
        self.set("relay.log.format", "only {target}")
        self.assertEqual(self.download(self.client).exit_code, 0)
        self.assertTrue(self.wait_lines(2)[1].endswith("Z only 192.0.2.80:8080"))
        refused = self.control("set", "relay.log.format", "{clinet}")
        self.assertEqual(refused.returncode, 1)
        self.assertIn("did you mean {client}?", refused.stderr)
        self.set("relay.log.connections", "off")
        self.assertEqual(self.download(self.client).exit_code, 0)
        self.await_idle()
        log = self.status("first")["log"]
        self.assertEqual((log["lines"], log["left_out"], log["lost"]), (3, 0, 0))

    def udp(self, namespace, address, port):
        return namespace.run(["python3", "-c", UDP_CLIENT.format(address, port)]).stdout.strip()

    def test_quic_is_rejected_where_its_tcp_would_be_relayed(self):
        self.server.start(["python3", "-c", UDP_SERVER]).wait_log("listening")
        clients = (self.client, self.lan)
        for client in clients:
            self.assertEqual(self.udp(client, SERVER, 443), SERVER, f"{client.label}, as a route")
        self.set("relay.quic", "reject")
        for client in clients:
            self.assertEqual(self.udp(client, SERVER, 443), "refused", client.label)
            # Its TCP is routed; and what is not HTTP/3.
            self.assertEqual(self.udp(client, "192.0.2.81", 443), "192.0.2.81", client.label)
            self.assertEqual(self.udp(client, SERVER, 444), SERVER, client.label)
        rejected = self.firewall()["quic"]
        self.assertGreaterEqual(rejected, 2)
        self.assertIn("quic", self.control("status").stdout)
        self.set("relay.quic", "route")
        self.assertEqual(self.udp(self.client, SERVER, 443), SERVER)
        self.assertEqual(self.firewall()["quic"], rejected)

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
