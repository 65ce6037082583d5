// Two relays in namespaces learn a client's path. Needs root, and skips without it. That a
// known client starts faster needs a path with a delay: tests/net/test_client_start.py.
#include <gtest/gtest.h>

#include "relay/pacing/client_rates.h"
#include "relay/pacing/test_resumer.h"
#include "test_relays.h"

namespace tw::relay {
namespace {

class KnownClientsTest : public TwoRelaysTest {
 protected:
  static RelaySettings wanted(bool enabled, Resumer* by = &resumer()) {
    RelaySettings settings = settings_of_first();
    settings.client_start.enabled = enabled;
    settings.resumer = by;
    return settings;
  }
  static Resumer& resumer() {
    static TestResumer one;
    return one;
  }
  void download() {
    const UniqueFd listener = listen_at("192.0.2.80:8080");
    const UniqueFd client = connect_from(network->client, "192.0.2.80:8080");
    const UniqueFd server = accept_at(listener);
    send_and_end(server, client, noise(2'000'000, 1));
    send_and_end(client, server, "thanks");
    ASSERT_TRUE(both_idle());
  }
  std::uint64_t known(const Relay& relay) { return relay.snapshot().client_start.known; }
};

TEST_F(KnownClientsTest, AClientIsKnownWhereItEntersOnceItHasHadADownload) {
  RelaySettings last = settings_of_last();
  last.client_start.enabled = true;
  last.resumer = &resumer();
  start(wanted(true), last);
  EXPECT_EQ(known(*relay_first), 0U);
  download();
  EXPECT_EQ(known(*relay_first), 1U);
  EXPECT_EQ(known(*relay_last), 0U) << "a leg is no client";
  jump += ClientRates::memory;
  turn();
  EXPECT_EQ(known(*relay_first), 0U);
}

TEST_F(KnownClientsTest, NothingIsRememberedByDefaultOrWithoutTheProgram) {
  for (const RelaySettings& settings :
       {wanted(false), wanted(true, nullptr), settings_of_first()}) {
    start(settings, settings_of_last());
    download();
    EXPECT_EQ(known(*relay_first), 0U);
    relay_first.reset();
    relay_last.reset();
  }
}

TEST_F(KnownClientsTest, TurningItOffForgets) {
  start(wanted(true), settings_of_last());
  download();
  EXPECT_EQ(known(*relay_first), 1U);
  network->first.enter();
  relay_first->apply(wanted(false));
  EXPECT_EQ(known(*relay_first), 0U);
  relay_first->apply(wanted(true));
  EXPECT_EQ(known(*relay_first), 0U);
  download();
  EXPECT_EQ(known(*relay_first), 1U);
}

}  // namespace
}  // namespace tw::relay
