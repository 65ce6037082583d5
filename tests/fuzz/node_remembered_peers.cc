// link: tw_node
// covers: node/endpoints/remembered_peers.cc
// The file of remembered peers: a line is taken as this program would have written it, or not at
// all, whatever stands around it.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "node/endpoints/remembered_peers.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(bytes), size};
  const auto read = tw::node::remembered_peers_from(text);
  const auto newlines = static_cast<std::size_t>(std::ranges::count(text, '\n'));
  const bool is_cut = !text.empty() && !text.ends_with('\n');
  if (read.peers.size() > tw::node::remembered_peers_max) std::abort();
  if (read.peers.size() + read.damaged_lines != newlines + (is_cut ? 1 : 0)) std::abort();
  const std::string written = tw::node::to_text(read.peers);
  if (read.damaged_lines == 0 && written != text) std::abort();
  // Taken out of the text in its order, line by line.
  std::string_view left = text;
  for (std::string_view lines = written; !lines.empty();) {
    const std::string_view line = lines.substr(0, lines.find('\n') + 1);
    const std::size_t at = left.find(line);
    if (at == std::string_view::npos) std::abort();
    left.remove_prefix(at + line.size());
    lines.remove_prefix(line.size());
  }
  const auto again = tw::node::remembered_peers_from(written);
  if (again.damaged_lines != 0 || again.peers != read.peers) std::abort();
  return 0;
}
