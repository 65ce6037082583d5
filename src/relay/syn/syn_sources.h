// The sources of SYN reports that a relay consumes: watches them, takes turns in asking them, and
// tells those of a device which of its clients are there.
#pragma once

#include <cstddef>
#include <vector>

#include "base/result.h"
#include "relay/sockets/event_queue.h"
#include "relay/syn/syn_source.h"

namespace tw::relay {

class SynSources {
 public:
  /// `events` must outlive this.
  explicit SynSources(EventQueue& events) noexcept : events_(events) {}

  /// These from now on, and no others, which are not touched any more. Each must outlive this.
  /// Fails if one cannot be watched; the others are taken.
  Result<void> replace(std::vector<SynSource*> sources);
  /// Calls visit(syn, source) for at most `most` reports of each source.
  template <typename Visitor>
  void take(std::size_t most, Visitor&& visit) {
    SynReport syn;
    for (SynSource* const source : sources_) {
      source->disarm();
      for (std::size_t taken = 0; taken < most && source->pop(syn); ++taken) visit(syn, *source);
    }
  }
  /// Before the context sleeps: false if a SYN waits already.
  bool arm() noexcept;
  /// This client, which came by that device, has completed a handshake.
  void remember(int device_index, const IpAddress& client) noexcept;

 private:
  EventQueue& events_;
  std::vector<SynSource*> sources_;
};

}  // namespace tw::relay
