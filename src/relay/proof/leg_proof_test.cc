#include "relay/proof/leg_proof.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "crypto/primitives.h"
#include "relay/legs/leg_header.h"
#include "relay/proof/leg_key.h"
#include "relay/proof/pop_proof.h"
#include "relay/stream/first_bytes.h"
#include "wire/message/proxy_v2.h"

namespace tw::relay {
namespace {

constexpr Instant start{Duration{1000s}};

LegKey key_of(std::uint8_t byte) {
  LegKey key;
  key.span()[5] = byte;
  return key;
}

Endpoint at(const char* text) { return Endpoint::parse(text).value(); }

std::vector<std::uint8_t> blank_header(const LegOptions& options = {},
                                       const char* client = "10.0.0.9:40000",
                                       const char* target = "192.0.2.80:443") {
  std::array<std::uint8_t, leg_tlv_size> tlv{};
  const ByteView first = write_leg_options(options, tlv);
  std::vector<std::uint8_t> tlvs{first.begin(), first.end()};
  const ProofTlv proof = blank_proof();
  tlvs.insert(tlvs.end(), proof.begin(), proof.end());
  std::vector<std::uint8_t> bytes(proxy_max_size);
  bytes.resize(write_proxy_header({.source = at(client), .target = at(target)}, bytes, tlvs));
  return bytes;
}

std::optional<ReceivedProof> proof_in(ByteView header) {
  const ProxyParse parse = parse_proxy_header(header, ProxyCrc::required);
  EXPECT_EQ(parse.status, ProxyParse::Status::complete);
  return read_proof(header, parse.tlvs);
}

const LegEnds v4_ends{at("10.9.0.1:41000"), at("10.9.0.3:9702")};
const LegEnds v6_ends{at("[fd00::1]:41000"), at("[fd00::3]:9702")};

TEST(LegKey, IsTheSameOnBothSidesAndNoOthers) {
  const crypto::PrivateKey a = crypto::generate_private_key(), b = crypto::generate_private_key(),
                           c = crypto::generate_private_key();
  crypto::PresharedKey shared;
  shared.span()[0] = 1;
  const auto of_a = derive_leg_key(a, crypto::public_key_of(b), {});
  ASSERT_TRUE(of_a);
  EXPECT_TRUE(of_a == derive_leg_key(b, crypto::public_key_of(a), {}));
  EXPECT_FALSE(of_a == derive_leg_key(a, crypto::public_key_of(b), shared));
  EXPECT_FALSE(of_a == derive_leg_key(a, crypto::public_key_of(c), {}));
  EXPECT_FALSE(of_a->is_zero());
}

TEST(LegKey, WithoutIdentitiesThereIsNone) {
  const crypto::PrivateKey a = crypto::generate_private_key();
  EXPECT_FALSE(derive_leg_key(crypto::PrivateKey{}, crypto::public_key_of(a), {}));
  EXPECT_FALSE(derive_leg_key(a, crypto::PublicKey{}, {}));  // of low order
}

TEST(LegProof, ComesBackAsItWasSealed) {
  const crypto::MacKey key{key_of(1)};
  for (const LegEnds& ends : {v4_ends, v6_ends}) {
    auto header = blank_header({.answer = true, .hops = 2});
    const HeaderProof sealed{.wants_answer = true, .acceptor = 5, .time_ns = 6, .nonce = 7};
    const crypto::Mac mac = seal_header(header, sealed, key, ends);
    const auto proof = proof_in(header);
    ASSERT_TRUE(proof);
    EXPECT_EQ(proof->proof, sealed);
    EXPECT_EQ(proof->mac, mac);
    EXPECT_TRUE(is_proven(header, *proof, key, ends));
    EXPECT_FALSE(is_proven(header, *proof, crypto::MacKey{key_of(2)}, ends));
    EXPECT_FALSE(is_proven(header, *proof, key, {ends.acceptor, ends.connector}));
    EXPECT_FALSE(is_proven(header, *proof, key, ends, crypto::Mac{1}));
  }
}

// Whatever the CRC-32C says, which anybody can make right again.
TEST(LegProof, EveryBitOfTheHeaderIsProven) {
  const crypto::MacKey key{key_of(1)};
  for (const char* client : {"10.0.0.9:40000", "[2001:db8::9]:40000"}) {
    auto header = blank_header({.fast_open = true, .hops = 3}, client);
    seal_header(header, {.acceptor = 5, .time_ns = 6, .nonce = 7}, key, v4_ends);
    for (std::size_t bit = 0; bit < 8 * (header.size() - proxy_crc_tlv_size); ++bit) {
      auto damaged = header;
      damaged[bit / 8] = static_cast<std::uint8_t>(damaged[bit / 8] ^ 1U << bit % 8);
      renew_proxy_crc(damaged);
      const ProxyParse parse = parse_proxy_header(damaged, ProxyCrc::optional);
      if (parse.status != ProxyParse::Status::complete || parse.length != damaged.size()) continue;
      const auto proof = read_proof(damaged, parse.tlvs);
      EXPECT_FALSE(proof && is_proven(damaged, *proof, key, v4_ends)) << bit;
    }
  }
}

TEST(LegProof, OfTheEndsAndTheirFamilies) {
  const crypto::MacKey key{key_of(1)};
  auto header = blank_header();
  seal_header(header, {}, key, v4_ends);
  const auto proof = proof_in(header);
  for (const LegEnds& other : {LegEnds{at("10.9.0.1:41001"), v4_ends.acceptor},
                               LegEnds{at("10.9.0.2:41000"), v4_ends.acceptor},
                               LegEnds{v4_ends.connector, at("10.9.0.3:9703")},
                               LegEnds{v4_ends.connector, at("10.9.0.4:9702")},
                               LegEnds{at("[a09:1::]:41000"), v4_ends.acceptor}, v6_ends}) {
    EXPECT_FALSE(is_proven(header, *proof, key, other));
  }
}

// Bytes behind the proof are outside its MAC: only the CRC-32C may stand there.
TEST(LegProof, NothingMayFollowIt) {
  const crypto::MacKey key{key_of(1)};
  auto header = blank_header();
  seal_header(header, {}, key, v4_ends);
  auto other = header;
  other[other.size() - proxy_crc_tlv_size] = 0xe0;  // options, in place of the CRC-32C
  ProxyParse parse = parse_proxy_header(other, ProxyCrc::optional);
  ASSERT_EQ(parse.status, ProxyParse::Status::complete);
  auto proof = read_proof(other, parse.tlvs);
  ASSERT_TRUE(proof);
  EXPECT_FALSE(is_proven(other, *proof, key, v4_ends));
  auto longer = header;
  longer.insert(longer.end(), {0xe0, 0, 2, 1, 9});
  longer[15] = static_cast<std::uint8_t>(longer[15] + 5);
  parse = parse_proxy_header(longer, ProxyCrc::optional);
  proof = parse.status == ProxyParse::Status::complete ? read_proof(longer, parse.tlvs) : proof;
  EXPECT_FALSE(is_proven(longer, *proof, key, v4_ends));
}

TEST(LegProof, AnOlderReaderSkipsIt) {
  auto header = blank_header({.fast_open = true, .hops = 4});
  seal_header(header, {.acceptor = 1, .time_ns = 2, .nonce = 3}, crypto::MacKey{key_of(1)},
              v4_ends);
  const ProxyParse parse = parse_proxy_header(header, ProxyCrc::required);
  ASSERT_EQ(parse.status, ProxyParse::Status::complete);
  EXPECT_EQ(parse.header.source, at("10.0.0.9:40000"));
  EXPECT_EQ(read_leg_options(parse.tlvs), (LegOptions{.fast_open = true, .hops = 4}));
  EXPECT_LE(blank_header({.hops = 2}, "[2001:db8::9]:1", "[2001:db8::1]:2").size(),
            FirstBytes::capacity);
}

TEST(LegProof, AHelloIsALocalHeaderAndNoHealthCheckIsOne) {
  const auto hello = blank_hello();
  const ProxyParse parse = parse_proxy_header(hello, ProxyCrc::optional);
  EXPECT_EQ(parse.status, ProxyParse::Status::complete);
  EXPECT_TRUE(parse.header.local);
  for (std::size_t size = 1; size <= hello.size(); ++size) {
    EXPECT_TRUE(looks_like_hello(ByteView{hello}.first(size)));
  }
  std::array<std::uint8_t, 100> check{};
  const std::size_t size = write_proxy_header({.local = true, .source = {}, .target = {}}, check);
  EXPECT_FALSE(looks_like_hello(ByteView{check}.first(size)));
}

// ---- The rules

class PopProofTest : public testing::Test {
 protected:
  PopProofTest() { other.require(true); }
  struct Sent {
    std::vector<std::uint8_t> header;
    PopProof::Said said;
  };
  PopProof::Answered greet(Instant connector_time, Instant acceptor_time) {
    PopProof::Hello hello;
    const auto said = connector.make_hello(hello, v4_ends);
    const auto judged = acceptor.judge_hello(
        hello, read_proof(hello, ByteView{hello}.subspan(hello_tlvs_at)).value(), v4_ends,
        acceptor_time);
    EXPECT_EQ(judged.fault, LegFault::none);
    if (!judged.answer) return PopProof::Answered::wrong;
    bond = bond_of(*judged.answer);
    return connector.take_answer(*judged.answer, said, connector_time);
  }
  Sent send(Instant now) {
    Sent sent{.header = blank_header(), .said = {}};
    sent.said = connector.seal(sent.header, v4_ends, now);
    return sent;
  }
  PopProof::Judgement judge(PopProof& by, ByteView header, Instant now,
                            const std::optional<crypto::Mac>& bound_to = {}) {
    return by.judge(header, proof_in(header), v4_ends, bound_to, now);
  }

