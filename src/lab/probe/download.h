// One timed download by curl: what a user would see, from the first SYN to the last byte.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "lab/bed/netns.h"
#include "lab/bed/process.h"

namespace tw::lab {

/// The ways from the client to the server, each by an address of its own.
enum class Path : std::uint8_t { end_to_end, tunnelled, relayed };
inline constexpr std::array all_paths{Path::end_to_end, Path::tunnelled, Path::relayed};

std::string_view name_of(Path path) noexcept;  ///< "end-to-end"
std::optional<Path> parse_path(std::string_view name) noexcept;
const char* service_address(Path path) noexcept;

struct Download {
  std::uint64_t bytes = 0;
  Path path = Path::end_to_end;
  std::uint32_t repetition = 0;  ///< from 0
  double ttfb_ms = 0;  ///< from the start of the connection to the first byte of the answer
  double total_ms = 0;
  bool sha256_ok = false;
};

/// Times that curl printed in the format below. Empty unless it is an answer 200 of `bytes` bytes.
struct Timing {
  double ttfb_ms = 0;
  double total_ms = 0;
};
inline constexpr const char* curl_format =
    "%{http_code} %{size_download} %{time_starttransfer} %{time_total}\\n";
std::optional<Timing> parse_timing(std::string_view printed, std::uint64_t bytes) noexcept;

inline constexpr std::chrono::seconds shortest_limit{120};

/// A file to fetch, and the time that it may take.
struct Request {
  std::string authority;  ///< of the URL: "198.19.0.1", "198.18.1.2:8080"
  std::uint64_t bytes = 0;
  std::string sha256;      ///< that the file must have
  std::string file;        ///< that it is written to
  bool fast_open = false;  ///< in the SYN, as soon as there is a cookie of the server
  std::chrono::seconds limit = shortest_limit;
  std::chrono::seconds stall{0};  ///< without a connection or a byte for so long it ends; 0: never
};

/// The longest that a download of `bytes` may take where the slowest line carries `rate_bps` (0:
/// any): losses may make it many times slower than that.
std::chrono::seconds limit_for(std::uint64_t bytes, std::uint64_t rate_bps) noexcept;

Command download_command(const Namespace& client, const Request& request);

struct Fetched {
  Timing timing;
  bool sha256_ok = false;
};

/// Runs that command and times it. Contents that are not what they must be are no error here, but
/// `sha256_ok` is false.
Result<Fetched> fetch(const Namespace& client, const Request& request, Interrupt& interrupt);
/// Downloads that are not counted, until one succeeds: handshakes of the tunnels and a PoP's first
/// legs are of the start, which no measurement is about. One that stalls for 4 s is given up. An
/// error if none has succeeded after 20 s, if interrupted, or as soon as `check` has one (a program
/// that had to run has ended).
Result<void> await_service(const Namespace& client, Request request,
                           const std::function<Result<void>()>& check, Interrupt& interrupt);

}  // namespace tw::lab
