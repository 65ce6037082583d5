#include "host/state/saved_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

namespace tw::host {
namespace {

constexpr std::string_view head = "thalweg-host\t1\t";
constexpr std::string_view last = "end";
constexpr std::string_view none = "-";
constexpr std::size_t longest_name = 15, longest_path = 4096, longest_boot = 64;

bool is_printable(std::string_view text) noexcept {
  return std::ranges::none_of(text, [](char letter) {
    return static_cast<unsigned char>(letter) < ' ' || letter == '\x7f';
  });
}

std::vector<std::string_view> fields_of(std::string_view line) {
  std::vector<std::string_view> fields;
  for (std::size_t tab = 0; (tab = line.find('\t')) != std::string_view::npos;) {
    fields.push_back(line.substr(0, tab));
    line.remove_prefix(tab + 1);
  }
  fields.push_back(line);
  return fields;
}

template <typename Number>
std::optional<Number> number_of(std::string_view text) {
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  // One spelling each: "007" was not written by us.
  const bool is_padded = text.size() > 1 && text.front() == '0';
  if (error != std::errc{} || end != text.data() + text.size() || is_padded) return {};
  return number;
}

bool is_name(std::string_view name) noexcept {
  return !name.empty() && name.size() <= longest_name && name != "." && name != ".." &&
         name.find('/') == std::string_view::npos && is_printable(name);
}

std::optional<SavedDevice> device_of(const std::vector<std::string_view>& fields) {
  if (fields.size() != 7) return {};
  const auto netns = number_of<std::uint64_t>(fields[1]);
  const auto index = number_of<std::uint32_t>(fields[2]);
  const std::string_view where = fields[4];
  const bool is_path = where == none || (where.starts_with('/') && where.size() <= longest_path &&
                                         is_printable(where));
  const auto uid = number_of<std::uint32_t>(fields[5]);
  const auto seconds = number_of<std::uint64_t>(fields[6]);
  if (!netns || !index || *index == 0 || !is_name(fields[3]) || !is_path) return {};
  if (!uid || !seconds) return {};
  return SavedDevice{
      *netns, *index,  std::string{fields[3]}, where == none ? "" : std::string{where},
      *uid,   *seconds};
}

std::optional<SavedSetting> setting_line(const std::vector<std::string_view>& fields,
                                         std::size_t devices) {
  if (fields.size() != 7) return {};
  const auto kind = kind_named(fields[1]);
  const auto index = number_of<std::uint32_t>(fields[3]);
  const auto sub = number_of<std::uint32_t>(fields[4]);
  if (!kind || !index || !sub) return {};
  const Setting& setting = setting_of(*kind);
  SavedSetting saved{
      .key = {*kind, *index, *sub}, .device = {}, .before = {}, .value = std::string{fields[6]}};
  if (setting.of_device() != (fields[2] != none)) return {};
  if (fields[2] != none) {
    saved.device = number_of<std::uint32_t>(fields[2]);
    if (!saved.device || *saved.device >= devices) return {};
  }
  if (fields[5] != none) saved.before = std::string{fields[5]};
  if (saved.before && !setting.is_value(*saved.before)) return {};
  if (!setting.is_value(saved.value)) return {};
  return saved;
}

/// Reads the lines between the first and the last; returns the number of the first bad one, or 0.
std::size_t read_lines(std::string_view text, SavedState& state) {
  std::set<std::pair<std::optional<std::uint32_t>, SettingKey>> seen;
  std::size_t number = 1;
  for (std::size_t end = 0; (end = text.find('\n')) != std::string_view::npos;) {
    ++number;
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    if (line == last) return text.empty() ? 0 : number + 1;
    const auto fields = fields_of(line);
    if (fields[0] == "device") {
      auto device = device_of(fields);
      if (!device) return number;
      state.devices.push_back(std::move(*device));
    } else if (fields[0] == "set") {
      auto setting = setting_line(fields, state.devices.size());
      if (!setting || !seen.emplace(setting->device, setting->key).second) return number;
      state.settings.push_back(std::move(*setting));
    } else {
      return number;
    }
  }
  return number + 1;
}

}  // namespace

std::optional<std::string> to_text(const SavedState& state) {
  std::string text = fmt::format("{}{}\n", head, state.boot);
  for (const SavedDevice& device : state.devices) {
    if (!is_name(device.name) || !is_printable(device.where)) return {};
    text += fmt::format("device\t{}\t{}\t{}\t{}\t{}\t{}\n", device.netns, device.index, device.name,
                        device.where.empty() ? none : std::string_view{device.where}, device.uid,
                        device.seconds);
  }
  for (const SavedSetting& saved : state.settings) {
    const Setting& setting = setting_of(saved.key.kind);
    if (!setting.is_value(saved.value)) return {};
    if (saved.before && !setting.is_value(*saved.before)) return {};
    text += fmt::format("set\t{}\t{}\t{}\t{}\t{}\t{}\n", setting.name(),
                        saved.device ? std::to_string(*saved.device) : std::string{none},
                        saved.key.index, saved.key.sub, saved.before.value_or(std::string{none}),
                        saved.value);
  }
  return text + std::string{last} + "\n";
}

Result<SavedState> state_of(std::string_view text) {
  const auto damaged = [](std::size_t line) {
    return make_error(Error::Kind::config, fmt::format("line {} is none of Thalweg's", line));
  };
  const std::size_t end = text.find('\n');
  if (!text.starts_with(head) || end == std::string_view::npos) return damaged(1);
  SavedState state;
  state.boot = std::string{text.substr(head.size(), end - head.size())};
  if (state.boot.size() > longest_boot || !is_printable(state.boot)) return damaged(1);
  const std::size_t bad = read_lines(text.substr(end + 1), state);
  if (bad != 0) return damaged(bad);
  return state;
}

Result<std::string> boot_id() {
  const auto id = read_line("/proc/sys/kernel/random/boot_id");
  if (id) return *id;
  return system_error("read the boot id of this machine");
}

}  // namespace tw::host