  PopProof connector{key_of(1)}, acceptor{key_of(1)}, other{key_of(1)};
  crypto::Mac bond{};
};

TEST_F(PopProofTest, GreetsFirstAndThenSeals) {
  EXPECT_EQ(connector.way(start), PopProof::Way::greet);
  // Clocks that have nothing in common.
  const Instant there{Duration{5s}};
  EXPECT_EQ(greet(start, there), PopProof::Answered::proven);
  EXPECT_EQ(connector.way(start), PopProof::Way::sealed);
  const Sent sent = send(start + 1min);
  const auto judged = judge(acceptor, sent.header, there + 1min);
  EXPECT_EQ(judged.fault, LegFault::none);
  ASSERT_TRUE(judged.answer);
  EXPECT_EQ(connector.take_answer(*judged.answer, sent.said, start + 1min),
            PopProof::Answered::proven);
  EXPECT_EQ(judge(acceptor, sent.header, there + 1min).fault, LegFault::replayed);
  connector.doubt();
  EXPECT_EQ(connector.way(start + 1min), PopProof::Way::greet);
}

TEST_F(PopProofTest, TimeIsJudgedWithinItsTolerance) {
  greet(start, start);
  for (const Duration late : {Duration{-31s}, Duration{-29s}, Duration{0}, Duration{29s},
                              Duration{31s}, Duration{24h * 365}}) {
    const Sent sent = send(start + 1h);
    const bool good = late < PopProof::tolerance && late > -PopProof::tolerance;
    const auto judged = judge(acceptor, sent.header, start + 1h + late);
    EXPECT_EQ(judged.fault, good ? LegFault::none : LegFault::untimely) << late.count();
    ASSERT_TRUE(judged.answer);
    EXPECT_EQ(connector.take_answer(*judged.answer, sent.said, start + 1h),
              good ? PopProof::Answered::proven : PopProof::Answered::again);
    greet(start, start);
  }
}

TEST_F(PopProofTest, AnotherAcceptorSaysSoAndIsLearned) {
  greet(start, start);
  const Sent sent = send(start);
  const auto judged = judge(other, sent.header, start + 1h);
  EXPECT_EQ(judged.fault, LegFault::restarted);
  ASSERT_TRUE(judged.answer);
  EXPECT_EQ(connector.take_answer(*judged.answer, sent.said, start), PopProof::Answered::again);
  EXPECT_EQ(judge(other, send(start).header, start + 1h).fault, LegFault::none);
}

TEST_F(PopProofTest, ABoundHeaderIsGoodOnItsLegOnly) {
  greet(start, start);
  const crypto::Mac first = bond;
  auto header = blank_header();
  connector.seal_bound(header, v4_ends, first);
  greet(start, start);
  EXPECT_EQ(judge(acceptor, header, start, bond).fault, LegFault::wrong);
  EXPECT_EQ(judge(acceptor, header, start).fault, LegFault::wrong);
  EXPECT_EQ(judge(acceptor, header, start + 24h, first).fault, LegFault::none);
  // Nor does a hello free from that.
  EXPECT_EQ(judge(acceptor, send(start).header, start, bond).fault, LegFault::wrong);
}

TEST_F(PopProofTest, AHelloCountsOnceAndIsNoHeader) {
  PopProof::Hello hello;
  connector.make_hello(hello, v4_ends);
  const auto proof = read_proof(hello, ByteView{hello}.subspan(hello_tlvs_at)).value();
  EXPECT_EQ(acceptor.judge_hello(hello, proof, v4_ends, start).fault, LegFault::none);
  EXPECT_EQ(acceptor.judge_hello(hello, proof, v4_ends, start).fault, LegFault::replayed);
  EXPECT_EQ(acceptor.judge(hello, proof, v4_ends, {}, start).fault, LegFault::wrong);
}

TEST_F(PopProofTest, AnAnswerIsToWhatWasSaidAndToNothingElse) {
  greet(start, start);
  const Sent one = send(start), two = send(start);
  const auto judged = judge(acceptor, one.header, start);
  ASSERT_TRUE(judged.answer);
  EXPECT_EQ(connector.take_answer(*judged.answer, two.said, start), PopProof::Answered::wrong);
  EXPECT_EQ(connector.way(start), PopProof::Way::greet) << "and is doubted from then on";
  for (std::size_t bit = 0; bit < 8 * answer_proof_size; ++bit) {
    AnswerBytes damaged = *judged.answer;
    damaged[bit / 8] = static_cast<std::uint8_t>(damaged[bit / 8] ^ 1U << bit % 8);
    EXPECT_EQ(connector.take_answer(damaged, one.said, start), PopProof::Answered::wrong) << bit;
  }
}

TEST_F(PopProofTest, WhereNothingIsAskedForEverybodyIsServed) {
  acceptor.require(false);
  EXPECT_EQ(acceptor.judge(blank_header(), std::nullopt, v4_ends, {}, start).fault,
            LegFault::missing);
  EXPECT_EQ(acceptor.counters().refused[std::to_underlying(LegFault::missing)], 0U);
  EXPECT_EQ(acceptor.counters().from_authenticated, false);
  connector.require(false);
  connector.not_answered(/*in_order=*/true, start);
  EXPECT_EQ(connector.way(start), PopProof::Way::plain);
  EXPECT_EQ(connector.way(start + PopProof::ask_again), PopProof::Way::greet);
  connector.not_answered(/*in_order=*/false, start);
  connector.require(true);
  EXPECT_EQ(connector.way(start), PopProof::Way::greet) << "nor is it taken for an old one";
}

TEST_F(PopProofTest, WithoutAKeyNothingIsKnown) {
  PopProof keyless{std::nullopt};
  EXPECT_EQ(keyless.way(start), PopProof::Way::plain);
  greet(start, start);
  EXPECT_EQ(judge(keyless, send(start).header, start).fault, LegFault::no_key);
}

}  // namespace
}  // namespace tw::relay
