// link: tw_node
// covers: node/uapi/uapi_protocol.cc node/device/device_shadow.cc
// A UAPI client that says anything, in pieces of any size. The first byte chooses the pieces. What
// is taken as a change must be what a shadow can take in, and all answers must be whole.
#include <cstdint>
#include <cstdlib>

#include "base/log.h"
#include "node/device/device_shadow.h"
#include "node/uapi/uapi_protocol.h"

namespace {

/// A device without packets.
class Stub final : public tw::node::DeviceControl {
 public:
  tw::Result<void> apply(const tw::node::DeviceChange& change) override {
    if (auto good = shadow_.check(change); !good) return good;
    const tw::node::DevicePlan plan = shadow_.apply(change);
    if (plan.peers.size() > shadow_.peers().size()) std::abort();
    if (shadow_.peers().size() > peers_max) std::abort();
    return {};
  }
  tw::Result<tw::node::DeviceState> state() override {
    tw::node::DeviceState state;
    state.private_key = shadow_.private_key();
    for (const auto& [id, peer] : shadow_.peers()) {
      auto& out = state.peers.emplace_back();
      out.public_key = peer.public_key;
      out.preshared_key = peer.preshared_key;
      out.allowed_ips = peer.allowed_ips;
      out.persistent_keepalive_s = peer.persistent_keepalive_s;
    }
    return state;
  }

 private:
  static constexpr std::size_t peers_max = 8;
  tw::node::DeviceShadow shadow_{peers_max};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static const bool quiet = [] { return tw::log::open(tw::log::Level::error).has_value(); }();
  if (!quiet || size == 0) return 0;
  const std::size_t piece = std::size_t{bytes[0]} + 1;
  tw::ByteView rest{bytes + 1, size - 1};
  Stub device;
  tw::node::UapiConversation conversation{device};
  tw::node::SecretText out;
  while (!rest.empty()) {
    const tw::ByteView part = rest.first(std::min(piece, rest.size()));
    const auto progress = conversation.receive(part, out);
    if (progress.taken > part.size()) std::abort();
    if (progress.hang_up) break;
    if (progress.taken == 0) std::abort();  // it would never end
    rest = rest.subspan(progress.taken);
  }
  if (!out.empty() && !out.view().ends_with("\n\n")) std::abort();
  return 0;
}
