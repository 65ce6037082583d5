#include "lane/handshake/handshake_gate.h"

#include <functional>
#include <utility>

namespace tw::lane {
namespace {

/// As many as a lane may have peers behind addresses of their own, within reason: 64 KB.
constexpr std::size_t known_slots = 16384;

}  // namespace

HandshakeGate::HandshakeGate(HandshakeChannel& channel)
    : channel_(channel), known_(known_slots), known_addresses_(known_slots) {}

// std::hash of an address is keyed with a secret of the process: nobody outside can aim at a slot.
void HandshakeGate::remember(const Endpoint& source) noexcept {
  known_.remember(std::hash<Endpoint>{}(source));
  known_addresses_.remember(std::hash<IpAddress>{}(source.address));
}

/// Returns how many slots may be taken when an initiation of `source` without a second mac comes.
std::size_t HandshakeGate::room_for(const Endpoint& source) const noexcept {
  if (known_.has(std::hash<Endpoint>{}(source))) return for_known;
  if (known_addresses_.has(std::hash<IpAddress>{}(source.address))) return for_known_address;
  return for_unproven;
}

void HandshakeGate::set_public_key(const std::optional<crypto::PublicKey>& own) noexcept {
  mac1_key_.reset();
  if (own) mac1_key_ = wg::MacKeys::of(*own).mac1;
}

std::optional<Drop> HandshakeGate::pass(ByteView message, const Train& train) noexcept {
  if (!mac1_key_) return Drop::bad_handshake;
  const std::optional<WgType> type = classify(message);
  if (!type || *type == WgType::data) return Drop::malformed;
  // Room first: it costs less to know.
  const std::size_t waiting = channel_.requests.size();
  if (waiting + reserved_for_wishes >= HandshakeChannel::request_capacity) return Drop::queue_full;
  if (*type == WgType::initiation && waiting >= for_unproven && !wg::has_mac2(message) &&
      waiting >= room_for(train.source)) {
    return Drop::queue_full;
  }
  if (*type != WgType::cookie_reply && !wg::mac1_valid(*mac1_key_, message)) return Drop::bad_mac1;
  HandshakeRequest request;
  request.kind = HandshakeRequest::Kind::receive;
  request.from = train.source;
  request.local = train.local;
  if (!request.message.assign(message)) return Drop::malformed;
  if (!channel_.requests.push(std::move(request))) return Drop::queue_full;
  return std::nullopt;
}

}  // namespace tw::lane
