// One record, and its faces: JSON, metrics, and the list of the documentation.
#include "node/report/describe_status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "node/report/metric_list.h"
#include "node/report/metrics_text.h"

namespace tw::node {
namespace {

using testing::HasSubstr;
using testing::Not;

NodeStatus counted() {
  NodeStatus status;
  status.cipher_engine = "openssl";
  WorkerStatus& worker = status.workers.emplace_back();
  worker.name = "0";
  worker.counters.from_wire.received.add(7);
  worker.counters.from_wire.sent.add(4);
  worker.counters.from_wire.sent_bytes.add(4000);
  worker.counters.from_wire.drops.add(Drop::bad_tag, 2);
  status.handshakes.responses_sent.add(3);
  status.firewall = {{"spoofed", 5}};
  relay::RelaySnapshot& relay = status.relay.emplace();
  relay.outcomes.resize(relay::outcome_count);
  relay.outcomes[0] = 9;
  relay.early_syn.unclaimed = 6;
  relay::PopCounters& pop = relay.pops.emplace_back();
  pop.name = "tokyo";
  pop.legs_here = 5;
  pop.waiting_here = 2;
  pop.warm.hits = 8;
  pop.proof.to_authenticated = true;
  status.syn_watches.push_back({.device = "lan", .counters = {.seen = 3, .reported = 1}});
  return status;
}

TEST(DescribeStatus, AsJson) {
  const auto json = nlohmann::json::parse(to_json(counted()));
  const auto& from_wire = json["workers"][0]["from_wire"];
  EXPECT_EQ(from_wire["received"], 7);
  EXPECT_EQ(from_wire["queued"], 1);
  EXPECT_EQ(from_wire["drops"], (nlohmann::json{{"bad_tag", 2}})) << "and no other";
  EXPECT_EQ(json["handshakes"]["responses_sent"], 3);
  EXPECT_EQ(json["firewall"]["spoofed"], 5);
  const auto& relay = json["relay"];
  EXPECT_EQ(relay["outcomes"]["closed"], 9);
  EXPECT_EQ(relay["outcomes"]["reset"], 0);
  EXPECT_EQ(relay["early_syn"]["unclaimed"], 6);
  EXPECT_EQ(relay["early_syn"]["devices"][0]["device"], "lan");
  EXPECT_EQ(relay["pops"][0]["warm"]["hits"], 8);
  EXPECT_TRUE(relay["pops"][0]["path"].is_null());
  EXPECT_EQ(relay["pops"][0]["last_leg"]["to_authenticated"], true);
  EXPECT_TRUE(relay["pops"][0]["last_leg"]["from_authenticated"].is_null());
  EXPECT_TRUE(json["metrics_requests"].is_null());
  EXPECT_TRUE(nlohmann::json::parse(to_json(NodeStatus{}))["relay"].is_null());
}

TEST(DescribeStatus, AsMetrics) {
  const std::string text = to_metrics(counted());
  const auto has = [&](const std::string& line) { return HasSubstr("\n" + line + "\n"); };
  for (const char* line :
       {R"(thalweg_segments_total{worker="0",direction="from_wire",what="received"} 7)",
        R"(thalweg_bytes_total{worker="0",direction="from_wire",side="out"} 4000)",
        R"(thalweg_queued_segments{worker="0",direction="from_wire"} 1)",
        R"(thalweg_drops_total{worker="0",direction="from_wire",reason="bad_tag"} 2)",
        R"(thalweg_drops_total{worker="handshakes",direction="from_wire",reason="bad_tag"} 0)",
        R"(thalweg_handshake_messages_total{what="response_sent"} 3)",
        R"(thalweg_firewall_refused_total{counter="spoofed"} 5)",
        R"(thalweg_relay_outcomes_total{outcome="closed"} 9)",
        R"(thalweg_relay_pop_legs{pop="tokyo",what="in_use"} 3)",
        R"(thalweg_relay_warm_legs_total{pop="tokyo",what="hit"} 8)",
        R"(thalweg_relay_leg_authenticated{pop="tokyo",side="to"} 1)",
        R"(thalweg_relay_device_syns_total{device="lan",what="reported"} 1)",
        "# TYPE thalweg_relay_path_rate_bits_per_second gauge"}) {
    EXPECT_THAT(text, has(line));
  }
  EXPECT_THAT(text, Not(HasSubstr("side=\"from\"")));
  EXPECT_THAT(to_metrics(NodeStatus{}), Not(HasSubstr("thalweg_relay_")));
  EXPECT_THAT(to_metrics(NodeStatus{}), HasSubstr("# TYPE thalweg_peer_bytes_total counter"));
}

// A family that only one of the two knows would be missing in the other.
TEST(DescribeStatus, EveryMetricStandsInTheList) {
  NodeStatus status = counted();
  status.scrapes.emplace();
  std::set<std::string> served, listed;
  const auto names = [](const std::string& text, const std::string& before,
                        const std::string& after) {
    std::set<std::string> found;
    std::istringstream lines{text};
    for (std::string line; std::getline(lines, line);) {
      if (!line.starts_with(before)) continue;
      const bool is_new =
          found.insert(line.substr(before.size(), line.find(after, before.size()) - before.size()))
              .second;
      EXPECT_TRUE(is_new) << line << " is there twice";
    }
    return found;
  };
  served = names(to_metrics(status), "# TYPE ", " ");
  listed = names(metric_table(), "| `", "`");
  EXPECT_EQ(served, listed);
  EXPECT_GT(served.size(), 30U);
}

}  // namespace
}  // namespace tw::node
