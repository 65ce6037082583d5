// A device to test with: a Handshaker, the indices it takes and all that it has said.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "crypto/primitives.h"
#include "wg/handshaker.h"

namespace tw::wg {

/// Counts up from a first index, and knows which are in use. `none_left` makes it refuse.
class CountingIndices final : public IndexSource {
 public:
  explicit CountingIndices(std::uint32_t first) : next_(first) {}
  std::optional<std::uint32_t> allocate(PeerId /*peer*/) noexcept override {
    if (none_left) return std::nullopt;
    in_use.insert(next_);
    return next_++;
  }
  void release(std::uint32_t index) noexcept override { TW_ASSERT(in_use.erase(index) == 1); }

  /// The index that comes next, as when the indices have come round.
  void set_next(std::uint32_t index) { next_ = index; }

  std::set<std::uint32_t> in_use;
  bool none_left = false;

 private:
  std::uint32_t next_;
};

using Datagram = std::vector<std::uint8_t>;

/// Remembers what the Handshaker decided.
class RecordingSink final : public HandshakeSink {
 public:
  struct Sent {
    PeerId peer;
    std::optional<Endpoint> to;
    Datagram datagram;
  };
  struct Established {
    PeerId peer;
    Keypair keypair;
    Endpoint from;
  };

  void send(PeerId peer, const std::optional<Endpoint>& to, ByteView datagram) noexcept override {
    sent.push_back({peer, to, {datagram.begin(), datagram.end()}});
  }
  void reply(const Endpoint& to, ByteView datagram) noexcept override {
    replies.emplace_back(to, Datagram{datagram.begin(), datagram.end()});
  }
  bool established(PeerId peer, Keypair keypair, const Endpoint& from) noexcept override {
    if (full) return false;
    keypairs.push_back({peer, std::move(keypair), from});
    return true;
  }
  void gave_up(PeerId peer) noexcept override { given_up.push_back(peer); }
  void unanswered(PeerId /*peer*/) noexcept override { ++times_unanswered; }

  /// The one datagram sent since the last call.
  Datagram take_sent() {
    TW_ASSERT(sent.size() == 1);
    return std::exchange(sent, {}).front().datagram;
  }
  Datagram take_reply() {
    TW_ASSERT(replies.size() == 1);
    return std::exchange(replies, {}).front().second;
  }
  bool silent() const { return sent.empty() && replies.empty() && keypairs.empty(); }

  std::vector<Sent> sent;
  std::vector<std::pair<Endpoint, Datagram>> replies;
  std::vector<Established> keypairs;
  std::vector<PeerId> given_up;
  unsigned times_unanswered = 0;
  bool full = false;  // refuses keypairs
};

/// A private key of 32 bytes counting up: `number` tells one from another.
inline crypto::PrivateKey counting_key(unsigned number) {
  crypto::PrivateKey key;
  for (std::uint8_t& byte : key.span()) byte = static_cast<std::uint8_t>(number++);
  return crypto::clamped(key);
}

struct TestDevice {
  TestDevice(unsigned number, std::string_view address)
      : private_key(counting_key(number)),
        public_key(crypto::public_key_of(private_key)),
        endpoint(Endpoint::parse(address).value()),
        indices(1000 * number),
        random(number) {
    handshaker.set_private_key(private_key);
  }
  std::optional<Drop> receive(ByteView datagram, const Endpoint& from, Instant now,
                              bool under_load = false) {
    return handshaker.receive(datagram, from, now, under_load, sink);
  }

  crypto::PrivateKey private_key;
  crypto::PublicKey public_key;
  Endpoint endpoint;
  CountingIndices indices;
  SeededRandom random;
  Handshaker handshaker{indices, random};
  RecordingSink sink;
};

}  // namespace tw::wg
