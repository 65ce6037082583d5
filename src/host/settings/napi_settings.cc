#include "host/settings/napi_settings.h"

#include <fmt/format.h>

#include <cerrno>
#include <charconv>

#include "host/settings/thread_policy.h"

namespace tw::host {
namespace {

Result<std::optional<NapiState>> napi_of(const DevicePlace& place, const SettingKey& key) {
  if (place.netlink == nullptr) return std::nullopt;
  auto napis = place.netlink->napis(place.index);
  if (!napis) return std::unexpected(napis.error());
  if (key.index >= napis->size()) return std::nullopt;
  return (*napis)[key.index];
}

Result<NapiState> napi_to_set(const DevicePlace& place, const SettingKey& key) {
  auto napi = napi_of(place, key);
  if (!napi) return std::unexpected(napi.error());
  if (*napi) return **napi;
  return make_error(Error::Kind::unavailable,
                    fmt::format("{} has no NAPI {}: is it down?", place.name, key.index));
}

}  // namespace

std::optional<std::uint64_t> number_of(const NapiState& napi, NapiAttribute attribute) noexcept {
  switch (attribute) {
    case NapiAttribute::defer_hard_irqs:
      return napi.defer_hard_irqs;
    case NapiAttribute::gro_flush_timeout:
      return napi.gro_flush_timeout;
    case NapiAttribute::irq_suspend_timeout:
      return napi.irq_suspend_timeout;
    case NapiAttribute::threaded:
      return napi.threaded;
  }
  return {};
}

std::string NapiNumberSetting::label(const SettingKey& key) const {
  return fmt::format("{} of NAPI {}", words_, key.index);
}

Result<std::optional<std::string>> NapiNumberSetting::read(const DevicePlace& place,
                                                           const SettingKey& key) const {
  const auto napi = napi_of(place, key);
  if (!napi) return std::unexpected(napi.error());
  if (!*napi) return std::nullopt;
  const auto number = number_of(**napi, attribute_);
  if (!number) return std::nullopt;
  return std::to_string(*number);
}

Result<void> NapiNumberSetting::write(const DevicePlace& place, const SettingKey& key,
                                      const std::string& value) const {
  const auto napi = napi_to_set(place, key);
  if (!napi) return std::unexpected(napi.error());
  std::uint64_t number = 0;
  std::from_chars(value.data(), value.data() + value.size(), number);
  auto set = place.netlink->set(napi->id, attribute_, number);
  if (!set)
    return in_context(fmt::format("{}: {} = {}", place.name, label(key), value), set.error());
  return {};
}

std::string NapiThreadSetting::label(const SettingKey& key) const {
  return fmt::format("thread of NAPI {}", key.index);
}

Result<std::optional<std::string>> NapiThreadSetting::read(const DevicePlace& place,
                                                           const SettingKey& key) const {
  const auto napi = napi_of(place, key);
  if (!napi) return std::unexpected(napi.error());
  if (!*napi || (*napi)->thread_pid == 0 || !is_napi_thread((*napi)->thread_pid)) {
    return std::nullopt;
  }
  const auto policy = read_policy(static_cast<pid_t>((*napi)->thread_pid));
  if (policy) return to_text(*policy);
  if (policy.error().os_errno == ESRCH) return std::nullopt;
  return std::unexpected(policy.error());
}

Result<void> NapiThreadSetting::write(const DevicePlace& place, const SettingKey& key,
                                      const std::string& value) const {
  const auto napi = napi_to_set(place, key);
  if (!napi) return std::unexpected(napi.error());
  const auto policy = thread_policy_of(value);
  if (!policy) {
    return make_error(Error::Kind::config, "\"" + value + "\" is no scheduling of a thread");
  }
  if (napi->thread_pid == 0 || !is_napi_thread(napi->thread_pid)) {
    return make_error(Error::Kind::unavailable,
                      fmt::format("{}: the thread of NAPI {} cannot be seen: run this in the "
                                  "host's pid namespace, not in a container's",
                                  place.name, key.index));
  }
  return write_policy(static_cast<pid_t>(napi->thread_pid), *policy);
}

bool NapiThreadSetting::is_value(std::string_view value) const noexcept {
  return thread_policy_of(value).has_value();
}

}  // namespace tw::host
