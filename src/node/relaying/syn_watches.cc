#include "node/relaying/syn_watches.h"

#include <net/if.h>

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace tw::node {
namespace {

// Strangers of all devices together get half of what the relay would take of all its clients: the
// other half is left to those who are known, and to the tunnel's.
SynWatchBudget budget_of(const relay::EarlySynSettings& settings, std::size_t devices) noexcept {
  const auto share = [devices](std::uint32_t total) {
    return static_cast<std::uint32_t>(std::max<std::size_t>(total / (2 * devices), 1));
  };
  return {.source_rate = settings.per_source_rate,
          .source_burst = settings.per_source_burst,
          .known_rate = settings.total_rate,
          .known_burst = settings.total_burst,
          .strangers_rate = share(settings.total_rate),
          .strangers_burst = share(settings.total_burst)};
}

}  // namespace

class SynWatches::Watch final : public relay::SynSource {
 public:
  static Result<std::unique_ptr<Watch>> open(const std::string& device,
                                             const SynWatchBudget& budget) {
    const auto index = static_cast<int>(::if_nametoindex(device.c_str()));
    if (index == 0) return system_error("find the device");
    Result<SynWatch> watch = SynWatch::load(budget);
    if (!watch) return std::unexpected(watch.error());
    if (Result<void> attached = watch->attach(index); !attached) {
      return std::unexpected(attached.error());
    }
    return std::make_unique<Watch>(device, index, std::move(*watch));
  }
  Watch(std::string device, int device_index, SynWatch watch)
      : device_(std::move(device)), device_index_(device_index), watch_(std::move(watch)) {}

  bool pop(SynReport& syn) noexcept override { return watch_.pop(syn); }
  bool arm() noexcept override { return watch_.arm(); }
  void disarm() noexcept override { watch_.disarm(); }
  void remember(const IpAddress& client) noexcept override { watch_.remember(client); }
  int fd() const noexcept override { return watch_.fd(); }
  int device_index() const noexcept override { return device_index_; }

  void set_budget(const SynWatchBudget& budget) noexcept { watch_.set_budget(budget); }
  SynWatchStatus status() const {
    return {.device = device_, .counters = watch_.counters().value_or(SynWatchCounters{})};
  }

 private:
  std::string device_;
  int device_index_;
  SynWatch watch_;
};

SynWatches::SynWatches() = default;
SynWatches::~SynWatches() = default;

void SynWatches::open(const relay::RelaySettings& settings) {
  close();
  if (!settings.early_syn.enabled) return;
  is_open_ = true;
  devices_ = settings.client_devices.size();
  for (const std::string& device : settings.client_devices) {
    Result<std::unique_ptr<Watch>> watch =
        Watch::open(device, budget_of(settings.early_syn, devices_));
    if (watch) {
      watches_.push_back(std::move(*watch));
      continue;
    }
    log::warning("no early SYN for the clients of {}, who wait for their handshakes: {}", device,
                 watch.error().text());
  }
}

void SynWatches::set_budget(const relay::EarlySynSettings& settings) noexcept {
  for (const auto& watch : watches_) watch->set_budget(budget_of(settings, devices_));
}

void SynWatches::close() noexcept {
  watches_.clear();
  is_open_ = false;
}

std::vector<relay::SynSource*> SynWatches::sources() const {
  std::vector<relay::SynSource*> sources;
  sources.reserve(watches_.size());
  for (const auto& watch : watches_) sources.push_back(watch.get());
  return sources;
}

std::vector<SynWatchStatus> SynWatches::status() const {
  std::vector<SynWatchStatus> status;
  status.reserve(watches_.size());
  for (const auto& watch : watches_) status.push_back(watch->status());
  return status;
}

}  // namespace tw::node
