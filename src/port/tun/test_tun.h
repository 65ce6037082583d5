// A namespace and an address for a TUN, for tests that need a real one and so root.
#pragma once

#include <gtest/gtest.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cstring>
#include <functional>
#include <string>
#include <thread>

#include "port/udp/sockets.h"
#include "wire/sockaddr.h"

namespace tw {

/// Runs `body` in a network namespace of its own, which is gone when its descriptors are. Skips the
/// test without root.
inline void in_namespace(const std::function<void()>& body) {
  bool made = false;
  std::thread thread{[&] {
    made = ::unshare(CLONE_NEWNET) == 0;
    if (made) body();
  }};
  thread.join();
  if (!made) GTEST_SKIP() << "needs root to make a network namespace";
}

/// Gives the device 10.0.0.1 in a network of that mask, and brings it up or down.
inline void configure_tun(const std::string& name, const char* netmask, bool up) {
  const UniqueFd control{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  ifreq request{};
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  const auto set_address = [&](unsigned long what, const char* text) {
    const SocketAddress address = to_sockaddr({*IpAddress::parse(text), 0});
    std::memcpy(&request.ifr_addr, address.get(), sizeof request.ifr_addr);
    ASSERT_EQ(::ioctl(control.get(), what, &request), 0);
  };
  set_address(SIOCSIFADDR, "10.0.0.1");
  set_address(SIOCSIFNETMASK, netmask);
  request.ifr_flags = static_cast<short>(up ? IFF_UP : 0);
  ASSERT_EQ(::ioctl(control.get(), SIOCSIFFLAGS, &request), 0);
}

}  // namespace tw
