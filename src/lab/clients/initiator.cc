#include "lab/clients/initiator.h"

namespace tw::lab {

Initiator::Initiator(const crypto::PrivateKey& key, const HandshakeTarget& target) noexcept
    : target_(target),
      self_(wg::Identity::of(key)),
      static_secret_(wg::static_secret(self_, target.public_key)) {}

bool Initiator::begin(std::uint32_t index, Instant now, WallTime wall,
                      std::span<std::uint8_t, wg_initiation_size> out) noexcept {
  pending_.reset();
  if (!static_secret_) return false;
  timestamp_ = wg::timestamp_after(timestamp_, wall);
  pending_ = wg::create_initiation(self_, target_.public_key, *static_secret_,
                                   crypto::generate_private_key(), timestamp_, index, out);
  if (!pending_) return false;
  cookie_.add_macs(out, target_.mac_keys, now);
  sent_at_ = now;
  return true;
}

std::optional<wg::Keypair> Initiator::answered(const WgResponseView& message,
                                               Instant now) noexcept {
  if (!pending_ || pending_->initiator_index != message.receiver_index) return std::nullopt;
  std::optional<wg::Keypair> keypair = wg::consume_response(self_, *pending_, {}, message, now);
  if (keypair) pending_.reset();
  return keypair;
}

bool Initiator::cookie(const WgCookieReplyView& message, Instant now) noexcept {
  if (!pending_ || pending_->initiator_index != message.receiver_index) return false;
  return cookie_.consume(message, target_.mac_keys, now);
}

}  // namespace tw::lab
