/*
 * The ring of a Nic: when it is used, and when no more.
 */
#include "../frames/device.h"
#include "uring.h"

bool ot_makes_together(const struct ot_nic *nic, uint32_t count) {
  return nic->uring && count >= ot_uring_least(nic->uring);
}

void ot_make_calls(struct ot_nic *nic, struct ot_call *calls, uint32_t count) {
  if (!ot_makes_together(nic, count)) {
    ot_call_each(calls, count);
  } else if (ot_uring_run(nic->uring, calls, count)) {
    /* Closed with the Nic: closing interrupts a call of this thread some time later. */
    nic->failed_uring = nic->uring;
    nic->uring = NULL;
    nic->latched |= LATCHED_IO_URING;
  }
}
