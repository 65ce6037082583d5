// Writes down the changes that would outlive the process, before they are made.
//
// Rules, routes that do not hang on the TUN, and kernel settings stay when a node is killed. Each
// is appended to DIRECTORY/DEVICE.NAMESPACE.journal and synced before it is made, struck out once
// it is undone, and what is left at the next start is undone then, latest first. The file is its
// own lock: one live node a device and network namespace. NAMESPACE is the kernel's cookie of the
// namespace, which unlike its inode number is never given out twice.
//
// One line an entry, fields split by tabs:  "+ ID KIND …" made,  "- ID" undone.  A line without its
// newline was never finished, and so neither was what it announced.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "machine/netlink/netlink.h"
#include "machine/sysctl.h"

namespace tw {

inline constexpr std::string_view run_directory = "/run/thalweg";

/// An nftables table of family inet that belongs to nobody (the firewall's floor).
struct TableChange {
  std::string table;
  friend bool operator==(const TableChange&, const TableChange&) = default;
};

using Change = std::variant<RuleSpec, RouteSpec, SysctlChange, TableChange>;

/// The kernel's cookie of the network namespace of the calling thread.
Result<std::uint64_t> namespace_cookie();

/// Undoes one change; succeeds if it is undone already.
Result<void> undo(const Change& change, Netlink& netlink);

class Journal {
 public:
  struct Entry {
    std::uint64_t id = 0;
    Change change;
  };

  /// Creates the directory (mode 0700) and the file if need be, takes the lock, and reads what the
  /// last run has left. `unavailable` if another live node holds the lock.
  static Result<Journal> open(const std::string& directory, const std::string& device);
  Journal(Journal&&) noexcept = default;
  Journal& operator=(Journal&&) = delete;
  /// Removes the file, unless something still stands. The directory stays.
  ~Journal();

  /// Returns the entries that stand in a journal of this text.
  static std::vector<Entry> entries_of(std::string_view text);

  /// Returns the changes that stand, in the order they were made.
  const std::vector<Entry>& entries() const noexcept { return entries_; }
  /// Lines that could not be read: a sign of damage, not of a crash.
  std::size_t damaged_lines() const noexcept { return damaged_lines_; }
  const std::string& path() const noexcept { return path_; }

  /// On disk when it returns; on failure the file is as it was. Call before making the change.
  Result<std::uint64_t> record(const Change& change);
  /// The change is undone.
  Result<void> strike(std::uint64_t id);
  /// Undoes one entry and strikes it. A setting that other nodes of this namespace still need,
  /// alive or dead, stays as it is: the last of them puts it back.
  Result<void> undo_entry(const Entry& entry, Netlink& netlink);
  /// Undoes everything that stands, latest first. Goes on past a failure, keeps the entry, and
  /// returns the first error.
  Result<void> undo_all(Netlink& netlink);
  /// The same, but what refuses packets stays: for a start, which replaces it.
  Result<void> undo_all_but_tables(Netlink& netlink);

  /// Until it is closed no other node of this machine plans, records or undoes a setting. Not to be
  /// held across undo_entry().
  UniqueFd hold_settings() const;
  /// Settings in the journals of other nodes of this namespace, alive or dead.
  std::vector<SysctlChange> settings_of_others() const;
  /// Plans a setting as plan_sysctl() does. If other nodes of this namespace have made it what we
  /// want, the old value is the one that they have found, and it is ours to record too.
  /// Equal values mean that there is nothing to record.
  Result<SysctlChange> plan_shared(const std::string& key, std::string_view value) const;

 private:
  Journal(std::string path, UniqueFd file) noexcept;
  Result<void> append(const std::string& line);
  void read_lines(std::string_view text);

  std::string path_;
  std::string directory_;  // that it is in, as are those of other nodes
  UniqueFd file_;
  std::uint64_t length_ = 0;  // bytes of whole lines
  std::uint64_t next_id_ = 1;
  std::size_t damaged_lines_ = 0;
  std::vector<Entry> entries_;
};

/// The changes that a node left when it died in this network namespace.
struct Leftovers {
  std::string device;  ///< the tunnel device of that node
  std::vector<Change> changes;
};
/// Finds leftovers of nodes whose journal nobody holds and whose device is gone. Changes nothing.
std::vector<Leftovers> find_leftovers(const std::string& directory = std::string{run_directory});
/// Undoes what they have left, as the next start on their devices would, and returns what that was.
Result<std::vector<Leftovers>> remove_leftovers(const std::string& directory = std::string{
                                                    run_directory});

/// For people: "IPv4 forwarding (net/ipv4/ip_forward)".
std::string describe(const Change& change);

/// A change as the fields of a journal line, and back; exposed for its test.
std::string to_line(const Change& change);
std::optional<Change> change_from_line(std::string_view line);

}  // namespace tw
