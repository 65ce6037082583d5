#include "host/settings/file_setting.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>

#include "base/cpu_list.h"
#include "base/unique_fd.h"

namespace tw::host {
namespace {

constexpr std::size_t most_figures = 19, longest_word = 64;
constexpr std::size_t longest_mask = most_cpus / 4 * 9 / 8;  // figures and commas

bool is_word(std::string_view text) noexcept {
  return !text.empty() && text.size() <= longest_word && std::ranges::all_of(text, [](char letter) {
    return std::isalnum(static_cast<unsigned char>(letter)) != 0 || letter == '_';
  });
}

bool is_mask(std::string_view text) noexcept {
  return !text.empty() && text.size() <= longest_mask &&
         text.find_first_not_of("0123456789abcdef,") == std::string_view::npos;
}

bool is_cpus(std::string_view text) noexcept {
  const auto cpus = cpus_of(text);
  return cpus && !cpus->empty();
}

bool is_switch(std::string_view text) noexcept { return text == "0" || text == "1"; }

std::string folder_of(const DevicePlace& place) { return place.sysfs + "/class/net/" + place.name; }

}  // namespace

const FileSetting device_threaded_setting{
    {.name = "threaded",
     .of_device = true,
     .label = [](const SettingKey&) { return std::string{"threaded, of all NAPIs"}; },
     .path = [](const DevicePlace& place,
                const SettingKey&) { return folder_of(place) + "/threaded"; },
     .is_value = is_number}};

const FileSetting rps_setting{
    {.name = "rps",
     .of_device = true,
     .label =
         [](const SettingKey& key) { return fmt::format("RPS of receive queue {}", key.index); },
     .path =
         [](const DevicePlace& place, const SettingKey& key) {
           return fmt::format("{}/queues/rx-{}/rps_cpus", folder_of(place), key.index);
         },
     .is_value = is_mask,
     // "00000000,00000000" is written as "0", and must be read as that.
     .as_written =
         [](std::string mask) {
           const bool none = mask.find_first_not_of("0,") == std::string::npos;
           return none ? "0" : std::move(mask);
         }}};

const FileSetting irq_affinity_setting{
    {.name = "irq_affinity",
     .of_device = false,
     .label = [](const SettingKey& key) { return fmt::format("CPUs of interrupt {}", key.index); },
     .path =
         [](const DevicePlace&, const SettingKey& key) {
           return fmt::format("/proc/irq/{}/smp_affinity_list", key.index);
         },
     .is_value = is_cpus}};

const FileSetting governor_setting{
    {.name = "governor",
     .of_device = false,
     .label =
         [](const SettingKey& key) {
           return fmt::format("frequency governor of CPU {}", key.index);
         },
     .path =
         [](const DevicePlace&, const SettingKey& key) {
           return fmt::format("{}/cpu{}/cpufreq/scaling_governor", cpu_folder, key.index);
         },
     .is_value = is_word}};

const FileSetting idle_state_setting{
    {.name = "idle_state",
     .of_device = false,
     .label =
         [](const SettingKey& key) {
           return fmt::format("idle state {} of CPU {} disabled", key.sub, key.index);
         },
     .path =
         [](const DevicePlace&, const SettingKey& key) {
           return fmt::format("{}/cpu{}/cpuidle/state{}/disable", cpu_folder, key.index, key.sub);
         },
     .is_value = is_switch}};

Result<std::optional<std::string>> FileSetting::read(const DevicePlace& place,
                                                     const SettingKey& key) const {
  auto line = read_line(shape_.path(place, key));
  if (line && shape_.as_written != nullptr) line = shape_.as_written(*std::move(line));
  return line;
}

Result<void> FileSetting::write(const DevicePlace& place, const SettingKey& key,
                                const std::string& value) const {
  const std::string path = shape_.path(place, key);
  const std::string doing = fmt::format("write {} to {}", value, path);
  const UniqueFd file{::open(path.c_str(), O_WRONLY | O_CLOEXEC)};
  if (!file || ::write(file.get(), value.data(), value.size()) < 0) return system_error(doing);
  return {};
}

bool is_number(std::string_view text) noexcept {
  return !text.empty() && text.size() <= most_figures &&
         text.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace tw::host
