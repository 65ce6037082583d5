// link: tw_node
// covers: node/config/import/conf_import*.cc node/config/import/wg_conf.cc
// A wg-quick file of any text. What the import writes, the node takes, but for the key files, which
// are not there; and it holds no key but public ones.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "node/config/import/conf_import.h"

namespace {

bool is_base64(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
         c == '/';
}

/// Returns true if a line that may hold no key has as many characters of base64 in a row as one.
bool holds_key(std::string_view line) {
  if (line.starts_with("public_key = ") || line.starts_with("endpoint = ")) return false;
  std::size_t run = 0;
  for (const char c : line) {
    run = is_base64(c) ? run + 1 : 0;
    if (run >= 43) return true;
  }
  return false;
}

void check_toml(const std::string& toml) {
  for (std::size_t start = 0; start < toml.size();) {
    const std::size_t end = toml.find('\n', start);
    if (end == std::string::npos || holds_key({&toml[start], end - start})) std::abort();
    start = end + 1;
  }
  const auto config = tw::node::parse_config(toml, "absent/wg0.toml");
  if (config) std::abort();
  // Without a key: that there are too many mistakes to keep.
  for (const auto& mistake : config.error()) {
    if (!mistake.key.empty() && !mistake.key.ends_with("_key_file")) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(bytes), size};
  const auto toml = tw::node::import_conf(text, "folder/wg0.conf");
  if (toml) {
    check_toml(*toml);
    return 0;
  }
  if (toml.error().empty()) std::abort();
  for (const auto& mistake : toml.error()) {
    if (mistake.what.empty() || mistake.text().contains('\n') || holds_key(mistake.text())) {
      std::abort();
    }
  }
  return 0;
}
