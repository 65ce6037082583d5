// thalweg peer remove, rename: the files that `peer add` made, or that are like them.
#include <fmt/core.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/peer/peer_command.h"
#include "cli/peer/peer_site.h"
#include "node/clients/peer_entry.h"
#include "node/config/config_file.h"
#include "node/config/config_mistakes.h"
#include "node/config/config_secret.h"

namespace tw::cli {
namespace {

struct Options {
  ControlTarget target;
  std::vector<std::string> names;  // to remove
  std::string from, to;            // to rename
  bool json = false;
};

/// The place of a peer that has a file of its own. What people wrote into one file is theirs.
Result<node::PeerPlace> own_place(const std::vector<node::PeerPlace>& places,
                                  const std::string& name) {
  const auto found = std::ranges::find(places, name, &node::PeerPlace::name);
  if (found == places.end()) {
    std::vector<std::string> names;
    for (const node::PeerPlace& place : places) names.push_back(place.name);
    return no_such_peer(name, names);
  }
  if (found->included && found->alone) return *found;
  return make_error(Error::Kind::config,
                    fmt::format("{} stands with others, in {}, line {}: change it there, and "
                                "`thalweg reload`",
                                node::shown(name), found->file, found->line));
}

void print_done(const PeerSite& site, const Options& options, const std::string& what,
                const std::vector<std::string>& changes) {
  if (options.json) {
    nlohmann::ordered_json json{{"ok", true}, {"file", site.file()}, {"running", site.runs()}};
    json["changes"] = changes;
    fmt::print("{}\n", dumped(json));
    return;
  }
  fmt::print("{}{}\n", what,
             site.runs() ? "" : "; no node runs with " + site.file() + ", which one would read");
}

Result<void> remove_peers(const Options& options) {
  auto site = PeerSite::open(options.target, true);
  if (!site) return std::unexpected(site.error());
  const auto places = node::peer_places(site->file(), site->config().tunnel.include);
  if (!places) return std::unexpected(places.error());
  const Undisturbed undisturbed;
  node::FileChanges changes;
  std::string what;
  for (const std::string& name : options.names) {
    const auto place = own_place(*places, name);
    if (!place) return std::unexpected(place.error());
    if (auto removed = changes.remove(place->file); !removed) return removed;
    what += fmt::format("{}removed {} ({})", what.empty() ? "" : "\n", name, place->file);
  }
  const auto taken = site->take_over(changes);
  if (!taken) return std::unexpected(taken.error());
  changes.keep();
  print_done(*site, options, what, *taken);
  return {};
}

Result<void> rename_peer(const Options& options) {
  const std::string& from = options.from;
  if (auto good = node::check_client_name(options.to); !good) return good;
  auto site = PeerSite::open(options.target, true);
  if (!site) return std::unexpected(site.error());
  const auto places = node::peer_places(site->file(), site->config().tunnel.include);
  if (!places) return std::unexpected(places.error());
  if (std::ranges::find(*places, options.to, &node::PeerPlace::name) != places->end()) {
    return make_error(Error::Kind::config, "a peer has the name \"" + options.to + "\" already");
  }
  const auto place = own_place(*places, from);
  if (!place) return std::unexpected(place.error());
  auto text = node::read_included_file(place->file);
  if (!text) return make_error(Error::Kind::config, text.error().text());
  const auto changed = node::renamed(*text, options.to);
  if (!changed) return in_context(place->file, changed.error());
  // A file that is called something else by its owner keeps its name.
  const bool follows = place->file == node::folder_of(place->file) + from + ".toml";
  const std::string path =
      follows ? node::folder_of(place->file) + options.to + ".toml" : place->file;
  const Undisturbed undisturbed;
  node::FileChanges changes;
  if (auto renamed = changes.rename(place->file, path, *changed); !renamed) return renamed;
  const auto taken = site->take_over(changes);
  if (!taken) return std::unexpected(taken.error());
  changes.keep();
  print_done(*site, options, fmt::format("{} is {} now ({})", from, options.to, path), *taken);
  return {};
}

int run(const Options& options, const char* command, Result<void> (*work)(const Options&)) {
  const Result<void> done = work(options);
  return done ? 0 : peer_failed(command, done.error());
}

}  // namespace

void add_peer_change(CLI::App& peer, int& exit_code) {
  auto gone = std::make_shared<Options>();
  CLI::App* remove = peer.add_subcommand("remove", "Remove peers, and their files");
  remove->add_option("names", gone->names, "Their names")->required()->type_name("NAME");
  add_peer_target(*remove, gone->target);
  remove->add_flag("--json", gone->json, "What changed, as JSON");
  remove->callback([gone, &exit_code] { exit_code = run(*gone, "remove", remove_peers); });

  auto other = std::make_shared<Options>();
  CLI::App* rename = peer.add_subcommand("rename", "Give a peer another name");
  rename->add_option("name", other->from, "Its name")->required()->type_name("NAME");
  rename->add_option("to", other->to, "Its new name")->required()->type_name("NEW");
  add_peer_target(*rename, other->target);
  rename->add_flag("--json", other->json, "What changed, as JSON");
  rename->callback([other, &exit_code] { exit_code = run(*other, "rename", rename_peer); });
}

}  // namespace tw::cli
