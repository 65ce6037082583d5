#include "relay/legs/leg_header.h"

#include <gtest/gtest.h>

#include <array>

#include "relay/sockets/test_loopback.h"

namespace tw::relay {
namespace {

using State = LegHeader::State;

std::string header_text(bool local = false, ByteView tlvs = {}) {
  std::array<std::uint8_t, proxy_max_size> buffer;
  const ProxyHeader header{.local = local,
                           .source = Endpoint::parse("10.0.0.9:40000").value(),
                           .target = Endpoint::parse("192.0.2.80:443").value()};
  const std::size_t size = write_proxy_header(header, buffer, tlvs);
  return std::string{as_text(ByteView{buffer}.first(size))};
}

class LegHeaderTest : public testing::Test {
 protected:
  LegHeader read(bool ended = false) { return read_leg_header(pair.ours.get(), ended, unskipped); }
  void give(std::string_view bytes) {
    put(pair.theirs.get(), bytes);
    given += bytes.size();
    ASSERT_TRUE(wait_for_bytes(pair.ours.get(), given));
  }
  LoopbackPair pair = connect_pair();
  std::size_t given = 0;
  std::uint32_t unskipped = 0;
};

// A LOCAL header with this family and a block of `size` bytes that are no TLVs.
std::string local_header(int family, std::size_t size) {
  std::string header = header_text(true).substr(0, 16) + std::string(size, '\xff');
  header[13] = static_cast<char>(family);
  header[14] = static_cast<char>(size >> 8U);
  header[15] = static_cast<char>(size);
  return header;
}

TEST_F(LegHeaderTest, ByteByByteAndNotOneByteTooMany) {
  const std::string header = header_text();
  EXPECT_EQ(read().state, State::empty);
  for (std::size_t at = 0; at + 1 < header.size(); ++at) {
    give(header.substr(at, 1));
    ASSERT_EQ(read().state, State::incomplete) << at;
  }
  give(header.substr(header.size() - 1) + "payload");
  const LegHeader whole = read();
  ASSERT_EQ(whole.state, State::complete);
  EXPECT_EQ(whole.header.source.text(), "10.0.0.9:40000");
  EXPECT_EQ(whole.header.target.text(), "192.0.2.80:443");
  EXPECT_EQ(get(pair.ours.get()).bytes, "payload");
}

TEST_F(LegHeaderTest, HeaderAndDataInOneSegment) {
  const std::string data(5000, 'd');
  give(header_text() + data);
  EXPECT_EQ(read().state, State::complete);
  EXPECT_EQ(get(pair.ours.get()).bytes, data);
}

TEST_F(LegHeaderTest, LocalIsAHealthCheck) {
  give(header_text(true));
  const LegHeader header = read();
  ASSERT_EQ(header.state, State::complete);
  EXPECT_TRUE(header.header.local);
}

// "The receiver must accept this connection as valid and must use the real connection endpoints
// and discard the protocol block including the family which is ignored."
TEST_F(LegHeaderTest, TheBlockOfAHealthCheckIsIgnoredWhateverItIs) {
  for (const int family : {0x00, 0x11, 0x12, 0x21, 0x22, 0x31, 0x32, 0x42, 0xff}) {
    for (const std::size_t size : {0U, 1U, 3U, 12U, 36U, 520U, 521U, 4000U, 30000U}) {
      pair = connect_pair();
      given = unskipped = 0;
      give(local_header(family, size) + "payload");
      const LegHeader header = read();
      ASSERT_EQ(header.state, State::complete) << family << ' ' << size;
      EXPECT_TRUE(header.header.local);
      EXPECT_EQ(header.options, LegOptions{});
      EXPECT_EQ(get(pair.ours.get()).bytes, "payload");
    }
  }
}

// Longer than a window may be: nothing of it is left in the socket.
TEST_F(LegHeaderTest, ABlockOfAnyLengthIsDroppedAsItComes) {
  const std::string header = local_header(0x00, 65535);
  constexpr std::size_t piece = 5000;
  std::size_t at = 0;
  for (; at + piece < header.size(); at += piece) {
    put(pair.theirs.get(), header.substr(at, piece));
    ASSERT_TRUE(wait_for_bytes(pair.ours.get(), piece));
    ASSERT_EQ(read().state, State::incomplete) << at;
    ASSERT_FALSE(wait_for(pair.ours.get(), POLLIN, 0));
  }
  put(pair.theirs.get(), header.substr(at) + "x");
  ASSERT_TRUE(wait_for_bytes(pair.ours.get(), header.size() - at + 1));
  EXPECT_EQ(read().state, State::complete);
  EXPECT_EQ(get(pair.ours.get()).bytes, "x");
}

TEST_F(LegHeaderTest, AHealthCheckThatEndsInItsBlockIsMalformed) {
  give(local_header(0x00, 1000).substr(0, 900));
  EXPECT_EQ(read(false).state, State::incomplete);
  EXPECT_EQ(read(true).state, State::malformed);
}

TEST_F(LegHeaderTest, WhatIsNoHeaderIsRefusedAtOnce) {
  give("GET / HTTP/1.1\r\n");
  EXPECT_EQ(read().state, State::malformed);
}

TEST_F(LegHeaderTest, AFlippedBitIsRefused) {
  std::string header = header_text();
  header[20] = static_cast<char>(header[20] ^ 1);
  give(header);
  EXPECT_EQ(read().state, State::malformed);
}

TEST_F(LegHeaderTest, AnEndBeforeTheHeaderIsWholeIsMalformed) {
  give(header_text().substr(0, 20));
  EXPECT_EQ(read(false).state, State::incomplete);
  EXPECT_EQ(read(true).state, State::malformed);
}

TEST_F(LegHeaderTest, AWarmLegMayEndWithoutHavingBeenUsed) {
  ::shutdown(pair.theirs.get(), SHUT_WR);
  ASSERT_TRUE(wait_for(pair.ours.get(), POLLRDHUP));
  EXPECT_EQ(read(true).state, State::unused);
}

TEST_F(LegHeaderTest, AResetIsAFailure) {
  pair.theirs.reset();
  ASSERT_TRUE(wait_for(pair.ours.get(), POLLERR));
  const LegHeader header = read();
  EXPECT_EQ(header.state, State::failed);
  EXPECT_EQ(header.os_errno, ECONNRESET);
}

TEST(LegOptions, ComeBackAsTheyWereWritten) {
  for (const LegOptions options :
       {LegOptions{}, LegOptions{.fast_open = true}, LegOptions{.answer = true},
        LegOptions{.hops = 3}, LegOptions{.fast_open = true, .answer = true, .hops = 255}}) {
    std::array<std::uint8_t, leg_tlv_size> buffer{};
    EXPECT_EQ(read_leg_options(write_leg_options(options, buffer)), options);
  }
}

// A later version may say more, and an earlier one less.
TEST(LegOptions, OfOtherVersionsAreRead) {
  EXPECT_EQ(read_leg_options({}), LegOptions{});
  constexpr std::array<std::uint8_t, 3> empty{0xe0, 0, 0};
  EXPECT_EQ(read_leg_options(empty), LegOptions{});
  constexpr std::array<std::uint8_t, 4> flags_only{0xe0, 0, 1, 0x01};
  EXPECT_EQ(read_leg_options(flags_only), LegOptions{.fast_open = true});
  constexpr std::array<std::uint8_t, 7> longer{0xe0, 0, 4, 0xfd, 2, 9, 9};
  EXPECT_EQ(read_leg_options(longer), (LegOptions{.fast_open = true, .hops = 2}));
}

TEST_F(LegHeaderTest, SaysWhatThePopBeforeAsks) {
  constexpr LegOptions options{.answer = true, .hops = 2};
  std::array<std::uint8_t, leg_tlv_size> tlv{};
  give(header_text(false, write_leg_options(options, tlv)) + "payload");
  EXPECT_EQ(read().options, options);
  EXPECT_EQ(get(pair.ours.get()).bytes, "payload");
}

class LegAnswerTest : public LegHeaderTest {
 protected:
  LegAnswer read_answer() { return read_leg_answer(pair.ours.get(), os_errno); }
  int os_errno = -1;
};

TEST_F(LegAnswerTest, IsOneByteAndNotOneTooMany) {
  EXPECT_EQ(read_answer(), LegAnswer::none);
  give("\x01SSH-2.0");
  EXPECT_EQ(read_answer(), LegAnswer::connected);
  EXPECT_EQ(get(pair.ours.get()).bytes, "SSH-2.0");
}

TEST_F(LegAnswerTest, WhatIsNoAnswerFails) {
  give("SSH-2.0");
  EXPECT_EQ(read_answer(), LegAnswer::failed);
  EXPECT_EQ(os_errno, EPROTO);
}

TEST_F(LegAnswerTest, AnEndAndAResetFail) {
  ::shutdown(pair.theirs.get(), SHUT_WR);
  ASSERT_TRUE(wait_for(pair.ours.get(), POLLRDHUP));
  EXPECT_EQ(read_answer(), LegAnswer::failed);
  EXPECT_EQ(os_errno, 0);
  pair = connect_pair();
  pair.theirs.reset();
  ASSERT_TRUE(wait_for(pair.ours.get(), POLLERR));
  EXPECT_EQ(read_answer(), LegAnswer::failed);
  EXPECT_EQ(os_errno, ECONNRESET);
}

}  // namespace
}  // namespace tw::relay
