"""`thalweg host` on real veths: what `apply` sets, `revert` takes back to the last byte, however it ended."""

import json
import os
import pathlib
import re
import signal
import subprocess
import time

import lib

BINARY = os.environ.get("TW_BIN", "")
QUEUES = 4
# Counters, and what a carrier does by itself.
VOLATILE = re.compile(r"/statistics/|carrier|/uevent|tx_timeout|operstate|ifindex|iflink|/address|"
                      "name_assign_type")
# Congestion controls that relays of this machine have loaded, which come and go beside this test.
OTHERS = re.compile("^net.ipv4.tcp_(available|allowed)_congestion_control")
SETTINGS = ("/proc/irq/*/smp_affinity_list /proc/sys/kernel/sched_r* "
            "/sys/devices/system/cpu/cpu*/cpuidle/state*/disable "
            "/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor")


def threads():
    """(name without its NAPI's number, policy, priority, nice, CPUs) of every NAPI thread."""
    found = []
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            name = (folder / "comm").read_text(encoding="utf-8").strip()
            if not name.startswith("napi/"):
                continue
            pid = int(folder.name)
            found.append((name.rpartition("-")[0], os.sched_getscheduler(pid),
                          os.sched_getparam(pid).sched_priority, os.getpriority(os.PRIO_PROCESS, pid),
                          tuple(sorted(os.sched_getaffinity(pid)))))
        except (OSError, ProcessLookupError):
            continue  # it has ended meanwhile
    return sorted(found)


