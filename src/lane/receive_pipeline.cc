#include "lane/receive_pipeline.h"

#include "base/assert.h"
#include "wire/ip_packet.h"

namespace tw::lane {

ReceivePipeline::ReceivePipeline(PeerTable& peers, crypto::AeadEngine& engine,
                                 LaneCounters& counters, ReceiveEvents& events)
    : peers_(peers), engine_(engine), counters_(counters), events_(events) {
  jobs_.reserve(jobs_capacity);
  arrivals_.reserve(jobs_capacity);
}

void ReceivePipeline::set_steering(const ReceiverIndex& codec, const SteeringTable& table,
                                   ContextId self) noexcept {
  codec_ = &codec;
  table_ = &table;
  self_ = self;
}

void ReceivePipeline::receive(PacketBatch& batch, Instant now) noexcept {
  TW_ASSERT(codec_ != nullptr && tun_ != nullptr);
  for (Train& train : batch.trains()) {
    counters_.from_wire.received.add(train.segments());
    counters_.from_wire.received_bytes.add(train.length);
    // Each segment by itself: a train merges by address and port, so it mixes the clients behind
    // one NAT, and message types.
    for (std::size_t i = 0; i < train.segments(); ++i) {
      segment(train.segment(i), train.source, now);
    }
  }
  open_and_deliver(now);
}

void ReceivePipeline::segment(ByteSpan datagram, const Endpoint& from, Instant now) noexcept {
  const std::optional<WgType> type = classify(datagram);
  if (!type) return drop(Drop::malformed);
  if (*type == WgType::data) return data(datagram, from, now);
  if (events_.handshake_message(datagram, from)) {
    counters_.from_wire.consumed.add();
  } else {
    drop(Drop::queue_full);
  }
}

void ReceivePipeline::data(ByteSpan datagram, const Endpoint& from, Instant now) noexcept {
  const WgDataView view = WgDataView::of(datagram);
  // Any 32 bits have a bucket; with one worker every bucket is ours. A stranger's is not looked up.
  if (table_->context_of(codec_->bucket_of(view.receiver_index)) != self_) {
    return drop(Drop::no_keypair);
  }
  LanePeer* peer = peers_.find_index(view.receiver_index);
  wg::LiveKeypair* keypair = peer == nullptr ? nullptr : peer->session.find(view.receiver_index);
  if (keypair == nullptr) return drop(Drop::no_keypair);
  if (const auto reason = wg::Session::may_open(*keypair, view.counter, now)) return drop(*reason);

  jobs_.push_back({&keypair->keys.receive_key, view.counter, view.sealed.data(),
                   static_cast<std::uint32_t>(view.sealed.size() - wg_tag_size), false});
  arrivals_.push_back({view.receiver_index, static_cast<std::uint32_t>(datagram.size()), &from});
  if (jobs_.size() == jobs_capacity) open_and_deliver(now);
}

void ReceivePipeline::open_and_deliver(Instant now) noexcept {
  if (jobs_.empty()) return;
  engine_.submit_open(jobs_);
  engine_.complete();
  counters_.open_batches.add();
  counters_.open_jobs.add(jobs_.size());
  for (std::size_t i = 0; i < jobs_.size(); ++i) deliver(arrivals_[i], jobs_[i], now);
  jobs_.clear();
  arrivals_.clear();
  write_tun();
}

void ReceivePipeline::deliver(const Arrival& arrival, const crypto::AeadJob& job,
                              Instant now) noexcept {
  if (!job.authentic) return drop(Drop::bad_tag);
  // Looked up again: an earlier packet of this batch may have rotated the keypairs.
  LanePeer* peer = peers_.find_index(arrival.receiver_index);
  wg::LiveKeypair* keypair = peer == nullptr ? nullptr : peer->session.find(arrival.receiver_index);
  if (keypair == nullptr) return drop(Drop::keypair_expired);

  wg::ReleasedIndices released;
  wg::SessionActions actions;
  const bool is_keepalive = job.length == 0;
  const std::optional<Drop> reason =
      peer->session.authenticated(*keypair, job.counter, is_keepalive, now, released, actions);
  if (reason) return drop(*reason);
  peer->received_bytes += arrival.datagram_bytes;
  // Roaming: the peer is where its latest authentic packet came from.
  if (peer->endpoint != *arrival.from) peer->endpoint = *arrival.from;
  events_.session_event(*peer, actions, released);
  if (is_keepalive) {
    counters_.from_wire.consumed.add();
  } else {
    deliver_inner(*peer, {job.text, job.length});
  }
}

void ReceivePipeline::deliver_inner(LanePeer& peer, ByteSpan plaintext) noexcept {
  const std::optional<IpPacketView> packet = IpPacketView::of(plaintext);
  if (!packet) return drop(Drop::malformed_inner);
  if (peers_.allowed_ips().lookup(packet->source) != peer.id) return drop(Drop::not_allowed_ip);
  Train train;
  train.bytes = plaintext.data();
  train.length = packet->total_length;  // what follows is padding
  train.segment_size = train.length;
  to_tun_.append(train);
}

void ReceivePipeline::write_tun() noexcept {
  std::span<const Train> left = to_tun_.trains();
  while (!left.empty()) {
    const SendResult result = tun_->send(left);
    for (const Train& train : left.first(result.taken)) {
      counters_.from_wire.sent.add();
      counters_.from_wire.sent_bytes.add(train.length);
    }
    left = left.subspan(result.taken);
    if (left.empty()) break;
    drop(Drop::tun_error);
    left = left.subspan(1);
  }
  to_tun_.clear();
}

}  // namespace tw::lane
