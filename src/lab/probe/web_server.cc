#include "lab/probe/web_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <system_error>

#include "base/random.h"

namespace tw::lab {
namespace {

std::string random_bytes(std::uint64_t size, std::uint64_t seed) {
  SeededRandom random{seed ^ size};
  std::string bytes(size, '\0');
  for (std::size_t at = 0; at < bytes.size(); at += sizeof(std::uint64_t)) {
    const std::uint64_t word = random.next();
    std::memcpy(bytes.data() + at, &word, std::min(sizeof word, bytes.size() - at));
  }
  return bytes;
}

std::string configuration(const std::filesystem::path& folder,
                          const std::vector<std::string>& addresses, bool nopush,
                          const std::vector<std::string>& fast_open) {
  std::string listen;
  for (const std::string& address : addresses) {
    const bool fast = std::ranges::find(fast_open, address) != fast_open.end();
    listen += fmt::format("listen {}:80{}; ", address, fast ? " fastopen=256" : "");
  }
  // The folder is root's alone, so the worker has to be root too.
  return fmt::format(
      "daemon off;\nuser root;\nworker_processes 1;\npid {0}/nginx.pid;\n"
      "events {{ worker_connections 256; }}\n"
      "http {{\n  {1}\n  access_log off;\n  default_type application/octet-stream;\n"
      "  client_body_temp_path {0}/body;\n  proxy_temp_path {0}/proxy;\n"
      "  fastcgi_temp_path {0}/fastcgi;\n  uwsgi_temp_path {0}/uwsgi;\n  scgi_temp_path {0}/scgi;\n"
      "  server {{ {2}root {0}/www; }}\n}}\n",
      folder.string(), WebServer::settings(nopush), listen);
}

}  // namespace

std::string WebServer::settings(bool nopush) {
  // Off as in nginx's own example configuration; Debian's turns it on.
  return fmt::format("sendfile on; tcp_nopush {}; tcp_nodelay on;", nopush ? "on" : "off");
}

Result<std::string> sha256_of(const std::string& path, Interrupt& interrupt) {
  auto printed = run_checked({.argv = {"sha256sum", "-b", path}}, interrupt);
  if (!printed) return printed;
  return printed->substr(0, printed->find(' '));
}

Result<WebServer> WebServer::start(const Namespace& host, const ScratchFolder& scratch,
                                   const std::vector<std::uint64_t>& sizes, std::uint64_t seed,
                                   const std::vector<std::string>& addresses, Interrupt& interrupt,
                                   bool nopush, const std::vector<std::string>& fast_open) {
  std::error_code error;
  std::filesystem::create_directory(scratch.path() / "www", error);
  if (error) return system_error(error.value(), "make a folder for the web server");
  std::map<std::uint64_t, std::string> sha256;
  for (const std::uint64_t size : sizes) {
    auto file = scratch.write(fmt::format("www/{}", size), random_bytes(size, seed));
    if (!file) return std::unexpected(file.error());
    auto sum = sha256_of(*file, interrupt);
    if (!sum) return std::unexpected(sum.error());
    sha256[size] = *sum;
  }
  auto file =
      scratch.write("nginx.conf", configuration(scratch.path(), addresses, nopush, fast_open));
  if (!file) return std::unexpected(file.error());
  Command command{.argv = {"nginx", "-p", scratch.path().string(), "-c", *file, "-e",
                           (scratch.path() / "nginx.log").string()},
                  .netns_fd = host.fd(),
                  .death_signal = SIGTERM};
  auto process = Process::start(command);
  if (!process) return std::unexpected(process.error());
  return WebServer{std::move(sha256), std::move(command), std::move(*process)};
}

}  // namespace tw::lab
