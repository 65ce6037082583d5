#include "node/config/conf_import_read.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <set>

#include "crypto/secret.h"
#include "node/config/config_values.h"

namespace tw::node {
namespace {

constexpr std::string_view blank = " \t\r\v\f";

std::string_view trimmed(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(blank), text.size()));
  return text.substr(0, text.find_last_not_of(blank) + 1);
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool same_word(std::string_view left, std::string_view right) {
  return std::ranges::equal(left, right, {}, lower, lower);
}

class ConfReader {
 public:
  ConfReader(ImportedConf& conf, MistakeList& mistakes) : conf_(conf), mistakes_(mistakes) {}

  void read(std::string_view text) {
    for (std::uint32_t number = 1; !text.empty(); ++number) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      line_ = text.substr(0, end);
      line_number_ = number;
      read_line(trimmed(line_.substr(0, line_.find('#'))));
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    finish();
  }

 private:
  struct Keyword {
    std::string_view name;  // as wg(8) and wg-quick(8) spell it
    bool may_repeat;
    void (ConfReader::*read)(std::string_view value);
  };
  enum class Section : std::uint8_t { none, interface, peer, unknown };

  void read_line(std::string_view line);
  void begin_section(std::string_view line);
  void read_keyword(std::string_view name, std::string_view value,
                    std::span<const Keyword> keywords);
  void finish();

  Place place_of(std::string_view part) const {
    return {.line = line_number_,
            .column = static_cast<std::uint32_t>(part.data() - line_.data()) + 1};
  }
  std::string section_key() const {
    if (section_ != Section::peer) return "Interface";
    return "Peer[" + std::to_string(conf_.draft.peers.size()) + ']';
  }
  TunnelConfig& tunnel() { return conf_.draft.config.tunnel; }
  PeerDraft& peer() { return conf_.draft.peers.back(); }
  void note(const std::string& what) {
    conf_.notes.push_back("line " + std::to_string(line_number_) + ": " + what);
  }
  void say(std::string_view part, const Flaw& flaw) {
    mistakes_.add_at(place_of(part), key_, flaw.what, flaw.mend);
  }

  /// Reads the parts of a list between commas; an empty list has none.
  template <typename T, typename Take>
  void read_list(std::string_view value, ValueReader<T> reader, Take take) {
    for (std::size_t index = 1; !value.empty(); ++index) {
      const std::size_t comma = std::min(value.find(','), value.size());
      const std::string_view part = trimmed(value.substr(0, comma));
      const std::string key = key_ + '[' + std::to_string(index) + ']';
      mistakes_.remember(key, place_of(part));
      if (const auto parsed = reader(part)) {
        take(*parsed, key);
      } else {
        say(part, parsed.error());
      }
      value.remove_prefix(std::min(comma + 1, value.size()));
    }
  }

  /// A key that is only checked; what is wrong with it is said without showing it.
  bool check_key(std::string_view value, crypto::Secret<32>& key) {
    auto bytes = crypto::key_from_base64(value);
    if (!bytes) {
      say(value, {"not a key", "write the 44 characters of base64 that `wg` prints"});
      return false;
    }
    key = crypto::Secret<32>{std::span<const std::uint8_t, 32>{*bytes}};
    crypto::wipe(*bytes);
    return true;
  }

  void private_key(std::string_view value) {
    conf_.private_key_line = line_number_;
    if (check_key(value, tunnel().private_key) && tunnel().private_key.is_zero()) {
      say(value, {"a key of zeros", "make one with `wg genkey`"});
    }
  }
  void preshared_key(std::string_view value) {
    crypto::PresharedKey key;
    if (check_key(value, key) && !key.is_zero()) conf_.preshared_lines.back() = line_number_;
  }
  void public_key(std::string_view value) {
    mistakes_.remember(section_key() + ".public_key", place_of(value));
    has_public_key_.back() = true;
    if (const auto key = read_public_key(value)) {
      peer().peer.public_key = *key;
    } else {
      say(value, key.error());
    }
  }

