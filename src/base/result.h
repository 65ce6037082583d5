// Operating errors: what went wrong, where, and what the operator can do. A packet that dies is not
// an error (drop.h), and a programmer's error is an assertion (assert.h).
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace tw {

struct Error {
  enum class Kind : std::uint8_t { system, config, protocol, exhausted, unavailable };
  Kind kind = Kind::system;
  int os_errno = 0;    ///< errno at the failing call; 0 unless kind == system
  std::string detail;  ///< what we were doing, for the operator: "bind 0.0.0.0:51820"

  /// "bind 0.0.0.0:51820: Address already in use"
  std::string text() const;
};

template <typename T>
using Result = std::expected<T, Error>;

/// An Error of kind `system` from the current errno.
std::unexpected<Error> system_error(std::string detail);
/// The same, for an errno that was kept.
std::unexpected<Error> system_error(int os_errno, std::string detail);
std::unexpected<Error> make_error(Error::Kind kind, std::string detail);

/// Puts what the caller was doing before what the callee says: "tunnel wg0: bind …".
std::unexpected<Error> in_context(std::string_view doing, Error error);

}  // namespace tw
