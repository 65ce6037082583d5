// Tests how long a connection may be given another leg, and that its client notices nothing of
// that.
#include <gtest/gtest.h>
#include <poll.h>

#include "relay/stream/test_connection.h"

namespace tw::relay {
namespace {

// The client does not notice, as long as another leg can take its place.
TEST_F(ConnectionTest, ADeadWarmLegIsReplaced) {
  Connection connection = Connection::client(std::move(front.ours), {}, target, start);
  abort(server);
  ASSERT_TRUE(wait_for(back.ours.get(), POLLERR));
  connection.go_onward(
      {.socket = std::move(back.ours), .header = {'h'}, .connected = true, .warm = true}, a_pop,
      patience, start);
  EXPECT_EQ(advance(connection), Step::stale);

  LoopbackPair fresh = connect_pair();
  connection.go_onward({.socket = std::move(fresh.ours), .header = {'h'}}, a_pop, patience, start);
  put(client.get(), "question");
  EXPECT_EQ(until_readable(connection, Side::front), Step::waiting);
  ASSERT_TRUE(wait_for_bytes(fresh.theirs.get(), 9));
  EXPECT_EQ(get(fresh.theirs.get()).bytes, "hquestion");
}

}  // namespace
}  // namespace tw::relay
