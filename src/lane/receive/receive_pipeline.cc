#include "lane/receive/receive_pipeline.h"

#include <algorithm>
#include <cerrno>

#include "base/assert.h"
#include "base/log.h"
#include "wire/ip/ecn.h"
#include "wire/ip/host_steering.h"
#include "wire/ip/ip_packet.h"
#include "wire/offload/gso.h"

namespace tw::lane {
namespace {

/// Trains joined of one batch: what a batch of full-sized packets fills, twice over.
constexpr std::size_t joined_trains = 16;

bool has_any(const wg::SessionActions& actions) noexcept {
  return actions.wiped || actions.staged_expired || actions.confirmed || actions.initiate ||
         actions.send_keepalive;
}

}  // namespace

ReceivePipeline::ReceivePipeline(PeerTable& peers, crypto::AeadEngine& engine,
                                 LaneCounters& counters, HeldSyns& syns, ReceiveEvents& events)
    : peers_(peers),
      engine_(engine),
      counters_(counters),
      syns_(syns),
      events_(events),
      coalescer_(jobs_capacity, joined_trains) {
  jobs_.reserve(jobs_capacity);
  arrivals_.reserve(jobs_capacity);
  to_tun_.reserve(jobs_capacity);
}

void ReceivePipeline::set_steering(const ReceiverIndex& codec, const SteeringTable& table,
                                   ContextId self) noexcept {
  codec_ = &codec;
  table_ = &table;
  self_ = self;
}

void ReceivePipeline::receive(PacketBatch& batch, BatchPlace& at, TurnBudget& turn,
                              Instant now) noexcept {
  TW_ASSERT(codec_ != nullptr && tun_ != nullptr);
  while (at.train < batch.size()) {
    const Train& train = batch[at.train];
    const std::size_t segments = train.segments();
    const std::size_t count = turn.take(segments - at.segment);
    if (count == 0) break;
    if (at.segment == 0) age_limit_.next_train(train.age, train.unpolled);
    // Each segment by itself: a train merges by address and port, so it mixes the clients behind
    // one NAT, and message types.
    for (std::size_t i = at.segment; i < at.segment + count; ++i) {
      const ByteSpan datagram = train.segment(i);
      counters_.from_wire.received_bytes.add(datagram.size());
      segment(datagram, train, now);
    }
    counters_.from_wire.received.add(count);
    at.advance(count, segments);
  }
  open_and_deliver(now);
}

void ReceivePipeline::segment(ByteSpan datagram, const Train& train, Instant now) noexcept {
  const std::optional<WgType> type = classify(datagram);
  if (!type) return drop(Drop::malformed);
  if (*type == WgType::data) return data(datagram, train, now);
  if (const auto reason = events_.handshake_message(datagram, train)) return drop(*reason);
  counters_.from_wire.consumed.add();
}

bool ReceivePipeline::find(std::uint32_t receiver_index) noexcept {
  if (found_.keypair != nullptr && found_.receiver_index == receiver_index) return true;
  // Any 32 bits have a bucket; with one worker every bucket is ours. A stranger's is not looked up.
  if (table_->context_of(codec_->bucket_of(receiver_index)) != self_) return false;
  found_.receiver_index = receiver_index;
  found_.peer = peers_.find_index(receiver_index);
  found_.keypair = found_.peer == nullptr ? nullptr : found_.peer->session.find(receiver_index);
  return found_.keypair != nullptr;
}

void ReceivePipeline::data(ByteSpan datagram, const Train& train, Instant now) noexcept {
  const WgDataView view = WgDataView::of(datagram);
  if (!find(view.receiver_index)) {
    // Theirs may be the drop that the queue needs.
    age_limit_.overdue(ByteShares::strangers, datagram.size());
    return drop(Drop::no_keypair);
  }
  if (age_limit_.overdue(ByteShares::bucket_of(found_.peer->id.value), datagram.size())) {
    return drop(Drop::overdue);
  }
  if (const auto reason = wg::Session::may_open(*found_.keypair, view.counter, now)) {
    return drop(*reason);
  }
  jobs_.push_back({&found_.keypair->keys.receive_key, view.counter, view.sealed.data(),
                   static_cast<std::uint32_t>(view.sealed.size() - wg_tag_size), false});
  arrivals_.push_back({found_.peer, found_.keypair, view.receiver_index,
                       static_cast<std::uint32_t>(datagram.size()), &train});
  if (jobs_.size() == jobs_capacity) open_and_deliver(now);
}

void ReceivePipeline::open_and_deliver(Instant now) noexcept {
  if (jobs_.empty()) return;
  engine_.submit_open(jobs_);
  engine_.complete();
  counters_.open_batches.add();
  counters_.open_jobs.add(jobs_.size());
  keypairs_moved_ = false;
  for (std::size_t i = 0; i < jobs_.size(); ++i) deliver(arrivals_[i], jobs_[i], now);
  touch(nullptr);
  jobs_.clear();
  arrivals_.clear();
  found_ = {};
  allowed_ = {};
  write_tun();
}

void ReceivePipeline::deliver(const Arrival& arrival, const crypto::AeadJob& job,
                              Instant now) noexcept {
  if (!job.authentic) return drop(Drop::bad_tag);
  LanePeer* peer = arrival.peer;
  wg::LiveKeypair* keypair = arrival.keypair;
  if (keypairs_moved_) {
    peer = peers_.find_index(arrival.receiver_index);
    keypair = peer == nullptr ? nullptr : peer->session.find(arrival.receiver_index);
    if (keypair == nullptr) return drop(Drop::keypair_expired);
  }
  wg::ReleasedIndices released;
  wg::SessionActions actions;
  const bool is_keepalive = job.length == 0;
  const std::optional<Drop> reason =
      peer->session.authenticated(*keypair, job.counter, is_keepalive, now, released, actions);
  if (reason) return drop(*reason);
  peer->received_bytes += arrival.datagram_bytes;
  // Roaming: the peer is where its latest authentic packet came from, and hears from where that
  // came to.
  if (peer->endpoint != arrival.train->source) peer->endpoint = arrival.train->source;
  if (peer->local != arrival.train->local) peer->local = arrival.train->local;
  touch(peer);
  if (has_any(actions) || !released.empty()) {
    keypairs_moved_ = true;
    events_.session_event(*peer, actions, released);
  }
  if (is_keepalive) {
    counters_.from_wire.consumed.add();
  } else {
    deliver_inner(*peer, {job.text, job.length}, arrival.train->traffic_class);
  }
}

/// Timers are looked at once for a run of one peer's packets.
void ReceivePipeline::touch(LanePeer* peer) noexcept {
  if (peer == touched_) return;
  if (touched_ != nullptr) events_.session_touched(*touched_);
  touched_ = peer;
}

void ReceivePipeline::deliver_inner(LanePeer& peer, ByteSpan plaintext,
                                    std::uint8_t outer_class) noexcept {
  const std::optional<IpPacketView> packet = IpPacketView::of(plaintext);
  if (!packet) return drop(Drop::malformed_inner);
  if (!is_allowed(peer, packet->source)) return drop(Drop::not_allowed_ip);
  const ByteSpan inner = plaintext.first(packet->total_length);  // what follows is padding
  if (steers_host(inner, *packet)) return drop(Drop::host_steering);
  if (!carry_ecn(inner, *packet, outer_class)) return drop(Drop::congestion);
  if (syns_.reporting() && syns_.report(inner, *packet)) return;
  coalescer_.add(inner, *packet);
}

bool ReceivePipeline::is_allowed(const LanePeer& peer, ByteView source) noexcept {
  if (allowed_.peer == &peer && allowed_.size == source.size() &&
      std::equal(source.begin(), source.end(), allowed_.source.begin())) {
    return true;
  }
  if (peers_.allowed_ips().lookup(source) != peer.id) return false;
  allowed_.peer = &peer;
  allowed_.size = source.size();
  std::copy(source.begin(), source.end(), allowed_.source.begin());
  return true;
}

void ReceivePipeline::write_tun() noexcept {
  const std::span<const JoinedPackets> joined = coalescer_.finish();
  for (const JoinedPackets& packets : joined) {
    Train& train = to_tun_.emplace_back();
    train.bytes = packets.bytes;
    train.length = train.segment_size = packets.length;
    train.vnet = packets.vnet;
  }
  std::size_t next = 0;
  while (next < to_tun_.size()) {
    const SendResult result = tun_->send(std::span<const Train>{to_tun_}.subspan(next));
    for (const JoinedPackets& sent : joined.subspan(next, result.taken)) count_sent(sent);
    next += result.taken;
    if (next == to_tun_.size()) break;
    const JoinedPackets& refused = joined[next];
    if (refused.packets > 1 && result.os_errno == EINVAL) {
      write_singly(refused);
    } else {
      counters_.from_wire.drops.add(Drop::tun_error, refused.packets);
    }
    ++next;
  }
  to_tun_.clear();
  coalescer_.clear();
}

/// The kernel takes no trains of this kind: from now on none is made, and this one is taken apart.
void ReceivePipeline::write_singly(const JoinedPackets& joined) noexcept {
  CoalescerKinds kinds = coalescer_.kinds();
  const bool is_udp = joined.vnet.gso_type == VnetHeader::gso_udp_l4;
  if (is_udp ? kinds.udp : kinds.tcp) {
    log::warning("the TUN refuses {} trains (EINVAL): writing single packets",
                 is_udp ? "UDP" : "TCP");
    (is_udp ? kinds.udp : kinds.tcp) = false;
    coalescer_.set_kinds(kinds);
  }
  const std::optional<GsoView> view = GsoView::of({joined.bytes, joined.length}, joined.vnet);
  TW_ASSERT(view);  // the coalescer made it
  std::array<std::uint8_t, 65536> packet;
  for (std::size_t i = 0; i < view->segment_count(); ++i) {
    Train single;
    single.bytes = packet.data();
    single.length = single.segment_size = static_cast<std::uint32_t>(view->segment(i, packet));
    if (tun_->send({&single, 1}).taken == 1) {
      count_sent({single.bytes, single.length, 1, {}});
    } else {
      drop(Drop::tun_error);
    }
  }
}

void ReceivePipeline::count_sent(const JoinedPackets& joined) noexcept {
  counters_.from_wire.sent.add(joined.packets);
  counters_.from_wire.sent_bytes.add(joined.length +
                                     (joined.packets - std::size_t{1}) * joined.vnet.header_length);
}

}  // namespace tw::lane
