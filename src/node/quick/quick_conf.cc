#include "node/quick/quick_conf.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <system_error>

#include "base/unique_fd.h"
#include "node/config/conf_import_read.h"
#include "node/config/config_mistakes.h"

namespace tw::node {
namespace {

constexpr std::string_view blank = " \t\r\v\f";
constexpr std::string_view conf_folder = "/etc/wireguard/";
constexpr std::size_t longest_conf = std::size_t{16} << 20U;

std::string_view trimmed(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(blank), text.size()));
  return text.substr(0, text.find_last_not_of(blank) + 1);
}

std::string lowered(std::string_view text) {
  std::string out{text};
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

/// What the importer only checks, or notes as having no counterpart in a node.
class QuickReader {
 public:
  QuickReader(QuickConf& conf, MistakeList& mistakes) : conf_(conf), mistakes_(mistakes) {}

  void read(std::string_view text) {
    std::string section;
    for (std::uint32_t number = 1; !text.empty(); ++number) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      const std::string_view whole = text.substr(0, end);
      const std::string_view line = trimmed(whole.substr(0, whole.find('#')));
      text.remove_prefix(std::min(end + 1, text.size()));
      place_ = {.line = number, .column = 1};
      if (line.starts_with('[')) {
        section = lowered(line);
        if (section == "[peer]") ++peer_;
        continue;
      }
      const std::size_t equals = line.find('=');
      if (equals == std::string_view::npos) continue;
      const std::string key = lowered(trimmed(line.substr(0, equals)));
      const std::string_view value = trimmed(line.substr(equals + 1));
      if (section == "[peer]" && key == "presharedkey") preshared_key(value);
      if (section == "[interface]") interface_key(key, value, line);
    }
  }

 private:
  void interface_key(const std::string& key, std::string_view value, std::string_view line) {
    if (key == "mtu") conf_.has_mtu = true;
    if (key == "dns") return dns(value);
    QuickHooks& hooks = conf_.hooks;
    if (key == "preup") return hook(hooks.pre_up, value, line);
    if (key == "postup") return hook(hooks.post_up, value, line);
    if (key == "predown") return hook(hooks.pre_down, value, line);
    if (key == "postdown") return hook(hooks.post_down, value, line);
    if (key == "table") return table(value, line);
    if (key == "saveconfig") return save_config(value, line);
  }

  void keep(std::string_view line) { conf_.extras += fmt::format("{}\n", line); }

  void preshared_key(std::string_view value) {
    auto bytes = crypto::key_from_base64(value);
    if (!bytes || peer_ == 0 || peer_ > conf_.peers.size()) return;  // told already
    conf_.peers[peer_ - 1].preshared_key =
        crypto::PresharedKey{std::span<const std::uint8_t, 32>{*bytes}};
    crypto::wipe(*bytes);
  }

  void hook(std::vector<std::string>& hooks, std::string_view value, std::string_view line) {
    keep(line);
    std::string command{value};
    for (std::size_t at = 0; (at = command.find("%i", at)) != std::string::npos;) {
      command.replace(at, 2, conf_.tunnel.interface);
      at += conf_.tunnel.interface.size();
    }
    hooks.push_back(std::move(command));
  }

  void dns(std::string_view value) {
    while (!value.empty()) {
      const std::size_t end = std::min(value.find_first_of(", \t"), value.size());
      const std::string word{value.substr(0, end)};
      value.remove_prefix(std::min(end + 1, value.size()));
      if (word.empty()) continue;
      const bool is_address = word.find_first_not_of("0123456789.") == std::string::npos ||
                              word.find(':') != std::string::npos;
      if (is_address && !IpAddress::parse(word)) {
        mistakes_.add_at(place_, "Interface.DNS", shown(word) + " is not an address",
                         "write 192.0.2.53, 2001:db8::53 or a search domain");
      }
      (is_address ? conf_.name_servers : conf_.search_domains).push_back(word);
    }
  }

  void table(std::string_view value, std::string_view line) {
    keep(line);
    const std::string word = lowered(value);
    if (word == "auto") return;
    if (word == "off") {
      conf_.table = 0;
      return;
    }
    if (word == "main") {
      conf_.table = main_table;
      return;
    }
    const bool is_hex = word.starts_with("0x");
    std::uint32_t number = 0;
    const char* const end = word.data() + word.size();
    const auto [stop, error] =
        std::from_chars(word.data() + (is_hex ? 2 : 0), end, number, is_hex ? 16 : 10);
    if (error != std::errc{} || stop != end || number == 0) {
      mistakes_.add_at(place_, "Interface.Table", shown(value) + " is not a table",
                       R"(write "auto", "off", "main" or a number from 1)");
      return;
    }
    conf_.table = number;
  }

  void save_config(std::string_view value, std::string_view line) {
    keep(line);
    const std::string word = lowered(value);
    conf_.save_config = word == "true";
    if (word != "true" && word != "false") {
      mistakes_.add_at(place_, "Interface.SaveConfig", shown(value) + " is neither true nor false",
                       "write one of the two");
    }
  }

  QuickConf& conf_;
  MistakeList& mistakes_;
  Place place_;
  std::size_t peer_ = 0;  // from 1
};

