// The two sockets of a relayed connection: the front, which connected to us, and the back, which we
// connect. Knows what epoll has reported of their failures, and answers a journey's questions.
#pragma once

#include <cstdint>
#include <utility>

#include "base/bytes.h"
#include "base/unique_fd.h"
#include "relay/journey/journey.h"
#include "relay/stream/liveness.h"

namespace tw::relay {

class SocketPair final : public SocketSigns {
 public:
  explicit SocketPair(UniqueFd front) noexcept : front_(std::move(front)) {}

  /// -1 if there is none.
  int front() const noexcept { return front_.get(); }
  int back() const noexcept { return back_.get(); }
  int at(Side side) const noexcept { return side == Side::front ? front() : back(); }

  void set_front(UniqueFd front) noexcept { front_ = std::move(front); }
  /// Closes the back that was there. `warm`: Leg::warm.
  void set_back(UniqueFd back, bool warm) noexcept;
  void drop_back() noexcept { back_.reset(); }

  /// epoll has reported EPOLLERR.
  void report_failure(Side side) noexcept { failed(side) = true; }
  /// Returns the error of a failure that was reported since the last call; 0: there was none.
  int take_failure(Side side) noexcept;

  /// Sends a few bytes on a socket that has sent hardly any: they find room. False, with errno, if
  /// it has failed.
  bool send_whole(Side side, ByteView bytes) const noexcept;
  /// `in_order`: with FIN; else with a reset.
  void close(bool in_order) noexcept;

  bool is_heard() const noexcept override;
  bool is_connecting() const noexcept override;
  std::uint64_t undelivered() const noexcept override;

 private:
  bool& failed(Side side) noexcept { return side == Side::front ? front_failed_ : back_failed_; }

  UniqueFd front_, back_;
  std::uint64_t delivered_before_ = 0;  // by the back, when it was taken
  bool front_failed_ = false, back_failed_ = false;
};

}  // namespace tw::relay
