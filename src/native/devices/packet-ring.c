/* Receive rings of packet sockets (packet-ring.h): made, mapped and taken away. nic/ring-read.c takes frames from them.
 */
#include "packet-ring.h"

#include <errno.h>
#include <sys/mman.h>

static int set_ring(int fd, struct tpacket_req request) {
  return setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &request, sizeof request) < 0 ? errno : 0;
}

static int set(int fd, int option, int value) {
  return setsockopt(fd, SOL_PACKET, option, &value, sizeof value) < 0 ? errno : 0;
}

int ot_packet_ring_make(int fd) {
  struct tpacket_req request = {.tp_block_size = OT_RING_BLOCK,
                                .tp_block_nr = OT_RING_BLOCKS,
                                .tp_frame_size = OT_RING_SLOT,
                                .tp_frame_nr = OT_RING_SLOTS};
  int number = set(fd, PACKET_VERSION, TPACKET_V2);
  /* Any value but 0: frames longer than a slot come through the queue. */
  if (!number) number = set(fd, PACKET_COPY_THRESH, 1);
  if (!number) number = set_ring(fd, request);
  if (number) return number;
  uint8_t *ring = mmap(NULL, OT_RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (ring == MAP_FAILED) {
    number = errno;
    ot_packet_ring_end(fd);
    return number;
  }
  ot_ring_record(ring)->slot_bytes = OT_RING_SLOT;
  ot_packet_ring_unmap(ring);
  return 0;
}

uint8_t *ot_packet_ring_map(int fd) {
  uint8_t *ring = mmap(NULL, OT_RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (ring == MAP_FAILED) return NULL;
  const struct ot_ring_record *record = ot_ring_record(ring);
  if (record->slot_bytes == OT_RING_SLOT && record->place < OT_RING_SLOTS && record->until < OT_RING_SLOTS) return ring;
  ot_packet_ring_unmap(ring);
  return NULL;
}

void ot_packet_ring_unmap(uint8_t *ring) { munmap(ring, OT_RING_BYTES); }

int ot_packet_ring_end(int fd) { return set_ring(fd, (struct tpacket_req){0}); }
