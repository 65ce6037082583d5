#include "base/result.h"

#include <cerrno>
#include <system_error>
#include <utility>

namespace tw {

std::string Error::text() const {
  if (os_errno == 0) return detail;
  return detail + ": " + std::generic_category().message(os_errno);
}

std::unexpected<Error> system_error(std::string detail) {
  return system_error(errno, std::move(detail));
}
std::unexpected<Error> system_error(int os_errno, std::string detail) {
  return std::unexpected(Error{Error::Kind::system, os_errno, std::move(detail)});
}
std::unexpected<Error> make_error(Error::Kind kind, std::string detail) {
  return std::unexpected(Error{kind, 0, std::move(detail)});
}
std::unexpected<Error> in_context(std::string_view doing, Error error) {
  error.detail.insert(0, std::string{doing} + ": ");
  return std::unexpected(std::move(error));
}

}  // namespace tw
