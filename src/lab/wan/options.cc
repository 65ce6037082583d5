#include <fmt/format.h>

#include <charconv>
#include <string_view>

#include "lab/wan/wan.h"

namespace tw::lab {
namespace {

constexpr std::array<std::string_view, 3> link_names{"client", "middle", "server"};
constexpr double most_loss_percent = 50;

std::unexpected<Error> refused(std::string text) {
  return make_error(Error::Kind::config, std::move(text));
}

Result<void> parse_loss_of_link(std::string_view text, std::array<double, 3>& loss) {
  const std::size_t equals = text.find('=');
  const std::string_view name = text.substr(0, equals);
  for (std::size_t link = 0; link < link_names.size(); ++link) {
    if (equals == std::string_view::npos || name != link_names[link]) continue;
    std::string_view number = text.substr(equals + 1);
    if (number.ends_with('%')) number.remove_suffix(1);
    double percent = 0;
    const auto [end, error] =
        std::from_chars(number.data(), number.data() + number.size(), percent);
    const bool read = error == std::errc{} && end == number.data() + number.size();
    const bool possible = percent >= 0 && percent <= most_loss_percent;  // "nan" is not
    if (!read || !possible) {
      return refused(fmt::format("\"{}\": write a percentage from 0 to 50", text));
    }
    loss[link] = percent / 100;
    return {};
  }
  return refused(
      fmt::format("\"{}\": write LINK=PERCENT, where LINK is client, middle or server", text));
}

}  // namespace

Result<void> parse_loss(const std::string& text, std::array<double, 3>& loss) {
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    auto read = parse_loss_of_link(std::string_view{text}.substr(begin, end - begin), loss);
    if (!read) return read;
    begin = end + 1;
  }
  return {};
}

TopologyShape shape_of(const WanOptions& options) {
  TopologyShape shape;
  std::size_t index = 0;
  for (LinkShape* link : {&shape.client_rc, &shape.rc_rs, &shape.rs_server}) {
    link->rtt = std::chrono::duration_cast<Duration>(
        std::chrono::duration<double, std::milli>{options.rtt_ms[index]});
    link->rate_bps = options.rate_bps[index];
    link->loss = options.loss[index];
    link->seed = options.seed + index;
    if (const std::uint64_t bytes = options.queue_bytes[index]; bytes > 0 && link->rate_bps > 0) {
      const double seconds = static_cast<double>(bytes) * 8 / static_cast<double>(link->rate_bps);
      link->queue = std::chrono::duration_cast<Duration>(std::chrono::duration<double>{seconds});
    }
    ++index;
  }
  shape.congestion = options.congestion.ends;
  shape.pop_congestion = options.congestion.pops;
  return shape;
}

}  // namespace tw::lab
