#include "lane/transmit_pipeline.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/assert.h"
#include "wire/wg_message.h"

namespace tw::lane {
namespace {

constexpr std::uint32_t padding_multiple = 16;
static_assert(PacketBatch::headroom >= wg_data_header_size);
static_assert(PacketBatch::tailroom >= padding_multiple - 1 + wg_tag_size);

/// Length on the wire: zero-padded to 16 bytes, but not beyond the MTU.
std::uint32_t padded_length(std::uint32_t length, std::uint32_t mtu) noexcept {
  const std::uint32_t padded =
      (length + padding_multiple - 1) / padding_multiple * padding_multiple;
  return std::max(length, std::min(padded, mtu));
}

}  // namespace

TransmitPipeline::TransmitPipeline(crypto::AeadEngine& engine, LaneCounters& counters)
    : engine_(engine), counters_(counters), keepalive_buffers_(batch_capacity, wg_data_min_size) {
  jobs_.reserve(batch_capacity);
  pending_.reserve(batch_capacity);
  for (Outgoing* outgoing : {&v4_, &v6_}) {
    outgoing->trains.reserve(batch_capacity);
    outgoing->pending.reserve(batch_capacity);
  }
}

void TransmitPipeline::queue(LanePeer& peer, const wg::Session::SealSlot& slot,
                             ByteSpan packet) noexcept {
  TW_ASSERT(!full() && peer.endpoint.has_value());
  const auto length = static_cast<std::uint32_t>(packet.size());
  const std::uint32_t padded = padded_length(length, mtu_);
  std::fill_n(packet.data() + length, padded - length, std::uint8_t{0});

  std::uint8_t* datagram = packet.data() - wg_data_header_size;
  write_wg_data_header(std::span<std::uint8_t, wg_data_header_size>{datagram, wg_data_header_size},
                       slot.keypair->keys.remote_index, slot.counter);
  jobs_.push_back({&slot.keypair->keys.send_key, slot.counter, packet.data(), padded, false});

  Train train;
  train.bytes = datagram;
  train.length = static_cast<std::uint32_t>(wg_data_header_size + padded + wg_tag_size);
  train.segment_size = train.length;
  train.destination = *peer.endpoint;
  pending_.push_back({&peer, train, length == 0, false});
}

void TransmitPipeline::queue_keepalive(LanePeer& peer, const wg::Session::SealSlot& slot) noexcept {
  counters_.to_wire.generated.add();
  queue(peer, slot, keepalive_buffers_.buffer(keepalives_++).first(0));
}

void TransmitPipeline::seal_and_send() noexcept {
  engine_.submit_seal(jobs_);
  engine_.complete();
  counters_.seal_batches.add();
  counters_.seal_jobs.add(jobs_.size());
  jobs_.clear();
  for (std::size_t i = 0; i < pending_.size(); ++i) {
    Outgoing& outgoing = pending_[i].train.destination.address.is_v4() ? v4_ : v6_;
    outgoing.trains.push_back(pending_[i].train);
    outgoing.pending.push_back(i);
  }
  send_family(ports_.v4, v4_);
  send_family(ports_.v6, v6_);
}

void TransmitPipeline::send_family(Port* port, Outgoing& outgoing) noexcept {
  std::size_t next = 0;
  const std::size_t count = outgoing.trains.size();
  while (next < count) {
    if (port == nullptr) {  // the host has no IPv6, say
      counters_.to_wire.drops.add(Drop::socket_error, count - next);
      break;
    }
    const SendResult result = port->send(std::span<const Train>{outgoing.trains}.subspan(next));
    for (std::size_t i = next; i < next + result.taken; ++i) {
      Pending& pending = pending_[outgoing.pending[i]];
      pending.left = true;
      pending.peer->sent_bytes += pending.train.length;
      counters_.to_wire.sent.add();
      counters_.to_wire.sent_bytes.add(pending.train.length);
    }
    next += result.taken;
    if (next == count) break;
    if (result.os_errno == EAGAIN || result.os_errno == ENOBUFS) {
      // Waiting would only move the queue from the socket to here; TCP inside slows down on loss.
      counters_.to_wire.drops.add(Drop::socket_full, count - next);
      break;
    }
    drop(Drop::socket_error);
    ++next;
  }
  outgoing.trains.clear();
  outgoing.pending.clear();
}

void TransmitPipeline::send_handshake(const Endpoint& to, ByteView message,
                                      LanePeer* peer) noexcept {
  counters_.to_wire.generated.add();
  std::array<std::uint8_t, wg_initiation_size> bytes;
  TW_ASSERT(message.size() <= bytes.size());
  std::copy(message.begin(), message.end(), bytes.begin());
  Train train;
  train.bytes = bytes.data();
  train.length = static_cast<std::uint32_t>(message.size());
  train.segment_size = train.length;
  train.destination = to;
  Port* port = to.address.is_v4() ? ports_.v4 : ports_.v6;
  if (port == nullptr) return drop(Drop::socket_error);
  const SendResult result = port->send({&train, 1});
  if (result.taken == 0) {
    const bool later = result.os_errno == EAGAIN || result.os_errno == ENOBUFS;
    return drop(later ? Drop::socket_full : Drop::socket_error);
  }
  counters_.to_wire.sent.add();
  counters_.to_wire.sent_bytes.add(train.length);
  if (peer != nullptr) peer->sent_bytes += train.length;
}

}  // namespace tw::lane
