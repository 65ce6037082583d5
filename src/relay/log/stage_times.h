// The time at which a connection reached each stage, and histograms of all of them. Every time is
// since the connection began: the client's SYN where that was seen, else its accept; for a leg of
// another PoP, its header. Stages overlap (the onward half connects under the client's handshake),
// so that differences between them mean little.
//
//   begun ──▶ claim       the client's handshake is done; only where its SYN was seen
//         ──▶ connect     the onward half can be written to
//         ──▶ request     the first bytes of the client's side are in the kernel, onward
//         ──▶ first_byte  the first bytes of the answer are in the kernel, towards the client
//         ──▶ end         histograms count it only of what had connected
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/describe.h"
#include "base/latency_histogram.h"
#include "base/time.h"

namespace tw::relay {

enum class Stage : std::uint8_t { claim, connect, request, first_byte, end };
inline constexpr std::size_t stage_count = 5;
inline constexpr std::array<std::string_view, stage_count> stage_names{
    "claim", "connect", "request", "first_byte", "total"};

/// The way of a connection onward, as far as its times go.
enum class Via : std::uint8_t {
  direct,     ///< to its target
  warm_leg,   ///< by a leg that was there
  fresh_leg,  ///< by one that had to be made
  for_pop,    ///< another PoP's leg, served here
};
inline constexpr std::size_t via_count = 4;
inline constexpr std::array<std::string_view, via_count> via_names{"direct", "warm_leg",
                                                                   "fresh_leg", "for_pop"};

/// The times of one connection.
class ConnectionTimes {
 public:
  explicit ConnectionTimes(Instant begun) noexcept : begun_(begun) { after_.fill(unreached); }

  Instant begun() const noexcept { return begun_; }
  /// It begins only now: a leg that waited has been given its target. Before the first stage.
  void begin(Instant now) noexcept { begun_ = now; }
  /// Again: another leg after one that was dead. Only what is reached last is remembered.
  void reach(Stage stage, Instant now) noexcept {
    after_[index(stage)] = now - begun_;
    news_ = static_cast<std::uint8_t>(news_ | 1U << index(stage));
  }
  bool has_reached(Stage stage) const noexcept { return after_[index(stage)] != unreached; }
  /// Empty if it was not reached.
  std::optional<Duration> after(Stage stage) const noexcept {
    return has_reached(stage) ? std::optional{after_[index(stage)]} : std::nullopt;
  }

  bool has_news() const noexcept { return news_ != 0; }
  /// Calls visit(stage, after) for each that was reached since the last time.
  template <typename Visitor>
  void take_news(Visitor&& visit) noexcept {
    for (std::size_t i = 0; i < stage_count; ++i) {
      if ((news_ >> i & 1U) != 0) visit(static_cast<Stage>(i), after_[i]);
    }
    news_ = 0;
  }

 private:
  static constexpr Duration unreached = Duration::min();
  static constexpr std::size_t index(Stage stage) noexcept {
    return static_cast<std::size_t>(stage);
  }
  Instant begun_;
  std::array<Duration, stage_count> after_{};
  std::uint8_t news_ = 0;  // a bit a stage
};

/// The times of all connections. 300 KB, all of it from the start.
class StageTimes {
 public:
  StageTimes();
  /// Never allocates.
  void record(Via via, Stage stage, Duration after) noexcept {
    histograms_[index(via, stage)].record(after);
  }
  const LatencyHistogram& of(Via via, Stage stage) const noexcept {
    return histograms_[index(via, stage)];
  }

 private:
  static constexpr std::size_t index(Via via, Stage stage) noexcept {
    return static_cast<std::size_t>(via) * stage_count + static_cast<std::size_t>(stage);
  }
  std::vector<LatencyHistogram> histograms_;
};

inline constexpr MetricFamily stages_metric{
    "relay_stage_seconds",
    "When connections reached a stage, since they began, by how they went on",
    MetricFamily::Type::histogram};

template <typename Visitor>
void describe(Visitor& visit, const StageTimes& of) {
  for (std::size_t via = 0; via < via_count; ++via) {
    const auto describe_via = [&] {
      for (std::size_t stage = 0; stage < stage_count; ++stage) {
        visit.histogram(
            stage_names[stage],
            of.of(Via{static_cast<std::uint8_t>(via)}, Stage{static_cast<std::uint8_t>(stage)}),
            {&stages_metric, "stage", stage_names[stage]});
      }
    };
    visit.labelled({{"via", std::string{via_names[via]}}},
                   [&] { visit.group(via_names[via], describe_via); });
  }
}

}  // namespace tw::relay
