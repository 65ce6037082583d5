// link: tw_wg
// covers: wg/handshaker.cc wg/noise.cc wg/cookie.cc
// Datagrams for a Handshaker with one peer. The input is a list of records: an opcode, a length,
// and so many bytes. Some send the bytes as they are, some have the peer itself make a message and
// then spoil it, so that what lies behind mac1 and the cookie is reached too. Whatever was spoilt
// where it is authenticated must not be believed.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "wg/cookie.h"
#include "wg/test_peers.h"

namespace {

using namespace tw;
using namespace tw::wg;

constexpr std::size_t max_records = 48;  // each may cost several curve operations

void require(bool condition) {
  if (!condition) std::abort();
}

class Harness {
 public:
  Harness() {
    require(device_.handshaker.add_peer(PeerId{0}, {peer_.public_key, {}}));
    require(peer_.handshaker.add_peer(PeerId{0}, {device_.public_key, {}}));
  }

  void run(std::uint8_t opcode, ByteView bytes) {
    device_.sink = {};
    peer_.sink = {};
    switch (opcode % 8) {
      case 0:
        return receive({bytes.begin(), bytes.end()});
      case 1:
        return receive(with_mac1({bytes.begin(), bytes.end()}));
      case 2:
        return initiation(bytes);
      case 3:
        return response(bytes);
      case 4:
        return cookie_reply(bytes);
      case 5:
        clock_.advance(std::chrono::milliseconds{bytes.empty() ? 1 : 40 * bytes[0] * bytes[0]});
        return tick();
      case 6:
        under_load_ = !under_load_;
        return;
      default:
        device_.handshaker.forget(PeerId{0});
    }
  }

  /// At most the indices that sessions hold and one that waits for a response.
  void check() const { require(device_.indices.in_use.size() <= established_ + 1); }

 private:
  void tick() {
    device_.handshaker.tick(clock_.now(), clock_.wall(), device_.sink);
    if (!device_.sink.given_up.empty()) require(device_.sink.sent.empty());
  }
  void receive(const Datagram& datagram) {
    const auto drop = device_.receive(datagram, peer_.endpoint, clock_.now(), under_load_);
    established_ += device_.sink.keypairs.size();
    if (drop) require(device_.sink.keypairs.empty() && device_.sink.sent.empty());
  }
  Datagram with_mac1(Datagram message) const {
    if (message.size() > 2 * sizeof(Mac)) {
      CookieJar{}.add_macs(message, MacKeys::of(device_.public_key), clock_.now());
    }
    return message;
  }

  /// Applies pairs of offset and mask. True if a byte in [first, last) has changed.
  static bool spoil(Datagram& message, ByteView pairs, std::size_t first, std::size_t last) {
    const Datagram before = message;
    for (std::size_t at = 0; at + 1 < pairs.size(); at += 2) {
      message[pairs[at] % message.size()] ^= pairs[at + 1];
    }
    return !std::equal(before.begin() + static_cast<std::ptrdiff_t>(first),
                       before.begin() + static_cast<std::ptrdiff_t>(last),
                       message.begin() + static_cast<std::ptrdiff_t>(first));
  }
  void receive_spoilt(Datagram message, ByteView pairs, std::size_t first, std::size_t last) {
    const bool spoilt = spoil(message, pairs, first, last);
    const bool own_mac1 = !pairs.empty() && pairs.size() % 2 == 1;  // then mac1 is as spoilt
    receive(own_mac1 ? message : with_mac1(message));
    if (spoilt) require(device_.sink.keypairs.empty());
  }

  /// A fresh initiation from one side, if it is time for one.
  Datagram fresh_initiation(TestDevice& from) {
    clock_.advance(rekey_timeout);
    from.handshaker.forget(PeerId{0});
    from.handshaker.initiate(PeerId{0}, clock_.now(), clock_.wall(), from.sink);
    return from.sink.take_sent();
  }
  void initiation(ByteView pairs) {
    receive_spoilt(fresh_initiation(peer_), pairs, 8, wg_initiation_size - 32);
  }
  void response(ByteView pairs) {
    const Datagram ours = fresh_initiation(device_);
    require(!peer_.receive(ours, device_.endpoint, clock_.now()));
    receive_spoilt(peer_.sink.take_sent(), pairs, 12, wg_response_size - 32);
  }
  void cookie_reply(ByteView pairs) {
    const Datagram ours = fresh_initiation(device_);
    peer_.receive(ours, device_.endpoint, clock_.now(), true);
    if (peer_.sink.replies.empty()) return;  // it had a cookie already
    Datagram reply = peer_.sink.take_reply();
    const bool spoilt = spoil(reply, pairs, 4, wg_cookie_reply_size);
    const auto drop = device_.receive(reply, peer_.endpoint, clock_.now(), under_load_);
    if (spoilt) require(drop.has_value());
  }

  ManualClock clock_;
  TestDevice device_{1, "192.0.2.1:1001"};
  TestDevice peer_{2, "192.0.2.2:1002"};
  std::size_t established_ = 0;
  bool under_load_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  ByteView rest{bytes, size};
  Harness harness;
  for (std::size_t record = 0; record < max_records && rest.size() >= 2; ++record) {
    const std::size_t length = std::min<std::size_t>(rest[1], rest.size() - 2);
    harness.run(rest[0], rest.subspan(2, length));
    harness.check();
    rest = rest.subspan(2 + length);
  }
  return 0;
}
