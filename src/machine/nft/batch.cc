#include "machine/nft/batch.h"

#include <arpa/inet.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include <cstring>

#include "base/assert.h"

namespace tw::nft {
namespace {

constexpr std::size_t longest_attribute = UINT16_MAX;

}  // namespace

Batch::Batch() { header(NFNL_MSG_BATCH_BEGIN, NLM_F_REQUEST, AF_UNSPEC, NFNL_SUBSYS_NFTABLES); }

void Batch::header(std::uint16_t type, std::uint16_t flags, std::uint8_t family,
                   std::uint16_t resource) {
  message_ = buffer_.size();
  buffer_.resize(message_ + NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(nfgenmsg)));
  nlmsghdr head{};
  head.nlmsg_len = static_cast<std::uint32_t>(buffer_.size() - message_);
  head.nlmsg_type = type;
  head.nlmsg_flags = flags;
  head.nlmsg_seq = sequence_;
  nfgenmsg family_header{};
  family_header.nfgen_family = family;
  family_header.version = NFNETLINK_V0;
  family_header.res_id = htons(resource);
  std::memcpy(&buffer_[message_], &head, sizeof head);
  std::memcpy(&buffer_[message_ + NLMSG_HDRLEN], &family_header, sizeof family_header);
}

void Batch::begin(std::uint8_t message, std::uint16_t flags, std::uint8_t family,
                  std::string_view source) {
  ++sequence_;
  sources_.emplace_back(source);
  header(static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8U | message),
         static_cast<std::uint16_t>(NLM_F_REQUEST | flags), family, 0);
}

void Batch::end() {
  const auto length = static_cast<std::uint32_t>(buffer_.size() - message_);
  std::memcpy(&buffer_[message_ + offsetof(nlmsghdr, nlmsg_len)], &length, sizeof length);
  last_ = message_;
}

void Attributes::bytes(std::uint16_t attribute, ByteView value) {
  nlattr head{};
  TW_ASSERT(NLA_HDRLEN + value.size() <= longest_attribute);
  head.nla_len = static_cast<std::uint16_t>(NLA_HDRLEN + value.size());
  head.nla_type = attribute;
  const std::size_t at = buffer_.size();
  buffer_.resize(at + NLA_HDRLEN);
  std::memcpy(&buffer_[at], &head, sizeof head);
  buffer_.insert(buffer_.end(), value.begin(), value.end());
  buffer_.resize(NLA_ALIGN(buffer_.size()));
}

void Attributes::number(std::uint16_t attribute, std::uint32_t value) {
  const std::uint32_t big = htonl(value);
  std::uint8_t octets[sizeof big];
  std::memcpy(octets, &big, sizeof big);
  bytes(attribute, octets);
}

void Attributes::byte(std::uint16_t attribute, std::uint8_t value) {
  bytes(attribute, ByteView{&value, 1});
}

void Attributes::text(std::uint16_t attribute, std::string_view value) {
  const std::string terminated{value};
  bytes(attribute,
        ByteView{reinterpret_cast<const std::uint8_t*>(terminated.c_str()), terminated.size() + 1});
}

std::size_t Attributes::open_nest(std::uint16_t attribute) {
  const std::size_t at = buffer_.size();
  bytes(static_cast<std::uint16_t>(attribute | NLA_F_NESTED), {});
  return at;
}

void Attributes::close_nest(std::size_t nest) {
  const std::size_t length = buffer_.size() - nest;
  TW_ASSERT(length <= longest_attribute);
  const auto octets = static_cast<std::uint16_t>(length);
  std::memcpy(&buffer_[nest + offsetof(nlattr, nla_len)], &octets, sizeof octets);
}

void Attributes::append(const Attributes& others) {
  buffer_.insert(buffer_.end(), others.buffer_.begin(), others.buffer_.end());
}

const std::vector<std::uint8_t>& Batch::finish(bool commit) {
  TW_ASSERT(last_ != 0);
  std::uint16_t flags = 0;
  std::uint8_t* at = &buffer_[last_ + offsetof(nlmsghdr, nlmsg_flags)];
  std::memcpy(&flags, at, sizeof flags);
  flags |= NLM_F_ACK;
  std::memcpy(at, &flags, sizeof flags);
  // A batch that does not end is one that the kernel only tries.
  if (commit) {
    ++sequence_;
    header(NFNL_MSG_BATCH_END, NLM_F_REQUEST, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
    --sequence_;
  }
  return buffer_;
}

std::string_view Batch::source_of(std::uint32_t sequence) const noexcept {
  // The first message after the one that begins the batch has number 1.
  if (sequence == 0 || sequence > sources_.size()) return "the transaction";
  return sources_[sequence - 1];
}

}  // namespace tw::nft
