// Figures as people read them.
#pragma once

#include <cstdint>
#include <string>

#include "base/time.h"

namespace tw::lab {

/// "10 KB": decimal, as in the paper.
std::string size_text(std::uint64_t bytes);

/// "40 s", "12 min", "2.5 h"; at least a second.
std::string duration_text(Duration time);

}  // namespace tw::lab
