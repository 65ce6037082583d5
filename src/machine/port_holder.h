// Finds the program that has a port that we cannot have, as far as /proc tells: for the sentence
// that an operator reads instead of "address already in use".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tw {

enum class Transport : std::uint8_t { tcp, udp };

struct PortHolder {
  std::uint32_t uid = 0;
  std::uint64_t inode = 0;  ///< of the socket
  int pid = 0;              ///< 0: no process that we may look at has it open
  std::string program;
  /// "nginx (pid 812, uid 33)"
  std::string text() const;
};

/// The first listener (UDP: socket) at the port, whatever its address, in this network namespace;
/// none that this process has open itself. Reads each process's descriptors: tens of milliseconds.
/// Programs of other users are named only with the capabilities that a start has.
std::optional<PortHolder> holder_of(Transport transport, std::uint16_t port);

/// The sockets at `port` in the text of /proc/net/tcp, tcp6, udp or udp6; lines that are none are
/// passed over. Only listeners if `transport` is tcp.
std::optional<PortHolder> find_port(std::string_view table, Transport transport,
                                    std::uint16_t port);

}  // namespace tw
