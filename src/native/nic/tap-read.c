/*
 * Reads frames from a TAP, or packets from a TUN, into the arena.
 *
 * A TAP has no call that takes several frames, so several reads are made together by the ring (uring.c), into places
 * that hold a frame of any length; short frames are then moved together. How many frames are asked for follows from how
 * many were there before: a read in vain costs nearly as much as one that succeeds. For the same reason a TAP is not
 * read until it is empty: when it gave all that was asked for, epoll tells in the next turn whether it has more.
 */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "receive.h"
#include "uring.h"

/* Frames that are moved: longer ones cost more to move than their place costs. */
#define MOVED 512

static bool device_gone(int number) {
  return number == EBADFD || number == ENODEV || number == EBADF || number == ENXIO;
}

/* Describes the frame at `place`, which `got` bytes were read to from its virtio-net header on. */
static void describe_frame(struct ot_nic *nic, int32_t index, struct ot_port *port, size_t place, size_t got) {
  uint8_t *frame = nic->arena + place;
  size_t length = got - port->vnet_size + port->lacks;
  struct ot_vnet header = {0};
  memcpy(&header, frame + port->lacks - port->vnet_size, port->vnet_size);
  memset(frame, 0, port->lacks);
  if (place != nic->next && length <= MOVED) {
    memcpy(nic->arena + nic->next, frame, length);
    place = nic->next;
  }
  int32_t *rx = describe(nic, KIND_FRAME, index, place, length);
  rx[RX_VNET] = header.flags | header.gso_type << 8;
  rx[RX_GSO] = (int32_t)(header.gso_size | ot_moved(header.hdr_len, port->lacks) << 16);
  rx[RX_CSUM] = (int32_t)(ot_moved(header.csum_start, port->lacks) | (uint32_t)header.csum_offset << 16);
  nic->next = after(place + length);
  port->typical = (uint32_t)(port->typical * 3 / 4 + length / 4) + 1;
}

/* Reads so far from one TAP in this call: failed ones, and what ended them (EAGAIN: it is empty). */
struct reading {
  size_t stop; /* of nic->bytes */
  int misses, ended;
};

/* Takes the result of one read to `place`. Returns whether it was a frame. */
static bool take_result(struct ot_nic *nic, int32_t index, struct ot_port *port, struct reading *reading, size_t place,
                        int32_t result) {
  if (result > (int32_t)port->vnet_size) {
    describe_frame(nic, index, port, place, (size_t)result);
    return true;
  }
  if (result == -EAGAIN || (result < 0 && device_gone(-result))) {
    if (!reading->ended || reading->ended == EAGAIN) reading->ended = -result;
  } else {
    reading->misses++;
  }
  return false;
}

/* Returns the number of frames. */
static uint32_t read_each(struct ot_nic *nic, int32_t index, struct ot_port *port, uint32_t count,
                          struct reading *reading) {
  uint32_t got = 0;
  for (uint32_t i = 0; i < count && nic->bytes < reading->stop && room_left(nic); i++) {
    /*
     * The virtio-net header goes into the headroom: one buffer is cheaper for the kernel than two. The bare system call
     * avoids the thread cancellation handling of read(2), 4 % of a 64-byte frame's time.
     */
    uint8_t *start = nic->arena + nic->next + port->lacks - port->vnet_size;
    ssize_t result = syscall(SYS_read, port->fd, start, port->vnet_size + OT_ROOM);
    got += take_result(nic, index, port, reading, nic->next, result < 0 ? -errno : (int32_t)result);
    if (reading->ended || reading->misses >= MAX_MISSES) break;
  }
  return got;
}

/* The same with one system call. */
static uint32_t read_together(struct ot_nic *nic, int32_t index, struct ot_port *port, uint32_t count,
                              struct reading *reading) {
  struct ot_call calls[OT_URING_CALLS];
  size_t first = nic->next;
  for (uint32_t i = 0; i < count; i++)
    calls[i] = (struct ot_call){.fd = port->fd,
                                .kind = OT_CALL_READ,
                                .data = nic->arena + first + i * SLOT_BYTES + port->lacks - port->vnet_size,
                                .size = port->vnet_size + OT_ROOM};
  ot_make_calls(nic, calls, count);
  uint32_t got = 0;
  for (uint32_t i = 0; i < count; i++) {
    size_t place = first + i * SLOT_BYTES;
    got += take_result(nic, index, port, reading, place, calls[i].result);
  }
  return got;
}

/* Frames to ask for: as many as the port is expected to have, and as the bounds allow at the recent size. */
static uint32_t ask_for(const struct ot_nic *nic, const struct ot_port *port, uint32_t last, size_t stop) {
  size_t fit = (nic->arena_bytes - nic->next) / SLOT_BYTES, count = (stop - nic->bytes) / port->typical + 1;
  if (count > port->expected) count = port->expected;
  if (count > last - nic->frames) count = last - nic->frames;
  return (uint32_t)(count < fit ? count : fit);
}

/*
 * What to expect next, of `got` frames where `asked` were asked for. The ring asks for a few more than there were,
 * since a read in vain costs little there and tells that the TAP is empty.
 */
static void expect(const struct ot_nic *nic, struct ot_port *port, uint32_t asked, uint32_t got) {
  bool together = ot_makes_together(nic, asked);
  if (got < asked) port->expected = got + (together && got > 1 ? got / 8 + 1 : 0);
  else if (together || nic->prompt) port->expected = asked * (together ? 2 : 4);
  if (port->expected < 1) port->expected = 1;
  if (port->expected > OT_URING_CALLS) port->expected = OT_URING_CALLS;
}

enum outcome ot_tap_take(struct ot_nic *nic, int32_t index, struct ot_port *port, uint32_t most, size_t most_bytes) {
  uint32_t last = most < nic->max_frames - nic->frames ? nic->frames + most : nic->max_frames;
  struct reading reading = {.stop = nic->bytes + most_bytes};
  while (nic->frames < last && nic->bytes < reading.stop && room_left(nic)) {
    uint32_t asked = ask_for(nic, port, last, reading.stop), expected = port->expected;
    bool together = ot_makes_together(nic, asked);
    uint32_t got =
        together ? read_together(nic, index, port, asked, &reading) : read_each(nic, index, port, asked, &reading);
    bool all = got == asked && asked == expected;
    if (all || reading.ended == EAGAIN) expect(nic, port, asked, got);
    if (reading.ended && reading.ended != EAGAIN) {
      errno = reading.ended;
      return GONE;
    }
    if (reading.ended) return DRAINED;
    if (reading.misses >= MAX_MISSES) return FULL;
    /* It had all that it was expected to have, and seldom has more. */
    if (all && !together && expected < OT_URING_CALLS) return DRAINED;
  }
  return FULL;
}
