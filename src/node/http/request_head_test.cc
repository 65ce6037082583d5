#include "node/http/request_head.h"

#include <gtest/gtest.h>

#include <string>

namespace tw::node {
namespace {

using Verdict = RequestHead::Verdict;

RequestHead read(std::string_view head) {
  EXPECT_EQ(find_head_end(head, 0), head.size()) << head;
  return read_request_head(head);
}
Verdict verdict(std::string_view head) { return read(head).verdict; }

TEST(RequestHead, OfAScraper) {
  const auto request =
      read("GET /metrics?a=b HTTP/1.1\r\nHost: 127.0.0.1:9586\r\nAccept: text/plain\r\n\r\n");
  EXPECT_EQ(request.verdict, Verdict::good);
  EXPECT_EQ(request.method, "GET");
  EXPECT_EQ(request.target, "/metrics");
  EXPECT_TRUE(request.keep_alive);
}

TEST(RequestHead, KeepsAConnectionAsItIsAsked) {
  EXPECT_FALSE(read("GET / HTTP/1.0\r\n\r\n").keep_alive);
  EXPECT_TRUE(read("GET / HTTP/1.0\nConnection: Keep-Alive\n\n").keep_alive);
  EXPECT_FALSE(read("GET / HTTP/1.1\r\nhost:x\r\nCONNECTION: te , Close\r\n\r\n").keep_alive);
  EXPECT_FALSE(
      read("GET / HTTP/1.1\r\nhost:x\r\nconnection: close\r\nconnection: keep-alive\r\n\r\n")
          .keep_alive);
}

TEST(RequestHead, RefusesWhatTwoReadersMayReadTwoWays) {
  for (const char* head :
       {"GET  / HTTP/1.1\r\nhost:x\r\n\r\n", "GET / HTTP/1.1 \r\nhost:x\r\n\r\n",
        "GET / HTTP/2.0\r\nhost:x\r\n\r\n", "GET / http/1.1\r\nhost:x\r\n\r\n",
        "GET\t/\tHTTP/1.1\r\nhost:x\r\n\r\n", "GET /\r\n\r\n", "G(T / HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nhost:x\r\nhost:x\r\n\r\n",
        "GET / HTTP/1.0\r\na : b\r\n\r\n", "GET / HTTP/1.0\r\n a: b\r\n\r\n",
        "GET / HTTP/1.0\r\na: b\r\n folded\r\n\r\n", "GET / HTTP/1.0\r\n: b\r\n\r\n",
        "GET / HTTP/1.0\r\nno field\r\n\r\n", "GET / HTTP/1.0\r\na: b\rc\r\n\r\n",
        "GET /\x01 HTTP/1.0\r\n\r\n", "GET / HTTP/1.0\r\na: \x7f\r\n\r\n"}) {
    EXPECT_EQ(verdict(head), Verdict::malformed) << head;
  }
  const std::string nul{"GET / HTTP/1.0\r\na: \0\r\n\r\n", 24};
  EXPECT_EQ(verdict(nul), Verdict::malformed);
}

TEST(RequestHead, SeesABody) {
  EXPECT_EQ(verdict("GET / HTTP/1.0\r\ncontent-length: 0\r\n\r\n"), Verdict::good);
  for (const char* field :
       {"Content-Length: 1", "Content-Length: 00", "Content-Length: -1", "content-length: 0, 5",
        "Transfer-Encoding: chunked", "transfer-encoding: identity", "Content-Length:"}) {
    EXPECT_EQ(verdict("POST / HTTP/1.0\r\n" + std::string{field} + "\r\n\r\n"), Verdict::has_body)
        << field;
  }
}

TEST(RequestHead, EndsAtTheSameOctetHoweverItComes) {
  for (const std::string_view text :
       {"GET / HTTP/1.0\r\n\r\nGET", "GET / HTTP/1.0\n\nGET", "GET / HTTP/1.0\r\na:b\n\r\nGET",
        "GET / HTTP/1.0\na:b\r\n\nGET", "GET / HTTP/1.0\r\r\n\r\nGET"}) {
    const std::size_t end = text.size() - 3;
    EXPECT_EQ(find_head_end(text, 0), end) << text;
    std::size_t found = 0;
    for (std::size_t size = 1; found == 0 && size <= text.size(); ++size) {
      found = find_head_end(text.substr(0, size), size - 1);
      EXPECT_EQ(found != 0, size == end) << text << size;
    }
    EXPECT_EQ(found, end) << text;
  }
  EXPECT_EQ(find_head_end("GET / HTTP/1.0\r\nhost: x\r\n\r", 0), 0U);
  EXPECT_EQ(find_head_end("", 0), 0U);
}

}  // namespace
}  // namespace tw::node
