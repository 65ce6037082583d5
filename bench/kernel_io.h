// The kernel's part of a tunnel without the tunnel: trains of datagrams out of a UDP socket, and
// from a UDP socket into a TUN device. One thread, blocking, offloads as the path allows; no
// cipher, no lookups. What these take, no user-space tunnel can do without.
#pragma once

#include <string>

namespace tw::bench {

/// Sends full trains to ADDRESS:PORT for so many seconds, as fast as the kernel takes them. JSON;
/// or empty, and why is on stderr.
std::string send_trains(const std::string& address, const std::string& port,
                        const std::string& seconds);

/// Takes what comes at PORT, for so many seconds after the first, and writes each train as one TCP
/// packet into a TUN device of its own, whose kernel has no route for it. JSON; or empty.
/// Says `ready` on stderr when it listens.
std::string receive_into_tun(const std::string& port, const std::string& seconds);

}  // namespace tw::bench
