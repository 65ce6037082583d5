#include "host/settings/setting.h"

#include <net/if.h>

#include <array>
#include <fstream>

#include "host/settings/file_setting.h"
#include "host/settings/gro_setting.h"
#include "host/settings/napi_settings.h"

namespace tw::host {
namespace {

const GroSetting gro;
const NapiNumberSetting napi_threaded{"napi_threaded", "threaded", NapiAttribute::threaded};
const NapiThreadSetting napi_thread;
const NapiNumberSetting defer_hard_irqs{"defer_hard_irqs", "defer-hard-irqs",
                                        NapiAttribute::defer_hard_irqs};
const NapiNumberSetting gro_flush_timeout{"gro_flush_timeout", "gro-flush-timeout",
                                          NapiAttribute::gro_flush_timeout};
const NapiNumberSetting irq_suspend_timeout{"irq_suspend_timeout", "irq-suspend-timeout",
                                            NapiAttribute::irq_suspend_timeout};

// In the order of Kind.
const std::array<const Setting*, kinds> all{&gro,
                                            &device_threaded_setting,
                                            &napi_threaded,
                                            &napi_thread,
                                            &defer_hard_irqs,
                                            &gro_flush_timeout,
                                            &irq_suspend_timeout,
                                            &rps_setting,
                                            &irq_affinity_setting,
                                            &governor_setting,
                                            &idle_state_setting};

}  // namespace

const Setting& setting_of(Kind kind) noexcept { return *all.at(static_cast<std::size_t>(kind)); }

std::optional<Kind> kind_named(std::string_view name) noexcept {
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i]->name() == name) return static_cast<Kind>(i);
  }
  return {};
}

std::string device_name(std::uint32_t index) {
  std::array<char, IF_NAMESIZE> name{};
  return ::if_indextoname(index, name.data()) == nullptr ? "" : std::string{name.data()};
}

std::optional<std::string> read_line(const std::string& path) {
  std::ifstream file{path};
  std::string line;
  if (!std::getline(file, line)) return {};
  return line;
}

bool is_napi_thread(std::uint32_t pid) {
  const auto name = read_line("/proc/" + std::to_string(pid) + "/comm");
  return name && name->starts_with("napi/");
}

}  // namespace tw::host
