#include "lab/bed/link_command.h"

#include <fmt/format.h>

#include <charconv>
#include <string_view>
#include <utility>

namespace tw::lab {
namespace {

constexpr std::size_t fixed_words = 7;

std::unexpected<Error> refused(std::string words) {
  return make_error(Error::Kind::config, std::move(words));
}

Result<std::uint64_t> parse_number(std::string_view word) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc{} || end != word.data() + word.size() || value > 1'000'000'000) {
    return refused(fmt::format("{}: not a number", word));
  }
  return value;
}

Result<void> set_hold(LinkSettings& settings, std::string_view range) {
  const std::size_t dash = range.find('-');
  const auto least = parse_number(range.substr(0, dash));
  const auto most = parse_number(dash == std::string_view::npos ? "" : range.substr(dash + 1));
  if (!least || !most || *least == 0 || *most < *least) {
    return refused(fmt::format("{}: not LEAST-MOST", range));
  }
  settings.least_hold = std::chrono::microseconds{*least};
  settings.most_hold = std::chrono::microseconds{*most};
  return {};
}

/// Reads a word without its direction: `loss-ppm=1000`.
Result<void> set_option(LinkSettings& settings, std::string_view word) {
  const std::size_t sign = word.find('=');
  const std::string_view name = word.substr(0, sign);
  const std::string_view value = sign == std::string_view::npos ? "" : word.substr(sign + 1);
  if (name == "hold-us") return set_hold(settings, value);
  const auto number = parse_number(value);
  if (!number) return std::unexpected(number.error());
  if (name == "loss-ppm") {
    settings.loss = static_cast<double>(*number) / 1e6;
  } else if (name == "police-bytes") {
    settings.polices = true;
    settings.queue_bytes = static_cast<std::size_t>(*number);
  } else {
    return refused(fmt::format("{}: no such option", name));
  }
  return {};
}

Result<void> set_option(LinkCommand& command, std::string_view word) {
  constexpr std::string_view then = "--then-mbps=", onward = "--onward-", back = "--back-";
  if (word.starts_with(onward))
    return set_option(command.directions.onward, word.substr(onward.size()));
  if (word.starts_with(back)) return set_option(command.directions.back, word.substr(back.size()));
  if (!word.starts_with(then)) return refused(fmt::format("{}: no such option", word));
  const auto rate_mbps = parse_number(word.substr(then.size()));
  if (!rate_mbps || *rate_mbps == 0) return refused("--then-mbps: a rate");
  command.then_bps = *rate_mbps * 1'000'000;
  command.directions.onward.most_rate_bps = command.directions.back.most_rate_bps =
      command.then_bps;
  return {};
}

}  // namespace

Result<LinkCommand> LinkCommand::parse(const std::vector<std::string>& words) {
  if (words.size() < fixed_words) return refused("seven words, then options");
  const auto rate_mbps = parse_number(words[4]);
  const auto rtt_us = parse_number(words[5]);
  const auto queue_ms = parse_number(words[6]);
  if (!rate_mbps || !rtt_us || !queue_ms) return refused("RATE_MBPS, RTT_US, QUEUE_MS: numbers");
  LinkSettings settings{.delay = std::chrono::microseconds{*rtt_us / 2},
                        .rate_bps = *rate_mbps * 1'000'000};
  settings.queue_bytes = static_cast<std::size_t>(*rate_mbps * *queue_ms * 1000 / 8);
  LinkCommand command{.near_namespace = words[0],
                      .near_device = words[1],
                      .far_namespace = words[2],
                      .far_device = words[3],
                      .directions = {settings, settings}};
  command.directions.back.seed = settings.seed + 1;
  for (std::size_t at = fixed_words; at < words.size(); ++at) {
    if (auto set = set_option(command, words[at]); !set) return std::unexpected(set.error());
  }
  return command;
}

}  // namespace tw::lab
