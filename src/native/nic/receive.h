/*
 * What the files that take frames into a batch have in common: receive.c, ring-read.c, stream.c and datagrams.c.
 */
#ifndef OVERTAP_RECEIVE_H
#define OVERTAP_RECEIVE_H

#include <string.h>
#include <sys/epoll.h>

#include "../frames/device.h"

/* Drained: the queue is empty. Full: a bound was reached first. Gone: the device no longer exists; errno tells how. */
enum outcome { DRAINED, FULL, GONE };

/*
 * Failed reads of one device in a batch, each of which consumes a broken frame or an error, before the next device is
 * read.
 */
#define MAX_MISSES 16

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

/* ---- inbox.c ---- */

/* Sets up message `i` of the next recvmmsg on a socket; the datagram, or frame, is to lie at `offset`. */
void ot_inbox_prepare(struct ot_nic *nic, const struct ot_port *port, uint32_t i, size_t offset);

/* ---- ring-poll.c ---- */

/* Most rings that are out of epoll at a time. */
#define OT_POLLED_RINGS 64

/* Takes a ring out of epoll whose socket has just received or sent so many frames, if these are enough. */
void ot_ring_busy(struct ot_nic *nic, struct ot_ring *ring, uint32_t frames);
/* Whether one of those that are out of epoll has frames. */
bool ot_rings_filled(const struct ot_nic *nic);
/* Puts one back, and all. */
void ot_ring_arm(struct ot_nic *nic, struct ot_ring *ring);
void ot_rings_arm(struct ot_nic *nic);
/* Adds an event for each that has frames to the `count` events, behind which there is room. Returns their number. */
int ot_rings_events(const struct ot_nic *nic, struct epoll_event *events, int count);
/* Before the ring ends. */
void ot_ring_forget(struct ot_nic *nic, struct ot_ring *ring);

/* ---- ring-read.c ---- */

struct ot_ring {
  uint8_t *memory;
  int fd;
  uint32_t index;
  uint32_t taken, seen_taken; /* frames, now and when it was looked at last */
  uint32_t seen_stalls;
  bool is_polled;
  struct ot_ring *next;
};

/* NULL: the packet socket has no ring, or there is no memory. */
struct ot_ring *ot_ring_create(uint32_t index, int fd);
void ot_ring_free(struct ot_ring *ring);
/* Whether the next frame is there. */
bool ot_ring_has_next(const struct ot_ring *ring);
enum outcome ot_ring_take(struct ot_nic *nic, int32_t index, struct ot_port *port, uint32_t most, size_t most_bytes);
/* ---- ring-watch.c ---- */

/* Goes on without the rings that the kernel does not fill any more. */
void ot_rings_watch(struct ot_nic *nic, uint32_t now_ms);
/* ---- wait.c ---- */

/*
 * Waits for events as epoll_wait does, `busy`: after a batch, when the next one often follows soon. Sets nic->prompt.
 * Returns their number, or -1.
 */
int ot_wait(struct ot_nic *nic, bool busy, struct epoll_event *events, int most, int timeout_ms);

/* ---- tap-read.c ---- */

enum outcome ot_tap_take(struct ot_nic *nic, int32_t index, struct ot_port *port, uint32_t most, size_t most_bytes);

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
