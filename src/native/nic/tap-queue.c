/*
 * Frames to TAPs that are written together (uring.c): those of a whole list of commands, to any TAPs.
 *
 * Until then other commands of the list may change a frame in the arena: its checksum is completed, or bytes in front
 * of another frame are covered for a moment. So what a frame starts with is copied, with all that may change, and short
 * frames are copied whole, which is also cheaper for the kernel than two buffers.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../frames/offload.h"
#include "uring.h"

/* Frames are copied whole up to here; of longer ones this much. */
#define COPIED 512
#define COPIED_OF_LONG 256
#define SCRATCH (OT_URING_CALLS * 384)

struct ot_tap_queue {
  uint32_t count, used;
  struct ot_call calls[OT_URING_CALLS];
  int32_t owners[OT_URING_CALLS]; /* the command of each call */
  struct iovec vectors[OT_URING_CALLS][2];
  uint8_t scratch[SCRATCH];
};

struct ot_tap_queue *ot_tap_queue_create(void) { return calloc(1, sizeof(struct ot_tap_queue)); }

void ot_tap_flush(struct ot_nic *nic) {
  struct ot_tap_queue *queue = nic->tap_queue;
  if (!queue->count) return;
  ot_make_calls(nic, queue->calls, queue->count);
  for (uint32_t i = 0; i < queue->count; i++)
    if (queue->calls[i].result < 0) ot_command_failed(nic, queue->owners[i], -queue->calls[i].result);
  queue->count = queue->used = 0;
}

/* Bytes to be copied of the rest of a frame, which starts at `rest`; 0: more than there is room for. */
static uint32_t bytes_to_copy(const int32_t *tx, uint32_t rest) {
  uint32_t left = (uint32_t)tx[TX_LENGTH] - rest;
  if (left <= COPIED) return left;
  uint32_t field_end = tx[TX_VNET] & VNET_NEEDS_CSUM ? ot_csum_start(tx) + ot_csum_offset(tx) + 2 : 0;
  return field_end <= rest + COPIED_OF_LONG ? COPIED_OF_LONG : 0;
}

/* Keeps a frame. Returns false when it has to be written now. */
static bool keep(struct ot_nic *nic, const struct ot_port *port, int32_t at, const struct ot_vnet *vnet) {
  struct ot_tap_queue *queue = nic->tap_queue;
  const int32_t *tx = ot_command(nic, at);
  const uint8_t *frame = nic->arena + tx[TX_OFFSET];
  uint8_t *start = queue->scratch + queue->used;
  uint32_t rest, size = ot_tap_prefix(port, tx, frame, vnet, start, &rest), copied = bytes_to_copy(tx, rest);
  if (!copied) return false;
  memcpy(start + size, frame + rest, copied);
  size += copied;
  uint32_t i = queue->count++, left = (uint32_t)tx[TX_LENGTH] - rest - copied;
  queue->used += (size + 7) & ~7u;
  queue->owners[i] = at;
  queue->calls[i] = (struct ot_call){.fd = port->fd, .kind = OT_CALL_WRITE, .data = start, .size = size};
  if (!left) return true;
  struct iovec *vectors = queue->vectors[i];
  vectors[0] = (struct iovec){.iov_base = start, .iov_len = size};
  vectors[1] = (struct iovec){.iov_base = (uint8_t *)frame + rest + copied, .iov_len = left};
  queue->calls[i] = (struct ot_call){.fd = port->fd, .kind = OT_CALL_WRITEV, .data = vectors, .size = 2};
  return true;
}

/* One that is not kept is written behind those that are. */
static int write_now(struct ot_nic *nic, const struct ot_port *port, const int32_t *tx) {
  ot_tap_flush(nic);
  return ot_tap_write(nic, port, tx);
}

int ot_tap_queue(struct ot_nic *nic, const struct ot_port *port, int32_t at) {
  struct ot_tap_queue *queue = nic->tap_queue;
  const int32_t *tx = ot_command(nic, at);
  struct iovec vectors[3];
  struct ot_vnet vnet;
  uint8_t tag[4];
  if (!nic->uring || !port->vnet_size) return write_now(nic, port, tx);
  if (!ot_tap_gather(nic, port, tx, vectors, tag)) return EINVAL;
  int number = ot_fill_vnet(nic, port, tx, &vnet);
  if (number) return number;
  if (queue->count == OT_URING_CALLS || queue->used + OT_TAP_PREFIX + COPIED > SCRATCH) ot_tap_flush(nic);
  return keep(nic, port, at, &vnet) ? 0 : write_now(nic, port, tx);
}
