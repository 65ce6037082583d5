// thalweg peer list, show: the peers of a configuration, and where they stand.
#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/peer/peer_command.h"
#include "cli/peer/peer_site.h"
#include "node/clients/client_conf.h"
#include "node/clients/peer_entry.h"
#include "node/config/config_mistakes.h"
#include "node/control/control_server.h"

namespace tw::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  ControlTarget target;
  std::string name;
  bool json = false;
};

/// One peer as the file has it.
Json json_of(const node::PeerConfig& peer, const node::PeerPlace& place) {
  Json json{{"name", peer.name},
            {"public_key", crypto::key_to_base64(peer.public_key.bytes)},
            {"allowed_ips", texts_of(peer.allowed_ips)},
            {"preshared_key", !peer.preshared_key.is_zero()},
            {"persistent_keepalive_s", peer.persistent_keepalive_s},
            {"file", place.file},
            {"line", place.line}};
  if (peer.endpoint) json["endpoint"] = node::endpoint_name_text(*peer.endpoint);
  return json;
}

/// All of them, or the one that is wanted.
Result<Json> read_peers(const Options& options, PeerSite& site) {
  const auto places = node::peer_places(site.file(), site.config().tunnel.include);
  if (!places) return std::unexpected(places.error());
  const auto& peers = site.config().peers;
  if (peers.size() != places->size()) {
    return make_error(Error::Kind::unavailable, site.file() + " has just changed: ask again");
  }
  Json found = Json::array();
  for (std::size_t i = 0; i < peers.size(); ++i) {
    if (!options.name.empty() && peers[i].name != options.name) continue;
    found.push_back(json_of(peers[i], (*places)[i]));
  }
  if (options.name.empty() || !found.empty()) return found;
  std::vector<std::string> names;
  names.reserve(peers.size());
  for (const node::PeerConfig& peer : peers) names.push_back(peer.name);
  return no_such_peer(options.name, names);
}

Result<void> list(const Options& options) {
  auto site = PeerSite::open(options.target, false);
  if (!site) return std::unexpected(site.error());
  const auto peers = read_peers(options, *site);
  if (!peers) return std::unexpected(peers.error());
  if (options.json) {
    fmt::print("{}\n", dumped(Json{{"file", site->file()}, {"peers", *peers}}));
    return {};
  }
  std::size_t width = 4, wide = 9;
  std::vector<std::string> addresses;
  for (const Json& peer : *peers) {
    width = std::max(width, peer["name"].get_ref<const std::string&>().size());
    const auto texts = peer["allowed_ips"].get<std::vector<std::string>>();
    addresses.push_back(fmt::format("{}", fmt::join(texts, ", ")));
    wide = std::max(wide, std::min<std::size_t>(addresses.back().size(), 40));
  }
  for (std::size_t i = 0; i < peers->size(); ++i) {
    const Json& peer = (*peers)[i];
    fmt::print("{:<{}}  {:<{}}  {}:{}\n", peer["name"].get<std::string>(), width, addresses[i],
               wide, peer["file"].get<std::string>(), peer["line"].get<std::uint32_t>());
  }
  return {};
}

/// Adds what the running node knows of the peer.
Result<void> add_state(const PeerSite& site, Json& peer) {
  const auto line = node::ask_control(site.socket(), R"({"command":"status"})");
  if (!line) return std::unexpected(line.error());
  const Json status = Json::parse(*line, nullptr, false);  // in the node's order
  if (!status.is_object() || !status.contains("peers")) return {};
  for (const Json& known : status["peers"]) {
    if (known.value("name", std::string{}) == peer["name"].get<std::string>()) {
      peer["state"] = known;
    }
  }
  return {};
}

Result<void> show(const Options& options) {
  auto site = PeerSite::open(options.target, false);
  if (!site) return std::unexpected(site.error());
  auto peers = read_peers(options, *site);
  if (!peers) return std::unexpected(peers.error());
  Json& peer = peers->front();
  if (site->runs()) {
    if (auto added = add_state(*site, peer); !added) return added;
  }
  if (options.json) {
    fmt::print("{}\n", dumped(peer));
    return {};
  }
  for (const auto& [key, value] : peer.items()) {
    if (key == "state") continue;
    const auto texts =
        value.is_array() ? value.get<std::vector<std::string>>()
                         : std::vector{value.is_string() ? value.get<std::string>() : value.dump()};
    fmt::print("{:<24}{}\n", key, fmt::join(texts, ", "));
  }
  if (!peer.contains("state")) {
    fmt::print("{}\n", site->runs() ? "the running node does not know it yet: thalweg reload"
                                    : "no node runs with this file");
    return {};
  }
  for (const auto& [key, value] : peer["state"].items()) {
    if (!value.is_primitive() || (peer.contains(key) && key != "endpoint")) continue;
    fmt::print("{:<24}{}\n", key == "endpoint" ? "seen at" : key,
               value.is_string() ? value.get<std::string>() : value.dump());
  }
  return {};
}

}  // namespace

void add_peer_list(CLI::App& peer, int& exit_code) {
  const auto declare = [&](const char* name, const char* help,
                           Result<void> (*work)(const Options&)) {
    auto options = std::make_shared<Options>();
    CLI::App* command = peer.add_subcommand(name, help);
    add_peer_target(*command, options->target);
    command->add_flag("--json", options->json, "The same as JSON");
    command->callback([options, name, work, &exit_code] {
      const Result<void> done = work(*options);
      exit_code = done ? 0 : peer_failed(name, done.error());
    });
    return std::pair{command, options};
  };
  declare("list", "List the peers of a configuration, and where they stand", list);
  const auto [command, options] =
      declare("show", "Show one peer, and what the node knows of it", show);
  command->add_option("name", options->name, "Its name")->required()->type_name("NAME");
}

}  // namespace tw::cli
