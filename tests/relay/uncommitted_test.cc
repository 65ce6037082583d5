// Bytes that a leg has not acknowledged go to the next one. Deaf legs are made by a socket filter,
// which only root may attach on some kernels.
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "relay/stream/test_connection.h"

namespace tw::relay {
namespace {

/// Drops all that is sent to it from now on, unacknowledged.
void deafen(int socket) {
  sock_filter drop_all = BPF_STMT(BPF_RET | BPF_K, 0);
  const sock_fprog program{.len = 1, .filter = &drop_all};
  ASSERT_EQ(::setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program), 0);
}

// A client, and its question in a leg.
class UncommittedTest : public ConnectionTest {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    ConnectionTest::SetUp();
  }
  Connection asked(bool warm = true, const std::string& question = "question") {
    Connection connection = Connection::client(std::move(front.ours), {}, target, start);
    connection.go_onward(
        {.socket = std::move(back.ours), .header = {'h'}, .connected = warm, .warm = warm}, a_pop,
        patience, start);
    put(client.get(), question);
    EXPECT_TRUE(wait_for_bytes(connection.socket(Side::front), question.size()));
    EXPECT_EQ(advance(connection), Step::waiting);
    EXPECT_EQ(connection.bytes_upstream(), question.size());
    return connection;
  }
  // Gives it another leg; returns what arrives there.
  std::string move_on(Connection& connection, std::size_t expected) {
    LoopbackPair other = connect_pair();
    connection.go_onward({.socket = std::move(other.ours), .header = {'H'}}, another_pop, patience,
                         start);
    EXPECT_EQ(advance(connection), Step::waiting);
    EXPECT_TRUE(wait_for_bytes(other.theirs.get(), expected));
    server = std::move(other.theirs);
    return get(server.get()).bytes;
  }
};

TEST_F(UncommittedTest, WhatAWarmLegHasNotAcknowledgedGoesToTheNext) {
  deafen(server.get());
  Connection connection = asked();
  abort(server);
  ASSERT_TRUE(wait_for(connection.socket(Side::back), POLLERR));
  EXPECT_EQ(advance(connection), Step::stale);
  EXPECT_EQ(move_on(connection, 9), "Hquestion");
  EXPECT_EQ(connection.bytes_upstream(), 8U);
  // And what follows goes after it, once.
  put(client.get(), ", and more");
  EXPECT_EQ(until_readable(connection, Side::front), Step::waiting);
  ASSERT_TRUE(wait_for_bytes(server.get(), 10));
  EXPECT_EQ(get(server.get()).bytes, ", and more");
  put(server.get(), "answer");
  ASSERT_TRUE(wait_for_bytes(connection.socket(Side::back), 6));
  EXPECT_EQ(advance(connection), Step::waiting);
  EXPECT_TRUE(connection.is_committed());
  put(client.get(), "thanks");
  EXPECT_TRUE(wait_for(connection.socket(Side::front), POLLIN));
  EXPECT_EQ(advance(connection), Step::waiting);
  ASSERT_TRUE(wait_for_bytes(server.get(), 6));
  EXPECT_EQ(get(server.get()).bytes, "thanks");
  EXPECT_EQ(connection.bytes_upstream(), 24U);
}

// From then on its end is the client's.
TEST_F(UncommittedTest, ALegThatHasAcknowledgedIsNotReplaced) {
  Connection connection = asked();
  wait_until_acknowledged(connection.socket(Side::back));
  abort(server);
  ASSERT_TRUE(wait_for(connection.socket(Side::back), POLLERR));
  EXPECT_EQ(advance(connection), Step::finished);
  EXPECT_EQ(connection.outcome(), Outcome::reset);
}

// It was made, so its PoP lives: that it was reset is the PoP's answer.
TEST_F(UncommittedTest, AFreshLegThatIsResetIsNotReplaced) {
  Connection connection = asked(/*warm=*/false);
  abort(server);
  ASSERT_TRUE(wait_for(connection.socket(Side::back), POLLERR));
  EXPECT_EQ(advance(connection), Step::finished);
  EXPECT_EQ(connection.outcome(), Outcome::reset);
}

TEST_F(UncommittedTest, SilenceIsToldInTimeAndOnce) {
  deafen(server.get());
  Connection connection = asked();
  EXPECT_EQ(connection.deadline({}), start + patience);
  EXPECT_EQ(connection.expire(start + patience), Step::silent);
  EXPECT_TRUE(connection.retry(OtherWay::elsewhere));
  EXPECT_GT(connection.deadline({}), start + patience);
}

TEST_F(UncommittedTest, ALegThatHasAcknowledgedIsNotSilent) {
  Connection connection = asked();
  wait_until_acknowledged(connection.socket(Side::back));
  EXPECT_EQ(connection.expire(start + patience), Step::waiting);
  EXPECT_TRUE(connection.is_committed());
  EXPECT_EQ(connection.deadline({}), start + RelayLimits{}.idle_timeout);
}

// More than is kept back goes on at once, and stays with this leg.
TEST_F(UncommittedTest, ALongQuestionIsNotHeldUp) {
  const std::string question(3 * Direction::most_retained, 'q');
  Connection connection = asked(true, question);
  ASSERT_TRUE(wait_for_bytes(server.get(), 1 + question.size()));
  EXPECT_FALSE(connection.retry(OtherWay::elsewhere));
  EXPECT_EQ(get(server.get()).bytes, "h" + question);
  EXPECT_EQ(connection.expire(start + patience), Step::waiting);
}

TEST_F(UncommittedTest, AnEndIsNotHeldUpEither) {
  Connection connection = asked();
  ::shutdown(client.get(), SHUT_WR);
  EXPECT_TRUE(wait_for(connection.socket(Side::front), POLLRDHUP));
  EXPECT_EQ(advance(connection), Step::waiting);
  ASSERT_TRUE(wait_for(server.get(), POLLRDHUP));
  const Got got = get(server.get());
  EXPECT_EQ(got.bytes, "hquestion");
  EXPECT_EQ(got.end, 0);
  EXPECT_FALSE(connection.retry(OtherWay::elsewhere));
}

}  // namespace
}  // namespace tw::relay
