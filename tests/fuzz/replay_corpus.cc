// Feeds every file of a corpus to a fuzz target once: what libFuzzer does with `-runs=0`, but with
// any compiler, so that each finding that was mended stays mended in every build of the tests.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size);

namespace {

bool replay(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream) {
    return false;
  }
  const std::vector<char> content{std::istreambuf_iterator<char>(stream), {}};
  // An exact copy on the heap, so that ASan sees a read of the first byte behind it.
  const std::vector<std::uint8_t> bytes(content.begin(), content.end());
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s CORPUS_FOLDER\n", argv[0]);
    return 2;
  }
  std::error_code error;
  std::size_t replayed = 0;
  std::filesystem::directory_iterator entries(argv[1], error);
  for (; !error && entries != std::filesystem::directory_iterator{}; entries.increment(error)) {
    // Said before it runs: should the target abort, the last line names the file.
    std::printf("%s\n", entries->path().c_str());
    std::fflush(stdout);
    if (!replay(entries->path())) {
      std::fprintf(stderr, "cannot read %s\n", entries->path().c_str());
      return 1;
    }
    ++replayed;
  }
  if (error || replayed == 0) {
    std::fprintf(stderr, "%s: %s\n", argv[1], error ? error.message().c_str() : "empty corpus");
    return 1;
  }
  std::printf("%zu inputs replayed\n", replayed);
  return 0;
}
