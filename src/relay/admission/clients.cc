#include "relay/admission/clients.h"

#include <algorithm>
#include <climits>
#include <cstdint>

namespace tw::relay {

void Clients::apply(ConnectionTable& table) {
  memory_.set_limits(settings_.limits.buffer_bytes, settings_.limits.buffer_bytes_per_client);
  principals_ = settings_.principals;
  memory_.set_principals(principals_);
  counts_.clear();
  table.for_each([&](ConnectionId /*id*/, const Connection& connection) {
    if (!connection.is_leg()) counts_.add(principal_of(connection.peer().address));
  });
  if (!settings_.client_start.enabled) rates_ = std::make_shared<ClientRates>();
}

void Clients::add(const Principal& client, const ClientKey& key, ConnectionId id) {
  counts_.add(client);
  index_.insert(key, id);
}

void Clients::remove(const Connection& connection, ConnectionId id) noexcept {
  counts_.remove(principal_of(connection.client().address));
  const ClientKey key{connection.client(), connection.target()};
  // The client may have come back from the same port meanwhile: that one stays.
  if (index_.find(key) == id) index_.erase(key);
}

void Clients::share_memory(Connection& connection) noexcept {
  const std::uint64_t most = 2 * std::uint64_t{settings_.turbo.socket_buffer_bytes};
  connection.share(memory_, static_cast<std::uint32_t>(std::min<std::uint64_t>(most, INT_MAX)),
                   settings_.resumer);
}

void Clients::start(Connection& connection) {
  const ClientStartSettings& wanted = settings_.client_start;
  if (!wanted.enabled || settings_.resumer == nullptr) return;
  connection.starts().start_client(ClientStart{rates_, principal_of(connection.client().address),
                                               connection.socket(Side::front), wanted,
                                               *settings_.resumer});
}

ClientStartCounters Clients::start_counters(Instant now) const noexcept {
  return {.enabled = settings_.client_start.enabled,
          .possible = settings_.resumer != nullptr,
          .known = rates_->known(now),
          .starts = rates_->starts()};
}

}  // namespace tw::relay
