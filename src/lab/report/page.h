// Report pages that the build has put into the program (cmake/embed.cmake), so that one binary is
// all that has to be there.
#pragma once

#include <string>
#include <string_view>

namespace tw::lab {

/// web/demo.html with all that it needs inlined; @REPORT@ stands where the data belongs.
std::string_view demo_page() noexcept;
/// web/wan.html, likewise.
std::string_view wan_page() noexcept;

/// web/experiment.html, the page of every experiment that has none of its own.
std::string_view experiment_page() noexcept;

/// The page with `report`, JSON on one line, in its place: nothing in it can end the script
/// element.
std::string fill_page(std::string_view page, std::string_view report);

}  // namespace tw::lab
