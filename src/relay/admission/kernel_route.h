// Asks the kernel, at this moment and through all its tables and rules, what a connection to an
// address would meet: another machine, this one, or nothing. The addresses of a machine come and go
// (DHCP, failover, subnet-router anycast), so a list made at start would be wrong some day.
#pragma once

#include <cstdint>
#include <memory>

#include "base/result.h"
#include "base/unique_fd.h"
#include "wire/address.h"

namespace tw::relay {

struct KernelRoute {
  enum class Kind : std::uint8_t {
    remote,       ///< unicast, by way of `device_index`
    local,        ///< an address of this machine: its own, broadcast, anycast or multicast
    unreachable,  ///< no route, or one that forbids
  };
  Kind kind = Kind::unreachable;
  int device_index = 0;  ///< the interface it leaves by
  bool on_link = false;  ///< reached there without a gateway
};

/// The question alone, so that what asks it can be tested without a network.
class RouteLookup {
 public:
  virtual ~RouteLookup() = default;
  /// Fails only if the kernel could not be asked.
  virtual Result<KernelRoute> ask(const IpAddress& target) noexcept = 0;
};

/// RTM_GETROUTE over a netlink socket. Needs no privilege; about 5 us a question.
class KernelRoutes final : public RouteLookup {
 public:
  static Result<std::unique_ptr<KernelRoutes>> open();
  Result<KernelRoute> ask(const IpAddress& target) noexcept override;

 private:
  explicit KernelRoutes(UniqueFd socket) noexcept : socket_(std::move(socket)) {}
  UniqueFd socket_;
  std::uint32_t sequence_ = 0;
};

}  // namespace tw::relay
