// Values that a configuration file writes as one of a few words.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "node/config/config.h"
#include "node/config/config_mistakes.h"

namespace tw::node {

template <typename T>
struct Word {
  std::string_view text;
  T value;
};

inline constexpr std::array<Word<log::Level>, 4> log_level_words{{{"debug", log::Level::debug},
                                                                  {"info", log::Level::info},
                                                                  {"warning", log::Level::warning},
                                                                  {"error", log::Level::error}}};
inline constexpr std::array<Word<GovernorSettings::Mode>, 3> governor_words{
    {{"adaptive", GovernorSettings::Mode::adaptive},
     {"interrupt", GovernorSettings::Mode::interrupt},
     {"busy", GovernorSettings::Mode::busy}}};
inline constexpr std::array<Word<SteerBy>, 2> steering_words{
    {{"kernel", SteerBy::kernel}, {"user", SteerBy::user}}};
inline constexpr std::array<Word<Quic>, 2> quic_words{
    {{"route", Quic::route}, {"reject", Quic::reject}}};
inline constexpr std::array<Word<relay::Protocol>, 4> protocol_words{
    {{"any", relay::Protocol::any},
     {"tcp", relay::Protocol::tcp},
     {"udp", relay::Protocol::udp},
     {"icmp", relay::Protocol::icmp}}};
inline constexpr std::array<Word<relay::Action>, 3> action_words{
    {{"relay", relay::Action::relay},
     {"route", relay::Action::route},
     {"refuse", relay::Action::refuse}}};
inline constexpr std::array<Word<relay::DirectWay>, 3> direct_words{
    {{"never", relay::DirectWay::never},
     {"fallback", relay::DirectWay::fallback},
     {"measured", relay::DirectWay::measured}}};
inline constexpr std::array<Word<relay::Legs>, 2> legs_words{
    {{"authenticated", relay::Legs::authenticated}, {"any", relay::Legs::any}}};
inline constexpr std::array<Word<relay::Accept>, 2> accept_words{
    {{"early", relay::Accept::early}, {"verified", relay::Accept::verified}}};

/// Returns `"early", "verified"`: the words in quotes, in their order.
template <typename Words>
std::string list_of(const Words& words) {
  std::string list;
  for (const auto& word : words) {
    list += (list.empty() ? "\"" : ", \"") + std::string{word.text} + '"';
  }
  return list;
}

/// Returns the value of the word `text`. Fails if it is none of `words`, and names the nearest.
template <typename T, std::size_t N>
Parsed<T> read_word(std::string_view text, const std::array<Word<T>, N>& words) {
  std::vector<std::string> known;
  for (const Word<T>& word : words) {
    if (word.text == text) return word.value;
    known.emplace_back(word.text);
  }
  return flaw(shown(text) + " is not one of its words",
              did_you_mean(text, known, "write one of " + list_of(words)));
}

/// Returns the word of `value`; every value has one.
template <typename T, std::size_t N>
std::string_view word_of(const T& value, const std::array<Word<T>, N>& words) {
  for (const Word<T>& word : words) {
    if (word.value == value) return word.text;
  }
  return {};
}

}  // namespace tw::node
