// The tests of links and netlink begin with this: a network namespace, a TUN device tw0 in it, and
// the programs that show what the kernel has. Nothing here is part of the node.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/assert.h"
#include "machine/netlink/netlink.h"
#include "machine/test_network.h"

namespace tw::node::testing {

inline Prefix net(std::string_view text) { return *Prefix::parse(text); }

/// The output of a shell command, run in this thread's namespace.
inline std::string output(const std::string& command) {
  std::array<int, 2> pipe{};
  TW_ASSERT(::pipe(pipe.data()) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(pipe[1], STDOUT_FILENO);
    ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
    ::_exit(127);
  }
  ::close(pipe[1]);
  std::string text;
  for (char byte = 0; ::read(pipe[0], &byte, 1) == 1;) text += byte;
  ::close(pipe[0]);
  TW_ASSERT(::waitpid(child, nullptr, 0) == child);
  return text;
}

/// A base of fixtures.
class MachineWithTunnel {
 protected:
  /// Without it there is no right to make a namespace: skip.
  bool entered() const noexcept { return scratch_.entered(); }
  /// Makes the device. What went wrong; empty: nothing.
  std::string make_tunnel() {
    tunnel_.emplace("tw0");
    if (!tunnel_->opened()) return "no TUN device";
    auto netlink = Netlink::open();
    if (!netlink) return netlink.error().text();
    netlink_.emplace(std::move(*netlink));
    return {};
  }

  ScratchNamespace scratch_;
  std::optional<ScratchTun> tunnel_;
  std::optional<Netlink> netlink_;
};

}  // namespace tw::node::testing
