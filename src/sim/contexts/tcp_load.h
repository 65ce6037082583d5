// Clients of a gateway, as far as contexts are told apart by them: each has one TCP connection that
// wants a fixed rate, and some others ask and answer. TCP is what matters of it here: a window that
// grows until something is lost, sends no more than is acknowledged, and shrinks by a loss once a
// round trip; an acknowledgement for every second packet. A loss is noticed a round trip later (as
// SACK has it), and there are no timeouts.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "base/latency_histogram.h"
#include "base/random.h"
#include "exec/contexts/staged_packet.h"
#include "sim/simulation.h"

namespace tw::sim {

enum class Direction : std::uint8_t {
  receive,   ///< clients send
  transmit,  ///< clients download
};

struct ClientPacket : StagedPacket {
  enum class Kind : std::uint8_t { payload, acknowledgement, request, answer };
  Kind kind = Kind::payload;
  bool is_last = false;     ///< its sender has nothing more to send just now
  std::uint32_t count = 0;  ///< packets that an acknowledgement is for
  std::uint64_t number = 0;
  Instant sent{};
  ClientPacket* next = nullptr;  ///< that was sent with it
};

/// The gateway, as clients and servers see it.
class Gateway {
 public:
  virtual ~Gateway() = default;
  /// A packet arrives, from the wire or from the host; it stays the load's until its end.
  virtual void arrive(ClientPacket& packet, bool from_wire) = 0;
};

struct TcpSettings {
  Direction direction = Direction::receive;
  std::size_t clients = 1000;
  std::size_t probes = 16;  ///< connections that ask and answer; numbered behind the clients
  double rate_bps = 25e6;   ///< of each client
};

class TcpLoad {
 public:
  static constexpr std::uint32_t payload_bytes = 1420;

  struct Totals {
    std::uint64_t sent = 0, delivered = 0, dropped = 0, in_gateway = 0, disordered = 0;
  };

  /// Both must outlive it.
  TcpLoad(const TcpSettings& settings, Simulation& simulation, Gateway& gateway,
          std::uint64_t seed);
  void start();

  /// The gateway is done with a packet: it left at that time, or was dropped.
  void leave(ClientPacket& packet, Instant at);
  void drop(ClientPacket& packet);

  /// Packets of payload that have come through.
  std::uint64_t delivered() const noexcept { return payload_delivered_; }
  /// All packets; sent = delivered + dropped + in_gateway, always.
  const Totals& totals() const noexcept { return totals_; }
  /// Round trips of requests since the last reset().
  const LatencyHistogram& latencies() const noexcept { return latencies_; }
  void reset() { latencies_ = LatencyHistogram{}; }

 private:
  using Kind = ClientPacket::Kind;

  struct Connection {
    double window = 10, threshold = 1e9;  // packets; IW10
    std::uint32_t waiting = 0, in_flight = 0, unacknowledged = 0;
    bool limited_by_window = false;
    Duration round_trip{};
    Instant cut_at{};
    std::uint64_t next_number = 0;
    std::uint64_t newest[2] = {0, 0};  // that came through, by direction
  };

  void write(std::uint32_t flow);
  void send(std::uint32_t flow);
  void acknowledged(std::uint32_t flow, std::uint32_t count, Instant sent);
  void lost(std::uint32_t flow);
  void received(const ClientPacket& packet, Instant at);
  void ask(std::uint32_t probe, Instant first_asked);
  ClientPacket& make(std::uint32_t flow, Kind kind);
  void enter(ClientPacket& first, Instant at);
  void end(ClientPacket& packet) { free_.push_back(&packet); }
  bool is_from_wire(Kind kind) const noexcept;

  const TcpSettings settings_;
  Simulation& simulation_;
  Gateway& gateway_;
  SeededRandom random_;
  Duration write_gap_{};
  std::vector<Connection> connections_;
  std::deque<ClientPacket> packets_;  // never moved
  std::vector<ClientPacket*> free_;
  Totals totals_;
  std::uint64_t payload_delivered_ = 0;
  LatencyHistogram latencies_;
};

}  // namespace tw::sim