  template <std::unsigned_integral T>
  void number(std::string_view value, T& out) {
    if (const auto parsed = read_decimal(value, std::numeric_limits<T>::max())) {
      out = static_cast<T>(*parsed);
    } else {
      say(value, parsed.error());
    }
  }
  void listen_port(std::string_view value) { number(value, tunnel().listen_port); }
  void fwmark(std::string_view value) {
    if (same_word(value, "off")) return;
    if (!value.starts_with("0x")) return number(value, tunnel().fwmark);
    const char* const end = value.data() + value.size();
    const auto [stop, error] = std::from_chars(value.data() + 2, end, tunnel().fwmark, 16);
    if (error != std::errc{} || stop != end) {
      say(value, {shown(value) + " is not a mark", R"(write "off", 51820 or 0xca6c)"});
    }
  }
  void mtu(std::string_view value) {
    mistakes_.remember("tunnel.mtu", place_of(value));
    number(value, tunnel().mtu);
    if (tunnel().mtu < lowest_mtu || tunnel().mtu > highest_mtu) {
      say(value, {shown(value) + " is out of range", "write a number from 576 to 65455"});
      tunnel().mtu = default_mtu;
    }
  }
  void address(std::string_view value) {
    read_list<InterfaceAddress>(value, read_interface_address, [&](auto& part, auto& key) {
      conf_.draft.addresses.push_back({part, key});
    });
  }
  void table(std::string_view value) {
    if (same_word(value, "off")) {
      tunnel().install_routes = false;
    } else if (!same_word(value, "auto")) {
      note("Table: routes go into the main table here");
    }
  }
  void save_config(std::string_view value) {
    if (!same_word(value, "false")) note("SaveConfig: Thalweg never writes its configuration");
  }
  void dns(std::string_view) { note("DNS: Thalweg leaves name resolution alone"); }
  void hook(std::string_view) {
    note(key_.substr(key_.find('.') + 1) +
         ": Thalweg runs no commands; forwarding, masquerading and MSS are keys of [gateway]");
  }

  void allowed_ips(std::string_view value) {
    read_list<Prefix>(value, read_prefix, [&](auto& part, auto& key) {
      if (!seen_allowed_.insert(part).second) return;  // `wg` takes a repetition in silence
      peer().allowed_ips.push_back({part, key});
      if (part.length == 0) {
        note("AllowedIPs: no default route is made for " + part.text() +
             "; wg-quick would send everything into the tunnel");
      }
    });
  }
  void endpoint(std::string_view value) {
    if (const auto parsed = read_endpoint_name(value)) {
      peer().peer.endpoint = *parsed;
    } else {
      say(value, parsed.error());
    }
  }
  void keepalive(std::string_view value) {
    if (!same_word(value, "off")) number(value, peer().peer.persistent_keepalive_s);
  }

  static const std::array<Keyword, 12> interface_keywords;
  static const std::array<Keyword, 5> peer_keywords;

