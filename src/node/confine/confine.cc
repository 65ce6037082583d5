#include "node/confine/confine.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>
#include <system_error>

#include "node/confine/system_calls.h"

namespace tw::node {

std::string Confinement::text() const {
  std::vector<std::string> has;
  if (landlock_version > 0) has.push_back(fmt::format("files by Landlock {}", landlock_version));
  if (system_calls) has.emplace_back("system calls by seccomp");
  std::string line =
      has.empty() ? "not confined" : fmt::format("confined: {}", fmt::join(has, ", "));
  if (!lacks.empty()) line += fmt::format("; this kernel lacks {}", fmt::join(lacks, ", "));
  return line;
}

std::vector<ReachRule> common_reach() {
  std::vector<ReachRule> reach{
      {"/usr", Reach::read},           {"/lib", Reach::read},
      {"/lib64", Reach::read},         {"/etc", Reach::read},
      {"/proc", Reach::read},          {"/sys", Reach::read},
      {"/dev/urandom", Reach::read},   {"/dev/random", Reach::read},
      {"/dev/zero", Reach::read},      {"/dev/null", Reach::change},
      {"/dev/net/tun", Reach::device}, {"/proc/sys/net", Reach::change},
  };
  // Where whoever configures name servers keeps the file that /etc/resolv.conf points to. The
  // folder, for the file is replaced by another whenever they change.
  std::error_code ignored;
  const auto resolver = std::filesystem::canonical("/etc/resolv.conf", ignored).parent_path();
  if (!resolver.empty() && resolver != "/" && resolver != "/etc" && resolver != "/run") {
    reach.push_back({resolver.string(), Reach::read});
  }
  return reach;
}

Result<Confinement> confine(const std::vector<ReachRule>& reach) {
  Confinement done;
  const int version = landlock_version();
  done.lacks = landlock_lacks(version);
  if (version > 0) {
    if (auto restricted = restrict_files(reach); !restricted) {
      return in_context("confine to files", restricted.error());
    }
    done.landlock_version = version;
  }
  if (!can_filter_calls()) {
    done.lacks.emplace_back("a filter of system calls that kills a process (Linux 4.14)");
    return done;
  }
  if (auto restricted = restrict_calls(); !restricted) {
    return in_context("confine to system calls", restricted.error());
  }
  done.system_calls = true;
  return done;
}

}  // namespace tw::node
