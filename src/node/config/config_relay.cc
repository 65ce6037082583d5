// [relay], [[pop]] and [[policy]].
#include <algorithm>

#include "node/config/config_sections.h"
#include "node/config/config_values.h"

namespace tw::node {
namespace {

// What the keys of [relay] may be: wide enough for any machine, narrow enough that a slip in the
// number of zeros is seen.
constexpr std::uint64_t most_connections = 1'000'000;
constexpr std::uint64_t smallest_pipe = 4096, largest_pipe = 64U << 20U;
constexpr std::uint64_t smallest_buffer = 64U << 10U, largest_buffer = 512U << 20U;
constexpr std::uint64_t smallest_budget = 1U << 20U, largest_budget = std::uint64_t{1} << 40U;
constexpr std::uint64_t largest_initcwnd = 65'535;
constexpr std::uint64_t bits_per_megabit = 1'000'000;
constexpr std::uint64_t largest_rate_mbps = 100'000;
constexpr std::uint64_t most_warm_legs = 10'000;
constexpr std::uint64_t most_syns = 1'000'000;
constexpr std::uint64_t most_sample = 1'000'000;
constexpr std::int64_t longest_leg_age_s = 3600;
constexpr std::int64_t longest_claim_s = 60;
constexpr std::int64_t longest_connect_s = 600;
constexpr std::int64_t longest_half_close_s = 24L * 3600;
constexpr std::int64_t longest_keepalive_s = 32'767;  // the kernel's own bound
constexpr std::int64_t longest_coalesce_us = 1000;
constexpr std::int64_t longest_user_timeout_s = 24L * 3600;
constexpr std::int64_t longest_idle_s = 30L * 24 * 3600;

void read_turbo(TableReader table, relay::TurboSettings& turbo) {
  table.number("initcwnd", turbo.initcwnd, 1, largest_initcwnd);
  table.number("socket_buffer_bytes", turbo.socket_buffer_bytes, smallest_buffer, largest_buffer);
  table.value("congestion_control", turbo.congestion_control, read_congestion_control);
  table.boolean("pacing", turbo.pacing);
  std::uint64_t first_rate_mbps = turbo.first_rate_bps / bits_per_megabit;
  table.number("first_rate_mbps", first_rate_mbps, 1, largest_rate_mbps);
  turbo.first_rate_bps = first_rate_mbps * bits_per_megabit;
  table.close();
}

void read_client_start(TableReader table, relay::ClientStartSettings& start) {
  table.boolean("enabled", start.enabled);
  std::uint64_t cap_mbps = start.cap_bps / bits_per_megabit;
  table.number("cap_mbps", cap_mbps, 1, largest_rate_mbps);
  start.cap_bps = cap_mbps * bits_per_megabit;
  table.number("initcwnd", start.initcwnd, 1, largest_initcwnd);
  table.close();
}

void read_pool(TableReader table, relay::PoolSettings& pool) {
  table.boolean("enabled", pool.enabled);
  table.number("low", pool.low, 0, most_warm_legs);
  table.number("high", pool.high, 1, most_warm_legs);
  table.seconds("max_age_s", pool.max_age, 1, longest_leg_age_s);
  if (pool.low > pool.high) {
    table.mistakes().add(table.key_of("low"), "more than high",
                         "write a number that is at most relay.pool.high");
  }
  table.close();
}

void read_early_syn(TableReader table, relay::EarlySynSettings& early) {
  table.boolean("enabled", early.enabled);
  table.number("per_source_rate", early.per_source_rate, 1, most_syns);
  table.number("per_source_burst", early.per_source_burst, 1, most_syns);
  table.number("total_rate", early.total_rate, 1, most_syns);
  table.number("total_burst", early.total_burst, 1, most_syns);
  table.number("max_unclaimed", early.max_unclaimed, 1, most_syns);
  table.number("max_unclaimed_per_client", early.max_unclaimed_per_client, 1, most_syns);
  table.seconds("claim_timeout_s", early.claim_timeout, 1, longest_claim_s);
  table.close();
}

void read_log(TableReader table, relay::LogSettings& log) {
  table.boolean("connections", log.connections);
  table.value("format", log.format, read_log_format);
  table.number("sample", log.sample, 1, most_sample);
  if (std::string file; table.text("file", file)) {
    // Empty: back to the node's own log, by hand.
    if (file.empty()) {
      log.file.clear();
    } else {
      table.value("file", log.file, read_absolute_path);
    }
  }
  table.close();
}

void read_relay(TableReader table, RelayConfig& relay) {
  table.boolean("enabled", relay.enabled);
  table.number("listen_port", relay.listen_port, 1);
  table.number("leg_port", relay.leg_port, 1);
  table.list("local_targets", relay.local_targets, read_prefix);
  table.value("direct", relay.direct, read_direct_way);
  table.value("accept", relay.accept, read_accept);
  table.boolean("fast_open", relay.fast_open);
  table.value("quic", relay.quic, read_quic);
  // By hand a list takes the place of the one before, as it does in a file.
  if (table.has("proxy_protocol")) relay.proxy_protocol.clear();
  table.list("proxy_protocol", relay.proxy_protocol, read_proxy_target);
  table.list("client_devices", relay.client_devices, read_interface_name);
  table.number("max_connections", relay.limits.max_connections, 1, most_connections);
  table.number("max_connections_per_client", relay.limits.max_connections_per_client, 1,
               most_connections);
  table.number("max_connections_per_pop", relay.limits.max_connections_per_pop, 1,
               most_connections);
  table.number("max_waiting_legs_per_pop", relay.limits.max_waiting_legs_per_pop, 1,
               most_connections);
  table.number("buffer_bytes", relay.limits.buffer_bytes, smallest_budget, largest_budget);
  table.number("buffer_bytes_per_client", relay.limits.buffer_bytes_per_client, smallest_budget,
               largest_budget);
  table.number("pipe_bytes", relay.limits.pipe_bytes, smallest_pipe, largest_pipe);
  table.duration("coalesce_us", relay.limits.coalesce, 1us, 0, longest_coalesce_us);
  table.seconds("connect_timeout_s", relay.limits.connect_timeout, 1, longest_connect_s);
  table.seconds("idle_timeout_s", relay.limits.idle_timeout, 1, longest_idle_s);
  table.seconds("half_close_timeout_s", relay.limits.half_close_timeout, 1, longest_half_close_s);
  table.seconds("keepalive_s", relay.limits.keepalive, 0, longest_keepalive_s);
  table.seconds("user_timeout_s", relay.limits.user_timeout, 0, longest_user_timeout_s);
  read_turbo(table.table("turbo"), relay.turbo);
  read_client_start(table.table("client_start"), relay.client_start);
  read_pool(table.table("pool"), relay.pool);
  read_early_syn(table.table("early_syn"), relay.early_syn);
  read_log(table.table("log"), relay.log);
  if (relay.accept == relay::Accept::verified && !relay.early_syn.enabled) {
    table.mistakes().add(table.key_of("accept"), "\"verified\" needs early SYN, which is off",
                         R"(set enabled = true in [relay.early_syn], or write accept = "early")");
  }
  table.close();
}

void read_pop(TableReader table, ConfigDraft& draft) {
  PopDraft& pop = draft.pops.emplace_back();
  pop.key = table.key();
  table.require("peer", "name the [[peer]] that is this PoP");
  table.value("peer", pop.pop.peer, read_name);
  pop.pop.pop.name = pop.pop.peer;
  table.value("name", pop.pop.pop.name, read_name);
  table.require("overlay_address", "write the PoP's own address in the tunnel");
  pop.has_overlay_address =
      table.value("overlay_address", pop.pop.pop.overlay_address, read_address);
  table.list("routes", pop.routes, read_prefix);
  table.value("legs", pop.pop.pop.legs, read_legs);
  table.list("clients", pop.clients, read_prefix);
  table.close();
}

/// The prefixes that one word of `from` or `to` stands for: itself, or a peer's allowed IPs. A
/// word that stands for nothing is a mistake: an empty list would match everything.
void expand(const std::string& word, const std::string& key, const ConfigDraft& draft,
            MistakeList& mistakes, std::vector<Prefix>& out) {
  if (const auto prefix = Prefix::parse(word)) {
    out.push_back(*prefix);
    return;
  }
  const auto named = [&](const PeerDraft& peer) { return peer.peer.name == word; };
  const auto peer = std::ranges::find_if(draft.peers, named);
  if (peer == draft.peers.end()) {
    std::vector<std::string> names;
    names.reserve(draft.peers.size());
    for (const PeerDraft& known : draft.peers) names.push_back(known.peer.name);
    mistakes.add(key, shown(word) + " is neither a prefix nor the name of a peer",
                 did_you_mean(word, names, R"(write "10.9.0.0/24", or a name of a [[peer]])"));
  } else if (peer->allowed_ips.empty()) {
    mistakes.add(key, "peer " + shown(word) + " has no allowed IPs to stand for",
                 "give " + peer->key + " its allowed_ips, or write prefixes");
  }
  if (peer == draft.peers.end()) return;
  for (const auto& prefix : peer->allowed_ips) out.push_back(prefix.value);
}

void read_side(TableReader& table, std::string_view name, const ConfigDraft& draft,
               std::vector<Prefix>& out) {
  const ConfigNode* node = table.elements(name);
  if (node == nullptr) return;
  for (std::size_t i = 0; i < node->children.size(); ++i) {
    const std::string key = table.element_key(name, i);
    const std::string* word = table.text_of(node->children[i], key);
    if (word != nullptr) expand(*word, key, draft, table.mistakes(), out);
  }
}

/// Ports are written as 80 or as "8000-8100".
void read_ports(TableReader& table, std::vector<relay::PortRange>& out) {
  const ConfigNode* node = table.elements("ports");
  if (node == nullptr) return;
  for (std::size_t i = 0; i < node->children.size(); ++i) {
    const ConfigNode& child = node->children[i];
    const std::string key = table.element_key("ports", i);
    const bool is_integer = child.kind == ConfigNode::Kind::integer;
    const std::string digits = std::to_string(child.integer);
    const std::string* word = is_integer ? &digits : table.text_of(child, key);
    if (word == nullptr) continue;
    const auto range = read_port_range(*word);
    if (range) {
      out.push_back(*range);
    } else {
      table.mistakes().add(key, range.error());
    }
  }
  if (node->children.empty()) {
    table.mistakes().add(table.key_of("ports"), "is an empty list",
                         "take it out to mean every port");
  }
}

void read_policy(TableReader table, ConfigDraft& draft) {
  using relay::Action;
  using relay::Protocol;
  relay::PolicyRule& rule = draft.config.policy.emplace_back();
  MistakeList& mistakes = table.mistakes();
  read_side(table, "from", draft, rule.from);
  read_side(table, "to", draft, rule.to);
  const bool protocol_good =
      table.value("protocol", rule.protocol, read_protocol) || !table.has("protocol");
  read_ports(table, rule.ports);
  table.require("action", R"(write action = "relay", "route" or "refuse")");
  const bool relayed =
      table.value("action", rule.action, read_action) && rule.action == Action::relay;
  if (table.has("ports") && protocol_good && rule.protocol != Protocol::tcp &&
      rule.protocol != Protocol::udp) {
    mistakes.add(table.key_of("ports"), "ports of a protocol that has none",
                 R"(write protocol = "tcp" or "udp")");
  }
  if (relayed && protocol_good && rule.protocol != Protocol::tcp) {
    mistakes.add(table.key_of("action"), "only TCP can be relayed",
                 R"(write protocol = "tcp", and a rule with action = "route" for the rest)");
  }
  if (relayed && !draft.config.relay.enabled) {
    mistakes.add(table.key_of("action"), "the relay is disabled",
                 R"(set enabled = true in [relay], or write action = "route")");
  }
  table.close();
}

}  // namespace

void read_relay_settings(TableReader& root, RelayConfig& relay) {
  read_relay(root.table("relay"), relay);
}

void read_relay_sections(TableReader& root, ConfigDraft& draft) {
  read_relay_settings(root, draft.config.relay);
  for (TableReader& table : root.tables("pop")) read_pop(std::move(table), draft);
  for (TableReader& table : root.tables("policy")) read_policy(std::move(table), draft);
}

}  // namespace tw::node
