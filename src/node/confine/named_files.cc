#include "node/confine/named_files.h"

#include "node/config/config_secret.h"
#include "node/config/config_tree.h"

namespace tw::node {
namespace {

class Collector {
 public:
  explicit Collector(std::string folder) : folder_(std::move(folder)) {}

  void collect(const ConfigNode& table, std::string_view name) {
    for (const ConfigNode& child : table.children) {
      if (child.kind != ConfigNode::Kind::text) {
        collect(child, child.name.empty() ? name : child.name);
      } else if (child.name == "log_file" || (name == "log" && child.name == "file")) {
        found.appendable.insert(path_of(child.text));
      } else if (child.name.ends_with("_file")) {
        found.readable.insert(path_of(child.text));
      }
    }
  }

  NamedFiles found;

 private:
  std::string path_of(const std::string& name) const {
    return name.starts_with('/') ? name : folder_ + name;
  }

  std::string folder_;
};

}  // namespace

NamedFiles named_files(std::string_view toml, const std::string& path) {
  Collector collector{folder_of(path)};
  if (const auto root = read_tree(toml, path)) collector.collect(*root, {});
  return std::move(collector.found);
}

}  // namespace tw::node
