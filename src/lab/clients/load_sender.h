// The load: inner packets of all sessions in turn, sealed when they are due or long before, and
// sent as trains of one peer or as lone packets. Nothing is allocated for a packet.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/counter.h"
#include "crypto/aead_engine.h"
#include "lab/clients/options.h"
#include "lab/clients/pattern.h"
#include "lab/clients/session_array.h"

namespace tw::lab {

/// One writer; may be read while it runs. In packets.
struct SendCounters {
  Counter sent;
  Counter measured;    ///< of them, those that count
  Counter refused;     ///< not sent: our socket would not have them
  Counter no_keypair;  ///< not sent: the session had no keypair
  Counter late;        ///< sent more than late_limit after they were due
};

class LoadSender {
 public:
  static constexpr Duration late_limit = 1ms;
  /// Packets built and sealed at a time: larger only if one unit is.
  static constexpr std::uint32_t turn_packets = 64;

  /// `options` must make sense (check()). Both references must outlive this.
  LoadSender(const ClientsOptions& options, SessionArray& sessions, const Pattern& pattern);
  ~LoadSender();

  /// Seals about so many packets for later: all that send() will ever send. Peers without a keypair
  /// are left out. False if there is not so much memory.
  ///   warmup  of them, how many do not count
  bool seal_ahead(std::uint64_t packets, std::uint64_t warmup, Instant now);
  /// Returns true once all that was sealed ahead has been sent.
  bool is_exhausted() const noexcept { return pool_ != nullptr && order_ >= pool_packets_; }

  /// Units that send() takes in one call.
  std::uint32_t units_per_turn() const noexcept;
  /// Sends units of `burst` packets, at most units_per_turn(), due at `due`. What the socket cannot
  /// take now is tried again by resume(), before which there must be no further send().
  void send(std::uint32_t units, Instant due, bool measured, Instant now) noexcept;
  /// True if nothing is left to be sent.
  bool resume() noexcept;
  /// Counts what is left as refused.
  void abandon() noexcept;

  const SendCounters& counters() const noexcept { return counters_; }
  /// Measured packets of each peer that went out.
  const std::vector<std::uint64_t>& sent_by_peer() const noexcept { return sent_by_peer_; }

 private:
  struct Outgoing {
    std::uint32_t peer;
    bool measured;
  };
  /// The order is that in which packets are sent, whoever's they are.
  std::uint32_t peer_of(std::uint64_t order) const noexcept;
  /// Writes a train of one peer, and what has to be sealed into jobs_. False, and nothing done, if
  /// the peer has no keypair.
  bool build_train(std::uint8_t* out, std::uint32_t peer, bool measured, Instant due,
                   Instant now) noexcept;
  void seal_jobs() noexcept;
  void queue(std::uint8_t* bytes, std::uint32_t peer, bool measured) noexcept;
  void send_pool(std::uint32_t trains, Instant now) noexcept;
  void count_sent(std::size_t train, std::size_t segments) noexcept;

  SessionArray& sessions_;
  PacketWriter writer_;
  std::uint32_t wire_size_;
  std::uint32_t padded_size_;
  std::uint32_t burst_;
  std::uint32_t train_packets_;  // of one peer, in one message

  std::unique_ptr<crypto::AeadEngine> engine_;
  std::vector<crypto::AeadJob> jobs_;
  std::vector<std::uint8_t> buffer_;
  std::vector<Train> trains_;
  std::vector<Outgoing> outgoing_;  // beside trains_
  std::size_t pending_ = 0;         // of trains_, the first that is not sent
  std::uint64_t order_ = 0;         // packets taken so far

  std::vector<Endpoint> sources_;
  std::vector<std::uint64_t> sequences_;
  std::vector<std::uint64_t> sent_by_peer_;

  std::unique_ptr<std::uint8_t[]> pool_;
  std::uint64_t pool_packets_ = 0, pool_warmup_ = 0;
  std::vector<bool> in_pool_;  // by peer
  SendCounters counters_;
};

}  // namespace tw::lab
