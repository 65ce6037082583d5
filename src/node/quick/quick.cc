#include "node/quick/quick.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <utility>

#include "base/log.h"
#include "base/unique_fd.h"
#include "node/quick/program.h"
#include "node/quick/quick_device.h"
#include "node/quick/quick_network.h"

namespace tw::node {
namespace {

Result<void> run_hooks(const std::vector<std::string>& hooks) {
  for (const std::string& hook : hooks) {
    fmt::print(stderr, "[#] {}\n", hook);
    if (Result<void> done = run_program({"bash", "-c", hook}); !done) return done;
  }
  return {};
}

/// What resolvconf knows an interface's name servers by: Debian sorts them by prefixes.
std::string resolvconf_name(const std::string& interface) {
  std::ifstream order{"/etc/resolvconf/interface-order"};
  for (std::string line; std::getline(order, line);) {
    const bool is_prefix = line.size() > 1 && line.back() == '*' &&
                           line.find_first_not_of(
                               "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrst"
                               "uvwxyz0123456789-") == line.size() - 1;
    if (is_prefix) return fmt::format("{}.{}", line.substr(0, line.size() - 1), interface);
  }
  return interface;
}

Result<void> set_dns(const QuickConf& conf) {
  if (conf.name_servers.empty()) return {};
  if (!has_program("resolvconf")) {
    log::warning("{}: DNS is left as it is: there is no resolvconf here (install openresolv)",
                 conf.tunnel.interface);
    return {};
  }
  std::string text;
  for (const std::string& server : conf.name_servers)
    text += fmt::format("nameserver {}\n", server);
  std::string domains;
  for (const std::string& domain : conf.search_domains) domains += " " + domain;
  if (!domains.empty()) text += fmt::format("search{}\n", domains);
  return run_program({"resolvconf", "-a", resolvconf_name(conf.tunnel.interface), "-m", "0", "-x"},
                     text);
}

Result<void> unset_dns(const QuickConf& conf) {
  if (conf.name_servers.empty() || !has_program("resolvconf")) return {};
  return run_program({"resolvconf", "-d", resolvconf_name(conf.tunnel.interface), "-f"});
}

/// The addresses that the interface has now, name servers, and what the device does not know of.
Result<std::string> saved_head(const QuickConf& conf, Netlink& netlink) {
  const Result<LinkState> link = netlink.link(conf.tunnel.interface);
  if (!link) return std::unexpected(link.error());
  const auto addresses = netlink.addresses();
  if (!addresses) return std::unexpected(addresses.error());
  std::string head;
  for (const LocalAddress& local : *addresses) {
    if (local.link_index != link->index || local.address.address.is_link_local()) continue;
    head += fmt::format("Address = {}/{}\n", local.address.address.text(), local.address.length);
  }
  for (const auto* words : {&conf.name_servers, &conf.search_domains}) {
    for (const std::string& word : *words) head += fmt::format("DNS = {}\n", word);
  }
  if (conf.has_mtu) head += fmt::format("MTU = {}\n", link->mtu);
  return head + conf.extras;
}

Result<void> write_file(const std::string& path, std::string_view text) {
  const std::string fresh = path + ".tmp";
  {
    const UniqueFd file{::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)};
    if (!file || ::fchmod(file.get(), 0600) != 0) return system_error("write " + fresh);
    while (!text.empty()) {
      const ssize_t size = ::write(file.get(), text.data(), text.size());
      if (size < 0) return system_error("write " + fresh);
      text.remove_prefix(static_cast<std::size_t>(size));
    }
    if (::fsync(file.get()) != 0) return system_error("write " + fresh);
  }
  if (::rename(fresh.c_str(), path.c_str()) != 0) return system_error("replace " + path);
  return {};
}

Result<void> save(const QuickConf& conf, Netlink& netlink) {
  const Result<std::string> head = saved_head(conf, netlink);
  if (!head) return std::unexpected(head.error());
  const Result<SecretText> text = device_conf(conf.tunnel.interface, *head);
  if (!text) return std::unexpected(text.error());
  return write_file(conf.path, text->view());
}

Result<void> bring_up(const QuickConf& conf, QuickNetwork& network, bool& has_dns) {
  if (Result<void> done = start_device(conf.tunnel.interface); !done) return done;
  if (Result<void> done = configure_device(conf); !done) return done;
  if (Result<void> done = network.set_up(); !done) return done;
  if (Result<void> done = set_dns(conf); !done) return done;
  has_dns = true;
  if (Result<void> done = network.add_routes(); !done) return done;
  return run_hooks(conf.hooks.post_up);
}

}  // namespace

Result<void> quick_up(const QuickConf& conf) {
  Result<QuickNetwork> network = QuickNetwork::open(conf);
  if (!network) return std::unexpected(network.error());
  if (network->has_link()) {
    return make_error(Error::Kind::config,
                      fmt::format("{0} exists already: take it down first (thalweg wg down {1})",
                                  conf.tunnel.interface, conf.path));
  }
  if (Result<void> done = run_hooks(conf.hooks.pre_up); !done) return done;
  bool has_dns = false;
  Result<void> up = bring_up(conf, *network, has_dns);
  if (up) return up;
  if (has_dns) static_cast<void>(unset_dns(conf));  // the first error is the one to tell
  static_cast<void>(network->remove());
  await_end(conf.tunnel.interface);
  return up;
}

Result<void> quick_down(const QuickConf& conf) {
  const std::string& interface = conf.tunnel.interface;
  Result<QuickNetwork> network = QuickNetwork::open(conf);
  if (!network) return std::unexpected(network.error());
  const bool is_up = network->has_link();
  if (is_up && !device_answers(interface)) {
    return make_error(Error::Kind::config,
                      fmt::format("{} is no device of a user-space WireGuard: if it is the "
                                  "kernel's, wg-quick takes it down",
                                  interface));
  }
  Result<void> first;
  const auto note = [&first](Result<void> done) {
    if (first && !done) first = std::move(done);
  };
  if (is_up) {
    // A hook that refuses keeps the tunnel, as with wg-quick.
    if (Result<void> done = run_hooks(conf.hooks.pre_down); !done) return done;
    if (conf.save_config) {
      if (Result<void> done = save(conf, network->netlink()); !done) return done;
    }
  }
  note(network->remove());
  if (!is_up && !network->found_leftovers()) {
    return make_error(Error::Kind::config, interface + " is not up");
  }
  await_end(interface);
  note(unset_dns(conf));
  note(run_hooks(conf.hooks.post_down));
  return first;
}

}  // namespace tw::node
