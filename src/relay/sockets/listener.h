// Accepts connections, and keeps its head when descriptors run out: a connection that cannot be
// served is reset at once, and the listener is not polled in vain.
#pragma once

#include <cstdint>
#include <optional>

#include "base/spare_fd.h"
#include "base/unique_fd.h"
#include "wire/address.h"

namespace tw::relay {

struct Accepted {
  UniqueFd socket;   ///< non-blocking
  Endpoint peer;     ///< from accept4: getpeername would fail after a reset
  Endpoint address;  ///< our side's; behind TPROXY, the original destination
};

enum class AcceptStatus : std::uint8_t {
  accepted,
  empty,     ///< nobody is waiting
  refused,   ///< out of descriptors: the connection has been reset
  exhausted  ///< out of descriptors or memory, and nothing could be done: try again later
};

class Listener {
 public:
  enum class Kind : std::uint8_t { clients, legs };
  Listener(UniqueFd socket, Kind kind) noexcept : socket_(std::move(socket)), kind_(kind) {}

  /// Without a descriptor to spare `exhausted` takes the place of `refused`.
  AcceptStatus accept(SpareFd& spare, Accepted& accepted) noexcept;

  Kind kind() const noexcept { return kind_; }
  int fd() const noexcept { return socket_.get(); }

 private:
  UniqueFd socket_;
  Kind kind_;
};

}  // namespace tw::relay
