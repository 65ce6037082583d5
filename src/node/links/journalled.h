// Changes that would outlive the process: written down in the journal before they are made.
#pragma once

#include <algorithm>
#include <utility>

#include "base/result.h"
#include "machine/journal.h"

namespace tw::node {

/// Returns true if the journal says that the machine has the change from us.
inline bool stands(const Journal& journal, const Change& change) {
  return std::ranges::any_of(
      journal.entries(), [&change](const Journal::Entry& entry) { return entry.change == change; });
}

/// Writes the change down, then calls `make_it`, which returns a Result<void>. On failure neither
/// stands.
template <typename Make>
Result<void> make_journalled(Journal& journal, const Change& change, Make make_it) {
  auto id = journal.record(change);
  if (!id) return std::unexpected(id.error());
  Result<void> made_it = make_it();
  if (made_it) return {};
  static_cast<void>(journal.strike(*id));  // at worst undone once more at the next start
  return made_it;
}

}  // namespace tw::node
