#include "relay/proof/leg_proof.h"

#include <sys/socket.h>

#include <algorithm>
#include <span>
#include <string_view>
#include <utility>

#include "base/assert.h"
#include "crypto/secret.h"
#include "wire/be.h"
#include "wire/message/proxy_v2.h"
#include "wire/sockaddr.h"

namespace tw::relay {
namespace {

using crypto::Mac;
using crypto::MacKey;

constexpr std::uint8_t proof_tlv = 0xe1;
constexpr std::size_t tlv_head = 3;
// From the start of the TLV.
constexpr std::size_t kind_at = 3, flags_at = 4, acceptor_at = 5, time_at = 13, nonce_at = 21,
                      mac_at = 29;
static_assert(mac_at + Mac{}.size() == proof_tlv_size);
constexpr std::uint8_t flag_wants_answer = 0x01;
constexpr std::size_t mac_to_end = Mac{}.size() + proxy_crc_tlv_size;

// Different, so that nothing that is said one way can be sent back as something else.
constexpr std::string_view header_label = "Thalweg leg header 1";
constexpr std::string_view answer_label = "Thalweg leg answer 1";

// Family, address, port; of both.
class EndsBytes {
 public:
  explicit EndsBytes(const LegEnds& ends) noexcept {
    put(ends.connector, 0);
    put(ends.acceptor, one_size);
  }
  ByteView view() const noexcept { return bytes_; }

