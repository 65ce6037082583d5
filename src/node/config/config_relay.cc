// [relay], [[pop]] and [[policy]].
#include <algorithm>

#include "node/config/config_sections.h"
#include "node/config/config_values.h"
#include "node/config/keys/relay_keys.h"

namespace tw::node {
namespace {

/// Reads [name] inside the table at hand.
template <typename Section>
void read_table(KeyReading at, std::string_view name, const auto& keys, Section& section) {
  TableReader table = at.table.table(name);
  read_keys({table, at.draft, at.folder}, keys, section);
  table.close();
}

void read_relay(KeyReading at, RelayConfig& relay) {
  TableReader& table = at.table;
  read_keys(at, relay_keys, relay);
  read_table(at, "turbo", turbo_keys, relay.turbo);
  read_table(at, "client_start", client_start_keys, relay.client_start);
  read_table(at, "pool", pool_keys, relay.pool);
  read_table(at, "early_syn", early_syn_keys, relay.early_syn);
  read_table(at, "log", relay_log_keys, relay.log);
  if (relay.pool.low > relay.pool.high) {
    table.mistakes().add(table.key_of("pool.low"), "more than high",
                         "write a number that is at most relay.pool.high");
  }
  if (relay.accept == relay::Accept::verified && !relay.early_syn.enabled) {
    table.mistakes().add(table.key_of("accept"), "\"verified\" needs early SYN, which is off",
                         R"(set enabled = true in [relay.early_syn], or write accept = "early")");
  }
  table.close();
}

void read_pop(KeyReading at) {
  PopDraft& pop = at.draft.pops.emplace_back();
  pop.key = at.table.key();
  const auto read = read_keys(at, pop_keys, pop);
  if (pop.pop.pop.name.empty()) pop.pop.pop.name = pop.pop.peer;
  pop.has_overlay_address = read.has("overlay_address");
  at.table.close();
}

/// Adds the allowed IPs of a peer. One that has none would stand for nothing, and an empty list
/// matches everything: that is a mistake, at `key`, where `word` stands.
void expand_peer(const PeerDraft& peer, const std::string& key, MistakeList& mistakes,
                 std::vector<Prefix>& out) {
  if (peer.allowed_ips.empty()) {
    mistakes.add(key, "peer " + shown(peer.peer.name) + " has no allowed IPs to stand for",
                 "give " + peer.seen_from(mistakes) + " its allowed_ips, or write prefixes");
  }
  for (const auto& prefix : peer.allowed_ips) out.push_back(prefix.value);
}

/// Adds the prefixes that one word of `from` or `to` stands for: itself, a peer's allowed IPs, or
/// those of a group's peers. A word that stands for nothing is a mistake.
void expand(const std::string& word, const std::string& key, const ConfigDraft& draft,
            MistakeList& mistakes, std::vector<Prefix>& out) {
  if (const auto prefix = Prefix::parse(word)) {
    out.push_back(*prefix);
    return;
  }
  if (const auto peer = draft.by_name.find(word); peer != draft.by_name.end()) {
    expand_peer(*peer->second, key, mistakes, out);
    return;
  }
  const auto group = std::ranges::find(draft.groups, word, &GroupDraft::name);
  if (group == draft.groups.end()) {
    std::vector<std::string> names;
    names.reserve(draft.peers.size() + draft.groups.size());
    for (const PeerDraft& known : draft.peers) names.push_back(known.peer.name);
    for (const GroupDraft& known : draft.groups) names.push_back(known.name);
    mistakes.add(key, shown(word) + " is neither a prefix nor the name of a peer or a group",
                 did_you_mean(word, names, R"(write "10.9.0.0/24", or a name of a [[peer]])"));
    return;
  }
  if (group->peers.empty()) {
    mistakes.add(key, "group " + shown(word) + " has no peers to stand for",
                 "name its peers, or take the rule out");
  }
  for (const auto& member : group->peers) {
    // A name that nobody has is a mistake of the group: check_relay() says it.
    const auto peer = draft.by_name.find(member.value);
    if (peer != draft.by_name.end()) expand_peer(*peer->second, key, mistakes, out);
  }
}

bool read_side(KeyReading& at, std::string_view name, std::vector<Prefix>& out) {
  TableReader& table = at.table;
  const ConfigNode* node = table.elements(name);
  if (node == nullptr) return false;
  for (std::size_t i = 0; i < node->children.size(); ++i) {
    const std::string key = table.element_key(name, i);
    const std::string* word = table.text_of(node->children[i], key);
    if (word != nullptr) expand(*word, key, at.draft, table.mistakes(), out);
  }
  return true;
}

void read_policy(KeyReading at) {
  using relay::Action;
  using relay::Protocol;
  TableReader& table = at.table;
  relay::PolicyRule& rule = at.draft.config.policy.emplace_back();
  MistakeList& mistakes = table.mistakes();
  const auto read = read_keys(at, policy_keys, rule);
  const bool protocol_good = read.has("protocol") || !table.has("protocol");
  const bool relayed = read.has("action") && rule.action == Action::relay;
  if (table.has("ports") && protocol_good && rule.protocol != Protocol::tcp &&
      rule.protocol != Protocol::udp) {
    mistakes.add(table.key_of("ports"), "ports of a protocol that has none",
                 R"(write protocol = "tcp" or "udp")");
  }
  if (relayed && protocol_good && rule.protocol != Protocol::tcp) {
    mistakes.add(table.key_of("action"), "only TCP can be relayed",
                 R"(write protocol = "tcp", and a rule with action = "route" for the rest)");
  }
  if (relayed && !at.draft.config.relay.enabled) {
    mistakes.add(table.key_of("action"), "the relay is disabled",
                 R"(set enabled = true in [relay], or write action = "route")");
  }
  table.close();
}

}  // namespace

bool read_from(KeyReading& at, const Key<relay::PolicyRule>& key, relay::PolicyRule& rule) {
  return read_side(at, key.name, rule.from);
}

bool read_to(KeyReading& at, const Key<relay::PolicyRule>& key, relay::PolicyRule& rule) {
  return read_side(at, key.name, rule.to);
}

bool read_ports(KeyReading& at, const Key<relay::PolicyRule>& key, relay::PolicyRule& rule) {
  TableReader& table = at.table;
  const ConfigNode* node = table.elements(key.name);
  if (node == nullptr) return false;
  for (std::size_t i = 0; i < node->children.size(); ++i) {
    const ConfigNode& child = node->children[i];
    const std::string element = table.element_key(key.name, i);
    const bool is_integer = child.kind == ConfigNode::Kind::integer;
    const std::string digits = std::to_string(child.integer);
    const std::string* word = is_integer ? &digits : table.text_of(child, element);
    if (word == nullptr) continue;
    const auto range = read_port_range(*word);
    if (range) {
      rule.ports.push_back(*range);
    } else {
      table.mistakes().add(element, range.error());
    }
  }
  if (node->children.empty()) {
    table.mistakes().add(table.key_of(key.name), "is an empty list",
                         "take it out to mean every port");
  }
  return true;
}

void read_relay_settings(TableReader& root, RelayConfig& relay) {
  ConfigDraft none;
  const std::string folder;
  TableReader table = root.table("relay");
  read_relay({table, none, folder}, relay);
}

void read_relay_sections(TableReader& root, ConfigDraft& draft) {
  read_relay_settings(root, draft.config.relay);
  const std::string folder;
  for (TableReader& table : root.tables("pop")) read_pop({table, draft, folder});
  for (TableReader& table : root.tables("policy")) read_policy({table, draft, folder});
}

}  // namespace tw::node
