// Finds a client's connection by its 4-tuple: the SYN and the accepted socket of one connection
// come by different ways, in either order, and meet here (KTCP, section 4.1). Open addressing in
// one array, which grows to the most there ever were: an insertion allocates nothing otherwise.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "relay/stream/connection_table.h"
#include "wire/address.h"

namespace tw::relay {

struct ClientKey {
  Endpoint client, target;
  friend bool operator==(const ClientKey&, const ClientKey&) noexcept = default;
};

class ClientIndex {
 public:
  ClientIndex();

  std::optional<ConnectionId> find(const ClientKey& key) const noexcept;
  /// Not if it is there already.
  void insert(const ClientKey& key, ConnectionId id);
  /// False if it was not there.
  bool erase(const ClientKey& key) noexcept;
  void clear() noexcept;
  std::size_t size() const noexcept { return size_; }

 private:
  struct Slot {
    ClientKey key;
    ConnectionId id;  // generation 0: free
  };
  std::size_t home_of(const ClientKey& key) const noexcept;
  std::size_t place_of(const ClientKey& key) const noexcept;
  void grow();

  std::vector<Slot> slots_;  // a power of two, at most three quarters full
  std::size_t size_ = 0;
};

}  // namespace tw::relay
