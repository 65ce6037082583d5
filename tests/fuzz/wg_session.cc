// link: tw_wg
// covers: wg/session.cc wg/replay_window.cc
// The data path of one peer: datagrams are opened and checked as a lane does it, between handshakes
// and timers in any order. The input is a list of records: an opcode, a length, and so many bytes.
// No counter may be accepted or sealed twice, nothing spoilt may be authentic, and an index is live
// until it is released, once.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "crypto/aead_engine.h"
#include "wg/session.h"
#include "wire/be.h"
#include "wire/message/wg_message.h"

namespace {

using namespace tw;
using namespace tw::wg;

constexpr std::size_t max_records = 256;

void require(bool condition) {
  if (!condition) std::abort();
}

crypto::SymmetricKey key_of(std::uint32_t index) {
  crypto::SymmetricKey key;
  store_le32(key.span(), 0, index);
  return key;
}

class Harness {
 public:
  void run(std::uint8_t opcode, ByteView bytes) {
    const std::uint8_t argument = bytes.empty() ? 0 : bytes[0];
    switch (opcode % 8) {
      case 0:
        return receive({bytes.begin(), bytes.end()}, false);
      case 1:
        return receive_sealed(bytes);
      case 2:
        return install(argument % 2 == 0);
      case 3:
        return seal(argument % 2 == 0);
      case 4:
        now_ = now_ + std::chrono::milliseconds{10 * argument * argument};
        return tick();
      case 5:
        return session_.set_persistent_keepalive(std::chrono::seconds{argument}, now_, actions_);
      case 6:
        return session_.staged(now_, actions_);
      default:
        return argument % 2 == 0 ? session_.gave_up(now_, actions_) : clear();
    }
  }

 private:
  void install(bool is_initiator) {
    Keypair keypair;
    keypair.local_index = ++last_index_;
    keypair.receive_key = key_of(last_index_);
    keypair.send_key = key_of(~last_index_);
    keypair.created = now_;
    keypair.is_initiator = is_initiator;
    live_.insert(last_index_);
    ReleasedKeypairs released;
    session_.install(std::move(keypair), now_, released, actions_);
    take_back(released);
    require(session_.find(last_index_) != nullptr);
    require(session_.has_usable_keypair(now_) || !is_initiator);
  }
  void seal(bool is_keepalive) {
    const bool usable = session_.has_usable_keypair(now_);
    const auto slot = session_.next_seal(now_);
    require(slot.has_value() == usable);
    if (!slot) return;
    require(sealed_.emplace(slot->keypair->keys.local_index, slot->counter).second);
    session_.sent(is_keepalive, now_, actions_);
  }
  void tick() {
    for (int runs = 0; session_.next_deadline() <= now_; ++runs) {
      require(runs < 16);  // each timer fires and is armed for later, or not at all
      ReleasedKeypairs released;
      const SessionActions actions = session_.tick(now_, released);
      take_back(released);
      if (actions.wiped) require(live_.empty());
      if (actions.send_keepalive) require(session_.has_usable_keypair(now_));
    }
  }
  void clear() {
    ReleasedKeypairs released;
    session_.clear(released);
    take_back(released);
    require(live_.empty() && session_.next_deadline() == Instant::max());
  }
  void take_back(const ReleasedKeypairs& released) {
    for (const std::uint32_t index : released.indices()) {
      require(live_.erase(index) == 1);
      require(session_.find(index) == nullptr);
    }
    for (const std::uint32_t index : live_) require(session_.find(index) != nullptr);
    require(live_.size() <= 3);
  }

  /// Bytes: how far back from the newest index, 8 of counter, length, then pairs to spoil it with.
  void receive_sealed(ByteView bytes) {
    if (bytes.size() < 10) return;
    const std::uint32_t index = last_index_ - bytes[0] % 4;
    const std::uint64_t counter = load_le64(bytes, 1);
    const std::size_t length = bytes[9];
    std::vector<std::uint8_t> datagram(wg_data_min_size + length);
    write_wg_data_header(std::span{datagram}.first<wg_data_header_size>(), index, counter);
    const crypto::SymmetricKey key = key_of(index);
    crypto::AeadJob job{.key = &key,
                        .counter = counter,
                        .text = datagram.data() + wg_data_header_size,
                        .length = static_cast<std::uint32_t>(length)};
    engine_->submit_seal({&job, 1});
    engine_->complete();
    const auto before = datagram;
    for (std::size_t at = 10; at + 1 < bytes.size(); at += 2) {
      datagram[bytes[at] % datagram.size()] ^= bytes[at + 1];
    }
    receive(datagram, !std::equal(before.begin() + 4, before.end(), datagram.begin() + 4));
  }

  void receive(std::vector<std::uint8_t> datagram, bool spoilt) {
    if (classify(datagram) != WgType::data) return;
    const WgDataView view = WgDataView::of(datagram);
    LiveKeypair* keypair = session_.find(view.receiver_index);
    require((keypair != nullptr) == live_.contains(view.receiver_index));
    if (keypair == nullptr || Session::may_open(*keypair, view.counter, now_)) return;
    crypto::AeadJob job{.key = &keypair->keys.receive_key,
                        .counter = view.counter,
                        .text = view.sealed.data(),
                        .length = static_cast<std::uint32_t>(view.sealed.size() - wg_tag_size)};
    engine_->submit_open({&job, 1});
    engine_->complete();
    if (spoilt) require(!job.authentic);
    if (!job.authentic) return;
    ReleasedKeypairs released;
    const auto drop =
        session_.authenticated(*keypair, view.counter, job.length == 0, now_, released, actions_);
    take_back(released);
    if (!drop) require(accepted_.emplace(view.receiver_index, view.counter).second);
  }

  Instant now_{1000s};
  Session session_;
  SessionActions actions_;
  std::unique_ptr<crypto::AeadEngine> engine_ = crypto::make_openssl_engine();
  std::uint32_t last_index_ = 0;
  std::set<std::uint32_t> live_;
  std::set<std::pair<std::uint32_t, std::uint64_t>> sealed_, accepted_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  ByteView rest{bytes, size};
  Harness harness;
  for (std::size_t record = 0; record < max_records && rest.size() >= 2; ++record) {
    const std::size_t length = std::min<std::size_t>(rest[1], rest.size() - 2);
    harness.run(rest[0], rest.subspan(2, length));
    rest = rest.subspan(2 + length);
  }
  return 0;
}
