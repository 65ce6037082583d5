#include "lane/handshake/handshake_gate.h"

#include <utility>

namespace tw::lane {
/// Returns how many slots may be taken when an initiation of `source` without a second mac comes.
std::size_t HandshakeGate::room_for(const Endpoint& source) const noexcept {
  if (known_.has(source)) return for_known;
  if (known_.has_address(source.address)) return for_known_address;
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
