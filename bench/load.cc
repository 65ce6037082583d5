// bench_load: the connections that bench/relay measures; its words are bench/relay's.
#include <cstdio>
#include <string>
#include <vector>

#include "load.h"

namespace {

constexpr const char* usage =
    "usage: bench_load answer PORT | once ADDRESS PORT | loop ADDRESS PORT SECONDS PARALLEL |\n"
    "                  echo ADDRESS PORT SECONDS |\n"
    "                  hold ADDRESS PORT COUNT BULK_BYTES |\n"
    "                  pass OWN_ADDRESS ADDRESS PORT... |\n"
    "                  stamps FRONT_DEVICE BACK_DEVICE PORT |\n"
    "                  flood DEVICE GATEWAY_MAC ADDRESS PORT RATE SECONDS\n";

bool print(const std::string& text) { return !text.empty() && std::puts(text.c_str()) >= 0; }

bool run(const std::vector<std::string>& words) {
  const std::string what = words.empty() ? "" : words[0];
  if (what == "answer" && words.size() == 2) {
    tw::bench::answer(words[1]);
    return false;
  }
  if (what == "pass" && words.size() >= 4) {
    tw::bench::pass(words[1], words[2], {words.begin() + 3, words.end()});
    return false;
  }
  if (what == "once" && words.size() == 3) return print(tw::bench::ask_once(words[1], words[2]));
  if (what == "loop" && words.size() == 5) {
    return print(tw::bench::ask_in_a_loop(words[1], words[2], words[3], words[4]));
  }
  if (what == "echo" && words.size() == 4) {
    return print(tw::bench::echo_bytes(words[1], words[2], words[3]));
  }
  if (what == "stamps" && words.size() == 4) {
    return print(tw::bench::stamp_bytes(words[1], words[2], words[3]));
  }
  if (what == "hold" && words.size() == 5) {
    return tw::bench::hold(words[1], words[2], words[3], words[4]);
  }
  if (what == "flood" && words.size() == 7) {
    return print(tw::bench::flood(words[1], words[2], words[3], words[4], words[5], words[6]));
  }
  std::fputs(usage, stderr);
  return false;
}

}  // namespace

int main(int argc, char** argv) { return run({argv + 1, argv + argc}) ? 0 : 1; }
