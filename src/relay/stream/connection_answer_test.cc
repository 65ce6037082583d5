// A connection tells and is told of the far server's answer; the test is both sides of it.
#include <gtest/gtest.h>
#include <poll.h>

#include <array>
#include <string>

#include "relay/legs/leg_header.h"
#include "relay/stream/test_connection.h"

namespace tw::relay {
namespace {

class ConnectionAnswerTest : public TwoPairsTest {
 protected:
  // A client whose SYN is held, and the leg that was asked for it, its header gone.
  Connection held_half(bool answers = true) {
    Connection half = Connection::half(client_end, target, start + 5s, start);
    half.claim().hold({.number = 3, .sequence = 77}, start + 10s);
    EXPECT_TRUE(half.request().answer);
    half.go_onward(leg(answers), a_pop, patience, start);
    EXPECT_EQ(settle(half), Step::waiting);
    return half;
  }
  Leg leg(bool answers) {
    constexpr std::array<std::uint8_t, 3> header{'h', 'd', 'r'};
    return {.socket = std::move(back.ours),
            .header = ByteView{header},
            .connected = true,
            .answers = answers};
  }
  // Another PoP's, with its header read.
  Connection asked_leg(const LegOptions& options) {
    std::array<std::uint8_t, proxy_max_size> header;
    std::array<std::uint8_t, leg_tlv_size> tlv;
    const std::size_t size =
        write_proxy_header({.local = false, .source = client_end, .target = target}, header,
                           write_leg_options(options, tlv));
    put(front.theirs.get(), as_text(ByteView{header}.first(size)));
    Connection connection = Connection::leg(std::move(front.ours), client_end, nullptr, start);
    EXPECT_TRUE(wait_for_bytes(connection.socket(Side::front), size));
    EXPECT_EQ(settle(connection), Step::header);
    return connection;
  }
  // An advance(), and turns until nothing is left to do: to take an answer is one of its own, and
  // what came with it is not reported again.
  Step settle(Connection& connection) {
    Step step = advance(connection);
    while (step == Step::more) step = connection.advance(start, pipes, quantum).step;
    return step;
  }
  // The leg's PoP has acknowledged the header: it lives, and may take its time to answer.
  void expect_heard(Connection& connection) {
    EXPECT_EQ(connection.deadline({}), start + patience);
    EXPECT_EQ(connection.expire(start + patience), Step::waiting);
  }
  Step say(Connection& connection, std::string_view bytes) {
    put(back.theirs.get(), bytes);
    EXPECT_TRUE(wait_for_bytes(connection.socket(Side::back), bytes.size()));
    return settle(connection);
  }
};

TEST_F(ConnectionAnswerTest, TheAnswerIsTakenAndNeverReachesTheClient) {
  Connection half = held_half();
  ASSERT_TRUE(wait_for_bytes(back.theirs.get(), 3));
  EXPECT_EQ(get(back.theirs.get()).bytes, "hdr");
  EXPECT_TRUE(half.is<Asking>());
  EXPECT_TRUE(half.is_connected());
  EXPECT_FALSE(half.is<Relaying>());
  // The server speaks first, in the same segment.
  EXPECT_EQ(say(half,
                "\x01"
                "220 ready"),
            Step::waiting);
  EXPECT_TRUE(half.is<Relaying>());
  EXPECT_EQ(half.claim().let_go(start + 5s), 3U);
  EXPECT_FALSE(half.claim().held());
  half.claim(std::move(front.ours), start);
  EXPECT_EQ(settle(half), Step::waiting);
  ASSERT_TRUE(wait_for_bytes(front.theirs.get(), 9));
  EXPECT_EQ(get(front.theirs.get()).bytes, "220 ready");
  EXPECT_EQ(half.bytes_downstream(), 9U);
}

TEST_F(ConnectionAnswerTest, ALegThatWasNotAskedIsAnsweredWhenItIsConnected) {
  Connection half = held_half(false);
  EXPECT_TRUE(half.is<Relaying>());
}

TEST_F(ConnectionAnswerTest, ARefusalEndsItAtOnce) {
  Connection half = held_half();
  back.theirs.reset();
  EXPECT_TRUE(wait_for(half.socket(Side::back), POLLERR));
  EXPECT_EQ(settle(half), Step::finished);
  EXPECT_EQ(half.outcome(), Outcome::connect_failed);
  EXPECT_TRUE(half.claim().held());
}

TEST_F(ConnectionAnswerTest, AnEndInsteadOfAnAnswerIsARefusal) {
  Connection half = held_half();
  ::shutdown(back.theirs.get(), SHUT_WR);
  EXPECT_TRUE(wait_for(half.socket(Side::back), POLLRDHUP));
  EXPECT_EQ(settle(half), Step::finished);
  EXPECT_EQ(half.outcome(), Outcome::connect_failed);
}

// A PoP that does not know the question sends what the server says first.
TEST_F(ConnectionAnswerTest, AnythingElseIsNoAnswer) {
  Connection half = held_half();
  EXPECT_EQ(say(half, "220 ready"), Step::finished);
  EXPECT_EQ(half.outcome(), Outcome::connect_failed);
  EXPECT_EQ(half.os_errno(), EPROTO);
}

TEST_F(ConnectionAnswerTest, SilenceIsARefusalInTime) {
  Connection half = held_half();
  expect_heard(half);
  EXPECT_EQ(half.deadline({}), start + 10s)
      << "not the time for a client to complete its handshake";
  half.expire(start + 10s);
  EXPECT_TRUE(half.is<Finished>());
  EXPECT_EQ(half.outcome(), Outcome::connect_failed);
}

TEST_F(ConnectionAnswerTest, AfterItsAnswerAHalfHasUntilThenToBeClaimed) {
  Connection half = held_half();
  say(half, "\x01");
  half.claim().let_go(start + 6s);
  EXPECT_EQ(half.deadline({}), start + 6s);
  half.expire(start + 6s);
  EXPECT_EQ(half.outcome(), Outcome::unclaimed);
}

// Whoever comes by another way than the SYN that is held still waits for its server, and no longer
// than without.
TEST_F(ConnectionAnswerTest, AClaimedOneWaitsForTheAnswerToo) {
  Connection half = held_half();
  half.claim().let_go(Instant::max());
  half.claim(std::move(front.ours), start);
  put(front.theirs.get(), "question");
  EXPECT_EQ(settle(half), Step::waiting);
  expect_heard(half);
  EXPECT_EQ(half.deadline({}), start + RelayLimits{}.connect_timeout);
  say(half, "\x01");
  ASSERT_TRUE(wait_for_bytes(back.theirs.get(), 11));
  EXPECT_EQ(get(back.theirs.get()).bytes, "hdrquestion");
}

TEST_F(ConnectionAnswerTest, TheLastPopAnswersBeforeTheServersFirstByte) {
  Connection leg_here = asked_leg({.answer = true});
  EXPECT_TRUE(leg_here.request().answer);
  put(back.theirs.get(), "220 ready");
  leg_here.go_directly({.socket = std::move(back.ours), .header = {}}, start);
  EXPECT_EQ(settle(leg_here), Step::waiting);
  ASSERT_TRUE(wait_for_bytes(front.theirs.get(), 10));
  EXPECT_EQ(get(front.theirs.get()).bytes,
            "\x01"
            "220 ready");
}

TEST_F(ConnectionAnswerTest, TheLastPopAnswersThoughTheServerIsSilent) {
  Connection leg_here = asked_leg({.answer = true});
  leg_here.go_directly({.socket = std::move(back.ours), .header = {}}, start);
  EXPECT_EQ(settle(leg_here), Step::waiting);
  ASSERT_TRUE(wait_for_bytes(front.theirs.get(), 1));
  EXPECT_EQ(get(front.theirs.get()).bytes, "\x01");
  EXPECT_EQ(leg_here.bytes_downstream(), 0U);
}

TEST_F(ConnectionAnswerTest, WhoDidNotAskGetsNoAnswer) {
  Connection leg_here = asked_leg({});
  EXPECT_FALSE(leg_here.request().answer);
  leg_here.go_directly({.socket = std::move(back.ours), .header = {}}, start);
  EXPECT_EQ(settle(leg_here), Step::waiting);
  EXPECT_EQ(get(front.theirs.get()).bytes, "");
}

// In the middle of a chain: asked by one PoP, it asks the next, and hands the answer on.
TEST_F(ConnectionAnswerTest, APopInTheMiddleHandsTheAnswerOn) {
  Connection middle = asked_leg({.answer = true});
  middle.go_onward(leg(middle.request().answer), a_pop, patience, start);
  EXPECT_EQ(settle(middle), Step::waiting);
  EXPECT_TRUE(middle.is<Asking>());
  expect_heard(middle);
  EXPECT_EQ(middle.deadline({}), start + RelayLimits{}.connect_timeout);
  EXPECT_EQ(get(front.theirs.get()).bytes, "");
  say(middle, "\x01hello");
  ASSERT_TRUE(wait_for_bytes(front.theirs.get(), 6));
  EXPECT_EQ(get(front.theirs.get()).bytes, "\x01hello");
}

TEST_F(ConnectionAnswerTest, APopInTheMiddleHandsARefusalOn) {
  Connection middle = asked_leg({.answer = true});
  middle.go_onward(leg(true), a_pop, patience, start);
  EXPECT_EQ(settle(middle), Step::waiting);
  back.theirs.reset();
  EXPECT_TRUE(wait_for(middle.socket(Side::back), POLLERR));
  EXPECT_EQ(settle(middle), Step::finished);
  middle.close();
  EXPECT_TRUE(wait_for(front.theirs.get(), POLLERR) & POLLERR);
  EXPECT_EQ(get(front.theirs.get()).end, ECONNRESET);
}

// A socket that opens with data is connected before the server has answered.
TEST_F(ConnectionAnswerTest, WhoAsksGetsNoFastOpen) {
  Connection leg_here = asked_leg({.fast_open = true, .answer = true});
  put(front.theirs.get(), "question");
  ASSERT_TRUE(wait_for_bytes(leg_here.socket(Side::front), 8));
  EXPECT_FALSE(leg_here.request().fast_open);
}

}  // namespace
}  // namespace tw::relay
