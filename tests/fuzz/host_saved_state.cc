// link: tw_host
// covers: host/state/saved_state.cc
// A file of saved settings of any text, as `thalweg host revert` finds it. What is believed comes
// back from its own text, names no device or setting that is not written in it, and holds only
// values that the settings can have: revert writes them as root.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "host/state/saved_state.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace tw::host;  // NOLINT(google-build-using-namespace)
  const std::string_view text{reinterpret_cast<const char*>(bytes), size};
  const auto state = state_of(text);
  if (!state) {
    TW_ASSERT(!state.error().text().empty());
    return 0;
  }
  for (const SavedDevice& device : state->devices) {
    TW_ASSERT(device.index != 0 && !device.name.empty());
    TW_ASSERT(device.name.find('/') == std::string::npos && device.name != "..");
    TW_ASSERT(device.where.empty() || device.where.front() == '/');
  }
  for (const SavedSetting& saved : state->settings) {
    const Setting& setting = setting_of(saved.key.kind);
    TW_ASSERT(setting.of_device() == saved.device.has_value());
    TW_ASSERT(!saved.device || *saved.device < state->devices.size());
    TW_ASSERT(setting.is_value(saved.value));
    TW_ASSERT(!saved.before || setting.is_value(*saved.before));
    TW_ASSERT(saved.value.find_first_of("\n\t/") == std::string::npos);
  }
  // One spelling: what is accepted is what we would have written.
  const auto again = to_text(*state);
  TW_ASSERT(again && *again == text);
  return 0;
}
