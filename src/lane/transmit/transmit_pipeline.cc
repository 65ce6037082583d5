#include "lane/transmit/transmit_pipeline.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/assert.h"
#include "wire/ip/nesting.h"
#include "wire/message/wg_message.h"

namespace tw::lane {
namespace {

constexpr std::uint32_t padding_multiple = 16;
constexpr std::size_t overhead = wg_data_header_size + wg_tag_size;
/// The limits of one UDP_SEGMENT send: an IPv4 datagram's bytes, and the kernel's UDP_MAX_SEGMENTS.
constexpr std::size_t train_bytes_max = 65'507;
constexpr std::size_t train_segments_max = 128;

/// Length on the wire: zero-padded to 16 bytes, but not beyond the MTU.
std::uint32_t padded_length(std::uint32_t length, std::uint32_t mtu) noexcept {
  const std::uint32_t padded =
      (length + padding_multiple - 1) / padding_multiple * padding_multiple;
  return std::max(length, std::min(padded, mtu));
}

bool is_later(int os_errno) noexcept { return os_errno == EAGAIN || os_errno == ENOBUFS; }

Drop reason_for(int os_errno) noexcept {
  if (is_later(os_errno)) return Drop::socket_full;
  return os_errno == ELOOP ? Drop::routing_loop : Drop::socket_error;
}

}  // namespace

TransmitPipeline::TransmitPipeline(crypto::AeadEngine& engine, LaneCounters& counters)
    : engine_(engine), counters_(counters), arena_(new std::uint8_t[arena_bytes]) {
  jobs_.reserve(batch_capacity);
  pending_.reserve(batch_capacity);
  for (Outgoing* outgoing : {&v4_, &v6_}) {
    outgoing->trains.reserve(batch_capacity);
    outgoing->pending.reserve(batch_capacity);
  }
}

bool TransmitPipeline::full(std::size_t inner_bytes) const noexcept {
  return jobs_.size() == batch_capacity ||
         arena_used_ + overhead + inner_bytes + padding_multiple > arena_bytes;
}

bool TransmitPipeline::too_large(std::size_t inner_bytes) noexcept {
  return inner_bytes > largest_inner();
}

std::uint32_t TransmitPipeline::largest_inner() noexcept {
  return static_cast<std::uint32_t>(train_bytes_max - overhead);
}

TransmitPipeline::Outer TransmitPipeline::outer_of(const GsoView& packet) const noexcept {
  return {dscp_.outer(packet.traffic_class()), Nesting::of(packet.packet()).hop_limit};
}

void TransmitPipeline::queue(LanePeer& peer, const wg::Session::SealSlot& slot,
                             const GsoView& packet, std::size_t segment, Outer outer) noexcept {
  const std::size_t length = packet.segment_length(segment);
  TW_ASSERT(!full(length) && !too_large(length));
  std::uint8_t* inner = arena_.get() + arena_used_ + wg_data_header_size;
  packet.segment(segment, {inner, length});
  append(peer, slot, static_cast<std::uint32_t>(length), outer);
}

void TransmitPipeline::queue_keepalive(LanePeer& peer, const wg::Session::SealSlot& slot) noexcept {
  TW_ASSERT(!full(0));
  counters_.to_wire.generated.add();
  append(peer, slot, 0, {dscp_.outer(0), 0});
}

/// The inner packet lies in its place in the arena already.
void TransmitPipeline::append(LanePeer& peer, const wg::Session::SealSlot& slot,
                              std::uint32_t length, Outer outer) noexcept {
  TW_ASSERT(peer.endpoint.has_value());
  std::uint8_t* datagram = arena_.get() + arena_used_;
  std::uint8_t* inner = datagram + wg_data_header_size;
  std::uint32_t padded = padded_length(length, mtu_);
  if (too_large(padded)) padded = length;
  std::fill_n(inner + length, padded - length, std::uint8_t{0});
  write_wg_data_header(std::span<std::uint8_t, wg_data_header_size>{datagram, wg_data_header_size},
                       slot.keypair->keys.remote_index, slot.counter);
  jobs_.push_back({&slot.keypair->keys.send_key, slot.counter, inner, padded, false});

  const auto bytes = static_cast<std::uint32_t>(overhead + padded);
  if (length == 0 || !extend(peer, bytes, outer)) {
    Train train;
    train.bytes = datagram;
    train.length = train.segment_size = bytes;
    train.traffic_class = outer.traffic_class;
    train.hop_limit = outer.hop_limit;
    train.destination = *peer.endpoint;
    train.local = peer.local;
    pending_.push_back({&peer, train, length == 0, false});
  }
  arena_used_ += bytes;
}

/// True if the datagram behind the last train is one more segment of it.
bool TransmitPipeline::extend(const LanePeer& peer, std::uint32_t datagram, Outer outer) noexcept {
  if (pending_.empty()) return false;
  Pending& last = pending_.back();
  Train& train = last.train;
  // Only the last segment may be shorter.
  if (last.peer != &peer || last.is_keepalive || train.traffic_class != outer.traffic_class ||
      train.hop_limit != outer.hop_limit || datagram > train.segment_size ||
      train.length % train.segment_size != 0 || train.length + datagram > train_bytes_max ||
      train.segments() == train_segments_max) {
    return false;
  }
  train.length += datagram;
  return true;
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
  arena_used_ = 0;
}

void TransmitPipeline::note_sent(Pending& pending, std::size_t segments,
                                 std::size_t bytes) noexcept {
  pending.left = true;
  pending.peer->sent_bytes += bytes;
  counters_.to_wire.sent.add(segments);
  counters_.to_wire.sent_bytes.add(bytes);
}

void TransmitPipeline::send_family(Port* port, Outgoing& outgoing) noexcept {
  const std::span<Train> trains{outgoing.trains};
  std::size_t next = 0;
  bool later = false;  // the socket is full: what is left is dropped
  while (next < trains.size()) {
    SendResult result;
    if (port != nullptr && !later) result = port->send(trains.subspan(next));
    for (std::size_t i = next; i < next + result.taken; ++i) {
      note_sent(pending_[outgoing.pending[i]], trains[i].segments(), trains[i].length);
    }
    if (result.source_gone) forget_source(outgoing, next + *result.source_gone);
    next += result.taken;
    if (next == trains.size()) break;
    if (result.source_gone && result.os_errno == 0) continue;
    // Part of a train may have left.
    const Train& refused = trains[next];
    if (result.partial > 0) {
      note_sent(pending_[outgoing.pending[next]], result.partial,
                result.partial * refused.segment_size);
    }
    // Waiting would only move the queue from the socket to here; TCP inside slows down on loss.
    later = later || is_later(result.os_errno);
    counters_.to_wire.drops.add(later ? Drop::socket_full : reason_for(result.os_errno),
                                refused.segments() - result.partial);
    ++next;
  }
  outgoing.trains.clear();
  outgoing.pending.clear();
}

/// The local address of that train is gone: its peer hears from wherever the kernel sends, until it
/// speaks to an address of ours again.
void TransmitPipeline::forget_source(Outgoing& outgoing, std::size_t first) noexcept {
  LanePeer* const peer = pending_[outgoing.pending[first]].peer;
  const LocalAddress gone = outgoing.trains[first].local;
  if (peer->local == gone) peer->local = {};
  for (std::size_t i = first; i < outgoing.trains.size(); ++i) {
    Train& train = outgoing.trains[i];
    if (pending_[outgoing.pending[i]].peer == peer && train.local == gone) train.local = {};
  }
}

void TransmitPipeline::send_handshake(const Endpoint& to, const LocalAddress& local,
                                      ByteView message, LanePeer* peer) noexcept {
  counters_.to_wire.generated.add();
  std::array<std::uint8_t, wg_initiation_size> bytes;
  TW_ASSERT(message.size() <= bytes.size());
  std::copy(message.begin(), message.end(), bytes.begin());
  Train train;
  train.bytes = bytes.data();
  train.length = static_cast<std::uint32_t>(message.size());
  train.segment_size = train.length;
  train.destination = to;
  train.local = local;
  train.traffic_class = dscp_.outer(0);
  train.unproven = peer == nullptr;
  Port* port = to.address.is_v4() ? ports_.v4 : ports_.v6;
  if (port == nullptr) return drop(Drop::socket_error);
  const SendResult result = port->send({&train, 1});
  if (result.source_gone && peer != nullptr && peer->local == local) peer->local = {};
  if (result.taken == 0) {
    return drop(reason_for(result.os_errno));
  }
  counters_.to_wire.sent.add();
  counters_.to_wire.sent_bytes.add(train.length);
  if (peer != nullptr) peer->sent_bytes += train.length;
}

}  // namespace tw::lane
