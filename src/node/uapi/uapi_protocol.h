// The cross-platform userspace protocol (https://www.wireguard.com/xplatform/) between text and
// DeviceChange or DeviceState: what `wg` says to a device that is not in the kernel. Sans-I/O and
// strict, as wireguard-go is: an unknown key or a value out of range refuses the whole request.
//
// Requests and answers carry private keys, so what holds them is wiped.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "node/device/device.h"

namespace tw::node {

/// Text that may hold keys: wiped when it grows, shrinks or goes.
class SecretText {
 public:
  SecretText() = default;
  SecretText(SecretText&& other) noexcept { text_.swap(other.text_); }
  SecretText& operator=(SecretText&& other) noexcept {
    text_.swap(other.text_);
    other.clear();
    return *this;
  }
  ~SecretText() { clear(); }

  void append(std::string_view text);
  /// Two lower-case digits a byte.
  void append_hex(ByteView bytes);
  /// Room for that many bytes, without a copy later.
  void reserve(std::size_t bytes);
  void clear() noexcept;
  std::string_view view() const noexcept { return text_; }
  bool empty() const noexcept { return text_.empty(); }

 private:
  std::string text_;
};

/// The body of one `set` request, line by line.
class UapiSetBody {
 public:
  /// A line after "set=1" without its newline; not the empty one that ends the body. After a first
  /// mistake the rest is only counted.
  void line(std::string_view line);
  /// The whole change, or the first mistake: `protocol` for what is no key=value, else `config`.
  Result<DeviceChange> finish() noexcept;

 private:
  bool device_key(std::string_view key, std::string_view value);
  bool peer_key(std::string_view key, std::string_view value);

  DeviceChange change_;
  bool in_peer_ = false;
  std::uint64_t lines_ = 0;
  std::optional<Error> mistake_;
};

/// The errno that a client is told, positive.
int uapi_errno(const Error& error) noexcept;
/// Appends the answer to `get`: the state, then errno=0.
void append_state(const DeviceState& state, SecretText& out);
/// Appends an answer that is only an errno: 0, negative for `set`, positive for `get`.
void append_errno(int value, SecretText& out);

/// One client's conversation: bytes in, bytes out. Several requests may follow each other.
class UapiConversation {
 public:
  /// The longest line of the protocol has 82 bytes.
  static constexpr std::size_t line_bytes_max = 512;
  /// 65,536 peers with five allowed IPs each fit.
  static constexpr std::size_t request_bytes_max = std::size_t{48} << 20U;

  /// `device` must outlive this.
  explicit UapiConversation(DeviceControl& device) noexcept : device_(device) {}
  ~UapiConversation();
  UapiConversation(const UapiConversation&) = delete;
  UapiConversation& operator=(const UapiConversation&) = delete;

  struct Progress {
    std::size_t taken;  ///< bytes
    bool hang_up;       ///< the client has left the protocol: send what is in `out`, then close
  };
  /// Takes bytes up to the end of the first request among them, carries that out and appends its
  /// answer to `out`: one answer at a time, so that requests without a reader do not pile them up.
  /// Hangs up on what is no operation, and on a line or a request too long.
  Progress receive(ByteView bytes, SecretText& out);
  /// A request has begun and has not ended.
  bool in_request() const noexcept { return state_ != State::operation || line_size_ > 0; }

 private:
  enum class State : std::uint8_t { operation, get_body, set_body };

  enum class Verdict : std::uint8_t { more, answered, hang_up };
  Verdict line(std::string_view line, SecretText& out);
  void get(SecretText& out);
  Result<void> apply_body();
  void set(SecretText& out);

  DeviceControl& device_;
  State state_ = State::operation;
  bool get_has_body_ = false;
  UapiSetBody body_;
  std::size_t request_bytes_ = 0;
  std::size_t line_size_ = 0;
  std::array<char, line_bytes_max> line_;  // the beginning of a line whose end has not come
};

}  // namespace tw::node
