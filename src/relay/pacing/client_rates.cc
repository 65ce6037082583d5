#include "relay/pacing/client_rates.h"

#include <algorithm>

namespace tw::relay {
namespace {

constexpr std::uint64_t few_bytes = 6000;  // retransmitted by chance
constexpr std::uint64_t tolerated = 50;    // a loss in so many bytes: radio links lose as much
constexpr double after_loss = 0.7;
constexpr double confirms_from = 0.85;
constexpr std::uint64_t smallest_part = 4;  // of what is known: less is not worth a start

std::uint64_t scale(std::uint64_t bps, double factor) noexcept {
  return static_cast<std::uint64_t>(static_cast<double>(bps) * factor);
}

}  // namespace

ClientRates::Client* ClientRates::remember(const Principal& client, Instant now) {
  if (const auto found = clients_.find(client); found != clients_.end()) return &found->second;
  if (clients_.size() >= most_clients) {
    std::erase_if(clients_, [now](const auto& entry) { return !is_fresh(entry.second, now); });
  }
  return clients_.size() < most_clients ? &clients_[client] : nullptr;
}

void ClientRates::learn(const Principal& client, const Stretch& stretch, Instant now) {
  const bool lossy = stretch.retransmitted_bytes > few_bytes &&
                     stretch.retransmitted_bytes > stretch.sent_bytes / tolerated;
  const auto found = clients_.find(client);
  // Another download that goes on says so again soon.
  if (found != clients_.end() && stretch.ends) found->second.busy_until = now;
  if (lossy) {
    if (found == clients_.end() || now < found->second.lowered_again) return;
    Client& known = found->second;
    // Connections that lose together see the same loss.
    known.lowered_again = now + stretch.rtt;
    known.bps =
        scale(std::min(known.bps, std::max(stretch.delivery_bps, known.bps / 2)), after_loss);
    return;
  }
  if (stretch.delivered_bytes < enough_bytes || stretch.delivery_bps == 0) return;
  Client* const known = remember(client, now);  // `found` is not valid any more
  if (known == nullptr) return;
  const std::uint64_t before = is_fresh(*known, now) ? known->bps : 0;
  // A slower one may have had a slow server or reader: then the faster one is forgotten in time.
  if (stretch.delivery_bps >= scale(before, confirms_from)) known->learned = now;
  known->bps = std::max(before, stretch.delivery_bps);
  if (stretch.goes_on) known->busy_until = now + busy_time;
}

std::uint64_t ClientRates::take(const Principal& client, std::uint64_t cap_bps,
                                Instant now) noexcept {
  const auto found = clients_.find(client);
  if (found == clients_.end() || !is_fresh(found->second, now)) return 0;
  Client& known = found->second;
  const std::uint64_t all = std::min(known.bps, cap_bps);
  const std::uint64_t most = now < known.busy_until ? all / 2 : all;
  const std::uint64_t left = most - std::min(most, known.taken_bps);
  if (left < all / smallest_part) return 0;
  known.taken_bps += left;
  return left;
}

// A client that is not there any more was forgotten meanwhile.
void ClientRates::give_back(const Principal& client, std::uint64_t bps) noexcept {
  const auto found = clients_.find(client);
  if (found == clients_.end()) return;
  found->second.taken_bps -= std::min(found->second.taken_bps, bps);
}

std::size_t ClientRates::known(Instant now) const noexcept {
  return static_cast<std::size_t>(std::ranges::count_if(
      clients_, [now](const auto& entry) { return is_fresh(entry.second, now); }));
}

}  // namespace tw::relay
