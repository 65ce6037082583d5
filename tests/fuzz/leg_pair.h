// A leg as a fuzz target plays it: one end of a socket pair, in which some bytes have come.
#pragma once

#include <sys/socket.h>

#include <array>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/unique_fd.h"

namespace tw::testing {

struct LegPair {
  UniqueFd ours, theirs;
};

/// `bytes` lie in ours; theirs is open.
inline LegPair leg_with(ByteView bytes) {
  std::array<int, 2> ends{};
  TW_ASSERT(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()) == 0);
  LegPair pair{UniqueFd{ends[0]}, UniqueFd{ends[1]}};
  const auto sent = ::send(pair.theirs.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  TW_ASSERT(sent == static_cast<ssize_t>(bytes.size()));
  return pair;
}

}  // namespace tw::testing
