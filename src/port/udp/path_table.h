// Remembers the ways to destinations: by which device, from which source, and whether trains pass.
// One destination's trouble is kept with that destination, in bounded memory, and what is
// remembered ends when the machine's routes change.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "port/train.h"
#include "port/udp/path_lookup.h"

namespace tw {

/// The changes that all sockets of a tunnel are told of, from any thread.
struct PathChanges {
  /// Counts changes of routes, rules, addresses and interfaces: what was learned before is asked
  /// again.
  std::atomic<std::uint64_t> generation{1};
  /// The tunnel's own interface, where it is in the sockets' namespace: no datagram of the tunnel
  /// may leave by it. 0: elsewhere.
  std::atomic<std::uint32_t> tunnel_device{0};
};

/// One context's. Grows while destinations do not find room, to `entries_max`, and then forgets
/// the destination of a set that it has learned first.
class PathTable {
 public:
  static constexpr std::size_t entries_max = 16384;  ///< 80 bytes each
  /// Trains that go as single datagrams before a destination that has refused one is tried again: a
  /// failed call in so many costs nothing, and a second's worth of traffic finds out.
  static constexpr std::uint16_t singles_before_retry = 256;
  /// Questions about destinations that have proved nothing, between two begin_turn().
  static constexpr unsigned unproven_questions = 8;

  struct Entry {
    Entry() noexcept = default;
    Entry(const Endpoint& to, const LocalAddress& from) noexcept : target(to), source(from) {}

    Endpoint target;
    LocalAddress source;
    std::uint64_t generation = 0;  ///< of what is known; 0: an empty entry
    Path path;
    std::uint32_t refused_bytes = 0;  ///< segments of this size were refused in trains
    std::uint16_t singles_left = 0;   ///< trains until one is tried again
    bool source_holds = true;  ///< the way leads through the device that the source belongs to
    bool is_loop = false;      ///< the way leads into the tunnel itself

    /// Trains of such segments are to go as single datagrams.
    bool wants_singles(std::uint32_t segment_bytes) const noexcept {
      return singles_left > 0 && segment_bytes >= refused_bytes;
    }
    /// The route's MTU is below the device's, and such a datagram has to be cut for it.
    bool is_cut_by_route(std::uint32_t segment_bytes) const noexcept;
  };

  /// Without `lookup` nobody is asked: every way is good. `changes` (null: there are none) must
  /// outlive this.
  explicit PathTable(std::unique_ptr<PathLookup> lookup = nullptr,
                     const PathChanges* changes = nullptr, std::uint16_t own_port = 0);

  /// The entry for where a train goes and comes from; good until the next call. Asks the kernel if
  /// it is not known, or known from before a change. For a train that is `unproven` nothing is
  /// kept, and little asked.
  Entry& find(const Train& train) noexcept;
  /// Trains of such segments were refused.
  static void refused(Entry& entry, std::uint32_t segment_bytes) noexcept;
  /// Part of what the kernel is asked from now on. What is known is asked again.
  void set_fwmark(std::uint32_t fwmark) noexcept;
  void begin_turn() noexcept { questions_left_ = unproven_questions; }

 private:
  static constexpr std::size_t ways = 4;
  static constexpr std::size_t first_entries = 256;

  std::uint64_t generation() const noexcept;
  Entry* set_of(const Train& train) noexcept;
  Entry& place_for(const Train& train) noexcept;
  void grow();
  void learn(Entry& entry) noexcept;
  void tell_of_loop(const Entry& entry) noexcept;

  std::unique_ptr<PathLookup> lookup_;
  const PathChanges* changes_;
  const std::uint16_t own_port_;
  std::atomic<std::uint32_t> fwmark_{0};
  std::atomic<std::uint64_t> marks_set_{0};
  std::vector<Entry> entries_;
  Entry passing_;  // of an unproven destination
  unsigned questions_left_ = unproven_questions;
  std::uint64_t told_at_ = 0;  // generation
};

}  // namespace tw
