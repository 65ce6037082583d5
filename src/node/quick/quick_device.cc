#include "node/quick/quick_device.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <optional>

#include "base/unique_fd.h"
#include "crypto/secret.h"
#include "node/endpoints/endpoint_resolver.h"
#include "node/endpoints/endpoint_text.h"
#include "node/quick/program.h"
#include "node/uapi/uapi_server.h"

namespace tw::node {
namespace {

constexpr int answer_timeout_ms = 10'000;
constexpr int end_timeout_ms = 5'000, end_look_ms = 20;

Result<UniqueFd> connect_device(const std::string& interface) {
  const std::string path = fmt::format("{}/{}.sock", uapi_folder, interface);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return make_error(Error::Kind::config, path + ": too long");
  }
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  UniqueFd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  if (!socket) return system_error("socket");
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return system_error("connect to " + path);
  }
  return socket;
}

Result<void> send_all(int socket, std::string_view text) {
  while (!text.empty()) {
    const ssize_t size = ::send(socket, text.data(), text.size(), MSG_NOSIGNAL);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return system_error("ask the device");
    text.remove_prefix(static_cast<std::size_t>(size));
  }
  return {};
}

/// Everything up to the empty line that ends an answer.
Result<SecretText> receive_answer(int socket) {
  SecretText answer;
  std::array<char, 4096> part;
  while (!answer.view().ends_with("\n\n")) {
    pollfd readable{socket, POLLIN, 0};
    if (::poll(&readable, 1, answer_timeout_ms) == 0) {
      return make_error(Error::Kind::unavailable, "the device does not answer");
    }
    const ssize_t size = ::recv(socket, part.data(), part.size(), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return make_error(Error::Kind::unavailable, "the device has hung up");
    answer.append({part.data(), static_cast<std::size_t>(size)});
  }
  crypto::wipe({reinterpret_cast<std::uint8_t*>(part.data()), part.size()});
  return answer;
}

template <typename Visitor>
void for_each_line(std::string_view text, Visitor&& visit) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    const std::size_t equals = std::min(line.find('='), line.size());
    if (equals < line.size()) visit(line.substr(0, equals), line.substr(equals + 1));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

Result<SecretText> ask(const std::string& interface, std::string_view request,
                       std::string_view doing) {
  const Result<UniqueFd> socket = connect_device(interface);
  if (!socket) return in_context(std::string{doing}, socket.error());
  if (Result<void> sent = send_all(socket->get(), request); !sent) {
    return std::unexpected(sent.error());
  }
  Result<SecretText> answer = receive_answer(socket->get());
  if (!answer) return answer;
  int number = EPROTO;
  for_each_line(answer->view(), [&](std::string_view key, std::string_view value) {
    if (key == "errno") std::from_chars(value.data(), value.data() + value.size(), number);
  });
  if (number != 0) return system_error(number < 0 ? -number : number, std::string{doing});
  return answer;
}

void add(SecretText& text, std::string_view key, std::string_view value) {
  text.append(key);
  text.append("=");
  text.append(value);
  text.append("\n");
}
void add_key(SecretText& text, std::string_view key, ByteView value) {
  text.append(key);
  text.append("=");
  text.append_hex(value);
  text.append("\n");
}

/// As `wg` waits: 1 s, then a fifth longer each time, at most 20 s.
constexpr std::chrono::milliseconds first_wait{1'000}, longest_wait{20'000};
constexpr std::uint32_t usual_retries = 15;
constexpr const char* retries_variable = "WG_ENDPOINT_RESOLUTION_RETRIES";

/// Returns how often a name is asked for again; empty: for ever.
Result<std::optional<std::uint32_t>> resolution_retries() {
  const char* const value = std::getenv(retries_variable);  // NOLINT(concurrency-mt-unsafe)
  if (value == nullptr) return usual_retries;
  const std::string_view text = value;
  if (text == "infinity") return std::nullopt;
  std::uint32_t number = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || stop != text.data() + text.size()) {
    return make_error(Error::Kind::config, fmt::format("{} is \"{}\": write a number, or infinity",
                                                       retries_variable, text));
  }
  return number;
}

Result<Endpoint> resolve(const EndpointName& name, Interrupts& interrupts) {
  const auto retries = resolution_retries();
  if (!retries) return std::unexpected(retries.error());
  std::chrono::milliseconds wait = first_wait;
  for (std::uint32_t tried = 0;; ++tried) {
    const Lookup answer = look_up_endpoint(name);
    if (answer.endpoint) return *answer.endpoint;
    const std::string what =
        fmt::format("endpoint {} does not resolve: {}", name.host, answer.text());
    if (answer.is_final() || (*retries && tried >= **retries)) {
      return make_error(Error::Kind::unavailable,
                        what + ": mend the name, or try again when name servers answer");
    }
    tell(fmt::format("{}; trying again in {:.2f} s", what,
                     std::chrono::duration<double>{wait}.count()));
    if (!interrupts.sleep(wait)) return std::unexpected(interrupts.error());
    wait = std::min(longest_wait, wait * 6 / 5);
  }
}