class Host(lib.NetTest):
    def setUp(self):
        super().setUp()
        self.left, self.right = self.net.namespace("l"), self.net.namespace("r")
        # Names of the test's own: NAPI threads have them, and no namespace.
        self.name = "h" + self.left.name.split("-")[1]
        self.make_pair()
        self.state = os.path.join(self.net.folder, "state")
        # A machine without Thalweg's own folder, and other tests' calls, are no matter.
        self.where = ["--state-folder", self.state]

    def make_pair(self):
        self.left.ip(f"link add {self.name} numrxqueues {QUEUES} numtxqueues {QUEUES} type veth "
                     f"peer name {self.name}p netns {self.right.name}")
        self.left.address(self.name, "10.9.0.1/24", "fd09::1/64")
        self.right.address(self.name + "p", "10.9.0.2/24", "fd09::2/64")

    def host(self, *arguments, check=True, namespace=None):
        argv = [BINARY, "host", *arguments]
        if namespace:
            return namespace.run(argv, check=check)
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
        if check:
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done

    def apply(self, *arguments, **keywords):
        return self.host("apply", self.name, "--netns", self.left.name, "--core", "0", *self.where,
                         *arguments, **keywords)

    def revert(self, **keywords):
        return self.host("revert", *self.where, **keywords)

    def status(self):
        return json.loads(self.host("status", "--json", *self.where).stdout)["settings"]

    def dump(self):
        """Everything that could have changed, of both hosts and the machine."""
        texts = {}
        for side, device in ((self.left, self.name), (self.right, self.name + "p")):
            files = side.run(["sh", "-c", f"cd /sys/class/net/{device}/ && grep -r . . 2>/dev/null; true"])
            texts[side.name, "sysfs"] = sorted(line for line in files.stdout.splitlines()
                                               if not VOLATILE.search(line))
            texts[side.name, "ethtool"] = side.run(["ethtool", "-k", device]).stdout
            settings = side.run(["sysctl", "-a", "--pattern", "^net[.]"]).stdout.splitlines()
            texts[side.name, "sysctl"] = [line for line in settings if not OTHERS.search(line)]
            plan = json.loads(self.host("plan", device, "--netns", side.name, "--json").stdout)
            texts[side.name, "settings"] = plan["devices"][0]["values"]
        texts["machine"] = subprocess.run(["sh", "-c", f"grep . {SETTINGS} 2>/dev/null"], capture_output=True,
                                          text=True, check=False).stdout
        texts["threads"] = [one for one in threads() if one[0].startswith("napi/" + self.name)]
        return texts

    def test_apply_and_revert(self):
        before = self.dump()
        dry = json.loads(self.apply("--dry-run", "--json").stdout)
        self.assertEqual(len(dry["devices"][0]["changes"]), 1 + 2 * QUEUES)
        self.assertEqual(self.dump(), before)
        self.assertFalse(os.path.exists(self.state))

        self.apply("--priority", "30")
        after = self.dump()
        self.assertEqual(after["threads"], [("napi/" + self.name, os.SCHED_FIFO, 29, 0, (0,))] * QUEUES)
        self.assertIn("generic-receive-offload: on", after[self.left.name, "ethtool"])
        self.left.run(["ping", "-c1", "-W2", "10.9.0.2"])
        self.left.run(["ping", "-c1", "-W2", "fd09::2"])
        self.assertEqual({one["is"] for one in self.status()}, {"in place"})

        again = json.loads(self.apply("--priority", "30", "--json").stdout)
        self.assertEqual(again, {"changed": [], "left_out": []})
        self.assertEqual(self.dump(), after)

        self.apply("--priority", "40")  # another wish; what was before is still known
        self.assertEqual({one[2] for one in self.dump()["threads"]}, {39})
        self.revert()
        self.assertEqual(self.dump(), before)
        self.assertFalse(os.path.exists(os.path.join(self.state, "host.state")))
        self.assertIn("nothing to put back", self.revert().stdout)

    def test_what_was_set_before_comes_back(self):
        self.left.run(["ethtool", "-K", self.name, "gro", "on"])
        self.left.run(["sh", "-c", f"echo 1 > /sys/class/net/{self.name}/threaded;"
                       f"echo 2 > /sys/class/net/{self.name}/queues/rx-1/rps_cpus;"
                       f"echo 2 > /sys/class/net/{self.name}/napi_defer_hard_irqs;"
                       f"echo 20000 > /sys/class/net/{self.name}/gro_flush_timeout"])
        before = self.dump()
        self.apply()
        after = self.dump()
        self.assertNotEqual(before["threads"], after["threads"])
        values = {(one["setting"], one["index"]): one["value"]
                  for one in after[self.left.name, "settings"]}
        self.assertEqual((values["rps", 1], values["defer_hard_irqs", 2], values["gro_flush_timeout", 2]),
                         ("0", "0", "0"))
        self.assertEqual(json.loads(self.apply("--json").stdout), {"changed": [], "left_out": []})
        self.revert()
        self.assertEqual(self.dump(), before)

    def test_drift_is_shown_and_put_back(self):
        before = self.dump()
        self.apply()
        self.left.run(["ethtool", "-K", self.name, "gro", "off"])
        drifted = {one["setting"]: (one["is"], one["now"]) for one in self.status()}
        self.assertEqual(drifted["gro"], ("drifted", "off"))
        self.apply()  # mends it
        self.assertEqual({one["is"] for one in self.status()}, {"in place"})
        self.left.run(["ethtool", "-K", self.name, "gro", "off"])
        self.revert()
        self.assertEqual(self.dump(), before)

    def test_killed_in_the_middle(self):
        before = self.dump()
        command = [BINARY, "host", "apply", self.name, "--netns", self.left.name, "--core", "0",
                   *self.where]
        file = pathlib.Path(self.state, "host.state")
        for delay_ms in (0, 2, 5, 12):
            with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
                while not file.exists() and process.poll() is None:
                    pass
                until = time.monotonic() + delay_ms / 1000
                while time.monotonic() < until:
                    pass
                process.send_signal(signal.SIGKILL)
            self.assertTrue(file.exists(), "nothing was written down before the first change")
            self.revert()
            self.assertEqual(self.dump(), before, f"killed {delay_ms} ms after all was written down")

    def test_a_revert_that_is_killed_is_ended_by_the_next(self):
        before = self.dump()
        self.apply()
        command = [BINARY, "host", "revert", *self.where]
        for delay_ms in (60, 100, 140):
            with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
                try:
                    process.wait(delay_ms / 1000)
                except subprocess.TimeoutExpired:
                    process.send_signal(signal.SIGKILL)
        self.revert()
        self.assertEqual(self.dump(), before)

    def test_a_device_that_was_removed_or_made_anew(self):
        self.apply()
        self.left.ip(f"link del {self.name}")
        self.assertEqual({one["is"] for one in self.status() if one["device"]}, {"gone"})
        self.make_pair()  # the same name, and nothing of ours
        fresh = self.dump()
        self.assertIn("is gone", self.revert().stdout)
        self.assertEqual(self.dump(), fresh)

    def test_a_namespace_that_is_gone(self):
        scratch = self.net.namespace("s")
        scratch.ip(f"link add {self.name}x type veth peer name {self.name}y")
        scratch.ip(f"link set {self.name}x up")
        self.host("apply", self.name + "x", "--netns", scratch.name, *self.where)
        subprocess.run(["ip", "netns", "del", scratch.name], check=True)
        lib.wait_until(lambda: f"napi/{self.name}x" not in [one[0] for one in threads()], "the device to go")
        self.assertIn("is gone", self.revert().stdout)
        subprocess.run(["ip", "netns", "add", scratch.name], check=True)  # for the harness to remove

    def test_a_renamed_device_is_found(self):
        def comparable():  # IPv6's own settings go with a device that is set down
            return {key: value for key, value in self.dump().items() if "sysctl" not in key}
        before = comparable()
        self.apply()
        self.left.ip(f"link set {self.name} down")
        self.left.ip(f"link set {self.name} name {self.name}z")
        self.left.ip(f"link set {self.name}z up")
        self.revert()
        self.left.ip(f"link set {self.name}z down")
        self.left.ip(f"link set {self.name}z name {self.name}")
        self.left.ip(f"link set {self.name} up")
        self.assertEqual(comparable(), before)

    def test_both_ends_from_either_side(self):
        for name, other in ((self.left, self.right), (self.right, self.left)):
            plan = json.loads(self.host("plan", "--container", name.name, "--json").stdout)["devices"]
            self.assertEqual([one["namespace"] for one in plan],
                             [f"/run/netns/{name.name}", f"/run/netns/{other.name}"])
            self.assertEqual(plan[0]["peer"]["device"], plan[1]["device"])
        sleeper = self.left.start(["sleep", "60"])
        plan = json.loads(self.host("plan", self.name, "--pid", str(sleeper.pid), "--json").stdout)
        self.assertEqual(plan["devices"][0]["device"], self.name)
        inside = json.loads(self.host("plan", self.name, "--json", namespace=self.left).stdout)
        self.assertEqual(inside["devices"][0]["peer"]["namespace"], f"/run/netns/{self.right.name}")

    def test_refusals_change_nothing(self):
        before = self.dump()
        for arguments, words, code in (
                ((self.name, "lo"), "loopback", 1), (("nope",), "no device nope", 1),
                ((self.name, "--core", "8000"), "not online", 1),
                ((self.name, "--priority", "99"), "99", 2), ((self.name, "--pid", "1"), "", 2)):
            done = self.host("apply", *arguments, "--netns", self.left.name, *self.where, check=False)
            self.assertEqual(done.returncode, code, done.stderr)
            self.assertIn(words, done.stdout + done.stderr)
        pathlib.Path(self.state).mkdir(mode=0o700, exist_ok=True)
        pathlib.Path(self.state, "host.state").write_text("thalweg-host\t1\tx\nset\n", encoding="utf-8")
        self.assertIn("damaged", self.apply(check=False).stderr)
        self.assertIn("damaged", self.revert(check=False).stderr)
        self.assertEqual(self.dump(), before)


if __name__ == "__main__":
    lib.main()
