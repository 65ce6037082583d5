#include "relay/stream/direction.h"

#include <gtest/gtest.h>
#include <linux/tcp.h>
#include <netinet/in.h>

#include <cerrno>
#include <csignal>

#include "base/random.h"
#include "relay/sockets/test_loopback.h"

namespace tw::relay {
namespace {

constexpr std::size_t quantum = 1U << 20U;

std::string noise(std::size_t size, std::uint64_t seed = 1) {
  SeededRandom random{seed};
  std::string text(size, '\0');
  for (char& byte : text) byte = static_cast<char>(random.next());
  return text;
}

std::uint32_t segments_received(int socket) {
  tcp_info info{};
  socklen_t size = sizeof info;
  EXPECT_EQ(::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size), 0);
  return info.tcpi_segs_in;
}

// source.theirs ──▶ source.ours ══ direction ══▶ sink.ours ──▶ sink.theirs
class DirectionTest : public testing::Test {
 protected:
  void SetUp() override {
    std::signal(SIGPIPE, SIG_IGN);  // as Relay::create does: splice cannot be told not to raise it
    direction.source_ready();
    direction.sink_ready();
  }
  Flow pump(std::size_t most = quantum) {
    return direction.pump(source.ours.get(), sink.ours.get(), pipes, most);
  }
  // Gives the direction every edge there is until it waits for the other ends.
  Flow pump_on(std::size_t most = quantum) {
    const short source_events = wait_for(source.ours.get(), POLLIN | POLLRDHUP, 0);
    if (source_events != 0) direction.source_ready();
    if ((source_events & (POLLRDHUP | POLLHUP)) != 0) direction.source_closing();
    if (wait_for(sink.ours.get(), POLLOUT, 0) != 0) direction.sink_ready();
    return pump(most);
  }

