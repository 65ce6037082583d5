// Figures as people read them.
#pragma once

#include <cstdint>
#include <string>

namespace tw::lab {

/// "10 KB": decimal, as in the paper.
std::string size_text(std::uint64_t bytes);

}  // namespace tw::lab
