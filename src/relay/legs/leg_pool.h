// Warm legs to one PoP (KTCP, section 4.3): connections that are established before anybody needs
// them, so that a client's first bytes do not wait for a handshake over the long path. Each is used
// once. They are made in the background and watched while they wait: one that dies is noticed when
// it dies, one that grows old is closed in order, and both are replaced. Nothing is ever waited
// for: when there is none, the caller connects as if there were no pool. None is idle before its
// PoP has proven itself, if that can (pop_proof.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "base/time.h"
#include "base/unique_fd.h"
#include "relay/legs/connect_backoff.h"
#include "relay/legs/leg_header.h"
#include "relay/legs/leg_source.h"
#include "relay/legs/pool_size.h"
#include "relay/proof/pop_proof.h"
#include "relay/settings.h"

namespace tw::relay {

class LegPool {
 public:
  /// Begins one connection to the PoP: non-blocking, without waiting for it.
  using Connect = std::function<Result<UniqueFd>()>;

  /// The most legs that are being made at once. Making one takes two round trips: the second is for
  /// the PoP's proof. 64 of them keep up with 150 connections a second over a path of 215 ms.
  static constexpr std::size_t most_connecting = 64;
  /// Begun in one poll: making a socket takes 20 us, and the connections in use wait meanwhile.
  static constexpr std::size_t begun_per_poll = 4;

  /// Empty, and wants nothing, until apply(). `random` must outlive it.
  /// `proof`: what legs are to prove; null: nothing.
  LegPool(Connect connect, RandomSource& random, std::shared_ptr<PopProof> proof = nullptr);
  LegPool(const LegPool&) = delete;
  LegPool& operator=(const LegPool&) = delete;
  /// As drop_all().
  ~LegPool();

  /// In effect at the next poll(), which is due at once. Of `limits`: connect_timeout, and what a
  /// leg has as keepalive and user timeout once it is used.
  /// `probe`: one leg is made even where none are kept, if that is needed to let the PoP prove
  /// itself before somebody waits for it.
  void apply(const PoolSettings& settings, const RelayLimits& limits, bool probe = false);
  /// Legs that are made from now on prove themselves by this: drop_all() goes before.
  void prove_by(std::shared_ptr<PopProof> proof) noexcept { proof_ = std::move(proof); }
  /// The leg that was made last of those that are still alive; it is the caller's, and no longer
  /// watched. Empty if there is none. At most seven system calls, and three for each that was dead;
  /// no allocation. `bond`: of the answer by which its PoP has proven itself (what the leg's header
  /// is to be bound to); empty if it has not.
  UniqueFd take(Instant now, std::optional<crypto::Mac>* bond = nullptr) noexcept;
  /// Closes all in order and forgets what was learned of the path: it is another one from now on.
  void drop_all() noexcept;

  /// They are not answered: drops all, and makes new ones as soon as that succeeds.
  void abandon() noexcept;

  /// Readable when a leg was made or has died. Constant; -1 if there was no descriptor left for
  /// it, and then the pool stays empty.
  int wait_fd() const noexcept { return epoll_.get(); }
  void poll(Instant now);
  Instant next_deadline() const noexcept { return deadline_; }
  LegSourceState state() const noexcept;
  /// Why the last attempt failed.
  const Error& last_error() const noexcept { return last_error_; }

 private:
  struct WarmLeg {
    std::uint64_t id = 0;  // epoll hands it back; never used twice
    UniqueFd socket;
    bool idle = false;     // established; else connecting
    double age_share = 0;  // of max_age, that this one may reach
    Instant begun, established;
    std::optional<PopProof::Said> said{};  // connected, and has said hello
    AnswerProofReader answer{};            // to that
  };

  bool is_on() const noexcept { return settings_.enabled && wait_fd() >= 0; }
  std::size_t idle() const noexcept { return legs_.size() - connecting_; }
  Instant expiry_of(const WarmLeg& leg) const noexcept;

  void take_events(Instant now);
  bool keep(WarmLeg& leg, std::uint32_t events, Instant now) noexcept;
  bool greet(WarmLeg& leg, Instant now) noexcept;
  bool take_answer(WarmLeg& leg, Instant now) noexcept;
  bool wants_probe(Instant now) const noexcept;
  void note_rtt(int socket) noexcept;
  void establish(WarmLeg& leg, Instant now) noexcept;
  void fail(const WarmLeg& leg, Error error, Instant now) noexcept;
  void count_death(const WarmLeg& leg, Instant now) noexcept;
  void retire(Instant now);
  void close_surplus() noexcept;
  void refill(Instant now);
  void begin_leg(Instant now);
  Instant deadline_after(Instant now) const noexcept;

  const Connect connect_;
  RandomSource& random_;
  std::shared_ptr<PopProof> proof_;  // null: nothing is asked for
  UniqueFd epoll_;
  PoolSettings settings_{.enabled = false};
  bool probe_ = false;
  RelayLimits limits_;
  ConnectBackoff backoff_;
  PoolSize size_;
  std::vector<WarmLeg> legs_;  // in the order in which they were begun
  std::size_t connecting_ = 0, target_ = 0;
  std::uint64_t next_id_ = 0;
  Instant deadline_ = Instant::max();
  LegSourceState counts_;  // counters and RTT; the rest is filled in by state()
  Error last_error_;
};

}  // namespace tw::relay
