// Makes a plan so, all of it or nothing; says what stands of it; and puts everything back.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "host/plan/plan.h"
#include "host/state/saved_state.h"
#include "host/state/setting_access.h"

namespace tw::host {

/// Writes the state down, on disk when it returns.
using Store = std::function<Result<void>(const SavedState&)>;

struct DevicePlan {
  SavedDevice device;
  Plan plan;
};

struct Done {
  std::vector<std::string> changed;   ///< for people: "va: GRO: off -> on"
  std::vector<std::string> left_out;  ///< refused by a driver that may
};

/// Sets what the plans want and `state` does not have already. What is to change is stored, with
/// what was there before, ahead of the first change. Settings of an earlier call on the same device
/// that are not wanted any more are put back. On failure everything is as before the call, the
/// stored state too; if even that fails, the error says so and the state names all that was
/// changed.
Result<Done> apply(const std::vector<DevicePlan>& plans, SavedState state, SettingAccess& access,
                   const Store& store);

/// The present state of one setting that was written down.
struct Standing {
  enum class Is : std::uint8_t { in_place, drifted, gone };
  const SavedSetting* saved = nullptr;
  const SavedDevice* device = nullptr;  ///< null: of the machine
  Is is = Is::in_place;
  std::optional<std::string> now{};
};

/// Pointers are into `state`.
Result<std::vector<Standing>> standing_of(const SavedState& state, SettingAccess& access);

struct Reverted {
  std::vector<std::string> undone;    ///< for people: "va: GRO: on -> off"
  std::vector<std::string> gone;      ///< devices that are no more, by name
  std::vector<std::string> failures;  ///< these settings stay written down
};

/// Puts back what was there before, latest first, whoever has changed it since; goes on past
/// failures, and stores what is left.
Result<Reverted> revert(const SavedState& state, SettingAccess& access, const Store& store);

}  // namespace tw::host
