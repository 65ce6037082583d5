#include "sim/contexts/tcp_load.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace tw::sim {
namespace {

/// From a client, or a server, to the gateway: a local network.
constexpr Duration one_way = 50us;
constexpr Duration think = 20us;  // until a request has its answer, or a client asks again
/// An application writes so many packets at once: an acknowledgement is for as many.
constexpr std::uint32_t write_packets = 2;
/// The application stops while so many packets wait: a socket's send buffer.
constexpr std::uint32_t most_waiting = 256;
constexpr double most_window = 512;
constexpr double least_window = 2;
constexpr double shrinks_to = 0.7;  // CUBIC's beta
/// Until what nothing else tells of is sent again: a tail loss probe, a delayed acknowledgement.
constexpr Duration probe_timeout = 10ms;
constexpr Duration again_after = 1ms;

}  // namespace

TcpLoad::TcpLoad(const TcpSettings& settings, Simulation& simulation, Gateway& gateway,
                 std::uint64_t seed)
    : settings_(settings),
      simulation_(simulation),
      gateway_(gateway),
      random_(seed),
      write_gap_(
          static_cast<std::int64_t>(write_packets * payload_bytes * 8 * 1e9 / settings.rate_bps)),
      connections_(settings.clients + settings.probes) {}

void TcpLoad::start() {
  const auto phase = [this](Duration within) {
    return simulation_.now() + Duration{static_cast<std::int64_t>(
                                   random_.next() % static_cast<std::uint64_t>(within.count()))};
  };
  for (std::uint32_t flow = 0; flow < settings_.clients; ++flow) {
    simulation_.at(phase(write_gap_), [this, flow] { write(flow); });
  }
  for (std::size_t i = settings_.clients; i < connections_.size(); ++i) {
    const auto probe = static_cast<std::uint32_t>(i);
    simulation_.at(phase(1ms), [this, probe] { ask(probe, simulation_.now()); });
  }
}

bool TcpLoad::is_from_wire(Kind kind) const noexcept {
  if (kind == Kind::request) return true;
  if (kind == Kind::answer) return false;
  return (kind == Kind::payload) == (settings_.direction == Direction::receive);
}

ClientPacket& TcpLoad::make(std::uint32_t flow, Kind kind) {
  if (free_.empty()) free_.push_back(&packets_.emplace_back());
  ClientPacket& packet = *free_.back();
  free_.pop_back();
  packet.flow = flow;
  packet.kind = kind;
  packet.is_last = false;
  packet.count = 0;
  packet.sent = simulation_.now();
  packet.next = nullptr;
  return packet;
}

// Packets that were sent together arrive together.
void TcpLoad::enter(ClientPacket& first, Instant at) {
  simulation_.at(at, [this, packet = &first]() mutable {
    while (packet != nullptr) {
      ClientPacket& one = *std::exchange(packet, packet->next);
      // Their order is that in which the gateway sees them.
      one.number = ++connections_[one.flow].next_number;
      ++totals_.sent;
      ++totals_.in_gateway;
      gateway_.arrive(one, is_from_wire(one.kind));
    }
  });
}

void TcpLoad::write(std::uint32_t flow) {
  Connection& connection = connections_[flow];
  if (connection.waiting + write_packets <= most_waiting) connection.waiting += write_packets;
  send(flow);
  simulation_.at(simulation_.now() + write_gap_, [this, flow] { write(flow); });
}

void TcpLoad::send(std::uint32_t flow) {
  Connection& connection = connections_[flow];
  const auto window = static_cast<std::uint32_t>(connection.window);
  const std::uint32_t room =
      window > connection.in_flight ? window - connection.in_flight : std::uint32_t{0};
  const std::uint32_t count = std::min(room, connection.waiting);
  connection.limited_by_window = connection.waiting > count;
  if (count == 0) return;
  connection.waiting -= count;
  connection.in_flight += count;
  ClientPacket* first = nullptr;
  ClientPacket* last = nullptr;
  for (std::uint32_t i = 0; i < count; ++i) {
    ClientPacket& packet = make(flow, Kind::payload);
    (last == nullptr ? first : last->next) = &packet;
    last = &packet;
  }
  last->is_last = true;
  enter(*first, simulation_.now() + one_way);
}

