#include "lab/probe/download.h"

#include <fmt/format.h>

#include <charconv>

#include "lab/bed/topology.h"
#include "lab/probe/web_server.h"

namespace tw::lab {
namespace {

/// The number at the front of `text`, which it takes away with the space behind it.
std::optional<double> take_number(std::string_view& text) noexcept {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{}) return {};
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (!text.empty()) text.remove_prefix(1);
  return value;
}

}  // namespace

std::string_view name_of(Path path) noexcept {
  switch (path) {
    case Path::end_to_end:
      return "end-to-end";
    case Path::tunnelled:
      return "tunnelled";
    case Path::relayed:
      return "relayed";
  }
  return "";
}

std::optional<Path> parse_path(std::string_view name) noexcept {
  for (const Path path : all_paths) {
    if (name_of(path) == name) return path;
  }
  return {};
}

const char* service_address(Path path) noexcept {
  switch (path) {
    case Path::end_to_end:
      return address::service_direct;
    case Path::tunnelled:
      return address::service_tunnelled;
    case Path::relayed:
      return address::service_relayed;
  }
  return "";
}

std::optional<Timing> parse_timing(std::string_view printed, std::uint64_t bytes) noexcept {
  const auto code = take_number(printed);
  const auto size = take_number(printed);
  const auto first = take_number(printed);
  const auto total = take_number(printed);
  if (!code || !size || !first || !total) return {};
  if (*code != 200 || *size != static_cast<double>(bytes) || *total < *first) return {};
  return Timing{.ttfb_ms = *first * 1e3, .total_ms = *total * 1e3};
}

Command download_command(const Namespace& client, const Request& request) {
  Command command{
      .argv = {"curl", "--silent", "--show-error", "--noproxy", "*", "--max-time",
               fmt::format("{}", request.limit.count()), "--output", request.file, "--write-out",
               curl_format, fmt::format("http://{}/{}", request.authority, request.bytes)},
      .netns_fd = client.fd()};
  const auto add = [&](std::initializer_list<std::string> options) {
    command.argv.insert(command.argv.end() - 1, options);
  };
  if (request.fast_open) add({"--tcp-fastopen"});
  if (request.stall.count() > 0) {
    const std::string seconds = fmt::format("{}", request.stall.count());
    add({"--connect-timeout", seconds, "--speed-limit", "1", "--speed-time", seconds});
  }
  return command;
}

std::chrono::seconds limit_for(std::uint64_t bytes, std::uint64_t rate_bps) noexcept {
  constexpr int times_slower = 20;
  const std::chrono::seconds line{rate_bps == 0 ? 0 : bytes * 8 / rate_bps};
  return shortest_limit + times_slower * line;
}

Result<Fetched> fetch(const Namespace& client, const Request& request, Interrupt& interrupt) {
  const Command command = download_command(client, request);
  auto printed = run_checked(command, interrupt, request.limit + std::chrono::seconds{10});
  if (!printed) return std::unexpected(printed.error());
  const auto timing = parse_timing(*printed, request.bytes);
  if (!timing) {
    return make_error(Error::Kind::protocol,
                      fmt::format("{}: not the file: {}", command.text(), *printed));
  }
  auto sum = sha256_of(request.file, interrupt);
  if (!sum) return std::unexpected(sum.error());
  return Fetched{.timing = *timing, .sha256_ok = *sum == request.sha256};
}

Result<void> await_service(const Namespace& client, Request request,
                           const std::function<Result<void>()>& check, Interrupt& interrupt) {
  request.stall = std::chrono::seconds{4};
  const SystemClock clock;
  const Instant give_up = clock.now() + std::chrono::seconds{20};
  for (;;) {
    auto done = fetch(client, request, interrupt);
    if (done) return {};
    if (auto running = check(); !running) return running;
    if (interrupt.fired()) return interrupted();
    if (clock.now() > give_up) return std::unexpected(done.error());
    if (!interrupt.pause(std::chrono::milliseconds{100})) return interrupted();
  }
}

}  // namespace tw::lab
