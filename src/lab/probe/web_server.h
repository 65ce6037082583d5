// The far end of every download: nginx in the server's namespace, with files of seeded random bytes
// whose checksums are known beforehand.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "lab/bed/netns.h"
#include "lab/bed/process.h"
#include "lab/bed/scratch.h"

namespace tw::lab {

class WebServer {
 public:
  /// Makes a file for each of `sizes` (bytes) and starts nginx on port 80 of `addresses`. It takes
  /// requests in SYNs (RFC 7413) at those that are in `fast_open` as well.
  static Result<WebServer> start(const Namespace& host, const ScratchFolder& scratch,
                                 const std::vector<std::uint64_t>& sizes, std::uint64_t seed,
                                 const std::vector<std::string>& addresses, Interrupt& interrupt,
                                 bool nopush = false,
                                 const std::vector<std::string>& fast_open = {});

  /// Lower-case hexadecimal SHA-256 of the file of `bytes`, which must be one of the sizes.
  const std::string& sha256(std::uint64_t bytes) const { return sha256_.at(bytes); }
  /// Returns nginx's settings for sending, as in its configuration.
  static std::string settings(bool nopush = false);
  Process& process() noexcept { return process_; }
  const Command& command() const noexcept { return command_; }

 private:
  WebServer(std::map<std::uint64_t, std::string> sha256, Command command, Process process)
      : sha256_(std::move(sha256)), command_(std::move(command)), process_(std::move(process)) {}
  std::map<std::uint64_t, std::string> sha256_;
  Command command_;
  Process process_;
};

/// Lower-case hexadecimal SHA-256 of a file, by sha256sum: not our own code, on purpose.
Result<std::string> sha256_of(const std::string& path, Interrupt& interrupt);

}  // namespace tw::lab
