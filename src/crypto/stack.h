// Wipes the stack below a function: functions that have returned left copies of keys there, in
// frames and spilled registers, which no destructor knows of.
#pragma once

namespace tw::crypto {

/// Overwrites the stack of the calling thread below the caller's frame, 128 KiB deep: more than
/// reading a configuration takes. Call after a key was used or taken away, from a frame that lives
/// on. Costs some microseconds: not for packets.
void wipe_stack() noexcept;

}  // namespace tw::crypto
