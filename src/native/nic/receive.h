/*
 * What the files that take frames into a batch have in common: receive.c, stream.c and datagrams.c.
 */
#ifndef OVERTAP_RECEIVE_H
#define OVERTAP_RECEIVE_H

#include <string.h>
#include <sys/epoll.h>

#include "../frames/device.h"

/* Drained: the queue is empty. Full: a bound was reached first. Gone: the device no longer exists; errno tells how. */
enum outcome { DRAINED, FULL, GONE };

/* Where the frame behind one that ends at `end` starts. */
static inline size_t after(size_t end) { return ((end + HEADROOM + 63) & ~(size_t)63) + 2; }

static inline bool room_left(const struct ot_nic *nic) {
  return nic->frames < nic->max_frames && nic->bytes < nic->batch_bytes && nic->next + SLOT_BYTES <= nic->arena_bytes;
}

static inline int32_t *describe(struct ot_nic *nic, int32_t kind, int32_t index, size_t offset, size_t length) {
  int32_t *rx = nic->rx + (size_t)nic->frames++ * RX_STRIDE;
  memset(rx, 0, RX_STRIDE * sizeof *rx);
  rx[RX_KIND] = kind;
  rx[RX_INDEX] = index;
  rx[RX_OFFSET] = (int32_t)offset;
  rx[RX_LENGTH] = (int32_t)length;
  nic->bytes += length;
  return rx;
}

/* ---- stream.c ---- */

/* The state of an attached stream; `tail` is a descriptor of ot_tail_open. NULL: no memory. */
struct ot_stream *ot_stream_create(uint32_t index, int tail, struct ot_fault *fault);
/* Looks at what was under way before the stream was attached, in the next turn. */
void ot_stream_resume(struct ot_nic *nic, uint32_t index, struct ot_port *port);
void ot_stream_free(struct ot_nic *nic, struct ot_stream *stream);
enum outcome ot_stream_take(struct ot_nic *nic, int32_t index, struct ot_port *port, uint32_t most, size_t most_bytes);
/* Sends what is left of a frame that was sent in part, as far as the socket takes it. */
void ot_stream_drain(struct ot_nic *nic, uint32_t index, struct ot_port *port);
/*
 * Adds the streams whose next frame was read already, which epoll does not report, to the `count` events that it did
 * report. Returns their number.
 */
int ot_stream_events(struct ot_nic *nic, struct epoll_event *events, int count, int most);

/* ---- datagrams.c ---- */

enum outcome ot_datagrams_take(struct ot_nic *nic, int32_t index, struct ot_port *port, uint32_t most,
                               size_t most_bytes);

#endif
