"""`thalweg check`: every mistake with its place and remedy, and the import of wg-quick's files."""

import json
import os
import pathlib
import re

import lib

BINARY = os.environ.get("TW_BIN", "")

GOOD = """
[tunnel]
interface = "wg0"
private_key_file = "node.key"
[[peer]]
public_key = "{}"
allowed_ips = ["10.9.0.2/32"]
"""

MISTAKES = """[tunnel]
interface = "wg0"
private_key_file = "node.key"
mtu = "large"
[[peer]]
public_key = "short"
endpoint = "192.0.2.7"
[relay]
max_conections = 5
"""


def write(path, text, mode=0o644):
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(text)
    os.chmod(path, mode)


class Check(lib.NetTest):
    def setUp(self):
        super().setUp()
        self.host = self.net.namespace("host")
        self.folder = pathlib.Path(self.net.folder)
        write(self.folder / "node.key", lib.genkey() + "\n", 0o600)
        self.file = self.folder / "node.toml"

    def check(self, *arguments):
        return self.host.run([BINARY, "check", *arguments], check=False)

    def test_a_good_file(self):
        write(self.file, GOOD.format(lib.pubkey(lib.genkey())))
        done = self.check("-c", self.file)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(json.loads(self.check("--json", "-c", self.file).stdout),
                         {"ok": True, "mistakes": []})

    def test_every_mistake_is_said_with_its_place_and_remedy(self):
        write(self.file, MISTAKES)
        done = self.check("-c", self.file)
        self.assertEqual(done.returncode, 1)
        for line, key in ((4, r"tunnel\.mtu"), (6, r"peer\[1\]\.public_key"),
                          (7, r"peer\[1\]\.endpoint"), (9, r"relay\.max_conections")):
            self.assertRegex(done.stderr, rf"(?m)^{re.escape(str(self.file))}:{line}:\d+: {key}: .+ — .+")
        self.assertIn('"max_connections"', done.stderr)
        report = self.check("--json", "-c", self.file)
        self.assertEqual(report.returncode, 1)
        report = json.loads(report.stdout)
        self.assertFalse(report["ok"])
        self.assertEqual([mistake["line"] for mistake in report["mistakes"]], [4, 6, 7, 9])
        for mistake in report["mistakes"]:
            self.assertTrue(mistake["what"] and mistake["mend"] and mistake["column"] > 0, mistake)

    def test_a_file_that_is_not_there_or_no_toml(self):
        done = self.check("-c", self.file)
        self.assertEqual(done.returncode, 1)
        self.assertIn(str(self.file), done.stderr)
        write(self.file, "[tunnel\n")
        done = self.check("-c", self.file)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, rf"(?m)^{re.escape(str(self.file))}:1:\d+: ")

    def test_an_import_of_wg_quick(self):
        key, psk = lib.genkey(), lib.genpsk()
        write(self.folder / "wg7.conf", f"[Interface]\nPrivateKey = {key}\nAddress = 10.9.0.1/24\n"
              "PostUp = true\n" + lib.Peer(lib.pubkey(lib.genkey()), "10.9.0.2/32", "192.0.2.7:51820",
                                           psk, 25).section(), 0o600)
        done = self.check("--import", self.folder / "wg7.conf")
        self.assertEqual(done.returncode, 0, done.stderr)
        for secret in (key, psk):
            self.assertNotIn(secret, done.stdout + done.stderr)
        write(self.file, done.stdout)
        missing = self.check("-c", self.file)
        self.assertEqual(missing.returncode, 1)
        self.assertIn("wg7.key", missing.stderr)
        # The commands that it prints make the key files.
        commands = re.findall(r"(?m)^# +(\(umask 077; .*)$", done.stdout)
        self.host.run(["sh", "-ec", f"cd {self.folder}\n" + "\n".join(commands)])
        self.assertEqual((self.folder / "wg7.key").read_text(encoding="ascii").strip(), key)
        self.assertEqual(self.check("-c", self.file).returncode, 0)


if __name__ == "__main__":
    lib.main()
