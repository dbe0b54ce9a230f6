/*
 * Several system calls in one, by io_uring (uring.c): reads and writes of TAPs, and sends.
 */
#ifndef OVERTAP_URING_H
#define OVERTAP_URING_H

#include <stdbool.h>
#include <stdint.h>

#include "../fault.h"

/* The most calls that are made together. */
#define OT_URING_CALLS 64

/* Of a descriptor's bytes, of `size` iovecs, or of a struct msghdr. None of them waits. */
enum ot_call_kind { OT_CALL_READ, OT_CALL_WRITE, OT_CALL_WRITEV, OT_CALL_SEND };

struct ot_call {
  int fd;
  enum ot_call_kind kind;
  int32_t result; /* bytes, or an errno below zero */
  const void *data;
  uint32_t size; /* bytes or iovecs; of no use for a send */
};

struct ot_uring;

/* Returns NULL where the kernel or a sandbox refuses it. */
struct ot_uring *ot_uring_open(struct ot_fault *fault);
void ot_uring_close(struct ot_uring *ring);
/* From how many on calls are made together: fewer cost less one by one. */
uint32_t ot_uring_least(const struct ot_uring *ring);
/*
 * Makes 1 to OT_URING_CALLS calls in their order, and has all results when it returns. Returns 0, or the errno with
 * which the ring has failed: what the kernel did not take was called one by one, and the ring must not be used again.
 */
int ot_uring_run(struct ot_uring *ring, struct ot_call *calls, uint32_t count);
/* The same without a ring. */
void ot_call_each(struct ot_call *calls, uint32_t count);

/* ---- together.c ---- */

struct ot_nic;

/* Whether so many calls are made together. */
bool ot_makes_together(const struct ot_nic *nic, uint32_t count);
/* Makes 1 to OT_URING_CALLS calls, together or one by one. */
void ot_make_calls(struct ot_nic *nic, struct ot_call *calls, uint32_t count);

#endif
