/*
 * The receive ring of a packet socket (TPACKET_V2, packet(7)): memory into which the kernel puts frames, so that taking
 * one costs no system call. A frame that is longer than a slot is in the socket's queue too, whole
 * (PACKET_COPY_THRESH), and its slot says when it came.
 *
 * Whoever has the socket can map the ring, which is how the engines, the control thread and the next process share it:
 * where the reader is stands in the ring itself, in bytes that the kernel leaves alone.
 */
#ifndef OVERTAP_PACKET_RING_H
#define OVERTAP_PACKET_RING_H

#include <linux/if_packet.h>

#include "../overtap.h"

/*
 * Room for an Ethernet frame of 1,500 bytes with one tag more. An odd number of cache lines: with an even one the first
 * lines of all slots would fall into the same few cache sets.
 */
#define OT_RING_SLOT 1600
#define OT_RING_BLOCK (64 * 1024)
#define OT_RING_BLOCK_SLOTS (OT_RING_BLOCK / OT_RING_SLOT)
#define OT_RING_BLOCKS 32
/* A TAP has a queue of 1,000 frames. */
#define OT_RING_SLOTS (OT_RING_BLOCK_SLOTS * OT_RING_BLOCKS)
#define OT_RING_BYTES (OT_RING_BLOCK * OT_RING_BLOCKS)

/* Lies behind the last slot of the first block. Places are numbers of slots. */
struct ot_ring_record {
  uint32_t slot_bytes; /* a version with other slots refuses the ring */
  uint32_t place;      /* of the next frame */
  uint32_t until;      /* behind the frames that are being taken; otherwise `place` */
  uint32_t cut;        /* frames longer than a slot that were lost, since the last question (ot_packet_ring_missed) */
  uint32_t stalls;     /* questions before which frames were lost and none came into the ring */
};

_Static_assert(OT_RING_BLOCK_SLOTS *OT_RING_SLOT + sizeof(struct ot_ring_record) <= OT_RING_BLOCK,
               "the record lies behind the slots");

static inline struct ot_ring_record *ot_ring_record(uint8_t *ring) {
  return (struct ot_ring_record *)(ring + OT_RING_BLOCK - sizeof(struct ot_ring_record));
}

static inline struct tpacket2_hdr *ot_ring_slot(uint8_t *ring, uint32_t place) {
  size_t block = place / OT_RING_BLOCK_SLOTS, slot = place % OT_RING_BLOCK_SLOTS;
  return (struct tpacket2_hdr *)(ring + block * OT_RING_BLOCK + slot * OT_RING_SLOT);
}

/* Gives a socket its ring, which has virtio-net headers if the socket has. Before it is bound. Returns 0 or an errno.
 */
int ot_packet_ring_make(int fd);
/* NULL: the socket has none. */
uint8_t *ot_packet_ring_map(int fd);
void ot_packet_ring_unmap(uint8_t *ring);
/* Takes the ring away: frames come through the queue from then on. Nobody may have it mapped. Returns 0 or an errno. */
int ot_packet_ring_end(int fd);

#endif
