#include "lab/report/page.h"

namespace tw::lab {

std::string fill_page(std::string_view page, std::string_view report) {
  constexpr std::string_view marker = "@REPORT@";
  const std::size_t at = page.find(marker);
  if (at == std::string_view::npos) return std::string{page};
  // Inside a script element nothing in the data may look like its end.
  std::string json;
  for (const char character : report) {
    if (character == '<') {
      json += "\\u003c";
    } else {
      json += character;
    }
  }
  std::string result{page.substr(0, at)};
  result += json;
  result += page.substr(at + marker.size());
  return result;
}

}  // namespace tw::lab
