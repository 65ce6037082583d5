// Checks that an engine computes ChaCha20-Poly1305, before it is trusted with a packet. A library
// that picks its code by CPU has code that its authors' machines never ran.
#pragma once

#include <string>

#include "crypto/aead_engine.h"

namespace tw::crypto {

/// Empty if the engine is right, else what it did wrong, for the operator. Three questions: RFC
/// 8439's appendix A.5; packets of 0 to 16,384 bytes in one batch with a key each, against
/// libsodium, which no engine uses; and the same batch with every second packet forged, which it
/// must refuse and zero while it opens the others. Costs about 0.3 ms and 100 KB for the time it
/// takes.
std::string fault_of(AeadEngine& engine);

}  // namespace tw::crypto