Result<void> add_peer(SecretText& text, const ConfPeer& peer, Interrupts& interrupts) {
  add_key(text, "public_key", peer.public_key.bytes);
  if (peer.preshared_key) add_key(text, "preshared_key", peer.preshared_key->view());
  if (peer.endpoint) {
    const Result<Endpoint> endpoint = resolve(*peer.endpoint, interrupts);
    if (!endpoint) return std::unexpected(endpoint.error());
    add(text, "endpoint", endpoint->text());
  }
  if (peer.persistent_keepalive_s) {
    add(text, "persistent_keepalive_interval", std::to_string(*peer.persistent_keepalive_s));
  }
  if (peer.replaces_allowed_ips) add(text, "replace_allowed_ips", "true");
  for (const ConfPeer::AllowedIp& allowed : peer.allowed_ips) {
    add(text, "allowed_ip", (allowed.remove ? "-" : "") + allowed.prefix.text());
  }
  return {};
}

/// Hexadecimal of the protocol as the base64 of a file.
std::string key_text(std::string_view hex) {
  std::array<std::uint8_t, 32> key{};
  for (std::size_t i = 0; i < key.size() && 2 * i + 2 <= hex.size(); ++i) {
    std::from_chars(hex.data() + 2 * i, hex.data() + 2 * i + 2, key[i], 16);
  }
  std::string text = crypto::key_to_base64(key);
  crypto::wipe(key);
  return text;
}

bool is_zero(std::string_view hex) noexcept {
  return hex.find_first_not_of('0') == std::string_view::npos;
}

/// One line of `get` as one of a .conf. Allowed IPs are gathered by the caller.
void add_conf_line(SecretText& out, std::string_view key, std::string_view value) {
  const auto line = [&](std::string_view name, std::string_view text) {
    out.append(name);
    out.append(" = ");
    out.append(text);
    out.append("\n");
  };
  if (key == "listen_port") return line("ListenPort", value);
  if (key == "fwmark" && value != "0") {
    std::uint32_t mark = 0;
    std::from_chars(value.data(), value.data() + value.size(), mark);
    return line("FwMark", fmt::format("{:#x}", mark));
  }
  if (key == "endpoint") {
    // The device names a zone by its number, which the machine's next start may give to another.
    const std::optional<Endpoint> endpoint = read_endpoint(value);
    return line("Endpoint", endpoint ? endpoint_text(*endpoint) : std::string{value});
  }
  if (key == "allowed_ip") return line("AllowedIPs", value);
  if (key == "persistent_keepalive_interval" && value != "0") {
    return line("PersistentKeepalive", value);
  }
  const bool is_private = key == "private_key", is_shared = key == "preshared_key";
  if ((is_private || is_shared) && !is_zero(value)) {
    std::string text = key_text(value);
    line(is_private ? "PrivateKey" : "PresharedKey", text);
    crypto::wipe({reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
  }
}

}  // namespace

Result<void> start_device(const std::string& interface, Interrupts& interrupts) {
  // As a subcommand of this very program, wherever it lies.
  return run_program({"/proc/self/exe", "wg", interface}, std::string{}, interrupts);
}

bool device_answers(const std::string& interface) { return connect_device(interface).has_value(); }

void await_end(const std::string& interface) {
  for (int waited = 0; waited < end_timeout_ms && device_answers(interface);
       waited += end_look_ms) {
    ::poll(nullptr, 0, end_look_ms);
  }
}

Result<void> configure_device(const QuickConf& conf, Interrupts& interrupts) {
  SecretText request;
  request.append("set=1\n");
  add_key(request, "private_key", conf.tunnel.private_key.view());
  if (conf.tunnel.listen_port != 0) {
    add(request, "listen_port", std::to_string(conf.tunnel.listen_port));
  }
  if (conf.tunnel.fwmark != 0) add(request, "fwmark", std::to_string(conf.tunnel.fwmark));
  add(request, "replace_peers", "true");
  for (const ConfPeer& peer : conf.peers) {
    if (Result<void> added = add_peer(request, peer, interrupts); !added) return added;
  }
  request.append("\n");
  const auto answer = ask(conf.tunnel.interface, request.view(), "configure the device");
  if (!answer) return std::unexpected(answer.error());
  return {};
}

Result<QuickPeers> device_peers(const std::string& interface) {
  const Result<SecretText> state = ask(interface, "get=1\n\n", "ask the device for its peers");
  if (!state) return std::unexpected(state.error());
  QuickPeers peers;
  for_each_line(state->view(), [&](std::string_view key, std::string_view value) {
    if (key == "endpoint") {
      if (const auto endpoint = read_endpoint(value)) peers.endpoints.push_back(*endpoint);
    } else if (key == "allowed_ip") {
      if (const auto prefix = Prefix::parse(value)) peers.allowed_ips.push_back(*prefix);
    }
  });
  return peers;
}

Result<void> set_device_mark(const std::string& interface, std::uint32_t mark) {
  const auto answer =
      ask(interface, fmt::format("set=1\nfwmark={}\n\n", mark), "set the device's mark");
  if (!answer) return std::unexpected(answer.error());
  return {};
}

Result<SecretText> device_conf(const std::string& interface, std::string_view head) {
  const Result<SecretText> state = ask(interface, "get=1\n\n", "ask the device for its state");
  if (!state) return std::unexpected(state.error());
  SecretText text;
  text.append("[Interface]\n");
  text.append(head);
  for_each_line(state->view(), [&](std::string_view key, std::string_view value) {
    if (key == "public_key") {
      text.append("\n[Peer]\nPublicKey = ");
      text.append(key_text(value));
      text.append("\n");
    } else {
      add_conf_line(text, key, value);
    }
  });
  return text;
}

}  // namespace tw::node
