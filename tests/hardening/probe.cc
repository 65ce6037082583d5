// A program that gives each protection of cmake/hardening.cmake something to protect, whatever the
// rest of the build is for: tests/hardening/check.py reads it in every build. A copy whose size is
// known only when it runs is what FORTIFY looks at, an index what the C++ library does.
#include <array>
#include <cstdio>
#include <cstring>
#include <vector>

int main(int argc, char** argv) {
  std::array<char, 64> buffer;
  const auto wanted = static_cast<std::size_t>(argc);
  std::memcpy(buffer.data(), argv[0], wanted);
  const std::vector<int> numbers(wanted + 1);
  std::printf("%d %d\n", numbers[wanted], buffer[wanted - 1]);
}
