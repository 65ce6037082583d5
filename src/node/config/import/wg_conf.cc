#include "node/config/import/wg_conf.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <span>

#include "node/config/config_file.h"
#include "node/config/config_values.h"
#include "node/config/ip_numbers.h"
#include "wire/host_port.h"

namespace tw::node {
namespace {

constexpr std::string_view blank = " \t\r\v\f";
constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
/// The kernel's lowest MTU of a TUN device: RFC 791 asks 68 of every link.
constexpr std::uint32_t lowest_link_mtu = 68;

bool is_blank(char c) { return blank.contains(c); }

std::string_view trimmed(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(blank), text.size()));
  return text.substr(0, text.find_last_not_of(blank) + 1);
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool same_word(std::string_view left, std::string_view right) {
  return std::ranges::equal(left, right, {}, lower, lower);
}

std::string without_blanks(std::string_view text) {
  std::string out;
  out.reserve(text.size());  // a key that is copied again as it grows would stay behind
  std::ranges::remove_copy_if(text, std::back_inserter(out), is_blank);
  return out;
}

/// "10.1" and "0x0a000001" as the C library reads addresses; anything else stays as it is.
std::string with_whole_v4(const std::string& endpoint) {
  const auto parts = HostPort::split(endpoint);
  in_addr address{};
  if (!parts || parts->has_zone || IpAddress::parse(parts->host)) return endpoint;
  if (::inet_aton(std::string{parts->host}.c_str(), &address) == 0) return endpoint;
  std::array<std::uint8_t, 4> octets{};
  std::copy_n(reinterpret_cast<const std::uint8_t*>(&address), octets.size(), octets.begin());
  return IpAddress::v4(octets).text() + ':' + std::string{parts->port};
}

class Reader {
 public:
  Reader(WgConf& conf, MistakeList& mistakes) : conf_(conf), mistakes_(mistakes) {}

  void read(std::string_view text) {
    if (text.starts_with(byte_order_mark)) {
      mistakes_.add_at({1, 1}, {}, "begins with a byte order mark", "save the file without one");
      return;
    }
    for (line_number_ = 1; !text.empty(); ++line_number_) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      line_ = text.substr(0, end);
      if (const std::size_t at = line_.find('\0'); at != std::string_view::npos) {
        // Tools disagree about what stands behind it.
        mistakes_.add_at(place_of(line_.substr(at)), {}, "a byte of zero",
                         "save the file as plain text");
      } else {
        read_line(trimmed(line_.substr(0, line_.find('#'))));
      }
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    for (const ConfPeer& peer : conf_.peers) {
      if (!peer.has_public_key) {
        mistakes_.add(peer.key + ".PublicKey", "is missing", "write the peer's public key");
      }
    }
  }

 private:
  struct Keyword {
    std::string_view name;  // as wg(8) and wg-quick(8) spell it
    void (Reader::*read)(std::string_view value);
  };
  enum class Section : std::uint8_t { none, interface, peer, unknown };

  void read_line(std::string_view line);
  void begin_section(std::string_view line);
  void say_unknown(std::string_view name);

  Place place_of(std::string_view part) const {
    return {.line = line_number_,
            .column = static_cast<std::uint32_t>(part.data() - line_.data()) + 1};
  }
  std::string section_key() const {
    if (section_ != Section::peer) return "Interface";
    return "Peer[" + std::to_string(conf_.peers.size()) + ']';
  }
  ConfPeer& peer() { return conf_.peers.back(); }
  void say(std::string_view part, const Flaw& flaw) {
    mistakes_.add_at(place_of(part), key_, flaw.what, flaw.mend);
  }
  void keep_line() { conf_.extras.append(trimmed(line_.substr(0, line_.find('#')))).append("\n"); }

  /// Calls `take` with each part of a list and its key. An empty list has none.
  template <typename Take>
  void each_part(std::string_view value, std::string_view separators, Take take) {
    for (std::size_t index = 1;; ++index) {
      const std::size_t end = std::min(value.find_first_of(separators), value.size());
      const std::string_view part = trimmed(value.substr(0, end));
      const std::string key = key_ + '[' + std::to_string(index) + ']';
      mistakes_.remember(key, place_of(part));
      take(part, key);
      if (end == value.size()) return;
      value.remove_prefix(end + 1);
    }
  }

  /// A value of wg's, whose blanks count for nothing.
  template <typename T, typename Read>
  void take_value(std::string_view value, std::optional<T>& out, Read reads) {
    if (auto parsed = reads(without_blanks(value))) {
      out = std::move(*parsed);
    } else {
      say(value, parsed.error());
    }
  }

  /// False if it is none; what is wrong with it is said without showing it.
  template <typename Take>
  void take_key(std::string_view value, Take take) {
    std::string text = without_blanks(value);
    auto bytes = crypto::key_from_base64(text);
    wipe_text(text);
    if (!bytes) {
      return say(value, {"not a key", "write the 44 characters of base64 that `wg` prints"});
    }
    take(std::span<const std::uint8_t, 32>{*bytes});
    crypto::wipe(*bytes);
  }

  // ---- wg's keys

