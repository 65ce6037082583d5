// link: tw_relay
// covers: relay/proof/leg_proof.cc relay/proof/pop_proof.cc
// A leg's proof of whose it is, and the answer to it: read from a socket as the relay reads it,
// and judged by a PoP whose key the corpus knows. The input is a first byte (0: header or hello; 1:
// the same, bound; 2: an answer) and what comes by the leg.
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/assert.h"
#include "leg_pair.h"
#include "relay/legs/leg_header.h"
#include "relay/proof/pop_proof.h"
#include "wire/message/proxy_v2.h"

namespace {

using namespace tw::relay;
using tw::testing::LegPair, tw::testing::leg_with;
using State = LegHeader::State;

constexpr tw::Instant now{tw::Duration{1000}};

LegKey fixed_key() {
  LegKey key;
  std::ranges::fill(key.span(), std::uint8_t{'k'});
  return key;
}

LegEnds fixed_ends() {
  return {tw::Endpoint::parse("10.9.0.1:41000").value(),
          tw::Endpoint::parse("10.9.0.3:9702").value()};
}

// Whatever is accepted is, byte for byte, what sealing the same would have made.
void check_sealed(const LegHeader& header, const tw::crypto::MacKey& key,
                  const tw::crypto::Mac& bond) {
  const tw::ByteView bytes = header.view();
  if (!is_proven(bytes, *header.proof, key, fixed_ends(), bond)) return;
  std::vector<std::uint8_t> again{bytes.begin(), bytes.end()};
  const auto mac = seal_header(again, header.proof->proof, key, fixed_ends(), bond);
  TW_ASSERT(mac == header.proof->mac);
  TW_ASSERT(std::ranges::equal(tw::ByteView{again}.first(again.size() - tw::proxy_crc_tlv_size),
                               bytes.first(bytes.size() - tw::proxy_crc_tlv_size)));
}

void judge(const LegHeader& header, const std::optional<tw::crypto::Mac>& bond) {
  static PopProof pop{fixed_key()};
  if (header.state == State::hello) {
    const auto judged = pop.judge_hello(header.view(), *header.proof, fixed_ends(), now);
    TW_ASSERT(judged.answer.has_value() == (judged.fault == LegFault::none));
    return;
  }
  const auto judged = pop.judge(header.view(), header.proof, fixed_ends(), bond, now);
  // Nobody can know the name of this acceptor: only what is bound to an answer can be right.
  TW_ASSERT(judged.fault != LegFault::none || bond);
  TW_ASSERT(!judged.answer || judged.fault == LegFault::restarted);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size == 0) return 0;
  const tw::ByteView received{bytes + 1, std::min<std::size_t>(size - 1, 1024)};
  const LegPair pair = leg_with(received);
  static const tw::crypto::MacKey key{fixed_key()};
  if (bytes[0] % 3 == 2) {
    AnswerProofReader reader;
    const bool whole = reader.read(pair.ours.get()) == AnswerProofReader::State::complete;
    TW_ASSERT(whole == (received.size() >= answer_proof_size));
    TW_ASSERT(reader.size == std::min(received.size(), answer_proof_size));
    if (!whole) return 0;
    const auto answer = read_answer(reader.bytes, key, fixed_ends(), {});
    TW_ASSERT(!answer || write_answer(*answer, key, fixed_ends(), {}) == reader.bytes);
    static PopProof pop{fixed_key()};
    const auto taken = pop.take_answer(reader.bytes, {.ends = fixed_ends()}, now);
    TW_ASSERT((taken == PopProof::Answered::wrong) == !answer);
    return 0;
  }
  std::uint32_t unskipped = 0;
  const LegHeader header = read_leg_header(pair.ours.get(), false, unskipped);
  if (header.state != State::complete && header.state != State::hello) return 0;
  if (header.header.local) return 0;
  const bool bound = bytes[0] % 3 == 1;
  if (header.proof) check_sealed(header, key, {});
  judge(header, bound ? std::optional{tw::crypto::Mac{}} : std::nullopt);
  return 0;
}
