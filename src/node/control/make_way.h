// Chooses the connection that ends when there is no place left: one of the owner that has most. So
// an owner who opens ever more connections loses his own, and nobody else theirs.
#pragma once

#include <algorithm>
#include <functional>
#include <tuple>

namespace tw::node {

/// An iterator to one of `connections`, which are some: of the owner who has most of them, the one
/// whose `rank` is least. `owner` and `rank` take an element. Costs the square of their number.
template <typename Connections, typename Owner, typename Rank>
auto who_makes_way(Connections& connections, Owner owner, Rank rank) {
  const auto order = [&](const auto& connection) {
    const auto of_its_owner = std::ranges::count_if(connections, [&](const auto& other) {
      return std::invoke(owner, other) == std::invoke(owner, connection);
    });
    return std::tuple{-of_its_owner, std::invoke(rank, connection)};
  };
  return std::ranges::min_element(connections, {}, order);
}

}  // namespace tw::node
