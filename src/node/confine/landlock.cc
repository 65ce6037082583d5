#include "node/confine/landlock.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "base/unique_fd.h"

namespace tw::node {
namespace {

// Debian 12's headers know version 2; what came later has these values for good.
constexpr std::uint64_t access_truncate = std::uint64_t{1} << 14U;        // version 3, Linux 6.2
constexpr std::uint64_t access_ioctl_dev = std::uint64_t{1} << 15U;       // version 5, Linux 6.10
constexpr std::uint64_t scope_abstract_sockets = 1U, scope_signals = 2U;  // version 6, Linux 6.12
constexpr int version_with_refer = 2, version_with_truncate = 3, version_with_ioctl = 5,
              version_with_scopes = 6;

struct RulesetAttributes {
  std::uint64_t handled_access_fs = 0;
  std::uint64_t handled_access_net = 0;
  std::uint64_t scoped = 0;
};
/// A kernel takes no more of it than it knows, unless the rest is zero.
constexpr std::size_t size_of_version_1 = sizeof(std::uint64_t);

constexpr std::uint64_t of_files = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |
                                   LANDLOCK_ACCESS_FS_READ_FILE | access_truncate |
                                   access_ioctl_dev;
constexpr std::uint64_t read = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr std::uint64_t change = read | LANDLOCK_ACCESS_FS_WRITE_FILE | access_truncate;
constexpr std::uint64_t make = change | LANDLOCK_ACCESS_FS_MAKE_REG;
constexpr std::uint64_t keep = make | LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REMOVE_FILE;

std::uint64_t rights_of(Reach reach) noexcept {
  switch (reach) {
    case Reach::read:
      return read;
    case Reach::change:
      return change;
    case Reach::device:
      return change | access_ioctl_dev;
    case Reach::make:
      return make;
    case Reach::remove:
      return LANDLOCK_ACCESS_FS_REMOVE_FILE;
    case Reach::keep:
      return keep;
  }
  return 0;
}

/// Everything of files that a version can refuse.
std::uint64_t known_rights(int version) noexcept {
  std::uint64_t rights = (std::uint64_t{LANDLOCK_ACCESS_FS_MAKE_SYM} << 1U) - 1;  // version 1: all
  if (version >= version_with_refer) rights |= LANDLOCK_ACCESS_FS_REFER;
  if (version >= version_with_truncate) rights |= access_truncate;
  if (version >= version_with_ioctl) rights |= access_ioctl_dev;
  return rights;
}

Result<void> add_rule(int ruleset, const ReachRule& rule, std::uint64_t known) {
  UniqueFd file{::open(rule.path.c_str(), O_PATH | O_CLOEXEC)};
  if (!file && (errno == ENOENT || errno == ENOTDIR)) return {};
  struct stat status{};
  if (!file || ::fstat(file.get(), &status) != 0) return system_error("reach " + rule.path);
  landlock_path_beneath_attr beneath{};
  beneath.allowed_access = rights_of(rule.reach) & known;
  if (!S_ISDIR(status.st_mode)) beneath.allowed_access &= of_files;
  beneath.parent_fd = file.get();
  if (::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) != 0) {
    return system_error("allow " + rule.path);
  }
  static_cast<void>(file.release());  // the header says why
  return {};
}

}  // namespace

int landlock_version() noexcept {
  const long version =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return version > 0 ? static_cast<int>(version) : 0;
}

std::vector<std::string> landlock_lacks(int version) {
  if (version == 0) return {"Landlock (Linux 5.13, and \"landlock\" among the kernel's lsm=)"};
  std::vector<std::string> lacks;
  if (version < version_with_refer) lacks.emplace_back("renaming between folders (Linux 5.19)");
  if (version < version_with_truncate) lacks.emplace_back("truncation as a right (Linux 6.2)");
  if (version < version_with_ioctl) lacks.emplace_back("ioctls of devices as a right (Linux 6.10)");
  if (version < version_with_scopes) lacks.emplace_back("signals as a right (Linux 6.12)");
  return lacks;
}

Result<void> restrict_files(const std::vector<ReachRule>& rules) {
  const int version = landlock_version();
  RulesetAttributes attributes;
  attributes.handled_access_fs = known_rights(version);
  if (version >= version_with_scopes) attributes.scoped = scope_abstract_sockets | scope_signals;
  const std::size_t size = version >= version_with_scopes ? sizeof attributes : size_of_version_1;
  const UniqueFd ruleset{
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, size, 0))};
  if (!ruleset) return system_error("landlock_create_ruleset");
  for (const ReachRule& rule : rules) {
    if (auto added = add_rule(ruleset.get(), rule, attributes.handled_access_fs); !added) {
      return added;
    }
  }
  if (::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0) {
    return system_error("landlock_restrict_self");
  }
  return {};
}

}  // namespace tw::node
