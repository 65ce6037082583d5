// By which way the kernel would send a datagram, asked of the kernel itself: through all its tables
// and rules, with the firewall mark and the ports of the tunnel.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "base/result.h"
#include "base/unique_fd.h"
#include "port/train.h"
#include "wire/message/route_message.h"

namespace tw {

struct PathQuestion {
  Endpoint target;
  LocalAddress source;         ///< unknown: the kernel chooses
  std::uint16_t own_port = 0;  ///< host order
  std::uint32_t fwmark = 0;
};

struct Path {
  std::uint32_t device = 0;     ///< interface that it leaves by; 0: no route, or one of several
  std::uint32_t route_mtu = 0;  ///< that somebody gave the route, in bytes; 0: nobody, or IPv6
};

/// The question alone, so that what asks it can be tested without a network.
class PathLookup {
 public:
  virtual ~PathLookup() = default;
  /// Empty: the kernel could not be asked, and nothing is known. A source that is not this
  /// machine's has no way.
  virtual std::optional<Path> ask(const PathQuestion& question) noexcept = 0;
};

/// RTM_GETROUTE in the network namespace of whoever calls open(). About 5 us a question; no
/// privilege.
class KernelPaths final : public PathLookup {
 public:
  static Result<std::unique_ptr<KernelPaths>> open();
  std::optional<Path> ask(const PathQuestion& question) noexcept override;

 private:
  explicit KernelPaths(UniqueFd socket) noexcept;
  std::optional<std::expected<RouteAnswer, int>> ask_route(const RouteQuestion& question) noexcept;

  UniqueFd socket_;
  std::uint32_t sequence_ = 0;
};

}  // namespace tw