 private:
  static constexpr std::size_t one_size = 1 + 16 + 2;
  void put(const Endpoint& end, std::size_t at) noexcept {
    const ByteView address = end.address.bytes();
    bytes_[at] = end.address.is_v4() ? 4 : 6;
    std::ranges::copy(address, bytes_.begin() + static_cast<std::ptrdiff_t>(at) + 1);
    store_be16(bytes_, at + 17, end.port);
  }
  std::array<std::uint8_t, 2 * one_size> bytes_{};
};

// Where the proof's TLV begins in a header of ours.
std::size_t proof_at(std::size_t header_size) noexcept {
  TW_ASSERT(header_size >= proof_tlv_size + proxy_crc_tlv_size);
  return header_size - proof_tlv_size - proxy_crc_tlv_size;
}

Mac mac_of_header(ByteView header, const MacKey& key, const LegEnds& ends,
                  const Mac& bond) noexcept {
  return key.of({as_bytes(header_label), EndsBytes{ends}.view(), bond,
                 header.first(header.size() - mac_to_end)});
}

Mac mac_of_answer(ByteView answer, const MacKey& key, const LegEnds& ends,
                  const Mac& said) noexcept {
  return key.of({as_bytes(answer_label), EndsBytes{ends}.view(), said, answer});
}

std::optional<std::pair<Endpoint, Endpoint>> names_of(int socket) noexcept {
  std::array<Endpoint, 2> ends;
  for (const bool peer : {false, true}) {
    sockaddr_storage storage{};
    auto* const address = reinterpret_cast<sockaddr*>(&storage);
    socklen_t size = sizeof storage;
    const int failed = peer ? ::getpeername(socket, address, &size)  //
                            : ::getsockname(socket, address, &size);
    const auto end = failed == 0 ? from_sockaddr(address, size) : std::nullopt;
    if (!end) return std::nullopt;
    ends[peer ? 1 : 0] = *end;
  }
  return std::pair{ends[0], ends[1]};
}

std::array<std::uint8_t, mac_at> head_of(const HeaderProof& proof) noexcept {
  std::array<std::uint8_t, mac_at> head{};
  head[0] = proof_tlv;
  store_be16(head, 1, proof_tlv_size - tlv_head);
  head[kind_at] = std::to_underlying(proof.kind);
  head[flags_at] = proof.wants_answer ? flag_wants_answer : 0;
  store_le64(head, acceptor_at, proof.acceptor);
  store_le64(head, time_at, proof.time_ns);
  store_le64(head, nonce_at, proof.nonce);
  return head;
}

}  // namespace

std::optional<LegEnds> ends_of_connected(int socket) noexcept {
  const auto names = names_of(socket);
  if (!names) return std::nullopt;
  return LegEnds{.connector = names->first, .acceptor = names->second};
}

std::optional<LegEnds> ends_of_accepted(int socket) noexcept {
  const auto names = names_of(socket);
  if (!names) return std::nullopt;
  return LegEnds{.connector = names->second, .acceptor = names->first};
}

ProofTlv blank_proof() noexcept {
  ProofTlv tlv{};
  std::ranges::copy(head_of({}), tlv.begin());
  return tlv;
}

Mac seal_header(ByteSpan header, const HeaderProof& proof, const MacKey& key, const LegEnds& ends,
                const Mac& bond) noexcept {
  const ByteSpan tlv = header.subspan(proof_at(header.size()), proof_tlv_size);
  TW_ASSERT(tlv[0] == proof_tlv);
  std::ranges::copy(head_of(proof), tlv.begin());
  const Mac mac = mac_of_header(header, key, ends, bond);
  std::ranges::copy(mac, tlv.begin() + mac_at);
  renew_proxy_crc(header);
  return mac;
}

std::optional<ReceivedProof> read_proof(ByteView header, ByteView tlvs) noexcept {
  const auto value = find_proxy_tlv(tlvs, proof_tlv);
  if (!value) return std::nullopt;
  ReceivedProof received{.proof = {.kind = HeaderProof::Kind{0}}};
  if (value->size() != proof_tlv_size - tlv_head) return received;
  const ByteView tlv{value->data() - tlv_head, proof_tlv_size};
  const bool last = tlv.data() + tlv.size() + proxy_crc_tlv_size == header.data() + header.size();
  // Anything else there would be outside the MAC.
  if (!last || header[header.size() - proxy_crc_tlv_size] != proxy_crc_tlv) return received;
  received.proof = {.kind = HeaderProof::Kind{tlv[kind_at]},
                    .wants_answer = (tlv[flags_at] & flag_wants_answer) != 0,
                    .acceptor = load_le64(tlv, acceptor_at),
                    .time_ns = load_le64(tlv, time_at),
                    .nonce = load_le64(tlv, nonce_at)};
  std::ranges::copy(tlv.subspan(mac_at), received.mac.begin());
  return received;
}

bool is_proven(ByteView header, const ReceivedProof& proof, const MacKey& key, const LegEnds& ends,
               const Mac& bond) noexcept {
  const bool known =
      proof.proof.kind >= HeaderProof::Kind::hello && proof.proof.kind <= HeaderProof::Kind::bound;
  return known && crypto::equal(mac_of_header(header, key, ends, bond), proof.mac);
}

std::array<std::uint8_t, hello_size> blank_hello() noexcept {
  std::array<std::uint8_t, hello_size> hello;
  ProofTlv tlv = blank_proof();
  tlv[kind_at] = std::to_underlying(HeaderProof::Kind::hello);
  TW_ASSERT(write_proxy_header({.local = true, .source = {}, .target = {}}, hello, tlv) ==
            hello.size());
  return hello;
}

bool looks_like_hello(ByteView received) noexcept {
  static const std::array<std::uint8_t, hello_size> hello = blank_hello();
  const std::size_t same = std::min(received.size(), proof_at(hello_size) + flags_at);
  return std::ranges::equal(received.first(same), ByteView{hello}.first(same));
}

AnswerBytes write_answer(const LegAnswerProof& answer, const MacKey& key, const LegEnds& ends,
                         const Mac& said) noexcept {
  AnswerBytes bytes{leg_answer_proof, std::to_underlying(answer.status)};
  store_le64(bytes, 2, answer.acceptor);
  store_le64(bytes, 10, answer.time_ns);
  const std::span head = ByteView{bytes}.first(bytes.size() - Mac{}.size());
  const Mac mac = mac_of_answer(head, key, ends, said);
  std::ranges::copy(mac, bytes.end() - mac.size());
  return bytes;
}

std::optional<LegAnswerProof> read_answer(const AnswerBytes& bytes, const MacKey& key,
                                          const LegEnds& ends, const Mac& said) noexcept {
  const ByteView head = ByteView{bytes}.first(bytes.size() - Mac{}.size());
  if (!crypto::equal(mac_of_answer(head, key, ends, said), bond_of(bytes))) return std::nullopt;
  const LegAnswerProof answer{.status = LegAnswerProof::Status{bytes[1]},
                              .acceptor = load_le64(bytes, 2),
                              .time_ns = load_le64(bytes, 10)};
  const bool known = answer.status >= LegAnswerProof::Status::proven &&
                     answer.status <= LegAnswerProof::Status::untimely;
  if (bytes[0] != leg_answer_proof || !known || answer.acceptor == 0) return std::nullopt;
  return answer;
}

Mac bond_of(const AnswerBytes& answer) noexcept {
  Mac mac;
  std::ranges::copy(ByteView{answer}.last(mac.size()), mac.begin());
  return mac;
}

}  // namespace tw::relay
