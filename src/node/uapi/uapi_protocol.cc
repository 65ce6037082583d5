#include "node/uapi/uapi_protocol.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <concepts>
#include <utility>

#include "base/log.h"
#include "node/endpoints/endpoint_text.h"
#include "node/trim_heap.h"

namespace tw::node {
namespace {

constexpr std::size_t large_request_bytes = std::size_t{256} << 10U;
/// A value may be a secret and is never repeated, nor is what is too long to be anything else.
constexpr std::size_t longest_key = std::string_view{"persistent_keepalive_interval"}.size();

void wipe(std::string& text) noexcept {
  crypto::wipe({reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
  text.clear();
}

std::optional<unsigned> digit(char character) noexcept {
  if (character >= '0' && character <= '9') return static_cast<unsigned>(character - '0');
  if (character >= 'a' && character <= 'f') return static_cast<unsigned>(character - 'a') + 10;
  if (character >= 'A' && character <= 'F') return static_cast<unsigned>(character - 'A') + 10;
  return std::nullopt;
}

/// Exactly 64 digits. What `out` holds after a failure is of no use.
bool parse_key(std::string_view text, std::span<std::uint8_t, 32> out) noexcept {
  if (text.size() != 2 * out.size()) return false;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::optional<unsigned> high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
    if (!high || !low) return false;
    out[i] = static_cast<std::uint8_t>(*high << 4U | *low);
  }
  return true;
}

bool parse_secret(std::string_view text, std::optional<crypto::Secret<32>>& out) noexcept {
  return parse_key(text, out.emplace().span());
}

/// Decimal digits only, and within the type's range.
template <std::unsigned_integral Number>
bool parse_number(std::string_view text, std::optional<Number>& out) noexcept {
  const char* end = text.data() + text.size();
  const auto [rest, failure] = std::from_chars(text.data(), end, out.emplace());
  return failure == std::errc{} && rest == end;
}

/// Keys whose only value is "true".
bool parse_true(std::string_view text, bool& out) noexcept {
  out = text == "true";
  return out;
}

bool parse_endpoint(std::string_view text, std::optional<Endpoint>& out) {
  out = read_endpoint(text);
  return out.has_value() && out->port != 0;
}

/// "10.0.0.0/8", or "-10.0.0.0/8" to take it away. The length is not optional.
bool parse_allowed_ip(std::string_view text, std::vector<AllowedIpChange>& out) {
  AllowedIpChange change;
  change.remove = text.starts_with('-');
  if (change.remove) text.remove_prefix(1);
  const std::optional<Prefix> prefix =
      text.contains('/') ? Prefix::parse(text) : std::optional<Prefix>{};
  if (!prefix) return false;
  change.prefix = *prefix;
  out.push_back(change);
  return true;
}

}  // namespace

// ---- SecretText

void SecretText::append(std::string_view text) {
  if (text_.size() + text.size() > text_.capacity()) {
    reserve(std::max(2 * text_.capacity(), text_.size() + text.size()));
  }
  text_.append(text);
}

void SecretText::append_hex(ByteView bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  for (const std::uint8_t byte : bytes) {
    const std::array pair{digits[byte >> 4U], digits[byte & 15U]};
    append({pair.data(), pair.size()});
  }
}

void SecretText::reserve(std::size_t bytes) {
  if (bytes <= text_.capacity()) return;
  std::string larger;
  larger.reserve(bytes);
  larger.append(text_);
  wipe(text_);
  text_ = std::move(larger);
}

void SecretText::clear() noexcept { wipe(text_); }

// ---- set

void UapiSetBody::line(std::string_view line) {
  ++lines_;
  if (mistake_) return;
  const std::size_t equals = line.find('=');
  if (equals == std::string_view::npos) {
    mistake_ = Error{Error::Kind::protocol, 0, fmt::format("line {}: no key=value", lines_)};
    return;
  }
  const std::string_view key = line.substr(0, equals), value = line.substr(equals + 1);
  bool good = false;
  if (key == "public_key") {
    in_peer_ = true;
    good = parse_key(value, change_.peers.emplace_back().public_key.bytes);
  } else {
    good = in_peer_ ? peer_key(key, value) : device_key(key, value);
  }
  if (!good) {
    mistake_ = Error{Error::Kind::config, 0,
                     fmt::format("line {}: {} is unknown here, or its value is not allowed", lines_,
                                 key.size() <= longest_key ? key : "the key")};
  }
}

bool UapiSetBody::device_key(std::string_view key, std::string_view value) {
  if (key == "private_key") return parse_secret(value, change_.private_key);
  if (key == "listen_port") return parse_number(value, change_.listen_port);
  if (key == "fwmark") return parse_number(value, change_.fwmark);
  if (key == "replace_peers") return parse_true(value, change_.replace_peers);
  return false;
}

bool UapiSetBody::peer_key(std::string_view key, std::string_view value) {
  PeerChange& peer = change_.peers.back();
  if (key == "remove") return parse_true(value, peer.remove);
  if (key == "update_only") return parse_true(value, peer.update_only);
  if (key == "preshared_key") return parse_secret(value, peer.preshared_key);
  if (key == "endpoint") return parse_endpoint(value, peer.endpoint);
  if (key == "persistent_keepalive_interval") {
    return parse_number(value, peer.persistent_keepalive_s);
  }
  if (key == "replace_allowed_ips") {
    peer.allowed_ips.clear();  // those named before it would be replaced too
    return parse_true(value, peer.replace_allowed_ips);
  }
  if (key == "allowed_ip") return parse_allowed_ip(value, peer.allowed_ips);
  if (key == "protocol_version") return value == "1";
  return false;
}

Result<DeviceChange> UapiSetBody::finish() noexcept {
  if (mistake_) return std::unexpected(std::move(*mistake_));
  return std::move(change_);
}

// ---- Answers

int uapi_errno(const Error& error) noexcept {
  switch (error.kind) {
    case Error::Kind::system:
      return error.os_errno > 0 ? error.os_errno : EIO;
    case Error::Kind::config:
      return EINVAL;
    case Error::Kind::protocol:
      return EPROTO;
    case Error::Kind::exhausted:
      return ENOMEM;  // what the kernel device says of too many peers
    case Error::Kind::unavailable:
      return EIO;
  }
  return EIO;
}

void append_errno(int value, SecretText& out) { out.append(fmt::format("errno={}\n\n", value)); }

namespace {

void append_peer(const PeerState& peer, SecretText& out) {
  out.append("public_key=");
  out.append_hex(peer.public_key.bytes);
  out.append("\npreshared_key=");
  out.append_hex(peer.preshared_key.view());
  out.append("\nprotocol_version=1\n");
  if (peer.endpoint) out.append(fmt::format("endpoint={}\n", peer.endpoint->text()));
  const auto since_epoch = peer.last_handshake.since_epoch;
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since_epoch);
  out.append(
      fmt::format("last_handshake_time_sec={}\nlast_handshake_time_nsec={}\ntx_bytes={}\n"
                  "rx_bytes={}\npersistent_keepalive_interval={}\n",
                  seconds.count(), (since_epoch - seconds).count(), peer.tx_bytes, peer.rx_bytes,
                  peer.persistent_keepalive_s));
  for (const Prefix& prefix : peer.allowed_ips) {
    out.append(fmt::format("allowed_ip={}\n", prefix.text()));
  }
}

std::size_t text_bytes_max(const DeviceState& state) noexcept {
  constexpr std::size_t device_bytes = 256, peer_bytes = 512, allowed_ip_bytes = 64;
  std::size_t bytes = device_bytes;
  for (const PeerState& peer : state.peers) {
    bytes += peer_bytes + peer.allowed_ips.size() * allowed_ip_bytes;
  }
  return bytes;
}

}  // namespace

void append_state(const DeviceState& state, SecretText& out) {
  out.reserve(out.view().size() + text_bytes_max(state));
  if (!state.private_key.is_zero()) {
    out.append("private_key=");
    out.append_hex(state.private_key.view());
    out.append("\n");
  }
  out.append(fmt::format("listen_port={}\n", state.listen_port));
  if (state.fwmark != 0) out.append(fmt::format("fwmark={}\n", state.fwmark));
  for (const PeerState& peer : state.peers) append_peer(peer, out);
  append_errno(0, out);
}

// ---- UapiConversation

UapiConversation::~UapiConversation() {
  crypto::wipe({reinterpret_cast<std::uint8_t*>(line_.data()), line_.size()});
}

UapiConversation::Progress UapiConversation::receive(ByteView bytes, SecretText& out) {
  std::string_view text = as_text(bytes);
  Verdict verdict = Verdict::more;
  while (verdict == Verdict::more && !text.empty()) {
    const std::size_t newline = text.find('\n');
    const std::string_view part = text.substr(0, newline);
    request_bytes_ += part.size() + 1;
    if (line_size_ + part.size() > line_bytes_max || request_bytes_ > request_bytes_max) {
      append_errno(state_ == State::get_body ? E2BIG : -E2BIG, out);
      verdict = Verdict::hang_up;
      break;
    }
    const bool ends = newline != std::string_view::npos;
    text.remove_prefix(part.size() + (ends ? 1U : 0U));
    if (ends && line_size_ == 0) {
      verdict = line(part, out);
      continue;
    }
    std::ranges::copy(part, line_.begin() + static_cast<std::ptrdiff_t>(line_size_));
    line_size_ += part.size();
    if (ends) {
      const std::size_t size = std::exchange(line_size_, 0);
      verdict = line({line_.data(), size}, out);
      crypto::wipe({reinterpret_cast<std::uint8_t*>(line_.data()), size});
    }
  }
  return {bytes.size() - text.size(), verdict == Verdict::hang_up};
}

UapiConversation::Verdict UapiConversation::line(std::string_view line, SecretText& out) {
  switch (state_) {
    case State::operation:
      request_bytes_ = line.size() + 1;
      get_has_body_ = false;
      body_ = UapiSetBody{};
      if (line != "get=1" && line != "set=1") return Verdict::hang_up;
      state_ = line == "get=1" ? State::get_body : State::set_body;
      return Verdict::more;
    case State::get_body:
      get_has_body_ = get_has_body_ || !line.empty();
      if (!line.empty()) return Verdict::more;
      get(out);
      return Verdict::answered;
    case State::set_body:
      if (!line.empty()) {
        body_.line(line);
        return Verdict::more;
      }
      set(out);
      return Verdict::answered;
  }
  return Verdict::hang_up;
}

void UapiConversation::get(SecretText& out) {
  state_ = State::operation;
  if (get_has_body_) return append_errno(EINVAL, out);
  const Result<DeviceState> state = device_.state();
  if (state) return append_state(*state, out);
  log::warning("UAPI: get: {}", state.error().text());
  append_errno(uapi_errno(state.error()), out);
}

Result<void> UapiConversation::apply_body() {
  const Result<DeviceChange> change = std::exchange(body_, UapiSetBody{}).finish();
  return change ? device_.apply(*change) : std::unexpected(change.error());
}

void UapiConversation::set(SecretText& out) {
  state_ = State::operation;
  const bool is_large = request_bytes_ > large_request_bytes;
  const Result<void> done = apply_body();
  if (is_large) trim_heap();
  if (done) return append_errno(0, out);
  log::warning("UAPI: set: {}", done.error().text());
  append_errno(-uapi_errno(done.error()), out);
}

}  // namespace tw::node
