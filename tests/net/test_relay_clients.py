"""Programs that people use, through the relay: ssh, WebSocket, HTTP/2, iperf3, curl; from a client in
the tunnel and from a plain host beside the first PoP, by IPv4 and IPv6.
"""

import hashlib
import os
import pathlib
import random
import subprocess

import lib
from lib import leftovers
from lib.relay import SERVER, RelayCase

DEBIANS_PYTHON = "/usr/bin/python3"  # the one that python3-websockets is for
SSH_PORT = 8022
PRIVILEGE_FOLDER = "/run/sshd"  # sshd does not start without

SSHD_CONFIG = """
Port {port}
HostKey {folder}/ssh_host_key
AuthorizedKeysFile {folder}/ssh_key.pub
PidFile none
UsePAM no
StrictModes no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UseDNS no
PrintMotd no
PrintLastLog no
Subsystem sftp internal-sftp
"""

# Sends back what it gets: text as it is, bytes as their digest.
WEBSOCKET_SERVER = """
import asyncio, hashlib, websockets
async def answer(connection):
    async for message in connection:
        await connection.send(message if isinstance(message, str) else hashlib.sha256(message).digest())
async def main():
    async with websockets.serve(answer, None, 8090, max_size=None):
        print("listening", flush=True)
        await asyncio.Future()
asyncio.run(main())
"""

WEBSOCKET_CLIENT = """
import asyncio, hashlib, random, sys, websockets
async def main():
    async with websockets.connect(sys.argv[1], max_size=None) as connection:
        for number in range(20):
            await connection.send(f"message {number}")
            assert await connection.recv() == f"message {number}"
        for size in (0, 1, 125, 126, 70_000, 2_000_000):
            sent = random.Random(size).randbytes(size)
            await connection.send(sent)
            assert await connection.recv() == hashlib.sha256(sent).digest(), size
        await (await connection.ping())
    print(connection.close_code)
asyncio.run(main())
"""

UPLOAD_SERVER = """
import hashlib, http.server, socket
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_PUT(self):
        digest, left = hashlib.sha256(), int(self.headers["Content-Length"])
        while left > 0:
            block = self.rfile.read(min(left, 1 << 16))
            digest.update(block)
            left -= len(block)
        answer = digest.hexdigest().encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
server = Server(("::", 8091), Handler)
print("listening", flush=True)
server.serve_forever()
"""


def in_url(version):
    return SERVER[4] if version == 4 else f"[{SERVER[6]}]"


