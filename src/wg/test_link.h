// A whole WireGuard end without sockets (Handshaker, Session, AEAD engine), and a link between two
// of them that loses, delays, repeats and reorders from a seed.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <iterator>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "base/assert.h"
#include "base/random.h"
#include "base/time.h"
#include "crypto/aead_engine.h"
#include "wg/session.h"
#include "wg/test_peers.h"
#include "wire/be.h"
#include "wire/message/wg_message.h"

namespace tw::wg {

/// Datagrams on their way to one end.
class TestLink {
 public:
  struct Quality {
    unsigned loss_percent = 0;
    unsigned repeat_percent = 0;
    Duration delay = 20ms;  ///< at least
    Duration jitter = 0ms;  ///< up to this much more, each its own: this is what reorders
  };
  explicit TestLink(RandomSource& random) : random_(random) {}

  void send(ByteView datagram, Instant now) {
    if (random_.next() % 100 < quality.loss_percent) return;
    const bool repeat = random_.next() % 100 < quality.repeat_percent;
    for (int copy = 0; copy < (repeat ? 2 : 1); ++copy) {
      const auto jitter = static_cast<std::uint64_t>(quality.jitter.count());
      const Duration extra{static_cast<Duration::rep>(jitter == 0 ? 0 : random_.next() % jitter)};
      queue_.emplace(now + quality.delay + extra, Datagram{datagram.begin(), datagram.end()});
    }
  }
  Instant next() const { return queue_.empty() ? Instant::max() : queue_.begin()->first; }
  Datagram take(std::size_t at = 0) {
    return std::move(
        queue_.extract(std::next(queue_.begin(), static_cast<std::ptrdiff_t>(at))).mapped());
  }
  std::size_t in_flight() const { return queue_.size(); }

  Quality quality;

 private:
  RandomSource& random_;
  std::multimap<Instant, Datagram> queue_;
};

/// Does with a session what a lane does, for one peer. Checks as it goes that no counter is sealed
/// twice and nothing is delivered twice.
class TestEnd final : public HandshakeSink {
 public:
  TestEnd(unsigned number, TestLink& outgoing, ManualClock& clock)
      : private_key_(counting_key(number)), out_(outgoing), clock_(clock), random_(number) {
    begin();
  }
  crypto::PublicKey public_key() const { return crypto::public_key_of(private_key_); }
  void set_peer(const crypto::PublicKey& key) {
    peer_key_ = key;
    TW_ASSERT(handshaker_->add_peer(PeerId{0}, {key, {}}));
  }
  /// All state is lost, as when the process is killed; only the configuration is not.
  void restart() {
    begin();
    set_peer(peer_key_);
  }

  /// A packet from the inner network: sealed, or put aside until there is a keypair.
  void send_packet(std::uint64_t number) {
    if (session_.has_usable_keypair(clock_.now())) {
      seal(number, false);
    } else {
      if (staged_.size() < staged_packets_max) staged_.push_back({number, clock_.now()});
      session_.staged(clock_.now(), actions_);
    }
    obey();
  }
  void receive(Datagram datagram) {
    if (classify(datagram) == WgType::data) {
      last_drop = open(datagram);
    } else {
      last_drop = handshaker_->receive(datagram, Endpoint{}, clock_.now(), false, *this);
      if (std::exchange(answered_, false) && is_single_minded) handshaker_->forget(PeerId{0});
    }
    obey();
  }
  void tick() {
    handshaker_->tick(clock_.now(), clock_.wall(), *this);
    ReleasedKeypairs released;
    actions_ = session_.tick(clock_.now(), released);
    give_back(released);
    obey();
  }
  Instant next_deadline() const {
    return std::min(handshaker_->next_deadline(), session_.next_deadline());
  }

  /// The receiver indices, ours and the peer's, of the keypair that was sealed with last.
  std::pair<std::uint32_t, std::uint32_t> sealed_under;
  /// Gives its own initiation up when it answers one, as the Linux module and wireguard-go do.
  bool is_single_minded = false;
  std::set<std::uint64_t> delivered;
  std::vector<Instant> established_at;
  std::size_t keepalives_received = 0;
  std::size_t rejected_replays = 0;
  std::optional<Drop> last_drop;

 private:
  void begin() {
    handshaker_.reset();  // gives its indices back
    indices_.in_use.clear();
    handshaker_ = std::make_unique<Handshaker>(indices_, random_);
    handshaker_->set_private_key(private_key_);
    session_ = Session{};
    staged_.clear();
    actions_ = {};
  }

