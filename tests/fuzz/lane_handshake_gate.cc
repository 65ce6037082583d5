// link: tw_lane
// covers: lane/handshake/handshake_gate.cc
// Handshake messages of a few senders, genuine, spoilt or made up, at a gate behind which the ring
// fills and empties. A model written down here says of each message what must become of it: so what
// is in the ring has a first mac that fits, a flood without a second one fills no more than its
// part, whoever carries one finds room as long as there is any, and slots are left for our own
// wishes.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "base/assert.h"
#include "fuzz_input.h"
#include "lane/handshake/handshake_gate.h"
#include "wg/test_peers.h"

namespace {

using namespace tw;  // NOLINT(google-build-using-namespace)
using lane::HandshakeChannel, lane::HandshakeGate, lane::HandshakeRequest;

constexpr std::size_t senders = 8;
constexpr std::size_t most_steps = 256;
constexpr std::size_t mac_bytes = 16;

// Returns senders, of two addresses each. Marks of two that fall into one slot forget each other
// (HashMarks), and the hash is keyed anew in each process: those that would are left out.
std::vector<Endpoint> make_senders() {
  std::vector<Endpoint> chosen;
  std::set<std::size_t> slots, address_slots;
  for (std::uint16_t number = 0; chosen.size() < senders; ++number) {
    const auto host = static_cast<std::uint8_t>(number / 2);
    const Endpoint sender{number % 4 < 2
                              ? IpAddress::v4({192, 0, 2, host})
                              : IpAddress::v6({0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, host, 0, 0, 1}),
                          static_cast<std::uint16_t>(1000 + number % 2), 0};
    const bool is_new_address = std::ranges::none_of(
        chosen, [&](const Endpoint& other) { return other.address == sender.address; });
    constexpr std::size_t mark_slots = 16384;
    if (slots.contains(std::hash<Endpoint>{}(sender) % mark_slots)) continue;
    const std::size_t address_slot = std::hash<IpAddress>{}(sender.address) % mark_slots;
    if (is_new_address && !address_slots.insert(address_slot).second) continue;
    slots.insert(std::hash<Endpoint>{}(sender) % mark_slots);
    chosen.push_back(sender);
  }
  return chosen;
}

struct Genuine {
  crypto::PublicKey own = crypto::public_key_of(wg::counting_key(1));
  wg::Datagram initiation, response;

  Genuine() {
    constexpr wg::PeerId only{0};
    wg::TestDevice receiver{1, "192.0.2.1:1"}, sender{2, "192.0.2.2:2"};
    TW_ASSERT(sender.handshaker.add_peer(only, {receiver.public_key, {}}));
    TW_ASSERT(receiver.handshaker.add_peer(only, {sender.public_key, {}}));
    sender.handshaker.initiate(only, Instant{1s}, WallTime{}, sender.sink);
    initiation = sender.sink.take_sent();
    receiver.handshaker.initiate(only, Instant{1s}, WallTime{}, receiver.sink);
    const wg::Datagram other = receiver.sink.take_sent();
    TW_ASSERT(!sender.receive(other, receiver.endpoint, Instant{1s}));
    response = sender.sink.take_sent();
  }
};

// Type, length and reserved bytes as the whitepaper draws them (section 5.4); 0: none of these.
unsigned type_of(ByteView message) {
  constexpr std::array<std::size_t, 4> sizes{0, 148, 92, 64};
  if (message.size() < 4 || message[1] != 0 || message[2] != 0 || message[3] != 0) return 0;
  const unsigned type = message[0];
  return type >= 1 && type <= 3 && message.size() == sizes[type] ? type : 0;
}

bool mac1_fits(ByteView message, const crypto::PublicKey& own) {
  constexpr std::string_view label = "mac1----";
  const crypto::Hash key = crypto::blake2s({as_bytes(label), own.bytes});
  const ByteView before = message.first(message.size() - 2 * mac_bytes);
  const auto mac = crypto::blake2s_mac(key, before);
  return std::ranges::equal(mac, message.subspan(before.size(), mac_bytes));
}

class Run {
 public:
  Run(const std::uint8_t* bytes, std::size_t size) : input_(bytes, size) {
    gate_.set_public_key(genuine().own);
    own_ = genuine().own;
  }
  void run() {
    for (std::size_t step = 0; step < most_steps && !input_.empty(); ++step) one_step();
    // Whatever has come: there is room for as many wishes of our own.
    for (std::size_t i = 0; i < HandshakeGate::reserved_for_wishes; ++i) {
      TW_ASSERT(channel_.requests.push(HandshakeRequest{}));
    }
  }

