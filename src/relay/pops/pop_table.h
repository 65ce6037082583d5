// All PoPs of a relay. New settings change the PoPs that stay, make those that are new, and end
// those that have gone; an id of a PoP that has gone finds no PoP, and still has its name.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "relay/pops/pop.h"
#include "relay/pops/pop_id.h"
#include "relay/settings.h"
#include "wire/address.h"

namespace tw::relay {

class PopTable {
 public:
  PopTable() = default;
  PopTable(const PopTable&) = delete;
  PopTable& operator=(const PopTable&) = delete;

  /// Follows settings.pops, by their names. Returns the PoPs that are new: nobody watches their
  /// legs yet.
  std::vector<Pop*> apply(const RelaySettings& settings);

  /// Returns the PoP, which lives until the next apply(); null if the settings have it no more.
  Pop* find(PopId id) const noexcept { return entries_[std::to_underlying(id)].pop.get(); }
  Pop* find(std::optional<PopId> id) const noexcept { return id ? find(*id) : nullptr; }
  /// Returns the PoP that has this overlay address; null if none has.
  Pop* at(const IpAddress& overlay_address) const noexcept;
  /// Returns the PoP at this place of settings.pops, of which Admission speaks.
  Pop& in_place(std::size_t place) const noexcept { return *by_place_[place]; }
  /// Returns the name, of a PoP that has gone as well. Valid while the table lives.
  std::string_view name_of(PopId id) const noexcept {
    return entries_[std::to_underlying(id)].name;
  }

  std::size_t size() const noexcept { return by_place_.size(); }
  /// In the order of settings.pops.
  auto begin() const noexcept { return by_place_.begin(); }
  auto end() const noexcept { return by_place_.end(); }

 private:
  // A name is kept as long as the relay lives, so that an id means the same PoP for ever: there are
  // as many as an operator has written.
  struct Entry {
    std::string name;
    std::unique_ptr<Pop> pop;  // null: the settings have it no more
  };
  PopId id_of(const std::string& name);

  std::deque<Entry> entries_;   // by PopId
  std::vector<Pop*> by_place_;  // of settings.pops
};

}  // namespace tw::relay
