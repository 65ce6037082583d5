#include "lab/clients/load_sender.h"

#include <algorithm>
#include <cerrno>
#include <new>
#include <span>

#include "base/assert.h"
#include "crypto/aead_choice.h"
#include "lab/clients/keys.h"
#include "wire/message/wg_message.h"

namespace tw::lab {
namespace {

constexpr std::uint16_t first_port = 20'000;
constexpr std::uint32_t port_count = 40'000;

/// The fastest that is right on this machine: what sealing costs must not bound the load.
std::unique_ptr<crypto::AeadEngine> fastest_engine() {
  const auto choice = crypto::choose_aead_engine(crypto::automatic_engine, SystemClock{});
  return choice ? choice->make() : crypto::make_openssl_engine();
}

bool is_passing(int os_errno) noexcept { return os_errno == EAGAIN || os_errno == ENOBUFS; }

}  // namespace

LoadSender::LoadSender(const ClientsOptions& options, SessionArray& sessions,
                       const Pattern& pattern)
    : sessions_(sessions),
      writer_(pattern, *options.sink),
      wire_size_(options.wire_size()),
      padded_size_(options.padded_size()),
      burst_(options.burst),
      train_packets_(options.interleave ? 1 : options.burst),
      engine_(fastest_engine()),
      sequences_(options.peers),
      sent_by_peer_(options.peers),
      in_pool_(options.peers) {
  TW_ASSERT(engine_ != nullptr && writer_.size() == options.size && burst_ > 0);
  const std::size_t packets = std::size_t{units_per_turn()} * burst_;
  buffer_.resize(packets * wire_size_);
  jobs_.reserve(packets);
  trains_.reserve(packets);
  outgoing_.reserve(packets);
  sources_.reserve(options.peers);
  for (std::uint32_t peer = 0; peer < options.peers; ++peer) {
    const auto port = static_cast<std::uint16_t>(first_port + peer % port_count);
    sources_.push_back({client_address(options.addresses, peer), port});
  }
}

LoadSender::~LoadSender() = default;

std::uint32_t LoadSender::units_per_turn() const noexcept {
  return std::max(1U, turn_packets / burst_);
}

std::uint32_t LoadSender::peer_of(std::uint64_t order) const noexcept {
  return static_cast<std::uint32_t>(order / train_packets_ % sequences_.size());
}

bool LoadSender::build_train(std::uint8_t* out, std::uint32_t peer, bool measured, Instant due,
                             Instant now) noexcept {
  for (std::uint32_t i = 0; i < train_packets_; ++i, out += wire_size_) {
    // With a first counter there are as many as a train takes: they end after 2^60 packets.
    const auto slot = sessions_.next_seal(peer, now);
    if (!slot) return false;
    write_wg_data_header(std::span<std::uint8_t, wg_data_header_size>{out, wg_data_header_size},
                         slot->keypair->keys.remote_index, slot->counter);
    const ByteSpan packet{out + wg_data_header_size, padded_size_};
    const Stamp stamp{peer, measured, sequences_[peer]++, due.since_origin().count()};
    writer_.write(packet, sources_[peer], stamp);
    std::fill(packet.begin() + static_cast<std::ptrdiff_t>(writer_.size()), packet.end(),
              std::uint8_t{0});
    jobs_.push_back(
        {&slot->keypair->keys.send_key, slot->counter, packet.data(), padded_size_, false});
  }
  return true;
}

void LoadSender::seal_jobs() noexcept {
  engine_->submit_seal(jobs_);
  engine_->complete();
  jobs_.clear();
}

bool LoadSender::seal_ahead(std::uint64_t packets, std::uint64_t warmup, Instant now) {
  pool_packets_ = (packets + burst_ - 1) / burst_ * burst_;
  pool_warmup_ = warmup / burst_ * burst_;
  pool_.reset(new (std::nothrow) std::uint8_t[pool_packets_ * wire_size_]);
  if (pool_ == nullptr) return false;
  for (std::uint32_t peer = 0; peer < in_pool_.size(); ++peer) {
    in_pool_[peer] = sessions_.is_established(peer, now);
  }
  for (std::uint64_t order = 0; order < pool_packets_; order += train_packets_) {
    const std::uint32_t peer = peer_of(order);
    if (!in_pool_[peer]) continue;
    build_train(pool_.get() + order * wire_size_, peer, order >= pool_warmup_, Instant{}, now);
    if (jobs_.size() + train_packets_ > jobs_.capacity()) seal_jobs();
  }
  seal_jobs();
  return true;
}

void LoadSender::queue(std::uint8_t* bytes, std::uint32_t peer, bool measured) noexcept {
  Train train;
  train.bytes = bytes;
  train.length = train_packets_ * wire_size_;
  train.segment_size = wire_size_;
  train.destination = sessions_.target();
  trains_.push_back(train);
  outgoing_.push_back({peer, measured});
}

void LoadSender::send(std::uint32_t units, Instant due, bool measured, Instant now) noexcept {
  TW_ASSERT(units <= units_per_turn() && trains_.empty());
  const std::uint32_t trains = units * burst_ / train_packets_;
  if (now - due > late_limit) counters_.late.add(std::uint64_t{units} * burst_);
  if (pool_ != nullptr) {
    send_pool(trains, now);
  } else {
    std::uint8_t* out = buffer_.data();
    for (std::uint32_t i = 0; i < trains; ++i, order_ += train_packets_) {
      const std::uint32_t peer = peer_of(order_);
      if (!build_train(out, peer, measured, due, now)) {
        counters_.no_keypair.add(train_packets_);
        continue;
      }
      sessions_.sent(peer, now);
      queue(out, peer, measured);
      out += std::size_t{train_packets_} * wire_size_;
    }
    seal_jobs();
  }
  resume();
}

void LoadSender::send_pool(std::uint32_t trains, Instant now) noexcept {
  for (; trains > 0 && order_ < pool_packets_; --trains, order_ += train_packets_) {
    const std::uint32_t peer = peer_of(order_);
    if (!in_pool_[peer]) {
      counters_.no_keypair.add(train_packets_);
      continue;
    }
    sessions_.sent(peer, now);
    queue(pool_.get() + order_ * wire_size_, peer, order_ >= pool_warmup_);
  }
}

void LoadSender::count_sent(std::size_t train, std::size_t segments) noexcept {
  counters_.sent.add(segments);
  if (!outgoing_[train].measured) return;
  counters_.measured.add(segments);
  sent_by_peer_[outgoing_[train].peer] += segments;
}

bool LoadSender::resume() noexcept {
  while (pending_ < trains_.size()) {
    const std::uint32_t socket = sessions_.socket_of(outgoing_[pending_].peer);
    std::size_t end = pending_ + 1;
    while (end < trains_.size() && sessions_.socket_of(outgoing_[end].peer) == socket) ++end;
    const SendResult result =
        sessions_.port(socket).send(std::span{trains_}.subspan(pending_, end - pending_));
    for (std::size_t i = 0; i < result.taken; ++i, ++pending_) {
      count_sent(pending_, trains_[pending_].segments());
    }
    if (pending_ == end) continue;
    if (result.partial > 0) {
      count_sent(pending_, result.partial);
      Train& rest = trains_[pending_];
      const auto gone = static_cast<std::uint32_t>(result.partial) * rest.segment_size;
      rest.bytes += gone;
      rest.length -= gone;
    }
    if (is_passing(result.os_errno)) return false;
    counters_.refused.add(trains_[pending_].segments());
    ++pending_;
  }
  abandon();
  return true;
}

void LoadSender::abandon() noexcept {
  for (; pending_ < trains_.size(); ++pending_) {
    counters_.refused.add(trains_[pending_].segments());
  }
  trains_.clear();
  outgoing_.clear();
  pending_ = 0;
}

}  // namespace tw::lab