 private:
  static const Genuine& genuine() {
    static const Genuine made;
    return made;
  }
  static const Endpoint& sender(std::uint8_t number) {
    static const std::vector<Endpoint> made = make_senders();
    return made[number % senders];
  }

  void one_step() {
    const std::uint8_t step = input_.byte(), argument = input_.byte();
    switch (step % 6) {
      case 0:  // bytes of anybody's
        return pass(input_.take(input_.byte()), sender(argument), 1);
      case 1:
      case 2: {  // a genuine one, many times
        const std::uint8_t spoil = input_.byte(), times = input_.byte();
        wg::Datagram message = step % 6 == 1 ? genuine().initiation : genuine().response;
        if (argument >= 128) message.back() = 1;  // a second mac, that only the handshaker judges
        if (spoil < message.size()) message[spoil] ^= 1U << argument % 7U;
        return pass(message, sender(argument), times * std::size_t{16} + 1);
      }
      case 3:
        known_.insert(sender(argument));
        known_addresses_.insert(sender(argument).address);
        return gate_.remember(sender(argument));
      case 4:
        return drain(argument * std::size_t{16} + 1);
      default:
        own_.reset();
        if (argument % 4 != 0) own_ = genuine().own;
        if (argument % 4 == 1) own_->bytes[0] ^= 1U;
        return gate_.set_public_key(own_);
    }
  }

  std::size_t room_for(const Endpoint& source) const {
    if (known_.contains(source)) return HandshakeGate::for_known;
    if (known_addresses_.contains(source.address)) return HandshakeGate::for_known_address;
    return HandshakeGate::for_unproven;
  }
  // Returns what must become of the message.
  std::optional<Drop> verdict(ByteView message, const Endpoint& source, bool fits) const {
    if (!own_) return Drop::bad_handshake;
    const unsigned type = type_of(message);
    if (type == 0) return Drop::malformed;
    const bool proves_address =
        std::ranges::any_of(message.last(mac_bytes), [](std::uint8_t byte) { return byte != 0; });
    const std::size_t all = HandshakeChannel::request_capacity - HandshakeGate::reserved_for_wishes;
    const bool is_bare = type == 1 && !proves_address;
    if (ring_.size() >= (is_bare ? room_for(source) : all)) return Drop::queue_full;
    if (type != 3 && !fits) return Drop::bad_mac1;
    return std::nullopt;
  }
  void pass(ByteView message, const Endpoint& source, std::size_t times) {
    Train train;
    train.source = source;
    train.local = {IpAddress::v4({10, 0, 0, 1}), 7};
    const bool fits = own_ && type_of(message) != 0 && mac1_fits(message, *own_);
    const auto kept =
        std::make_shared<const Kept>(wg::Datagram{message.begin(), message.end()}, source);
    for (std::size_t i = 0; i < times; ++i) {
      const auto expected = verdict(message, source, fits);
      TW_ASSERT(gate_.pass(message, train) == expected);
      if (!expected) ring_.push_back(kept);
      TW_ASSERT(channel_.requests.size() == ring_.size());
      if (expected) break;  // nothing has changed: so it would be the next time
    }
  }
  void drain(std::size_t most) {
    for (; most > 0 && !ring_.empty(); --most) {
      HandshakeRequest request;
      TW_ASSERT(channel_.requests.pop(request));
      const Kept& first = *ring_.front();
      TW_ASSERT(request.kind == HandshakeRequest::Kind::receive && request.from == first.source);
      TW_ASSERT(std::ranges::equal(request.message.view(), first.message));
      TW_ASSERT(request.local.ifindex == 7);
      ring_.pop_front();
    }
  }

  struct Kept {
    wg::Datagram message;
    Endpoint source;
  };
  testing::FuzzInput input_;
  HandshakeChannel channel_;
  lane::KnownSources known_sources_;
  HandshakeGate gate_{channel_, known_sources_};
  std::optional<crypto::PublicKey> own_;
  std::set<Endpoint> known_;
  std::set<IpAddress> known_addresses_;
  std::deque<std::shared_ptr<const Kept>> ring_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  Run{bytes, size}.run();
  return 0;
}
