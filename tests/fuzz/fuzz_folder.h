// A folder of a fuzz target's own, for what it tests that needs files. Gone when the process ends.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

#include "base/assert.h"

namespace tw::testing {

class FuzzFolder {
 public:
  FuzzFolder() : path_(std::filesystem::temp_directory_path() / "thalweg-fuzz-XXXXXX") {
    TW_ASSERT(::mkdtemp(path_.data()) != nullptr);
  }
  FuzzFolder(const FuzzFolder&) = delete;
  FuzzFolder& operator=(const FuzzFolder&) = delete;
  ~FuzzFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace tw::testing