class RelayClientsTest(RelayCase):
    def each_way(self):
        """Every client with every family; the caller's work must have gone through the relay."""
        for host in (self.client, self.lan):
            for version in (4, 6):
                before = self.status("first")["accepted_clients"]
                yield host, version
                self.assertGreater(self.status("first")["accepted_clients"], before)

    def content(self, name, size):
        path = pathlib.Path(self.net.folder, name)
        path.write_bytes(random.Random(size).randbytes(size))
        return path

    def start_sshd(self):
        folder = self.net.folder
        for name in ("ssh_host_key", "ssh_key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{folder}/{name}"],
                           check=True)
        config = pathlib.Path(folder, "sshd_config")
        config.write_text(SSHD_CONFIG.format(folder=folder, port=SSH_PORT), encoding="ascii")
        if not os.path.exists(PRIVILEGE_FOLDER):
            leftovers.note("folder", PRIVILEGE_FOLDER)
            os.mkdir(PRIVILEGE_FOLDER)
        self.server.start(["/usr/sbin/sshd", "-D", "-e", "-f", config]).wait_log("listening on ::")
        return ["-F", "none", "-i", f"{folder}/ssh_key", "-o", "BatchMode=yes", "-o",
                "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]

    def test_ssh(self):
        options = self.start_sshd()
        sent = self.content("sent", 5_000_000)
        served = lib.serve_files(self.server, "127.0.0.1", {"file": b"z" * 100_000}, 8080)
        for host, version in self.each_way():
            asked = host.run(["ssh", *options, "-tt", "-p", SSH_PORT, f"root@{SERVER[version]}",
                              "read word; echo heard $word; exit 7"], check=False, stdin="hello\n")
            self.assertEqual(asked.returncode, 7, asked.stderr)
            self.assertIn("heard hello", asked.stdout)
            there, back = (pathlib.Path(self.net.folder, name) for name in ("there", "back"))
            remote = f"root@{in_url(version)}:{there}"
            host.run(["scp", *options, "-P", SSH_PORT, sent, remote], timeout=60)
            host.run(["scp", *options, "-P", SSH_PORT, remote, back], timeout=60)
            self.assertEqual(there.read_bytes(), sent.read_bytes())
            self.assertEqual(back.read_bytes(), sent.read_bytes())
            forward = host.start(["ssh", "-o", "LogLevel=DEBUG1", *options, "-N", "-p", SSH_PORT,
                                  "-L", "127.0.0.1:7000:127.0.0.1:8080", f"root@{SERVER[version]}"])
            forward.wait_log("Local forwarding listening on 127.0.0.1 port 7000")
            forward.wait_log("Entering interactive session")
            self.assertEqual(lib.curl(host, "http://127.0.0.1:7000/file").sha256, served["file"])
            forward.stop()

    def test_websocket(self):
        self.server.start([DEBIANS_PYTHON, "-c", WEBSOCKET_SERVER]).wait_log("listening")
        for host, version in self.each_way():
            done = host.run([DEBIANS_PYTHON, "-c", WEBSOCKET_CLIENT, f"ws://{in_url(version)}:8090/"],
                            timeout=60)
            self.assertEqual(done.stdout.strip(), "1000", done.stderr)

    def test_http2(self):
        folder = self.net.folder
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                        "-nodes", "-days", "2", "-subj", "/CN=server", "-keyout", f"{folder}/tls.key", "-out",
                        f"{folder}/tls.crt"], check=True, capture_output=True)
        files = {f"file{number}": random.Random(number).randbytes(number * 100_000) for number in range(1, 9)}
        tls = f"ssl http2; ssl_certificate {folder}/tls.crt; ssl_certificate_key {folder}/tls.key"
        for version in (4, 6):
            digests = lib.serve_files(self.server, SERVER[version], files, 8440 + version, tls)
        for host, version in self.each_way():
            into = pathlib.Path(folder, "h2")
            into.mkdir(exist_ok=True)
            done = host.run(["curl", "-sk", "--http2", "--parallel", "--noproxy", "*", "-m", "60",
                             "-o", f"{into}/#1", "-w", "%{http_version} %{response_code} %{num_connects}\\n",
                             f"https://{in_url(version)}:{8440 + version}/{{{','.join(files)}}}"], timeout=70)
            answers = [line.split() for line in done.stdout.splitlines()]
            self.assertEqual([answer[:2] for answer in answers], [["2", "200"]] * len(files))
            # Streams of one connection.
            self.assertLess(sum(int(answer[2]) for answer in answers), len(files))
            for name, digest in digests.items():
                self.assertEqual(hashlib.sha256((into / name).read_bytes()).hexdigest(), digest)

    def test_iperf3(self):
        for host, version in self.each_way():
            for reverse in (False, True):
                run = lib.iperf3(host, self.server, SERVER[version], seconds=1, reverse=reverse, streams=2)
                self.assertGreater(run.bytes, 100_000)

    def test_uploads_and_downloads(self):
        self.server.start(["python3", "-c", UPLOAD_SERVER]).wait_log("listening")
        files = {"empty": b"", "small": b"x" * 10_000, "large": random.Random(1).randbytes(10_000_000)}
        for version in (4, 6):
            digests = lib.serve_files(self.server, SERVER[version], files, 8080 + version)
        upload = self.content("upload", 10_000_000)
        digest = hashlib.sha256(upload.read_bytes()).hexdigest()
        for host, version in self.each_way():
            for name in files:
                got = lib.curl(host, f"http://{in_url(version)}:{8080 + version}/{name}")
                self.assertEqual((got.exit_code, got.code), (0, 200))
                self.assertEqual(got.sha256, digests[name])
            done = host.run(["curl", "-sg", "--noproxy", "*", "-m", "60", "-T", upload,
                             f"http://{in_url(version)}:8091/upload"], timeout=70)
            self.assertEqual(done.stdout, digest)
        self.await_idle()
        self.assertEqual({host: self.status(host)["outcomes"].get("reset", 0) for host in self.nodes},
                         {"first": 0, "last": 0})


if __name__ == "__main__":
    lib.main()
