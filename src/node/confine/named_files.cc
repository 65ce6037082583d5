#include "node/confine/named_files.h"

#include "node/config/config_file.h"
#include "node/config/config_secret.h"
#include "node/config/config_tree.h"

namespace tw::node {
namespace {

class Collector {
 public:
  explicit Collector(std::string folder) : folder_(std::move(folder)) {}

  void collect(const ConfigNode& table, std::string_view name) {
    for (const ConfigNode& child : table.children) {
      if (name == "tunnel" && child.name == "include") {
        collect_includes(child);
      } else if (child.kind != ConfigNode::Kind::text) {
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
  void collect_includes(const ConfigNode& list) {
    for (const ConfigNode& pattern : list.children) {
      if (pattern.kind != ConfigNode::Kind::text || !read_include(pattern.text)) continue;
      found.includes.push_back(IncludePattern::of(pattern.text, folder_));
    }
  }

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

void add_included(NamedFiles& named) {
  for (const IncludePattern& pattern : named.includes) {
    if (!pattern.name.empty()) named.readable.insert(pattern.folder);
    const auto files = included_files(pattern);
    for (const std::string& path : files ? *files : std::vector<std::string>{}) {
      named.readable.insert(path);
      auto text = read_included_file(path);
      if (!text) continue;
      named.readable.merge(named_files(*text, path).readable);
      wipe_text(*text);
    }
  }
}

}  // namespace tw::node
