// bench_limits: what this machine allows. Prints one line of JSON; the words are bench/tunnel's.
#include <cstdio>
#include <string>
#include <vector>

#include "kernel_io.h"
#include "limit.h"

namespace {

constexpr const char* usage =
    "usage: bench_limits cipher | curve | steer | wake | send ADDRESS PORT SECONDS | receive PORT "
    "SECONDS\n";

std::string run(const std::vector<std::string>& words) {
  const std::string what = words.empty() ? "" : words[0];
  if (what == "cipher" && words.size() == 1) return tw::bench::cipher_limits();
  if (what == "curve" && words.size() == 1) return tw::bench::curve_limits();
  if (what == "steer" && words.size() == 1) return tw::bench::steer_limits();
  if (what == "wake" && words.size() == 1) return tw::bench::wake_limits();
  if (what == "send" && words.size() == 4) {
    return tw::bench::send_trains(words[1], words[2], words[3]);
  }
  if (what == "receive" && words.size() == 3) {
    return tw::bench::receive_into_tun(words[1], words[2]);
  }
  std::fputs(usage, stderr);
  return "";
}

}  // namespace

int main(int argc, char** argv) {
  const std::string text = run({argv + 1, argv + argc});
  if (text.empty()) return 1;
  return std::puts(text.c_str()) < 0 ? 1 : 0;
}
