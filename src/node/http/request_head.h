// Reads the head of an HTTP/1 request strictly (RFC 9112): its first line and its fields.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tw::node {

/// Where a head ends: behind its empty line, in octets; 0 if that has not come.
///
///   received   begins with the head's first line
///   scanned    octets that an earlier call has looked at: a head that comes octet by octet costs
///              no more than one that comes at once
std::size_t find_head_end(std::string_view received, std::size_t scanned) noexcept;

struct RequestHead {
  enum class Verdict : std::uint8_t { good, malformed, has_body };
  Verdict verdict = Verdict::malformed;
  std::string_view method, target;  ///< of the text given; the target without its query
  bool keep_alive = false;          ///< the connection stays for another request
};

/// Reads a whole head, find_head_end() octets. A body is not read, so whoever announces one is to
/// be refused and hung up on: its octets would be taken for another request.
RequestHead read_request_head(std::string_view head) noexcept;

}  // namespace tw::node
