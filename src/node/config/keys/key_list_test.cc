// Rules that hold for every key, and for each kind of change.
#include "node/config/keys/key_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <charconv>
#include <set>

#include "node/config/config_setting.h"
#include "node/config/keys/relay_keys.h"
#include "node/config/keys/tunnel_keys.h"

namespace tw::node {
namespace {

TEST(KeyList, EveryKeyIsNamedOnceAndSaysWhatItIs) {
  std::set<std::string> paths;
  for (const KeyFacts& key : all_keys()) {
    EXPECT_TRUE(paths.insert(key.path()).second) << key.path();
    EXPECT_FALSE(key.type.empty()) << key.path();
    EXPECT_FALSE(key.help.empty()) << key.path();
    EXPECT_EQ(key.help.find_first_of("|\n"), std::string_view::npos) << key.path();
    EXPECT_NE(key.fallback, "``") << key.path() << " has a default that the table does not say";
  }
  EXPECT_TRUE(paths.contains("relay.pool.low"));
  EXPECT_TRUE(paths.contains("peer[].allowed_ips"));
}

TEST(KeyList, TablesTellBoundsUnitsWordsAndDefaults) {
  EXPECT_THAT(key_table("relay.pool"),
              testing::HasSubstr("| `max_age_s` | 1 to 3600 seconds | 300 | live |"));
  EXPECT_THAT(key_table("relay"), testing::HasSubstr("| `accept` | `\"early\"`, `\"verified\"` | "
                                                     "`\"early\"` | live |"));
  EXPECT_THAT(key_table("pop"), testing::HasSubstr("| `peer` | string | *required* | live |"));
  EXPECT_EQ(key_table("relay.pol"), "");
}

/// A value of the kind that is not its default, as TOML; empty: the kind has none that is known.
template <typename Section>
std::string other_value(const Key<Section>& key) {
  const std::string now = key.kind.shown(Section{});
  if (key.kind.words != nullptr) {
    const std::string words = key.kind.words();
    const std::size_t comma = words.find(", ");
    const std::string first = words.substr(0, comma);
    return first != now ? first : words.substr(comma + 2, words.find(", ", comma + 2) - comma - 2);
  }
  if (key.kind.type.empty()) {
    return std::to_string(now == std::to_string(key.kind.lowest) ? key.kind.highest
                                                                 : key.kind.lowest);
  }
  return now == "true" ? "false" : now == "false" ? "true" : "";
}

/// Reads one line into a section.
template <typename Section>
Section after(const Key<Section>& key, const std::string& value) {
  const auto tree = read_tree(std::string{key.name} + " = " + value, "test");
  EXPECT_TRUE(tree);
  MistakeList mistakes{"test"};
  TableReader table{*tree, {}, mistakes};
  ConfigDraft draft;
  const std::string folder;
  KeyReading at{table, draft, folder};
  Section section{};
  EXPECT_TRUE(key.kind.read(at, key, section)) << key.name << " = " << value;
  return section;
}

template <typename Section>
void expect_noticed(const auto& keys) {
  for (const Key<Section>& key : keys) {
    if (key.change != Change::restart) continue;
    std::string value = other_value(key);
    if (value.empty())
      value = key.name == "metrics"     ? "\"127.0.0.1:9\""
              : key.name == "interface" ? "\"wg9\""
              : key.name == "cipher"    ? "\"openssl\""
                                        : "\"/another\"";
    EXPECT_FALSE(key.kind.same(Section{}, after(key, value))) << key.name;
    EXPECT_TRUE(key.kind.same(Section{}, Section{})) << key.name;
  }
}

// A key whose change nobody notices would be taken, and have no effect.
TEST(KeyList, EveryChangeThatTakesARestartIsNoticed) {
  expect_noticed<ProcessConfig>(node_keys);
  expect_noticed<TunnelConfig>(tunnel_keys);
  expect_noticed<DeviceOffloads>(offload_keys);
  NodeConfig now, next;
  EXPECT_EQ(needs_restart(now, next), "");
  next.tunnel.tuning.offloads.tun_udp = false;
  EXPECT_EQ(needs_restart(now, next), "tunnel.offloads.tun_udp");
  next = now;
  next.process.log_level = log::Level::debug;
  EXPECT_EQ(needs_restart(now, next), "node.log_level");
  next = now;
  next.tunnel.tx_queue_packets = 77;
  next.tunnel.install_routes = false;
  EXPECT_EQ(needs_restart(now, next), "");
}

/// Sets every key of a table of [relay] by hand.
template <typename Section>
void expect_set(std::string_view table, const auto& keys) {
  NodeConfig running;
  running.relay.enabled = true;
  for (const Key<Section>& key : keys) {
    const std::string path = std::string{table} + '.' + std::string{key.name};
    std::string value = other_value(key);
    if (key.kind.type.starts_with("list")) value = "[\"10.0.0.0/8\"]";
    if (value.empty()) value = "\"/another\"";
    if (key.name == "high") value = "100";  // not below low
    if (key.name == "congestion_control") value = "bbr";
    const auto next = with_setting(running, path, value);
    EXPECT_EQ(next.has_value(), key.change == Change::live)
        << path << ": " << (next ? "taken" : next.error().text());
    if (!next && key.change == Change::relay) {
      EXPECT_THAT(next.error().text(), testing::HasSubstr("change the file and reload")) << path;
    }
  }
}

TEST(KeyList, EveryLiveKeyOfTheRelayIsSetByHandAndNoOther) {
  expect_set<RelayConfig>("relay", relay_keys);
  expect_set<relay::TurboSettings>("relay.turbo", turbo_keys);
  expect_set<relay::ClientStartSettings>("relay.client_start", client_start_keys);
  expect_set<relay::PoolSettings>("relay.pool", pool_keys);
  expect_set<relay::EarlySynSettings>("relay.early_syn", early_syn_keys);
  expect_set<relay::LogSettings>("relay.log", relay_log_keys);
  NodeConfig running;
  running.relay.enabled = true;
  for (const KeyFacts& key : all_keys()) {
    if (key.table.starts_with("relay")) continue;
    EXPECT_FALSE(with_setting(running, key.path(), "1")) << key.path();
  }
}

}  // namespace
}  // namespace tw::node