void TcpLoad::acknowledged(std::uint32_t flow, std::uint32_t count, Instant sent) {
  Connection& connection = connections_[flow];
  connection.in_flight -= std::min(count, connection.in_flight);
  connection.round_trip = simulation_.now() - sent;
  if (connection.limited_by_window) {
    const double grows =
        connection.window < connection.threshold ? count : count / connection.window;
    connection.window = std::min(connection.window + grows, most_window);
  }
  send(flow);
}

void TcpLoad::lost(std::uint32_t flow) {
  Connection& connection = connections_[flow];
  connection.in_flight -= std::min<std::uint32_t>(1, connection.in_flight);
  ++connection.waiting;
  if (simulation_.now() - connection.cut_at >= connection.round_trip) {
    connection.cut_at = simulation_.now();
    connection.window = std::max(connection.window * shrinks_to, least_window);
    connection.threshold = connection.window;
  }
  send(flow);
}

void TcpLoad::ask(std::uint32_t probe, Instant first_asked) {
  ClientPacket& packet = make(probe, Kind::request);
  packet.sent = first_asked;
  enter(packet, simulation_.now() + one_way);
}

void TcpLoad::leave(ClientPacket& packet, Instant at) {
  ++totals_.delivered;
  --totals_.in_gateway;
  std::uint64_t& newest = connections_[packet.flow].newest[is_from_wire(packet.kind) ? 0 : 1];
  if (packet.number <= newest) ++totals_.disordered;
  newest = packet.number;
  received(packet, at);
  end(packet);
}

// The other end has it one way later; what that sends is here another way later.
void TcpLoad::received(const ClientPacket& packet, Instant at) {
  const std::uint32_t flow = packet.flow;
  Connection& connection = connections_[flow];
  switch (packet.kind) {
    case Kind::payload: {
      ++payload_delivered_;
      ++connection.unacknowledged;
      if (connection.unacknowledged < 2 && !packet.is_last) return;
      ClientPacket& answer = make(flow, Kind::acknowledgement);
      answer.count = std::exchange(connection.unacknowledged, 0);
      answer.sent = packet.sent;
      return enter(answer, at + 2 * one_way);
    }
    case Kind::acknowledgement:
      simulation_.at(at + one_way, [this, flow, count = packet.count, sent = packet.sent] {
        acknowledged(flow, count, sent);
      });
      return;
    case Kind::request: {
      ClientPacket& answer = make(flow, Kind::answer);
      answer.sent = packet.sent;
      return enter(answer, at + 2 * one_way + think);
    }
    case Kind::answer:
      latencies_.record(at + one_way - packet.sent);
      simulation_.at(at + one_way + think, [this, flow] { ask(flow, simulation_.now()); });
      return;
  }
}

void TcpLoad::drop(ClientPacket& packet) {
  ++totals_.dropped;
  --totals_.in_gateway;
  const std::uint32_t flow = packet.flow;
  const Instant now = simulation_.now();
  switch (packet.kind) {
    case Kind::payload: {
      const Duration noticed = std::max(connections_[flow].round_trip, 4 * one_way);
      simulation_.at(now + noticed, [this, flow] { lost(flow); });
      break;
    }
    case Kind::acknowledgement: {
      ClientPacket& again = make(flow, Kind::acknowledgement);
      again.count = packet.count;
      again.sent = packet.sent;
      enter(again, now + again_after);
      break;
    }
    case Kind::request:
    case Kind::answer:
      simulation_.at(now + probe_timeout, [this, flow, asked = packet.sent] { ask(flow, asked); });
      break;
  }
  end(packet);
}

}  // namespace tw::sim
