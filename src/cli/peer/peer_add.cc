// thalweg peer add: a key, an address, a file for the node, and one for the client.
#include <fmt/core.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/file/new_file.h"
#include "cli/command.h"
#include "cli/peer/peer_command.h"
#include "cli/peer/peer_site.h"
#include "crypto/primitives.h"
#include "crypto/stack.h"
#include "machine/privileges.h"
#include "node/clients/client_conf.h"
#include "node/clients/free_addresses.h"
#include "node/clients/peer_entry.h"
#include "node/clients/qr_code.h"
#include "node/config/config_file.h"
#include "node/config/config_values.h"

namespace tw::cli {
namespace {

constexpr std::uint32_t most_at_once = 10'000;

struct Options {
  ControlTarget target;
  std::string name;
  std::vector<std::string> addresses, routes, dns;
  std::string endpoint, public_key, png, folder;
  std::uint32_t count = 0;  // 0: one, of this name
  bool json = false;
};

/// A client that is being added. Its key is wiped when it goes.
struct Client {
  std::string name;
  std::optional<crypto::PrivateKey> private_key;  // none: it has its own
  crypto::PublicKey public_key;
  std::vector<IpAddress> addresses;
  std::string path;  // of the node's file
  std::string conf;

  Client() = default;
  Client(Client&&) noexcept = default;
  Client& operator=(Client&&) noexcept = default;
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client() { node::wipe_text(conf); }
};

/// The values of an option, each read as the configuration's are.
template <typename T>
Result<std::vector<T>> read_all(const char* option, const std::vector<std::string>& texts,
                                node::Parsed<T> (*read)(std::string_view)) {
  std::vector<T> values;
  for (const std::string& text : texts) {
    const auto value = read(text);
    if (!value) {
      return make_error(Error::Kind::config,
                        fmt::format("{}: {} — {}", option, value.error().what, value.error().mend));
    }
    values.push_back(*value);
  }
  return values;
}

Result<node::EndpointName> endpoint_of(const Options& options, const PeerSite& site) {
  if (options.endpoint.empty()) {
    if (const auto& known = site.config().tunnel.public_endpoint) return *known;
    return make_error(Error::Kind::config,
                      "where do clients reach this node? Give --endpoint HOST, or write "
                      "public_endpoint = \"HOST:PORT\" into [tunnel] of " +
                          site.file());
  }
  const auto address = IpAddress::parse(options.endpoint);
  std::string text = options.endpoint;
  if (address && !address->is_v4()) text = '[' + text + ']';
  const bool has_port = !address && text.find(':') != std::string::npos;
  if (!has_port) {
    if (site.listen_port() == 0) {
      return make_error(Error::Kind::config,
                        "--endpoint needs a port: [tunnel] listen_port is 0, any that is free");
    }
    text += ':' + std::to_string(site.listen_port());
  }
  const auto endpoint = node::read_endpoint_name(text);
  if (endpoint) return *endpoint;
  return make_error(Error::Kind::config,
                    "--endpoint: " + endpoint.error().what + " — " + endpoint.error().mend);
}

/// Returns the routes of clients for which none are named: everything where this node forwards,
/// else the prefixes of the tunnel.
std::vector<Prefix> default_routes(const node::NodeConfig& config) {
  std::vector<Prefix> routes;
  for (const InterfaceAddress& own : config.tunnel.addresses) {
    const auto none = own.address.is_v4() ? IpAddress{} : IpAddress::v6({});
    const Prefix route = config.gateway.forward ? Prefix{.address = none, .length = 0}
                                                : Prefix::of(own.address, own.length);
    if (std::ranges::find(routes, route) == routes.end()) routes.push_back(route);
  }
  return routes;
}

/// The names of clients that are added: those that are free, if there are several.
std::vector<std::string> names_of(const Options& options, const node::NodeConfig& config) {
  if (options.count == 0) return {options.name};
  std::vector<std::string> taken;
  taken.reserve(config.peers.size());
  for (const node::PeerConfig& peer : config.peers) taken.push_back(peer.name);
  std::ranges::sort(taken);
  std::vector<std::string> names;
  const std::size_t figures = std::max<std::size_t>(2, std::to_string(options.count).size());
  for (std::uint32_t number = 1; names.size() < options.count; ++number) {
    std::string name = fmt::format("{}-{:0{}}", options.name, number, figures);
    if (!std::ranges::binary_search(taken, name)) names.push_back(std::move(name));
  }
  return names;
}

Result<void> check_name(const std::string& name, const PeerSite& site) {
  if (auto good = node::check_client_name(name); !good) return good;
  const auto& peers = site.config().peers;
  if (std::ranges::find(peers, name, &node::PeerConfig::name) == peers.end()) return {};
  return make_error(Error::Kind::config, "a peer has the name \"" + name +
                                             "\" already: take another, or `thalweg peer remove`");
}

Result<Client> make_client(const Options& options, const PeerSite& site, std::string name,
                           node::FreeAddresses& free) {
  Client client;
  if (auto good = check_name(name, site); !good) return std::unexpected(good.error());
  const auto path = node::peer_path(site.file(), site.config().tunnel.include, name);
  if (!path) {
    return make_error(Error::Kind::config,
                      "there is no folder for the files of peers: make one, such as peers.d, and "
                      "write include = [\"peers.d/*.toml\"] into [tunnel] of " +
                          site.file());
  }
  client.path = *path;
  client.name = std::move(name);
  if (options.public_key.empty()) {
    client.private_key = crypto::generate_private_key();
    client.public_key = crypto::public_key_of(*client.private_key);
  } else {
    const auto key = node::read_public_key(options.public_key);
    if (!key) return make_error(Error::Kind::config, "--public-key: " + key.error().what);
    client.public_key = *key;
  }
  const auto given = read_all("--address", options.addresses, node::read_address);
  if (!given) return std::unexpected(given.error());
  client.addresses = *given;
  for (const IpAddress& address : *given) {
    if (auto is_free = node::check_is_free(address, site.config()); !is_free) {
      return in_context("--address", std::move(is_free.error()));
    }
  }
  for (const Family family : {Family::v4, Family::v6}) {
    if (!given->empty() || !free.has(family)) continue;
    const auto address = free.take(family);
    if (!address) return std::unexpected(address.error());
    client.addresses.push_back(*address);
  }
  if (client.addresses.empty()) {
    return make_error(Error::Kind::config,
                      "[tunnel] has no addresses to take the client's from: name one, --address");
  }
  return client;
}

Result<std::vector<Client>> make_clients(const Options& options, const PeerSite& site) {
  const auto endpoint = endpoint_of(options, site);
  if (!endpoint) return std::unexpected(endpoint.error());
  const auto routes = read_all("--routes", options.routes, node::read_prefix);
  if (!routes) return std::unexpected(routes.error());
  const auto dns = read_all("--dns", options.dns, node::read_address);
  if (!dns) return std::unexpected(dns.error());
  const node::TunnelConfig& tunnel = site.config().tunnel;
  node::FreeAddresses free{site.config()};
  std::vector<Client> clients;
  for (std::string& name : names_of(options, site.config())) {
    auto client = make_client(options, site, std::move(name), free);
    if (!client) return std::unexpected(client.error());
    client->conf = node::client_conf_text(
        {.name = client->name,
         .private_key = client->private_key ? &*client->private_key : nullptr,
         .addresses = client->addresses,
         .dns = *dns,
         .mtu = tunnel.mtu,
         .server = crypto::public_key_of(tunnel.private_key),
         .endpoint = *endpoint,
         .routes = routes->empty() ? default_routes(site.config()) : *routes});
    clients.push_back(*std::move(client));
  }
  return clients;
}

Result<void> make_picture(const Client& client, const std::string& path,
                          node::FileChanges& changes) {
  const auto code = node::QrCode::of(client.conf);
  if (!code) return std::unexpected(code.error());
  auto png = code->png();
  if (!png) return std::unexpected(png.error());
  const Result<void> made = changes.make(path, *png);
  node::wipe_text(*png);
  return made;
}

/// The files for clients, which hold their keys, and then those for the node.
Result<void> make_files(const Options& options, const std::vector<Client>& clients,
                        node::FileChanges& changes) {
  if (!options.folder.empty() && ::mkdir(options.folder.c_str(), S_IRWXU) != 0 && errno != EEXIST) {
    return system_error("make the folder " + options.folder);
  }
  for (const Client& client : clients) {
    const std::string base = options.folder + '/' + client.name;
    if (!options.folder.empty()) {
      if (auto made = changes.make(base + ".conf", client.conf); !made) return made;
    }
    const std::string png = !options.png.empty()                            ? options.png
                            : options.folder.empty() || !client.private_key ? std::string{}
                                                                            : base + ".png";
    if (png.empty()) continue;
    if (auto made = make_picture(client, png, changes); !made) return made;
  }
  for (const Client& client : clients) {
    const std::string entry = node::peer_entry(client.name, client.public_key, client.addresses);
    if (auto made = changes.make(client.path, entry); !made) return made;
  }
  return {};
}

Result<void> print_json(const Options& options, const PeerSite& site, std::vector<Client>& clients,
                        const std::vector<std::string>& changes) {
  nlohmann::ordered_json json{{"ok", true}, {"file", site.file()}, {"running", site.runs()}};
  json["peers"] = nlohmann::ordered_json::array();
  for (const Client& client : clients) {
    auto& entry = json["peers"].emplace_back();
    entry["name"] = client.name;
    entry["public_key"] = crypto::key_to_base64(client.public_key.bytes);
    entry["addresses"] = texts_of(client.addresses);
    entry["file"] = client.path;
    if (options.folder.empty()) entry["config"] = client.conf;
  }
  json["changes"] = changes;
  std::string text = dumped(json) + '\n';
  const Result<void> printed = write_whole(STDOUT_FILENO, text, "standard output");
  node::wipe_text(text);
  for (auto& entry : json["peers"]) {
    if (entry.contains("config")) node::wipe_text(entry["config"].get_ref<std::string&>());
  }
  return printed;
}

Result<void> print_client(const Options& options, const Client& client) {
  if (auto printed = write_whole(STDOUT_FILENO, client.conf, "standard output"); !printed) {
    return printed;
  }
  if (!client.private_key || !options.png.empty() || ::isatty(STDOUT_FILENO) == 0) return {};
  const auto code = node::QrCode::of(client.conf);
  if (!code) {  // the file is there, and worth having without
    fmt::print(stderr, "{}\n", code.error().text());
    return {};
  }
  std::string text = code->terminal_text();
  const Result<void> printed = write_whole(STDOUT_FILENO, text, "standard output");
  node::wipe_text(text);
  return printed;
}

Result<void> print_added(const Options& options, const PeerSite& site, std::vector<Client>& clients,
                         const std::vector<std::string>& changes) {
  if (options.json) return print_json(options, site, clients, changes);
  if (options.folder.empty()) {
    if (auto printed = print_client(options, clients.front()); !printed) return printed;
  }
  for (const Client& client : clients) {
    const std::string added = fmt::format("peer {}: added", client.name);
    fmt::print(stderr, "{} ({}, {})\n", added, fmt::join(texts_of(client.addresses), ", "),
               client.path);
  }
  // The file may have had other changes that nobody had taken over yet.
  for (const std::string& change : changes) {
    const bool own = std::ranges::any_of(clients, [&](const Client& client) {
      return change == fmt::format("peer {}: added", client.name);
    });
    if (!own) fmt::print(stderr, "changed as well: {}\n", change);
  }
  if (!options.folder.empty()) fmt::print(stderr, "for the clients: {}/*.conf\n", options.folder);
  if (!site.runs()) {
    fmt::print(stderr, "no node runs with {}: one that starts takes them\n", site.file());
  }
  return {};
}

Result<void> add(const Options& options) {
  if (options.count == 0) {
    if (auto good = node::check_client_name(options.name); !good) return good;
  }
  // Keys are in memory from here on, also in that of libraries, which do not wipe it: nobody else
  // shall see it, alive or dead.
  if (auto hidden = hide_memory(); !hidden) return hidden;
  auto site = PeerSite::open(options.target, true);
  if (!site) return std::unexpected(site.error());
  auto clients = make_clients(options, *site);
  if (!clients) return std::unexpected(clients.error());
  const Undisturbed undisturbed;
  node::FileChanges changes;
  if (auto made = make_files(options, *clients, changes); !made) return made;
  const auto taken = site->take_over(changes);
  if (!taken) return std::unexpected(taken.error());
  if (auto printed = print_added(options, *site, *clients, *taken); !printed) {
    site->give_up(changes);  // without its file a client is of no use
    return printed;
  }
  changes.keep();
  return {};
}

int run(const Options& options) {
  const Result<void> added = add(options);
  crypto::wipe_stack();
  return added ? 0 : peer_failed("add", added.error());
}

}  // namespace

void add_peer_add(CLI::App& peer, int& exit_code) {
  auto options = std::make_shared<Options>();
  CLI::App* command = peer.add_subcommand(
      "add", "Add a client, and print its file (on a terminal, its QR code as well)");
  command->add_option("name", options->name, "Its name, and that of its file")
      ->required()
      ->type_name("NAME");
  add_peer_target(*command, options->target);
  auto* address = command->add_option("--address", options->addresses,
                                      "Its address in the tunnel; by itself: the next free ones");
  address->type_name("ADDRESS,…")->delimiter(',');
  command->add_option("--routes", options->routes, "What it sends into the tunnel")
      ->type_name("PREFIX,…")
      ->delimiter(',');
  command->add_option("--dns", options->dns, "The DNS servers that it uses")
      ->type_name("ADDRESS,…")
      ->delimiter(',');
  command
      ->add_option("--endpoint", options->endpoint,
                   "Where it reaches this node; by itself: [tunnel] public_endpoint")
      ->type_name("HOST[:PORT]");
  auto* key = command->add_option("--public-key", options->public_key,
                                  "Its public key, if it has made its own: then no key is made");
  key->type_name("KEY");
  auto* png =
      command->add_option("--png", options->png, "Write the QR code to this file, mode 0600");
  png->type_name("FILE")->excludes(key);
  auto* folder = command->add_option("--out", options->folder,
                                     "Write NAME.conf and NAME.png there, mode 0600, and print no "
                                     "key");
  folder->type_name("DIR")->excludes(png);
  command->add_option("--count", options->count, "Add so many: NAME-01, NAME-02, …")
      ->type_name("N")
      ->check(CLI::Range(1U, most_at_once))
      ->needs(folder)
      ->excludes(key)
      ->excludes(address);
  command->add_flag("--json", options->json, "What was added, as JSON; with the file of a client");
  command->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace tw::cli
