#include "lane/receive/wire_source.h"

#include "lane/batch_sizes.h"

namespace tw::lane {
namespace {

/// Segments of one batch: another socket waits until these have been handled.
constexpr std::size_t batch_segments = 512;

}  // namespace

WireSource::WireSource(const ReceiveParts& parts, PeerSessions& sessions,
                       HandshakeRequests& requests, LaneCounters& counters, std::size_t trains)
    : sessions_(sessions),
      requests_(requests),
      pipeline_(parts, counters),
      strangers_(parts.strangers.wire.has_any() ? &parts.strangers.wire : nullptr),
      batch_(trains, buffer_bytes, batch_bytes, batch_segments) {}

void WireSource::take(Turn& turn) noexcept {
  std::array<bool, std::tuple_size_v<decltype(ports_)>> asked{};
  while (!turn.over()) {
    if (is_batch_done()) {
      std::size_t tried = 0;
      while (asked[next_port_] || ports_[next_port_] == nullptr) {
        next_port_ = (next_port_ + 1) % ports_.size();
        if (++tried == ports_.size()) return;
      }
      batch_.clear();
      place_ = {};
      ports_[next_port_]->poll(batch_);
      asked[next_port_] = batch_.room() > 0;
      next_port_ = (next_port_ + 1) % ports_.size();
    }
    take_batch(turn);
  }
}

/// Takes what is left of the batch, or as much of it as the turn allows.
void WireSource::take_batch(Turn& turn) noexcept {
  while (!is_batch_done() && !turn.over()) {
    if (pipeline_.receive(batch_, place_, turn) > 0) requests_.messages_passed();
    pipeline_.events().drain([&](const SessionEvent& event) {
      sessions_.release(event.released);
      sessions_.act(*event.peer, event.actions, turn);
    });
  }
}

bool WireSource::arm() noexcept {
  bool quiet = is_batch_done();
  // Every port must be armed, whatever the others say.
  for (Port* port : ports_) {
    if (port != nullptr && !port->arm()) quiet = false;
  }
  return quiet;
}

void WireSource::add_wait_fds(std::vector<int>& fds) const {
  for (const Port* port : ports_) {
    if (port != nullptr && port->wait_fd() >= 0) fds.push_back(port->wait_fd());
  }
}

}  // namespace tw::lane
