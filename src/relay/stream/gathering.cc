#include "relay/stream/gathering.h"

#include "relay/pacing/tcp_sample.h"

namespace tw::relay {

// The least of each path, not what a full queue makes of it.
void Gathering::ask(int front, int back) noexcept {
  Duration longest{};
  for (const int socket : {front, back}) {
    if (const auto sample = read_tcp_sample(socket)) longest = std::max(longest, sample->min_rtt);
  }
  set_round_trip(longest);
}

}  // namespace tw::relay
