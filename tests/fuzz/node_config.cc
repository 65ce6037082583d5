// link: tw_node
// covers: node/config/config*.cc
// A configuration file of any text: a configuration or mistakes, each of which a person can read.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "node/config/config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(bytes), size};
  // No folder has this name: key files are looked for, and not found.
  const auto config = tw::node::parse_config(text, "absent/node.toml");
  if (config) return 0;
  if (config.error().empty()) std::abort();
  for (const auto& mistake : config.error()) {
    if (mistake.what.empty() || mistake.text().contains('\n')) std::abort();
  }
  return 0;
}
