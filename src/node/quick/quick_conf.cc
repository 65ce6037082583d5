#include "node/quick/quick_conf.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <utility>

#include "base/result.h"
#include "node/config/config_file.h"

namespace tw::node {
namespace {

constexpr std::string_view conf_folder = "/etc/wireguard/";

std::string with_interface(std::string command, const std::string& interface) {
  for (std::size_t at = 0; (at = command.find("%i", at)) != std::string::npos;) {
    command.replace(at, 2, interface);
    at += interface.size();
  }
  return command;
}

QuickHooks hooks_of(const WgConf& file) {
  QuickHooks hooks;
  for (const ConfHook& hook : file.hooks) {
    std::string command = with_interface(hook.command, file.interface);
    switch (hook.when) {
      case ConfHook::When::pre_up:
        hooks.pre_up.push_back(std::move(command));
        break;
      case ConfHook::When::post_up:
        hooks.post_up.push_back(std::move(command));
        break;
      case ConfHook::When::pre_down:
        hooks.pre_down.push_back(std::move(command));
        break;
      case ConfHook::When::post_down:
        hooks.post_down.push_back(std::move(command));
        break;
    }
  }
  return hooks;
}

std::vector<ConfigMistake> one_mistake(const std::string& path, std::string what,
                                       std::string mend) {
  return {{.file = path, .key = {}, .what = std::move(what), .mend = std::move(mend)}};
}

/// Returns everybody's access to a file: what its mode gives, if its folder lets them reach it.
Result<mode_t> public_mode(const std::string& path) {
  struct stat file{}, folder{};
  const std::string above = path.substr(0, path.rfind('/') + 1);
  if (::stat(path.c_str(), &file) != 0 || ::stat(above.c_str(), &folder) != 0) {
    return system_error("look at " + path);
  }
  if ((folder.st_mode & S_IXOTH) == 0) return 0;
  const bool can_be_swapped = (folder.st_mode & S_IWOTH) != 0 && (folder.st_mode & S_ISVTX) == 0;
  return (file.st_mode & S_IRWXO) | (can_be_swapped ? S_IWOTH : 0);
}

}  // namespace

std::expected<QuickConf, std::vector<ConfigMistake>> parse_quick_conf(std::string_view text,
                                                                      const std::string& path) {
  MistakeList mistakes{path};
  WgConf file = read_wg_conf(text, path, mistakes);
  if (!mistakes.empty()) return std::unexpected(mistakes.take());
  QuickConf conf;
  conf.path = path;
  conf.hooks = hooks_of(file);
  conf.tunnel.interface = std::move(file.interface);
  if (file.private_key) conf.tunnel.private_key = *file.private_key;
  conf.tunnel.listen_port = file.listen_port.value_or(0);
  conf.tunnel.fwmark = file.fwmark;
  conf.has_mtu = file.mtu.has_value();
  if (file.mtu) conf.tunnel.mtu = static_cast<std::uint16_t>(*file.mtu);
  for (const auto& address : file.addresses) conf.tunnel.addresses.push_back(address.value);
  conf.peers = std::move(file.peers);
  conf.name_servers = std::move(file.name_servers);
  conf.search_domains = std::move(file.search_domains);
  conf.table = file.table;
  conf.save_config = file.save_config;
  conf.extras = std::move(file.extras);
  return conf;
}

std::expected<QuickConf, std::vector<ConfigMistake>> load_quick_conf(const std::string& file) {
  const bool is_name = file.find('/') == std::string::npos && !file.ends_with(".conf");
  const std::string path = is_name ? fmt::format("{}{}.conf", conf_folder, file) : file;
  auto text = read_config_file(path);
  if (!text) return std::unexpected(std::vector{text.error()});
  auto conf = parse_quick_conf(*text, path);
  wipe_text(*text);
  if (!conf) return conf;
  // The interface is called as the file is named here; what is saved goes to where it lies.
  const std::unique_ptr<char, decltype(&std::free)> real{::realpath(path.c_str(), nullptr),
                                                         &std::free};
  const Result<mode_t> mode = real ? public_mode(real.get()) : system_error("look at " + path);
  if (!mode) {
    return std::unexpected(one_mistake(path, mode.error().text(), "name a file that can be read"));
  }
  if ((*mode & S_IWOTH) != 0) {
    return std::unexpected(one_mistake(path,
                                       "may be written by every user, and its hooks run as root",
                                       "chmod 600 the file, after a look at what it says"));
  }
  conf->path = real.get();
  if (*mode != 0) {
    conf->warnings.push_back(
        fmt::format("{} is world accessible, and holds a private key: chmod 600 it", conf->path));
  }
  return conf;
}

std::vector<QuickRoute> quick_routes(const QuickConf& conf, std::vector<Prefix> wanted) {
  // Among equals as wg-quick's sort has them.
  std::ranges::sort(wanted, [](const Prefix& left, const Prefix& right) {
    if (left.length != right.length) return left.length > right.length;
    return left.text() > right.text();
  });
  std::vector<Prefix> covered{*Prefix::parse("fe80::/64")};
  for (const InterfaceAddress& address : conf.tunnel.addresses) {
    // The kernel makes these itself; of a single IPv4 address none.
    if (address.address.is_v4() && address.length == 32) continue;
    covered.push_back(Prefix::of(address.address, address.length));
  }
  std::vector<QuickRoute> routes;
  for (const Prefix& prefix : wanted) {
    const bool is_default = prefix.length == 0;
    const bool is_covered = std::ranges::any_of(covered, [&](const Prefix& there) {
      return there.length <= prefix.length && there.contains(prefix.address);
    });
    // In a table of the user's choice all of them are wanted.
    const bool is_auto = !conf.table;
    const bool is_known = std::ranges::any_of(
        routes, [&](const QuickRoute& route) { return route.prefix == prefix; });
    if (is_known || (is_auto && !is_default && is_covered)) continue;
    routes.push_back({prefix, is_auto && is_default});
    if (!is_default) covered.push_back(prefix);
  }
  return routes;
}

std::string quick_firewall_text(const std::string& interface, Family family,
                                std::span<const IpAddress> addresses, std::uint32_t mark) {
  const std::string pf = family == Family::v4 ? "ip" : "ip6";
  const std::string table = fmt::format("{} wg-quick-{}", pf, interface);
  std::string text = fmt::format(
      "add table {0}\n"
      "add chain {0} preraw {{ type filter hook prerouting priority -300; }}\n"
      "add chain {0} premangle {{ type filter hook prerouting priority -150; }}\n"
      "add chain {0} postmangle {{ type filter hook postrouting priority -150; }}\n",
      table);
  for (const IpAddress& address : addresses) {
    if (address.family() != family) continue;
    text += fmt::format(
        "add rule {} preraw iifname != \"{}\" {} daddr {} fib saddr type != local drop\n", table,
        interface, pf, address.text());
  }
  text += fmt::format(
      "add rule {0} postmangle meta l4proto udp mark {1} ct mark set mark\n"
      "add rule {0} premangle meta l4proto udp meta mark set ct mark\n",
      table, mark);
  return text;
}

}  // namespace tw::node