/// wg-quick leaves the private key to a hook that calls `wg set`.
bool is_missing_key(const ConfigMistake& mistake) {
  return mistake.key == "Interface.PrivateKey" && mistake.what == "is missing";
}

std::vector<ConfigMistake> one_mistake(const std::string& path, std::string what,
                                       std::string mend) {
  return {{.file = path, .key = {}, .what = std::move(what), .mend = std::move(mend)}};
}

}  // namespace

std::expected<QuickConf, std::vector<ConfigMistake>> parse_quick_conf(std::string_view text,
                                                                      const std::string& path) {
  MistakeList mistakes{path};
  ImportedConf imported = read_conf(text, path, mistakes);
  QuickConf conf;
  conf.path = path;
  NodeConfig config = std::move(imported.draft).finish();
  conf.tunnel = std::move(config.tunnel);
  conf.peers = std::move(config.peers);
  QuickReader{conf, mistakes}.read(text);
  std::vector<ConfigMistake> found = mistakes.take();
  std::erase_if(found, is_missing_key);
  if (!found.empty()) return std::unexpected(std::move(found));
  return conf;
}

std::expected<QuickConf, std::vector<ConfigMistake>> load_quick_conf(const std::string& file) {
  const bool is_name = file.find('/') == std::string::npos && !file.ends_with(".conf");
  const std::string path = is_name ? fmt::format("{}{}.conf", conf_folder, file) : file;
  const UniqueFd opened{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  struct stat status{};
  if (!opened || ::fstat(opened.get(), &status) != 0) {
    return std::unexpected(
        one_mistake(path, fmt::format("cannot be read: {}", std::generic_category().message(errno)),
                    "name a file, or an interface of /etc/wireguard"));
  }
  std::string text;
  std::array<char, 4096> part;
  const auto wipe_all = [&] {
    crypto::wipe({reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
    crypto::wipe({reinterpret_cast<std::uint8_t*>(part.data()), part.size()});
  };
  // So that no copy is left behind when it grows.
  text.reserve(std::min(longest_conf, static_cast<std::size_t>(status.st_size)) + part.size());
  for (;;) {
    const ssize_t size = ::read(opened.get(), part.data(), part.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0 || text.size() > longest_conf) break;
    text.append(part.data(), static_cast<std::size_t>(size));
  }
  auto conf = parse_quick_conf(text, path);
  wipe_all();
  return conf;
}

std::vector<QuickRoute> quick_routes(const QuickConf& conf) {
  std::vector<Prefix> wanted;
  for (const PeerConfig& peer : conf.peers) {
    wanted.insert(wanted.end(), peer.allowed_ips.begin(), peer.allowed_ips.end());
  }
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