  void private_key(std::string_view value) {
    conf_.private_key_line = line_number_;
    take_key(value, [this](auto bytes) { conf_.private_key.emplace(bytes); });
  }
  void listen_port(std::string_view value) { take_value(value, conf_.listen_port, read_port); }
  void fwmark(std::string_view value) {
    const std::string text = without_blanks(value);
    const bool is_hex = text.size() > 2 && text.starts_with("0x");
    const char* const end = text.data() + text.size();
    std::uint32_t mark = 0;
    const auto [stop, error] =
        std::from_chars(text.data() + (is_hex ? 2 : 0), end, mark, is_hex ? 16 : 10);
    if (same_word(text, "off")) {
      conf_.fwmark = 0;
    } else if (error != std::errc{} || stop != end) {
      say(value, {shown(value) + " is not a mark", R"(write "off", 51820 or 0xca6c)"});
    } else {
      conf_.fwmark = mark;
    }
  }
  void public_key(std::string_view value) {
    mistakes_.remember(section_key() + ".public_key", place_of(value));
    peer().has_public_key = true;
    if (const auto key = read_public_key(without_blanks(value))) {
      peer().public_key = *key;
    } else {
      say(value, key.error());
    }
  }
  void preshared_key(std::string_view value) {
    peer().preshared_line = line_number_;
    take_key(value, [this](auto bytes) { peer().preshared_key.emplace(bytes); });
  }
  void endpoint(std::string_view value) {
    take_value(value, peer().endpoint,
               [](const std::string& text) { return read_endpoint_name(with_whole_v4(text)); });
  }
  void keepalive(std::string_view value) {
    const auto read = [](const std::string& text) -> Parsed<std::uint16_t> {
      if (same_word(text, "off")) return std::uint16_t{0};
      const auto seconds = read_decimal(text, std::numeric_limits<std::uint16_t>::max());
      if (!seconds) return std::unexpected{seconds.error()};
      return static_cast<std::uint16_t>(*seconds);
    };
    take_value(value, peer().persistent_keepalive_s, read);
  }
  void allowed_ips(std::string_view value) {
    peer().replaces_allowed_ips = true;
    if (value.empty()) return;
    each_part(value, ",",
              [this](std::string_view part, const std::string& key) { allowed_ip(part, key); });
  }
  void allowed_ip(std::string_view part, const std::string& key) {
    std::string text = without_blanks(part);
    const bool has_sign = text.starts_with('+') || text.starts_with('-');
    const bool remove = text.starts_with('-');
    if (has_sign) {
      peer().replaces_allowed_ips = false;
      text.erase(0, 1);
    }
    // "/016" is sixteen here.
    if (const std::size_t slash = text.find('/'); slash != std::string::npos) {
      const std::size_t digit = std::min(text.find_first_not_of('0', slash + 1), text.size() - 1);
      text.erase(slash + 1, digit - slash - 1);
    }
    const auto prefix = read_prefix(text);
    if (!prefix) return say(part, prefix.error());
    peer().allowed_ips.push_back(
        {.prefix = *prefix, .remove = remove, .key = key, .line = line_number_});
  }

  // ---- wg-quick's

  void address(std::string_view value) {
    each_part(value, ", \t", [this](std::string_view part, const std::string& key) {
      if (part.empty()) return;
      if (const auto parsed = read_ip_address(part)) {
        conf_.addresses.push_back({*parsed, key});
      } else {
        say(part, parsed.error());
      }
    });
  }
  void mtu(std::string_view value) {
    conf_.mtu.reset();
    conf_.mtu_place = place_of(value);
    mistakes_.remember("tunnel.mtu", place_of(value));
    if (value.empty()) return;
    const auto number = read_c_number(value, highest_mtu);
    if (!number || *number < lowest_link_mtu) {
      return say(value, {shown(value) + " is out of range", "write a number from 576 to 65455"});
    }
    conf_.mtu = *number;
  }
  void table(std::string_view value) {
    keep_line();
    conf_.table_line = line_number_;
    conf_.table.reset();
    if (value.empty() || same_word(value, "auto")) return;
    if (same_word(value, "off")) {
      conf_.table = 0;
    } else if (const auto number = read_route_table(value, route_table_folder)) {
      conf_.table = *number;
    } else {
      say(value, number.error());
    }
  }
  void dns(std::string_view value) {
    conf_.dns_line = line_number_;
    each_part(value, ", \t", [this](std::string_view part, const std::string&) {
      if (part.empty()) return;
      const bool is_address =
          part.find_first_not_of("0123456789.") == std::string_view::npos || part.contains(':');
      if (is_address && !IpAddress::parse(part.substr(0, part.find('%')))) {
        say(part, {shown(part) + " is not an address",
                   "write 192.0.2.53, 2001:db8::53 or a search domain"});
      }
      (is_address ? conf_.name_servers : conf_.search_domains).emplace_back(part);
    });
  }
  template <ConfHook::When when>
  void hook(std::string_view value) {
    keep_line();
    conf_.hooks.push_back({.when = when, .command = std::string{value}, .line = line_number_});
  }
  void save_config(std::string_view value) {
    keep_line();
    conf_.save_config_line = line_number_;
    conf_.save_config = same_word(value, "true");
    if (!conf_.save_config && !same_word(value, "false")) {
      say(value, {shown(value) + " is neither true nor false", "write one of the two"});
    }
  }

