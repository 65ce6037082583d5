#include "relay/stream/connection.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/epoll.h>

#include "relay/stream/test_connection.h"

namespace tw::relay {
namespace {

// A relay holds as many idle ones as it may have connections: 76 of them fill a chunk of their
// slab.
static_assert(sizeof(Connection) <= 856);

TEST_F(ConnectionTest, OneThatLastsNoticesADeadServer) {
  const auto asks = [](int socket) {
    int on = -1;
    socklen_t size = sizeof on;
    EXPECT_EQ(::getsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, &size), 0);
    return on == 1;
  };
  const RelayLimits limits;
  Connection connection = relaying(/*fresh=*/true);
  const Instant due = start + Journey::worth_noticing;
  EXPECT_EQ(connection.deadline(limits), due) << "though nothing happens";
  connection.tend(due - 1ms, limits);
  EXPECT_FALSE(asks(connection.socket(Side::back)));
  connection.tend(due, limits);
  EXPECT_TRUE(asks(connection.socket(Side::back)));
  EXPECT_GT(connection.deadline(limits), due);
}

TEST_F(ConnectionTest, BothWaysAndAnOrderlyEnd) {
  Connection connection = relaying();
  put(client.get(), "question");
  EXPECT_EQ(until_readable(connection, Side::front), Step::waiting);
  ASSERT_TRUE(wait_for(server.get(), POLLIN));
  EXPECT_EQ(get(server.get()).bytes, "question");

  // The client has said all; the server answers after it has seen the end.
  ::shutdown(client.get(), SHUT_WR);
  EXPECT_EQ(until_readable(connection, Side::front), Step::waiting);
  ASSERT_TRUE(wait_for(server.get(), POLLRDHUP));
  EXPECT_EQ(get(server.get()).end, 0);
  put(server.get(), "answer");
  ::shutdown(server.get(), SHUT_WR);
  EXPECT_TRUE(wait_for(connection.socket(Side::back), POLLRDHUP));
  EXPECT_EQ(advance(connection), Step::finished);
  EXPECT_EQ(connection.outcome(), Outcome::closed);
  EXPECT_EQ(connection.bytes_upstream(), 8U);
  EXPECT_EQ(connection.bytes_downstream(), 6U);

  connection.close();
  ASSERT_TRUE(wait_for(client.get(), POLLRDHUP));
  const Got got = get(client.get());
  EXPECT_EQ(got.bytes, "answer");
  EXPECT_EQ(got.end, 0);
}

TEST_F(ConnectionTest, AServerMayEndFirst) {
  Connection connection = relaying();
  put(server.get(), "bye");
  ::shutdown(server.get(), SHUT_WR);
  EXPECT_EQ(until_readable(connection, Side::back), Step::waiting);
  ASSERT_TRUE(wait_for(client.get(), POLLRDHUP));
  EXPECT_EQ(get(client.get()).bytes, "bye");
  put(client.get(), "still here");
  EXPECT_EQ(until_readable(connection, Side::front), Step::waiting);
  ASSERT_TRUE(wait_for(server.get(), POLLIN));
  EXPECT_EQ(get(server.get()).bytes, "still here");
}

TEST_F(ConnectionTest, AResetOfEitherSideResetsTheOther) {
  for (const bool by_client : {true, false}) {
    if (!by_client) connect_anew();
    Connection connection = relaying();
    UniqueFd& first = by_client ? client : server;
    UniqueFd& other = by_client ? server : client;
    abort(first);
    EXPECT_TRUE(wait_for(connection.socket(by_client ? Side::front : Side::back), POLLERR));
    EXPECT_EQ(advance(connection), Step::finished);
    EXPECT_EQ(connection.outcome(), Outcome::reset);
    connection.close();
    EXPECT_TRUE(wait_for(other.get(), POLLERR) & POLLERR);
    EXPECT_EQ(get(other.get()).end, ECONNRESET);
  }
}

TEST_F(ConnectionTest, ABareCloseIsAReset) {
  Connection connection = relaying();
  put(server.get(), "part of it");
  EXPECT_EQ(until_readable(connection, Side::back), Step::waiting);
  connection.finish(Outcome::shutdown);
  connection.close();
  for (const int socket : {client.get(), server.get()}) {
    EXPECT_TRUE(wait_for(socket, POLLERR) & POLLERR);
    EXPECT_EQ(get(socket).end, ECONNRESET);
  }
}

TEST_F(ConnectionTest, ARefusedTargetIsAFailedConnect) {
  // A port that was just closed: nobody listens there.
  const Endpoint nobody = [] {
    const UniqueFd listener{open_listener({.address = loopback_port()}).value()};
    return local_endpoint(listener.get());
  }();
  Connection connection = Connection::client(std::move(front.ours), nobody, nobody, start);
  auto socket = open_onward({.target = nobody});
  if (socket) {
    connection.go_directly({.socket = *std::move(socket), .header = {}}, start);
    EXPECT_TRUE(wait_for(connection.socket(Side::back), POLLOUT));
    EXPECT_EQ(advance(connection), Step::finished);
    EXPECT_EQ(connection.outcome(), Outcome::connect_failed);
    EXPECT_EQ(connection.os_errno(), ECONNREFUSED);
    EXPECT_FALSE(connection.is_connected());
  } else {
    EXPECT_EQ(socket.error().os_errno, ECONNREFUSED);
    connection.finish(Outcome::connect_failed);
  }
  connection.close();
  EXPECT_TRUE(wait_for(client.get(), POLLERR) & POLLERR);
}

TEST_F(ConnectionTest, AClientThatGivesUpEndsTheConnecting) {
  Connection connection = Connection::client(std::move(front.ours), {}, {}, start);
  abort(client);
  EXPECT_TRUE(wait_for(connection.socket(Side::front), POLLERR));
  EXPECT_EQ(advance(connection), Step::finished);
  EXPECT_EQ(connection.outcome(), Outcome::reset);
}

TEST_F(ConnectionTest, AHalfSendsItsHeaderAndNothingElseUntilItIsClaimed) {
  Connection connection = Connection::half({}, {}, start + 3s, start);
  EXPECT_EQ(connection.deadline({}), start + 3s);
  connection.go_onward({.socket = std::move(back.ours), .header = {'h', 'd', 'r'}}, a_pop, patience,
                       start);
  put(server.get(), "banner");
  ASSERT_TRUE(wait_for_bytes(connection.socket(Side::back), 6));
  EXPECT_EQ(advance(connection), Step::waiting);
  ASSERT_TRUE(wait_for_bytes(server.get(), 3));
  EXPECT_EQ(get(server.get()).bytes, "hdr");

  put(client.get(), "question");
  connection.claim(std::move(front.ours), start + 1s);
  EXPECT_TRUE(connection.claim().is_made());
  EXPECT_EQ(until_readable(connection, Side::front), Step::waiting);
  ASSERT_TRUE(wait_for_bytes(server.get(), 8));
  EXPECT_EQ(get(server.get()).bytes, "question") << "the header is not sent again";
  ASSERT_TRUE(wait_for_bytes(client.get(), 6));
  EXPECT_EQ(get(client.get()).bytes, "banner");
}

TEST_F(ConnectionTest, AHalfKeepsItsFailureForTheClient) {
  Connection connection = Connection::half({}, {}, start + 3s, start);
  connection.go_onward({.socket = std::move(back.ours), .header = {'h'}}, a_pop, patience, start);
  EXPECT_EQ(advance(connection), Step::waiting);
  abort(server);
  ASSERT_TRUE(wait_for(connection.socket(Side::back), POLLERR));
  EXPECT_EQ(advance(connection), Step::waiting);
  EXPECT_FALSE(connection.is<Finished>());
  connection.claim(std::move(front.ours), start + 1s);
  EXPECT_EQ(connection.advance(start + 1s, pipes, quantum).step, Step::finished);
  EXPECT_EQ(connection.outcome(), Outcome::reset);
  connection.close();
  EXPECT_TRUE(wait_for(client.get(), POLLERR) & POLLERR);
}

TEST_F(ConnectionTest, AHalfThatIsNeverClaimedExpires) {
  Connection connection = Connection::half({}, {}, start + 3s, start);
  connection.go_directly({.socket = std::move(back.ours), .header = {}}, start);
  connection.expire(start + 3s);
  EXPECT_EQ(connection.outcome(), Outcome::unclaimed);
  connection.close();
  EXPECT_TRUE(wait_for(server.get(), POLLERR) & POLLERR);
}

TEST_F(ConnectionTest, ATurnTellsWhatHappenedInIt) {
  Connection half = Connection::half(client_end, target, start + 3s, start);
  half.claim().hold({.number = 3, .sequence = 77}, start + 5s);
  half.go_onward({.socket = std::move(back.ours), .header = {'h'}, .warm = true}, a_pop, patience,
                 start);
  half.on_events(Side::back, EPOLLOUT);
  const Progress first = half.advance(start, pipes, quantum);
  EXPECT_EQ(first.step, Step::waiting);
  EXPECT_TRUE(first.connected);
  EXPECT_TRUE(first.verified);
  EXPECT_FALSE(first.answered) << "a PoP that has said nothing yet";
  half.claim().let_go(start + 5s);
  half.claim(std::move(front.ours), start);

  put(client.get(), "question");
  put(server.get(), "answer");
  EXPECT_TRUE(wait_for_bytes(half.socket(Side::front), 8));
  EXPECT_TRUE(wait_for_bytes(half.socket(Side::back), 6));
  half.on_events(Side::front, EPOLLIN | EPOLLOUT);
  half.on_events(Side::back, EPOLLIN | EPOLLOUT);
  const Progress second = half.advance(start, pipes, quantum);
  EXPECT_FALSE(second.connected) << "it was before";
  EXPECT_FALSE(second.verified) << "nothing is held any more";
  EXPECT_TRUE(second.answered);
  EXPECT_EQ(second.bytes_upstream, 8U);
  EXPECT_EQ(second.bytes_downstream, 6U);
  const Progress third = half.advance(start, pipes, quantum);
  EXPECT_FALSE(third.answered);
  EXPECT_EQ(third.bytes_upstream + third.bytes_downstream, 0U);
}

// A warm leg has waited long when its header comes, and that may come in pieces; but no piece gives
// the next one more time.
TEST_F(ConnectionTest, AHeaderHasItsTimeFromItsBeginning) {
  const RelayLimits limits;
  LoopbackPair pair = connect_pair();
  Connection leg = Connection::leg(std::move(pair.ours), {}, nullptr, start);
  const Instant begun = start + 5min;
  for (Duration after = 0s; after < limits.connect_timeout; after += 1s) {
    put(pair.theirs.get(), after == 0s ? "\r" : after == 1s ? "\n" : "");
    EXPECT_TRUE(wait_for(leg.socket(Side::front), POLLIN));
    EXPECT_EQ(advance(leg, begun + after), Step::waiting);
    EXPECT_EQ(leg.deadline(limits), begun + limits.connect_timeout);
  }
  leg.expire(begun + limits.connect_timeout);
  EXPECT_EQ(leg.outcome(), Outcome::bad_header);
}

TEST_F(ConnectionTest, DeadlinesFollowThePhase) {
  const RelayLimits limits;
  LoopbackPair pair = connect_pair();
  Connection leg = Connection::leg(std::move(pair.ours), {}, nullptr, start);
  EXPECT_EQ(leg.deadline(limits), start + warm_leg_timeout) << "it may wait for its target";
  put(pair.theirs.get(), "\r");
  EXPECT_EQ(until_readable(leg, Side::front), Step::waiting);
  EXPECT_EQ(leg.deadline(limits), start + limits.connect_timeout) << "but not for the rest of it";
  leg.expire(start);
  EXPECT_EQ(leg.outcome(), Outcome::bad_header);

  Connection connection = relaying();
  EXPECT_EQ(connection.deadline(limits), start + limits.idle_timeout);
  put(client.get(), "x");
  EXPECT_TRUE(wait_for(connection.socket(Side::front), POLLIN));
  advance(connection, start + 5s);
  EXPECT_TRUE(wait_for(server.get(), POLLIN));
  EXPECT_EQ(get(server.get()).bytes, "x");
  EXPECT_EQ(connection.deadline(limits), start + 5s + limits.idle_timeout);
  ::shutdown(client.get(), SHUT_WR);
  EXPECT_TRUE(wait_for(connection.socket(Side::front), POLLRDHUP));
  advance(connection, start + 9s);
  EXPECT_EQ(connection.deadline(limits), start + 9s + limits.half_close_timeout);
  // A turn in which nothing moves gives nobody more time.
  advance(connection, start + 20s);
  EXPECT_EQ(connection.deadline(limits), start + 9s + limits.half_close_timeout);
  wait_until_acknowledged(connection.socket(Side::back));
  connection.expire(start + 70s);
  EXPECT_EQ(connection.outcome(), Outcome::idle);
}

TEST_F(ConnectionTest, SmallPiecesOfATransferGather) {
  connect_anew(1 << 20);
  Connection connection = relaying();
  put(client.get(), std::string(2 * Direction::long_run, 'x'));
  ASSERT_TRUE(wait_for_bytes(connection.socket(Side::front), 2 * Direction::long_run));
  for (Step step = Step::more; step != Step::waiting;) step = advance(connection);
  put(client.get(), "and a little more");
  EXPECT_EQ(until_readable(connection, Side::front), Step::gather);
  EXPECT_EQ(advance(connection), Step::waiting) << "nothing is left";
}

// The server has sent all and closed; a slow client still reads: that is no silence.
TEST_F(ConnectionTest, AHalfCloseWaitsForASlowReader) {
  const RelayLimits limits;
  Connection connection = relaying();
  const std::string page(8U << 20U, 'p');
  std::size_t sent = 0;
  for (int turn = 0; turn < 100; ++turn) {
    const ssize_t more =
        ::send(server.get(), page.data(), page.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (more > 0) sent += static_cast<std::size_t>(more);
    advance(connection);
  }
  ASSERT_GT(sent, 0U);
  connection.expire(start + 60s);
  ASSERT_FALSE(connection.is<Finished>());
  EXPECT_GE(connection.deadline(limits), start + 60s + limits.half_close_timeout);
  // Nothing was read since: now it is silence.
  connection.expire(start + 120s);
  EXPECT_TRUE(connection.is<Finished>());
  EXPECT_EQ(connection.outcome(), Outcome::idle);
}

// epoll says of a deaf side that it has ended, and not that an urgent byte comes first: splice
// takes that for the end.
TEST_F(ConnectionTest, AnUrgentByteThatADeafSideWasNotToldOfIsNotTheEnd) {
  Connection connection = relaying();
  std::string received;
  const auto take_on = [&](std::size_t bytes) {
    for (int round = 0; round < 1000 && received.size() < bytes; ++round) {
      connection.on_events(Side::front, EPOLLOUT);
      connection.advance(start, pipes, quantum);
      received += get(client.get()).bytes;
    }
  };
  const std::string much(64'000, 'x');  // so that the next bytes go by splice
  put(server.get(), much);
  ASSERT_TRUE(wait_for_bytes(connection.socket(Side::back), much.size()));
  connection.on_events(Side::back, EPOLLIN);
  take_on(much.size());
  connection.gathering().note(false, true);
  connection.gathering().set_deaf(Side::back, true);
  ASSERT_EQ(::send(server.get(), "!", 1, MSG_OOB), 1);
  put(server.get(), "after");
  ::shutdown(server.get(), SHUT_WR);
  ASSERT_TRUE(wait_for(connection.socket(Side::back), POLLRDHUP) & POLLRDHUP);
  connection.on_events(Side::back, EPOLLRDHUP);
  take_on(much.size() + 6);
  EXPECT_EQ(received.substr(much.size()), "!after");
}

TEST_F(ConnectionTest, NotesWhenEachStageWasReached) {
  Connection connection = Connection::half({}, {}, start + 3s, start);
  EXPECT_EQ(connection.via(), Via::direct);
  connection.go_onward({.socket = std::move(back.ours), .header = {}, .warm = true}, a_pop, 1s,
                       start);
  EXPECT_EQ(connection.via(), Via::warm_leg);
  advance(connection, start + 10ms);
  EXPECT_EQ(connection.times().after(Stage::connect), 10ms);
  connection.claim(std::move(front.ours), start + 20ms);
  advance(connection, start + 25ms);
  EXPECT_FALSE(connection.times().has_reached(Stage::request)) << "nothing was said yet";
  put(client.get(), "question");
  EXPECT_TRUE(wait_for(connection.socket(Side::front), POLLIN));
  advance(connection, start + 30ms);
  put(server.get(), "answer");
  EXPECT_TRUE(wait_for(connection.socket(Side::back), POLLIN));
  advance(connection, start + 40ms);
  put(server.get(), "more");
  EXPECT_TRUE(wait_for(connection.socket(Side::back), POLLIN));
  advance(connection, start + 50ms);
  const ConnectionTimes& times = connection.times();
  EXPECT_EQ(times.after(Stage::claim), 20ms);
  EXPECT_EQ(times.after(Stage::request), 30ms);
  EXPECT_EQ(times.after(Stage::first_byte), 40ms);
  EXPECT_FALSE(times.has_reached(Stage::end)) << "its owner says that";
}

}  // namespace
}  // namespace tw::relay