  void send(PeerId, const std::optional<Endpoint>& to, ByteView datagram) noexcept override {
    if (!to) session_.handshake_sent(clock_.now());
    if (to) answered_ = true;
    out_.send(datagram, clock_.now());
  }
  void reply(const Endpoint&, ByteView datagram) noexcept override {
    out_.send(datagram, clock_.now());
  }
  bool established(PeerId, Keypair keypair, const Endpoint&) noexcept override {
    ReleasedKeypairs released;
    session_.install(std::move(keypair), clock_.now(), released, actions_);
    established_at.push_back(clock_.now());
    give_back(released);
    return true;
  }
  void gave_up(PeerId) noexcept override { session_.gave_up(clock_.now(), actions_); }

  void seal(std::uint64_t number, bool is_keepalive) {
    const auto slot = session_.next_seal(clock_.now());
    TW_ASSERT(slot);
    const crypto::Hash key = crypto::blake2s({slot->keypair->keys.send_key.view()});
    const auto [last, first_use] = sealed_.try_emplace(key, slot->counter);
    TW_ASSERT(first_use ? slot->counter == 0 : slot->counter == last->second + 1);
    last->second = slot->counter;
    sealed_under = {slot->keypair->keys.local_index, slot->keypair->keys.remote_index};

    const std::size_t length = is_keepalive ? 0 : 8;
    Datagram datagram(wg_data_min_size + length);
    write_wg_data_header(std::span{datagram}.first<wg_data_header_size>(),
                         slot->keypair->keys.remote_index, slot->counter);
    if (!is_keepalive) store_le64(datagram, wg_data_header_size, number);
    crypto::AeadJob job{.key = &slot->keypair->keys.send_key,
                        .counter = slot->counter,
                        .text = datagram.data() + wg_data_header_size,
                        .length = static_cast<std::uint32_t>(length)};
    engine_->submit_seal({&job, 1});
    engine_->complete();
    out_.send(datagram, clock_.now());
    session_.sent(is_keepalive, clock_.now(), actions_);
  }

  std::optional<Drop> open(Datagram& datagram) {
    const WgDataView view = WgDataView::of(datagram);
    LiveKeypair* keypair = session_.find(view.receiver_index);
    if (keypair == nullptr) return Drop::no_keypair;
    if (const auto drop = Session::may_open(*keypair, view.counter, clock_.now())) return drop;
    const std::size_t length = view.sealed.size() - wg_tag_size;
    crypto::AeadJob job{.key = &keypair->keys.receive_key,
                        .counter = view.counter,
                        .text = view.sealed.data(),
                        .length = static_cast<std::uint32_t>(length)};
    engine_->submit_open({&job, 1});
    engine_->complete();
    if (!job.authentic) return Drop::bad_tag;
    ReleasedKeypairs released;
    const auto drop = session_.authenticated(*keypair, view.counter, length == 0, clock_.now(),
                                             released, actions_);
    give_back(released);
    rejected_replays += drop ? 1 : 0;
    if (drop) return drop;
    if (length == 0) {
      ++keepalives_received;
    } else {
      TW_ASSERT(delivered.insert(load_le64(view.sealed, 0)).second);
    }
    return std::nullopt;
  }

  void obey() {
    const SessionActions actions = std::exchange(actions_, {});
    if (actions.wiped || actions.confirmed) handshaker_->forget(PeerId{0});
    if (actions.staged_expired) staged_.clear();
    if (actions.staged_overdue) drop_overdue();
    if (actions.initiate) handshaker_->initiate(PeerId{0}, clock_.now(), clock_.wall(), *this);
    if (actions.send_keepalive && staged_.empty()) seal(0, true);
    if (actions.send_keepalive || actions.confirmed) {
      for (; !staged_.empty(); staged_.pop_front()) seal(staged_.front().number, false);
    }
    if (actions_.initiate) obey();
  }
  void drop_overdue() {
    while (!staged_.empty() && clock_.now() - staged_.front().since >= staged_wait_max) {
      staged_.pop_front();
    }
    if (!staged_.empty()) session_.still_staged(staged_.front().since);
  }
  void give_back(const ReleasedKeypairs& released) {
    for (const std::uint32_t index : released.indices()) indices_.release(index);
  }

  crypto::PrivateKey private_key_;
  crypto::PublicKey peer_key_;
  TestLink& out_;
  ManualClock& clock_;
  SeededRandom random_;
  CountingIndices indices_{static_cast<std::uint32_t>(1 + random_.next() % 100)};
  std::unique_ptr<Handshaker> handshaker_;
  Session session_;
  std::unique_ptr<crypto::AeadEngine> engine_ = crypto::make_openssl_engine();
  bool answered_ = false;
  struct Staged {
    std::uint64_t number;
    Instant since;
  };
  std::deque<Staged> staged_;
  SessionActions actions_;
  std::map<crypto::Hash, std::uint64_t> sealed_;  // last counter under each key, by its hash
};

}  // namespace tw::wg
