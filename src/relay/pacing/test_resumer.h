// For tests: a Resumer that takes notes, and leaves sockets as they are.
#pragma once

#include <optional>
#include <vector>

#include "relay/pacing/resumer.h"

namespace tw::relay {

class TestResumer final : public Resumer {
 public:
  bool resume(int socket, const Start& begun) noexcept override {
    if (refuses) return false;
    sockets.push_back(socket);
    last = begun;
    return true;
  }
  void announce(int socket) noexcept override { announced.push_back(socket); }
  std::optional<Found> found(int /*socket*/) noexcept override {
    ++asked;
    return tell;
  }

  bool refuses = false;
  std::vector<int> sockets;  // in the order of their starts
  std::vector<int> announced;
  Start last;
  std::optional<Found> tell;
  int asked = 0;
};

}  // namespace tw::relay
