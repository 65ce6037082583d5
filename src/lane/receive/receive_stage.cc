#include "lane/receive/receive_stage.h"

#include <algorithm>

#include "wire/message/wg_message.h"

namespace tw::lane {

std::size_t ReceiveStage::receive(const PacketBatch& batch, BatchPlace& at, Turn& turn,
                                  SealedPackets& sealed) noexcept {
  found_ = {};
  std::size_t handshake_messages = 0;
  while (at.train < batch.size()) {
    const Train& train = batch[at.train];
    const std::size_t segments = train.segments();
    const std::size_t waiting = segments - at.segment;
    if (waiting > sealed.room() && !sealed.empty()) break;
    const std::size_t count = turn.take(std::min(waiting, sealed.room()));
    if (count == 0) break;
    if (at.segment == 0) age_limit_.next_train(train.age, train.unpolled);
    // Each segment by itself: a train merges by address and port, so it mixes the clients behind
    // one NAT, and message types.
    std::size_t bytes = 0;
    for (std::size_t i = at.segment; i < at.segment + count; ++i) {
      const ByteSpan datagram = train.segment(i);
      bytes += datagram.size();
      if (segment(datagram, train, turn.now(), sealed)) ++handshake_messages;
    }
    if (train.passed_on) {
      counters_.taken_over.add(count);
    } else {
      counters_.received.add(count);
      counters_.received_bytes.add(bytes);
    }
    turn.add_bytes(bytes);
    at.advance(count, segments);
  }
  strangers_.publish();
  return handshake_messages;
}

bool ReceiveStage::segment(ByteSpan datagram, const Train& train, Instant now,
                           SealedPackets& sealed) noexcept {
  const std::optional<WgType> type = classify(datagram);
  if (!type) {
    drop(Drop::malformed);
    return false;
  }
  if (*type == WgType::data) {
    data(datagram, train, now, sealed);
    return false;
  }
  if (const auto reason = gate_.pass(datagram, train)) {
    drop(*reason);
    return false;
  }
  counters_.consumed.add();
  return true;
}

bool ReceiveStage::find(std::uint32_t receiver_index) noexcept {
  if (found_.receiver_index == receiver_index) {
    if (found_.keypair != nullptr) return true;
    if (found_.stranger) return false;
  }
  found_ = {};
  found_.receiver_index = receiver_index;
  // Any 32 bits have a bucket; with one worker every bucket is ours. A stranger's is not looked up.
  const ContextId owner = steering_.context_of(codec_.bucket_of(receiver_index));
  if (owner != self_) {
    found_.stranger = owner;
    return false;
  }
  found_.peer = peers_.find_index(receiver_index);
  found_.keypair = found_.peer == nullptr ? nullptr : found_.peer->session.find(receiver_index);
  return found_.keypair != nullptr;
}

void ReceiveStage::not_found(ByteSpan datagram, const Train& train) noexcept {
  if (found_.stranger) {
    if (!strangers_.from_wire(*found_.stranger, train, datagram)) return drop(Drop::queue_full);
    return counters_.passed_on.add();
  }
  // Theirs may be the drop that the queue needs.
  age_limit_.overdue(ByteShares::strangers, datagram.size());
  drop(Drop::no_keypair);
}

void ReceiveStage::data(ByteSpan datagram, const Train& train, Instant now,
                        SealedPackets& sealed) noexcept {
  const WgDataView view = WgDataView::of(datagram);
  if (!find(view.receiver_index)) return not_found(datagram, train);
  if (age_limit_.overdue(ByteShares::bucket_of(found_.peer->id.value), datagram.size())) {
    return drop(Drop::overdue);
  }
  if (const auto reason = wg::Session::may_open(*found_.keypair, view.counter, now)) {
    return drop(*reason);
  }
  sealed.push({&found_.keypair->keys.receive_key, view.counter, view.sealed.data(),
               static_cast<std::uint32_t>(view.sealed.size() - wg_tag_size), false},
              {found_.peer, found_.keypair, &train, static_cast<std::uint32_t>(datagram.size())});
}

}  // namespace tw::lane
