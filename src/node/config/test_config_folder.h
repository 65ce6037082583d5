// For the tests of configuration files: a folder of its own that goes when the test ends, with key
// files in it.
#pragma once

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
#include <vector>

#include "node/config/config.h"

namespace tw::node {

class TestFolder {
 public:
  // Keys of wg(8)'s kind, made for these tests alone.
  static constexpr const char* private_key = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";
  static constexpr const char* preshared_key = "FpCyhws9cxwWoV4xELtfJvjJN+zQVRPISllRWgeopVE=";
  static constexpr const char* public_key = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";
  static constexpr const char* other_public_key = "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0=";

  TestFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "thalweg-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data()) == nullptr ? std::string{} : pattern + '/';
    write("node.key", std::string{private_key} + '\n');
    write("peer.psk", std::string{preshared_key} + '\n');
  }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;
  ~TestFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }

  /// With the / at its end.
  const std::string& path() const { return path_; }

  void write(const std::string& name, const std::string& text, unsigned mode = 0600) const {
    std::ofstream{path_ + name, std::ios::binary} << text;
    ::chmod((path_ + name).c_str(), static_cast<::mode_t>(mode));
  }

  auto parse(const std::string& toml) const { return parse_config(toml, path_ + "node.toml"); }

  /// The texts of the mistakes in a TOML, without the name of the folder.
  std::vector<std::string> mistakes(const std::string& toml) const {
    const auto config = parse(toml);
    return config ? std::vector<std::string>{} : texts(config.error());
  }

  std::vector<std::string> texts(const std::vector<ConfigMistake>& mistakes) const {
    std::vector<std::string> out;
    for (const ConfigMistake& mistake : mistakes) {
      std::string text = mistake.text();
      for (std::size_t at = 0; (at = text.find(path_, at)) != std::string::npos;) {
        text.erase(at, path_.size());
      }
      out.push_back(std::move(text));
    }
    return out;
  }

 private:
  std::string path_;
};

}  // namespace tw::node