  static const std::array<Keyword, 3> interface_keywords;
  static const std::array<Keyword, 5> peer_keywords;
  static const std::array<Keyword, 9> quick_keywords;

  WgConf& conf_;
  MistakeList& mistakes_;
  std::string_view line_;
  std::uint32_t line_number_ = 0;
  Section section_ = Section::none;
  std::string key_;  // of the line: "Peer[1].Endpoint"
};

const std::array<Reader::Keyword, 3> Reader::interface_keywords{{
    {"PrivateKey", &Reader::private_key},
    {"ListenPort", &Reader::listen_port},
    {"FwMark", &Reader::fwmark},
}};
const std::array<Reader::Keyword, 5> Reader::peer_keywords{{
    {"PublicKey", &Reader::public_key},
    {"PresharedKey", &Reader::preshared_key},
    {"AllowedIPs", &Reader::allowed_ips},
    {"Endpoint", &Reader::endpoint},
    {"PersistentKeepalive", &Reader::keepalive},
}};
const std::array<Reader::Keyword, 9> Reader::quick_keywords{{
    {"Address", &Reader::address},
    {"MTU", &Reader::mtu},
    {"Table", &Reader::table},
    {"DNS", &Reader::dns},
    {"PreUp", &Reader::hook<ConfHook::When::pre_up>},
    {"PostUp", &Reader::hook<ConfHook::When::post_up>},
    {"PreDown", &Reader::hook<ConfHook::When::pre_down>},
    {"PostDown", &Reader::hook<ConfHook::When::post_down>},
    {"SaveConfig", &Reader::save_config},
}};

void Reader::read_line(std::string_view line) {
  if (line.empty()) return;
  if (line.front() == '[') return begin_section(line);
  const std::size_t equals = line.find('=');
  const std::string_view name = trimmed(line.substr(0, equals));
  if (equals == std::string_view::npos || name.empty()) {
    // The line is not shown: it may be a key.
    return mistakes_.add_at(place_of(line), {}, "not KEY = VALUE", "write it so, or take it out");
  }
  if (section_ == Section::unknown) return;
  if (section_ == Section::none) {
    return mistakes_.add_at(place_of(line), {}, "stands before any section",
                            "begin the file with [Interface]");
  }
  const auto find = [](std::span<const Keyword> keywords, std::string_view wanted) {
    const auto found = std::ranges::find_if(
        keywords, [&](const Keyword& keyword) { return same_word(keyword.name, wanted); });
    return found == keywords.end() ? nullptr : &*found;
  };
  const bool in_interface = section_ == Section::interface;
  const Keyword* keyword = in_interface ? find(quick_keywords, name) : nullptr;
  if (keyword == nullptr) {
    const std::span<const Keyword> keywords =
        in_interface ? std::span<const Keyword>{interface_keywords} : peer_keywords;
    keyword = find(keywords, without_blanks(name));
  }
  if (keyword == nullptr) return say_unknown(name);
  key_ = section_key() + '.' + std::string{keyword->name};
  (this->*keyword->read)(trimmed(line.substr(equals + 1)));
}

void Reader::begin_section(std::string_view line) {
  const std::string name = without_blanks(line);
  if (same_word(name, "[Interface]")) {
    section_ = Section::interface;
    conf_.has_interface_section = true;
  } else if (same_word(name, "[Peer]")) {
    section_ = Section::peer;
    conf_.peers.emplace_back();
    peer().key = section_key();
  } else {
    section_ = Section::unknown;
    return mistakes_.add_at(place_of(line), {}, "unknown section", "write [Interface] or [Peer]");
  }
  mistakes_.remember(section_key(), place_of(line));
}

void Reader::say_unknown(std::string_view name) {
  std::vector<std::string> known;
  const auto add = [&known](std::span<const Keyword> keywords) {
    for (const Keyword& keyword : keywords) known.emplace_back(keyword.name);
  };
  if (section_ == Section::interface) {
    add(interface_keywords);
    add(quick_keywords);
  } else {
    add(peer_keywords);
  }
  mistakes_.add_at(place_of(name), section_key(), "unknown key " + shown(name),
                   did_you_mean(name, known, "take it out"));
}

}  // namespace

WgConf read_wg_conf(std::string_view text, const std::string& path, MistakeList& mistakes) {
  WgConf conf;
  conf.file_name = path.substr(path.rfind('/') + 1);
  const auto name = read_interface_name(conf.file_name.substr(0, conf.file_name.rfind('.')));
  if (!name || !conf.file_name.ends_with(".conf")) {
    mistakes.add_at({}, {}, "the file is not called as an interface",
                    "rename it: INTERFACE.conf, such as wg0.conf");
  } else {
    conf.interface = *name;
  }
  Reader{conf, mistakes}.read(text);
  return conf;
}

}  // namespace tw::node
