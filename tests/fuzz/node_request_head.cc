// link: tw_node
// covers: node/http/request_head.cc
// Heads of HTTP requests: a head ends at the same octet however it comes, and what is read of it
// lies within it and holds no end of a line.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "node/http/request_head.h"

namespace {

void check_read(std::string_view head) {
  const tw::node::RequestHead request = tw::node::read_request_head(head);
  if (request.verdict == tw::node::RequestHead::Verdict::malformed) return;
  for (const std::string_view part : {request.method, request.target}) {
    TW_ASSERT(part.data() >= head.data() && part.data() + part.size() <= head.data() + head.size());
    TW_ASSERT(part.find_first_of("\r\n ") == std::string_view::npos);
  }
  TW_ASSERT(!request.method.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view received{reinterpret_cast<const char*>(bytes), size};
  const std::size_t end = tw::node::find_head_end(received, 0);
  TW_ASSERT(end <= size);
  std::size_t found = 0;
  for (std::size_t have = 1; found == 0 && have <= size; ++have) {
    found = tw::node::find_head_end(received.substr(0, have), have - 1);
  }
  TW_ASSERT(found == end);
  check_read(received.substr(0, end));
  check_read(received);
  return 0;
}
