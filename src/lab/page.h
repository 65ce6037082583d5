// Report pages that the build has put into the program (cmake/embed.cmake), so that one binary is
// all that has to be there.
#pragma once

#include <string_view>

namespace tw::lab {

/// web/demo.html with the plotting library inlined; @REPORT@ stands where the data belongs.
std::string_view demo_page() noexcept;

}  // namespace tw::lab
