// For the tests of this folder: five machines as network namespaces without names, which vanish
// with the process. The "TUN device" of a PoP is an Ethernet one here (a bridge at the first PoP),
// so that the relay is tested without a tunnel.
//
//   client ──┐             ┌── server 192.0.2.80, 2001:db8:2::80
//        first PoP ══════ last PoP
//      10.77.0.1 │ ║     10.77.0.2
//                │ ╚═ third PoP 10.77.0.3 ── the same server 192.0.2.80, by 198.51.100.0/24
//                └── server 203.0.113.80 (no PoP carries it)
#pragma once

#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "base/unique_fd.h"

namespace tw::relay {

/// True if the program ran and was content. In the namespace of the calling thread.
inline bool run_words(std::vector<std::string> command) {
  std::vector<char*> arguments;
  arguments.reserve(command.size() + 1);
  for (std::string& word : command) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_t child = 0;
  if (::posix_spawnp(&child, arguments[0], nullptr, nullptr, arguments.data(), environ) != 0) {
    return false;
  }
  int status = 0;
  return ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

inline bool run(const std::string& command) {
  std::vector<std::string> words;
  for (std::size_t at = 0; at < command.size();) {
    const std::size_t end = std::min(command.find(' ', at), command.size());
    words.push_back(command.substr(at, end - at));
    at = end + 1;
  }
  return run_words(std::move(words));
}

class Machine {
 public:
  Machine() {
    TW_ASSERT(::unshare(CLONE_NEWNET) == 0);
    space_ = UniqueFd{::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)};
    TW_ASSERT(static_cast<bool>(space_));
  }
  /// Sockets that the calling thread opens from now on belong to this machine.
  void enter() const { TW_ASSERT(::setns(space_.get(), CLONE_NEWNET) == 0); }
  std::string path() const {
    return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(space_.get());
  }

 private:
  UniqueFd space_;
};

struct TestNetwork {
  Machine client, first, last, third, server;
  bool is_up = false;

  TestNetwork() { is_up = connect() && address() && divert(); }

 private:
  static bool run_all(std::initializer_list<std::string> commands) {
    for (const std::string& command : commands) {
      if (!run(command)) return false;
    }
    return true;
  }

  bool connect() const {
    client.enter();
    if (!run_all({"ip link set lo up", "ip link add eth0 type bridge", "ip link set eth0 up",
                  "ip link add f0 type veth peer name tun0 netns " + first.path(),
                  "ip link add l0 type veth peer name tun0 netns " + last.path(),
                  "ip link add t0 type veth peer name tun0 netns " + third.path(),
                  "ip link set f0 master eth0 up", "ip link set l0 master eth0 up",
                  "ip link set t0 master eth0 up"})) {
      return false;
    }
    first.enter();
    if (!run_all({"ip link set lo up", "ip link set tun0 up",
                  "ip link add wan0 type veth peer name eth1 netns " + server.path(),
                  "ip link set wan0 up"})) {
      return false;
    }
    last.enter();
    if (!run_all({"ip link set lo up", "ip link set tun0 up",
                  "ip link add wan0 type veth peer name eth0 netns " + server.path(),
                  "ip link set wan0 up"})) {
      return false;
    }
    third.enter();
    if (!run_all({"ip link set lo up", "ip link set tun0 up",
                  "ip link add wan0 type veth peer name eth2 netns " + server.path(),
                  "ip link set wan0 up"})) {
      return false;
    }
    server.enter();
    return run_all(
        {"ip link set lo up", "ip link set eth0 up", "ip link set eth1 up", "ip link set eth2 up"});
  }

  bool address() const {
    first.enter();
    if (!run_all({"ip address add 10.77.0.1/24 dev tun0", "ip address add 203.0.113.1/24 dev wan0",
                  "ip address add fd77::1/64 dev tun0 nodad"})) {
      return false;
    }
    last.enter();
    if (!run_all({"ip address add 10.77.0.2/24 dev tun0", "ip address add 192.0.2.1/24 dev wan0",
                  "ip address add fd77::2/64 dev tun0 nodad",
                  "ip address add 2001:db8:2::1/64 dev wan0 nodad"})) {
      return false;
    }
    third.enter();
    if (!run_all({"ip address add 10.77.0.3/24 dev tun0", "ip address add 198.51.100.1/24 dev wan0",
                  "ip address add fd77::3/64 dev tun0 nodad",
                  "ip route add 192.0.2.80 via 198.51.100.80"})) {
      return false;
    }
    server.enter();
    if (!run_all({"ip address add 192.0.2.80/24 dev eth0",
                  "ip address add 198.51.100.80/24 dev eth2",
                  "ip address add 203.0.113.80/24 dev eth1",
                  "ip address add 2001:db8:2::80/64 dev eth0 nodad"})) {
      return false;
    }
    client.enter();
    return run_all({"ip address add 10.77.0.100/24 dev eth0", "ip route add default via 10.77.0.1",
                    "ip address add fd77::100/64 dev eth0 nodad",
                    "ip -6 route add default via fd77::1"});
  }

  // TPROXY at the first PoP, by hand: a node does this in its own table.
  bool divert() const {
    first.enter();
    return run_all({"ip rule add fwmark 1 lookup 100", "ip -6 rule add fwmark 1 lookup 100",
                    "ip route add local default dev lo table 100",
                    "ip -6 route add local default dev lo table 100"}) &&
           run_words(
               {"nft",
                "table inet relay_test { chain pre { type filter hook prerouting priority mangle;"
                " iifname tun0 ip daddr != 10.77.0.0/24 meta l4proto tcp"
                " meta mark set 1 tproxy ip to :9701 accept;"
                " iifname tun0 ip6 daddr 2001:db8::/32 meta l4proto tcp"
                " meta mark set 1 tproxy ip6 to :9701 accept; }; }"});
  }
};

}  // namespace tw::relay
