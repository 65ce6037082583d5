// The load of bench/relay: one end answers, the other asks, in a loop of new connections, over many
// that stay, or byte by byte over one. One thread each, epoll, nothing allocated for a connection
// that follows another: what is measured between them should be the relay, and their own CPU time
// is in the report.
#pragma once

#include <string>
#include <vector>

namespace tw::bench {

/// The least relay there can be: what comes to each of the ports at `own_address` goes on to the
/// same port of `address`, and back. Says `ready` on stderr when it listens. Returns only on
/// failure, which is on stderr.
void pass(const std::string& own_address, const std::string& address,
          const std::vector<std::string>& ports);

/// Answers requests at PORT until it is ended; says `ready` on stderr when it listens. Returns only
/// on failure, which is on stderr.
void answer(const std::string& port);

/// `parallel` connections at a time for so many seconds, each with one request and an answer of
/// 1 KB, closed by the answering end; the next begins when it is gone. JSON, with the latency from
/// connect() to the last byte; or empty, and why is on stderr.
std::string ask_in_a_loop(const std::string& address, const std::string& port,
                          const std::string& seconds, const std::string& parallel);

/// One connection for so many seconds, idle but for one byte at a time that goes there and comes
/// back; before each a pause of 2.5 to 7.5 ms, drawn anew, so that it keeps time with nothing.
/// JSON, with the time from send() until the byte is back; or empty, and why is on stderr. What it
/// waits for longer than two seconds has failed.
std::string echo_bytes(const std::string& address, const std::string& port,
                       const std::string& seconds);

/// On the host between: how long single bytes of TCP payload, to the port and from it, took from
/// one device to the other, by the kernel's time stamps. Says `ready` on stderr; JSON after
/// SIGUSR1, or empty, and why is on stderr. Until then it sleeps, and nothing waits for it. Needs
/// CAP_NET_RAW and CAP_NET_ADMIN.
std::string stamp_bytes(const std::string& front, const std::string& back, const std::string& port);

/// One request; returns the address of whom the answering end sees, or empty.
std::string ask_once(const std::string& address, const std::string& port);

/// `count` connections, each with one request of 1 KB; says `held COUNT` on stdout and keeps them.
/// After SIGUSR1 each fetches `bulk` bytes; says `moved COUNT`. After another they are reset, and
/// it returns true. False as soon as one ends meanwhile, or anything fails: why is on stderr.
bool hold(const std::string& address, const std::string& port, const std::string& count,
          const std::string& bulk);

/// For so many seconds `rate` SYNs a second to ADDRESS and PORT by `device`, as frames to the MAC
/// address `gateway`, each from one of the 8 million sources of 10.128.0.0/9. JSON: how many have
/// gone; or empty, and why is on stderr. Needs CAP_NET_RAW.
std::string flood(const std::string& device, const std::string& gateway, const std::string& address,
                  const std::string& port, const std::string& rate, const std::string& seconds);

}  // namespace tw::bench