  LoopbackPair source = connect_pair(), sink = connect_pair();
  PipePool pipes{64U << 10U};
  Direction direction;
};

TEST_F(DirectionTest, MovesWhatIsThereAndThenWaits) {
  put(source.theirs.get(), "hello");
  ASSERT_TRUE(wait_for(source.ours.get(), POLLIN));
  EXPECT_EQ(pump(), Flow::waiting);
  EXPECT_EQ(direction.bytes(), 5U);
  ASSERT_TRUE(wait_for(sink.theirs.get(), POLLIN));
  const Got got = get(sink.theirs.get());
  EXPECT_EQ(got.bytes, "hello");
  EXPECT_EQ(got.end, -1);  // no end of file that nobody sent
}

TEST_F(DirectionTest, HoldsNoPipeWhileNothingIsInIt) {
  EXPECT_EQ(pump(), Flow::waiting);
  EXPECT_FALSE(direction.holds_pipe());
  put(source.theirs.get(), "x");
  ASSERT_TRUE(wait_for(source.ours.get(), POLLIN));
  pump_on();
  EXPECT_EQ(direction.bytes(), 1U);
  EXPECT_FALSE(direction.holds_pipe());
  EXPECT_EQ(pipes.idle(), 0U) << "a byte is copied";
  put(source.theirs.get(), noise(100'000));
  ASSERT_TRUE(wait_for_bytes(source.ours.get(), 100'000));
  pump_on();
  EXPECT_EQ(direction.bytes(), 100'001U);
  EXPECT_FALSE(direction.holds_pipe());
  EXPECT_EQ(pipes.idle(), 1U) << "many go by a pipe";
}

TEST_F(DirectionTest, EndOfFileIsPassedOnAfterTheLastByte) {
  put(source.theirs.get(), "last words");
  ::shutdown(source.theirs.get(), SHUT_WR);
  ASSERT_TRUE(wait_for(source.ours.get(), POLLRDHUP));
  EXPECT_EQ(pump_on(), Flow::ended);
  EXPECT_TRUE(direction.ended());
  ASSERT_TRUE(wait_for(sink.theirs.get(), POLLRDHUP));
  const Got got = get(sink.theirs.get());
  EXPECT_EQ(got.bytes, "last words");
  EXPECT_EQ(got.end, 0);
  EXPECT_EQ(pump(), Flow::ended);
}

TEST_F(DirectionTest, PrefixGoesFirstAndIsNotCounted) {
  const std::string header = noise(64);
  direction.begin_sink(as_bytes(header));
  direction.sink_ready();
  put(source.theirs.get(), "data");
  ASSERT_TRUE(wait_for(source.ours.get(), POLLIN));
  EXPECT_EQ(pump(), Flow::waiting);
  ASSERT_TRUE(wait_for(sink.theirs.get(), POLLIN));
  EXPECT_EQ(get(sink.theirs.get()).bytes, header + "data");
  EXPECT_EQ(direction.bytes(), 4U);
}

TEST_F(DirectionTest, PrefixLeavesWithoutWaitingForData) {
  direction.begin_sink(as_bytes("header"));
  direction.sink_ready();
  EXPECT_EQ(pump(), Flow::waiting);
  ASSERT_TRUE(wait_for(sink.theirs.get(), POLLIN, 100));  // a corked segment would wait for 200 ms
  EXPECT_EQ(get(sink.theirs.get()).bytes, "header");
}

TEST_F(DirectionTest, TurnsEndWithTheQuantum) {
  const std::string sent = noise(300'000);
  put(source.theirs.get(), sent);
  ASSERT_TRUE(wait_for(source.ours.get(), POLLIN));
  EXPECT_EQ(pump(1), Flow::more);
  EXPECT_GT(direction.bytes(), 0U);
  EXPECT_LE(direction.bytes(), 64U << 10U);
}

TEST_F(DirectionTest, SmallPiecesOfATransferAreToGather) {
  const auto send_piece = [this](std::size_t size) {
    put(source.theirs.get(), noise(size));
    EXPECT_TRUE(wait_for_bytes(source.ours.get(), size));
    return pump_on();
  };
  const auto read_all = [this](std::size_t size) {
    EXPECT_TRUE(wait_for_bytes(sink.theirs.get(), size));
    EXPECT_EQ(get(sink.theirs.get()).bytes.size(), size);
  };
  constexpr std::size_t piece = 1000;
  EXPECT_EQ(send_piece(piece), Flow::waiting) << "a message by itself";
  read_all(piece);
  for (std::size_t sent = piece; sent < Direction::long_run; sent += Direction::most_copied) {
    send_piece(Direction::most_copied);
    read_all(Direction::most_copied);
  }
  EXPECT_TRUE(direction.is_transfer());
  EXPECT_EQ(send_piece(piece), Flow::gather) << "one of very many";
  read_all(piece);  // it has been passed on all the same
  EXPECT_EQ(pump(), Flow::waiting) << "nothing is there";
  direction.interrupt_run();
  EXPECT_EQ(send_piece(piece), Flow::waiting) << "an answer";
  read_all(piece);
}

TEST_F(DirectionTest, TheLastPieceOfATransferIsFollowedByItsEnd) {
  put(source.theirs.get(), noise(Direction::long_run));
  ASSERT_TRUE(wait_for_bytes(source.ours.get(), Direction::long_run));
  pump_on();
  ASSERT_TRUE(direction.is_transfer());
  put(source.theirs.get(), "end");
  ASSERT_EQ(::shutdown(source.theirs.get(), SHUT_WR), 0);
  ASSERT_TRUE(wait_for(source.ours.get(), POLLRDHUP));
  EXPECT_EQ(pump_on(), Flow::ended);
}

TEST_F(DirectionTest, ByteExactThroughTinyBuffersWithASlowReader) {
  source = connect_pair(4096);
  sink = connect_pair(4096);
  const std::string sent = noise(1'000'000);
  std::string received;
  std::size_t offset = 0;
  SeededRandom random{3};
  bool was_blocked = false;
  while (received.size() < sent.size()) {
    const auto count = ::send(source.theirs.get(), sent.data() + offset,
                              std::min<std::size_t>(sent.size() - offset, 9000), MSG_NOSIGNAL);
    if (count > 0) offset += static_cast<std::size_t>(count);
    if (offset == sent.size()) ::shutdown(source.theirs.get(), SHUT_WR);
    const Flow flow = pump_on(1 + random.next() % 5000);
    ASSERT_NE(flow, Flow::broken) << direction.os_errno();
    was_blocked |= count < 0 && flow == Flow::waiting;  // full on both sides
    received += get(sink.theirs.get(), 1 + random.next() % 3000).bytes;
  }
  EXPECT_TRUE(was_blocked);  // else this test says nothing of backpressure
  EXPECT_EQ(received, sent);
  EXPECT_EQ(direction.bytes(), sent.size());
  EXPECT_EQ(pump_on(), Flow::ended);
  ASSERT_TRUE(wait_for(sink.theirs.get(), POLLRDHUP));
  EXPECT_EQ(get(sink.theirs.get()).end, 0);
}

TEST_F(DirectionTest, ReadsNothingWhileTheSinkIsFull) {
  sink = connect_pair(4096);
  const std::string sent = noise(100'000);
  while (true) {  // nobody reads at the far end
    const auto count = ::send(source.theirs.get(), sent.data(), sent.size(), MSG_NOSIGNAL);
    const Flow flow = pump_on();
    ASSERT_TRUE(flow == Flow::waiting || flow == Flow::more);
    if (count < 0) break;
  }
  const std::uint64_t before = direction.bytes();
  direction.source_ready();
  EXPECT_EQ(pump(), Flow::waiting);
  EXPECT_EQ(direction.bytes(), before);
}

// Splice alone would wait for ever before an urgent byte.
TEST_F(DirectionTest, UrgentBytesStayInTheirPlace) {
  put(source.theirs.get(), "before");
  ASSERT_EQ(::send(source.theirs.get(), "!", 1, MSG_OOB), 1);
  put(source.theirs.get(), "after");
  ASSERT_TRUE(wait_for(source.ours.get(), POLLPRI) & POLLPRI);
  direction.source_urgent();
  std::string received;
  for (int round = 0; round < 1000 && received.size() < 12; ++round) {
    ASSERT_NE(pump_on(), Flow::broken);
    ASSERT_TRUE(direction.bytes() == 12 || wait_for(source.ours.get(), POLLIN, 1000));
    received += get(sink.theirs.get()).bytes;
  }
  EXPECT_EQ(received, "before!after");
  // From then on as before.
  put(source.theirs.get(), noise(50'000));
  ASSERT_TRUE(wait_for_bytes(source.ours.get(), 50'000));
  pump_on();
  EXPECT_EQ(direction.bytes(), 50'012U);
}

// With the end already in, splice calls the urgent byte the end of the stream.
TEST_F(DirectionTest, AnUrgentByteBeforeTheEndIsNotTheEnd) {
  put(source.theirs.get(), "before");
  ASSERT_EQ(::send(source.theirs.get(), "!", 1, MSG_OOB), 1);
  put(source.theirs.get(), "after");
  ::shutdown(source.theirs.get(), SHUT_WR);
  ASSERT_TRUE(wait_for(source.ours.get(), POLLRDHUP) & POLLRDHUP);
  std::string received;
  for (int round = 0; round < 1000 && received.size() < 12; ++round) {
    ASSERT_NE(pump_on(), Flow::broken);
    received += get(sink.theirs.get()).bytes;
  }
  EXPECT_EQ(received, "before!after");
  EXPECT_TRUE(direction.ended());
}

// An urgent byte amid what is kept back: nothing is lost, and nothing moves.
TEST_F(DirectionTest, UrgentBytesStayInTheirPlaceWhileBytesAreRetained) {
  direction.begin_sink(as_bytes("header:"), /*retain=*/true);
  direction.sink_ready();
  put(source.theirs.get(), "before");
  ASSERT_TRUE(wait_for_bytes(source.ours.get(), 6));
  EXPECT_EQ(pump(), Flow::waiting);
  ASSERT_EQ(::send(source.theirs.get(), "!", 1, MSG_OOB), 1);
  put(source.theirs.get(), "after");
  ASSERT_TRUE(wait_for(source.ours.get(), POLLPRI) & POLLPRI);
  direction.source_urgent();
  std::string received;
  for (int round = 0; round < 1000 && received.size() < 19; ++round) {
    ASSERT_NE(pump_on(), Flow::broken);
    received += get(sink.theirs.get()).bytes;
  }
  EXPECT_EQ(received, "header:before!after");
}

TEST_F(DirectionTest, ANewSinkGetsAgainWhatWasRetained) {
  direction.begin_sink(as_bytes("1:"), /*retain=*/true);
  direction.sink_ready();
  put(source.theirs.get(), "question");
  ASSERT_TRUE(wait_for_bytes(source.ours.get(), 8));
  EXPECT_EQ(pump(), Flow::waiting);
  EXPECT_EQ(direction.bytes(), 8U);
  ASSERT_TRUE(direction.can_restart());
  sink = connect_pair();
  direction.begin_sink(as_bytes("2:"), /*retain=*/true);
  direction.sink_ready();
  EXPECT_EQ(pump(), Flow::waiting);
  ASSERT_TRUE(wait_for_bytes(sink.theirs.get(), 10));
  EXPECT_EQ(get(sink.theirs.get()).bytes, "2:question");
  EXPECT_EQ(direction.bytes(), 8U);
  ASSERT_TRUE(direction.confirm(source.ours.get()));
  EXPECT_FALSE(direction.can_restart());
  EXPECT_EQ(get(source.ours.get()).bytes, "") << "taken for good";
}

// With the end at hand it is not a segment of its own.
TEST_F(DirectionTest, TheEndSharesASegmentWithTheLastBytes) {
  const std::uint32_t before = segments_received(sink.theirs.get());
  put(source.theirs.get(), "last words");
  ::shutdown(source.theirs.get(), SHUT_WR);
  ASSERT_TRUE(wait_for(source.ours.get(), POLLRDHUP));
  EXPECT_EQ(pump_on(), Flow::ended);
  ASSERT_TRUE(wait_for(sink.theirs.get(), POLLRDHUP));
  EXPECT_EQ(segments_received(sink.theirs.get()) - before, 1U);
}

// Closing the sink at once, in order, sends its FIN.
TEST_F(DirectionTest, TheLastEndIsLeftToClose) {
  put(source.theirs.get(), "bye");
  ::shutdown(source.theirs.get(), SHUT_WR);
  ASSERT_TRUE(wait_for(source.ours.get(), POLLRDHUP));
  direction.source_closing();
  EXPECT_EQ(direction.pump(source.ours.get(), sink.ours.get(), pipes, quantum, /*last=*/true),
            Flow::ended);
  end_in_order(sink.ours.get());
  sink.ours.reset();
  ASSERT_TRUE(wait_for(sink.theirs.get(), POLLRDHUP));
  const Got got = get(sink.theirs.get());
  EXPECT_EQ(got.bytes, "bye");
  EXPECT_EQ(got.end, 0);
}

TEST_F(DirectionTest, AResetSourceIsBrokenAndNotEnded) {
  put(source.theirs.get(), "half a message");
  ASSERT_TRUE(wait_for(source.ours.get(), POLLIN));
  const linger abort{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(source.theirs.get(), SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
  source.theirs.reset();
  ASSERT_TRUE(wait_for(source.ours.get(), POLLERR) & POLLERR);
  EXPECT_EQ(pump_on(), Flow::broken);
  EXPECT_EQ(direction.os_errno(), ECONNRESET);
  EXPECT_NE(get(sink.theirs.get()).end, 0);  // no FIN was passed on
}

TEST_F(DirectionTest, AResetSinkIsBroken) {
  sink.theirs.reset();
  ASSERT_TRUE(wait_for(sink.ours.get(), POLLERR) & POLLERR);
  put(source.theirs.get(), "to nobody");
  ASSERT_TRUE(wait_for(source.ours.get(), POLLIN));
  EXPECT_EQ(pump(), Flow::broken);
  EXPECT_NE(direction.os_errno(), 0);
}

}  // namespace
}  // namespace tw::relay
