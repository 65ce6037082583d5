// Settings of one NAPI, by netdev netlink, and of the kernel thread that runs it.
#pragma once

#include "host/settings/file_setting.h"

namespace tw::host {

/// A number that netdev netlink reads and sets.
class NapiNumberSetting final : public Setting {
 public:
  constexpr NapiNumberSetting(std::string_view name, std::string_view words,
                              NapiAttribute attribute) noexcept
      : name_(name), words_(words), attribute_(attribute) {}
  std::string_view name() const noexcept override { return name_; }
  std::string label(const SettingKey& key) const override;
  Result<std::optional<std::string>> read(const DevicePlace& place,
                                          const SettingKey& key) const override;
  Result<void> write(const DevicePlace& place, const SettingKey& key,
                     const std::string& value) const override;
  bool is_value(std::string_view value) const noexcept override { return is_number(value); }

 private:
  std::string_view name_, words_;
  NapiAttribute attribute_;
};

/// Priority and CPUs of the thread; it is there while the NAPI is threaded.
class NapiThreadSetting final : public Setting {
 public:
  std::string_view name() const noexcept override { return "napi_thread"; }
  std::string label(const SettingKey& key) const override;
  Result<std::optional<std::string>> read(const DevicePlace& place,
                                          const SettingKey& key) const override;
  Result<void> write(const DevicePlace& place, const SettingKey& key,
                     const std::string& value) const override;
  bool is_value(std::string_view value) const noexcept override;
};

/// The number that a NAPI has for an attribute; empty if the kernel does not say.
std::optional<std::uint64_t> number_of(const NapiState& napi, NapiAttribute attribute) noexcept;

}  // namespace tw::host