  ImportedConf& conf_;
  MistakeList& mistakes_;
  std::string_view line_;
  std::uint32_t line_number_ = 0;
  Section section_ = Section::none;
  bool has_interface_ = false;
  std::vector<bool> has_public_key_;  // by peer
  std::string key_;                   // of the line: "Peer[1].Endpoint"
  std::set<std::string_view> seen_;   // keywords of the section
  std::set<Prefix> seen_allowed_;     // of the peer
};

const std::array<ConfReader::Keyword, 12> ConfReader::interface_keywords{{
    {"PrivateKey", false, &ConfReader::private_key},
    {"ListenPort", false, &ConfReader::listen_port},
    {"FwMark", false, &ConfReader::fwmark},
    {"Address", true, &ConfReader::address},
    {"MTU", false, &ConfReader::mtu},
    {"Table", false, &ConfReader::table},
    {"DNS", true, &ConfReader::dns},
    {"PreUp", true, &ConfReader::hook},
    {"PostUp", true, &ConfReader::hook},
    {"PreDown", true, &ConfReader::hook},
    {"PostDown", true, &ConfReader::hook},
    {"SaveConfig", false, &ConfReader::save_config},
}};
const std::array<ConfReader::Keyword, 5> ConfReader::peer_keywords{{
    {"PublicKey", false, &ConfReader::public_key},
    {"PresharedKey", false, &ConfReader::preshared_key},
    {"AllowedIPs", true, &ConfReader::allowed_ips},
    {"Endpoint", false, &ConfReader::endpoint},
    {"PersistentKeepalive", false, &ConfReader::keepalive},
}};

void ConfReader::read_line(std::string_view line) {
  if (line.empty()) return;
  if (line.front() == '[') return begin_section(line);
  const std::size_t equals = line.find('=');
  const std::string_view name = trimmed(line.substr(0, equals));
  if (equals == std::string_view::npos || name.empty()) {
    // The line is not shown: it may be a key.
    mistakes_.add_at(place_of(line), {}, "not KEY = VALUE", "write it so, or take it out");
    return;
  }
  const std::string_view value = trimmed(line.substr(equals + 1));
  if (section_ == Section::interface) return read_keyword(name, value, interface_keywords);
  if (section_ == Section::peer) return read_keyword(name, value, peer_keywords);
  if (section_ == Section::none) {
    mistakes_.add_at(place_of(line), {}, "stands before any section",
                     "begin the file with [Interface]");
  }
}

void ConfReader::begin_section(std::string_view line) {
  seen_.clear();
  seen_allowed_.clear();
  if (same_word(line, "[Interface]")) {
    section_ = Section::interface;
    if (has_interface_) {
      mistakes_.add_at(place_of(line), {}, "a second [Interface]", "make the two one");
    }
    has_interface_ = true;
  } else if (same_word(line, "[Peer]")) {
    section_ = Section::peer;
    conf_.draft.peers.emplace_back();
    conf_.preshared_lines.push_back(0);
    has_public_key_.push_back(false);
    peer().key = section_key();
  } else {
    section_ = Section::unknown;
    mistakes_.add_at(place_of(line), {}, "unknown section", "write [Interface] or [Peer]");
  }
  if (section_ != Section::unknown) mistakes_.remember(section_key(), place_of(line));
}

void ConfReader::read_keyword(std::string_view name, std::string_view value,
                              std::span<const Keyword> keywords) {
  const auto found = std::ranges::find_if(
      keywords, [&](const Keyword& keyword) { return same_word(keyword.name, name); });
  if (found == keywords.end()) {
    std::vector<std::string> known;
    for (const Keyword& keyword : keywords) known.emplace_back(keyword.name);
    mistakes_.add_at(place_of(name), section_key(), "unknown key " + shown(name),
                     did_you_mean(name, known, "take it out"));
    return;
  }
  key_ = section_key() + '.' + std::string{found->name};
  if (!found->may_repeat && !seen_.insert(found->name).second) {
    mistakes_.add_at(place_of(name), key_, "stands twice in its section", "take one out");
  }
  (this->*found->read)(value);
}

void ConfReader::finish() {
  if (!has_interface_) {
    mistakes_.add("Interface", "is missing", "begin the file with [Interface]");
  } else if (conf_.private_key_line == 0) {
    mistakes_.add("Interface.PrivateKey", "is missing", "write the key that `wg genkey` prints");
  }
  std::set<std::string> names;
  for (std::size_t i = 0; i < conf_.draft.peers.size(); ++i) {
    PeerDraft& peer = conf_.draft.peers[i];
    if (!has_public_key_[i]) {
      mistakes_.add(peer.key + ".PublicKey", "is missing", "write the peer's public key");
    }
    peer.peer.name = default_name(peer.peer.public_key);
    if (!names.insert(peer.peer.name).second) peer.peer.name = "peer-" + std::to_string(i + 1);
  }
}

}  // namespace

ImportedConf read_conf(std::string_view text, const std::string& path, MistakeList& mistakes) {
  ImportedConf conf;
  conf.file_name = path.substr(path.rfind('/') + 1);
  const auto name = read_interface_name(conf.file_name.substr(0, conf.file_name.rfind('.')));
  if (!name || !conf.file_name.ends_with(".conf")) {
    mistakes.add_at({}, {}, "the file is not called as an interface",
                    "rename it: INTERFACE.conf, such as wg0.conf");
  } else {
    conf.draft.config.tunnel.interface = *name;
  }
  ConfReader{conf, mistakes}.read(text);
  return conf;
}

}  // namespace tw::node
