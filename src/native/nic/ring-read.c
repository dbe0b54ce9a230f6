/*
 * Frames of an existing interface, taken from the ring of its packet socket (packet-ring.h). Each is copied into the
 * arena, once, and its slot given back.
 *
 * Slots are in the order of arrival. A frame that is longer than a slot waits in the socket's queue, in the same order,
 * and its slot says so (TP_STATUS_COPY): the queue is read for the slots of a group, by one call, and each message is
 * described when its slot's turn comes. So a small frame never overtakes a superframe of its flow, nor the reverse.
 *
 * A slot's header is the kernel's, and is checked all the same: each offset and length against the slot.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../devices/packet-ring.h"
#include "../frames/offload.h"
#include "receive.h"

/* Slots taken as one group. */
#define GROUP 64
/* Arena taken by a frame of a slot. */
#define SLOT_ROOM (OT_RING_SLOT + OT_TAG_ROOM + HEADROOM + 2 * 64)
/* Broken slots in one turn, before the next device is read. */
#define MAX_BROKEN 16
/* Failed calls for the messages of one group, each of which consumes an error. */
#define MAX_MISSES 16

struct group {
  uint32_t place, slots;
  uint64_t long_ones; /* a bit for each slot whose frame is in the queue */
  uint32_t messages;  /* number of those */
};

struct ot_ring *ot_ring_create(uint32_t index, int fd) {
  uint8_t *memory = ot_packet_ring_map(fd);
  struct ot_ring *ring = memory ? calloc(1, sizeof *ring) : NULL;
  if (!ring) {
    if (memory) ot_packet_ring_unmap(memory);
    return NULL;
  }
  ring->memory = memory;
  ring->fd = fd;
  ring->index = index;
  ring->seen_stalls = ot_ring_record(memory)->stalls;
  return ring;
}

void ot_ring_free(struct ot_ring *ring) {
  ot_packet_ring_unmap(ring->memory);
  free(ring);
}

static uint32_t next_place(uint32_t place) { return place + 1 == OT_RING_SLOTS ? 0 : place + 1; }

/* 0: the slot is the kernel's. */
static uint32_t status_of(const struct tpacket2_hdr *slot) {
  return __atomic_load_n(&slot->tp_status, __ATOMIC_ACQUIRE);
}

/* Where the next frame is. A process that was killed while it took a group may have given back a part of its slots. */
static uint32_t find_place(const struct ot_ring *ring) {
  struct ot_ring_record *record = ot_ring_record(ring->memory);
  uint32_t place = record->place % OT_RING_SLOTS, until = record->until % OT_RING_SLOTS;
  while (place != until && !(status_of(ot_ring_slot(ring->memory, place)) & TP_STATUS_USER)) place = next_place(place);
  return place;
}

bool ot_ring_has_next(const struct ot_ring *ring) {
  return status_of(ot_ring_slot(ring->memory, find_place(ring))) & TP_STATUS_USER;
}

/* Descriptors that a slot's frame may need: a superframe may be one of a tunnel, which becomes its segments. */
static uint32_t reserve_of(const struct ot_port *port, const struct tpacket2_hdr *slot, bool is_long) {
  uint32_t at = slot->tp_mac;
  if (is_long || at < VNET_HEADER_SIZE || at > OT_RING_SLOT) return port->reserve;
  return ((const uint8_t *)slot)[at - VNET_HEADER_SIZE + 1] ? port->reserve : 1; /* its gso_type */
}

/*
 * The next filled slots, as far as the bounds of the batch allow: what the queue has given must be described in this
 * turn. `*is_full`: a bound has ended it.
 */
static struct group choose(struct ot_nic *nic, const struct ot_port *port, uint32_t most, size_t most_bytes,
                           bool *is_full) {
  struct group group = {.place = find_place(port->ring)};
  size_t room = nic->arena_bytes - nic->next, bytes = 0;
  uint32_t free_descriptors = nic->max_frames - nic->frames, place = group.place;
  if (most > GROUP) most = GROUP;
  *is_full = true;
  for (; group.slots < most && bytes < most_bytes; place = next_place(place)) {
    const struct tpacket2_hdr *slot = ot_ring_slot(port->ring->memory, place);
    uint32_t status = status_of(slot);
    if (!(status & TP_STATUS_USER)) {
      *is_full = false;
      break;
    }
    bool is_long = status & TP_STATUS_COPY;
    uint32_t reserve = reserve_of(port, slot, is_long);
    size_t needed = is_long ? SLOT_BYTES : SLOT_ROOM;
    if (reserve > free_descriptors || needed > room || (is_long && group.messages == OT_RECEIVE_MESSAGES)) break;
    free_descriptors -= reserve;
    room -= needed;
    bytes += slot->tp_len;
    if (is_long) group.long_ones |= (uint64_t)1 << group.slots;
    group.messages += is_long;
    group.slots++;
  }
  return group;
}

/* Reads `count` messages to `base` and behind. Returns how many there were. */
static uint32_t read_messages(struct ot_nic *nic, const struct ot_port *port, size_t base, uint32_t count) {
  struct mmsghdr *messages = nic->inbox.messages;
  uint32_t got = 0;
  int misses = 0;
  for (uint32_t i = 0; i < count; i++) ot_inbox_prepare(nic, port, i, base + (size_t)i * SLOT_BYTES);
  while (got < count) {
    int result = ot_receive_messages(port->fd, messages + got, count - got);
    if (result > 0) {
      got += (uint32_t)result;
    } else if (errno == EINVAL) {
      /* It fits no virtio-net header, and is gone. */
      messages[got].msg_len = 0;
      messages[got++].msg_hdr.msg_flags = MSG_TRUNC;
    } else if (errno == EAGAIN || ++misses >= MAX_MISSES) {
      break;
    }
  }
  return got;
}

/*
 * Copies a frame, with the virtio-net header before it, and describes it. False: the slot has no whole frame, or the
 * segments of others have taken its room.
 */
static bool take_slot(struct ot_nic *nic, int32_t index, struct ot_port *port, const struct tpacket2_hdr *slot) {
  uint32_t at = slot->tp_mac, length = slot->tp_snaplen;
  if (at < TPACKET2_HDRLEN + VNET_HEADER_SIZE || at > OT_RING_SLOT || length > OT_RING_SLOT - at ||
      length != slot->tp_len || nic->spill + SLOT_ROOM > nic->arena_bytes)
    return false;
  size_t offset = nic->spill + OT_TAG_ROOM;
  uint8_t tag[4];
  memcpy(nic->arena + offset - VNET_HEADER_SIZE, (const uint8_t *)slot + at - VNET_HEADER_SIZE,
         VNET_HEADER_SIZE + length);
  nic->spill = after(offset + length);
  bool has_tag = ot_netdev_tag(slot->tp_status, slot->tp_vlan_tpid, slot->tp_vlan_tci, tag);
  ot_netdev_describe_frame(nic, index, port, offset, length, has_tag ? tag : NULL);
  return true;
}

/* Returns the number of frames that were lost: those without a message, and broken ones. */
static uint32_t take_group(struct ot_nic *nic, int32_t index, struct ot_port *port, const struct group *group) {
  size_t base = nic->next + OT_TAG_ROOM, end = nic->next;
  uint32_t got = group->messages ? read_messages(nic, port, base, group->messages) : 0;
  uint32_t message = 0, lost = 0, place = group->place;
  nic->spill = group->messages ? after(base + (size_t)group->messages * SLOT_BYTES) : nic->next;
  size_t unused = nic->spill;
  for (uint32_t i = 0; i < group->slots; i++, place = next_place(place)) {
    struct tpacket2_hdr *slot = ot_ring_slot(port->ring->memory, place);
    nic->owed = group->slots - i - 1;
    if (!(group->long_ones >> i & 1)) {
      lost += !take_slot(nic, index, port, slot);
    } else if (message < got) {
      size_t offset = base + (size_t)message * SLOT_BYTES;
      end = after(offset + nic->inbox.messages[message].msg_len);
      ot_netdev_describe(nic, index, port, &nic->inbox.messages[message++], offset);
    } else {
      lost++;
    }
    __atomic_store_n(&slot->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
  }
  nic->next = nic->spill > unused ? nic->spill : end;
  return lost;
}

enum outcome ot_ring_take(struct ot_nic *nic, int32_t index, struct ot_port *port, uint32_t most, size_t most_bytes) {
  struct ot_ring_record *record = ot_ring_record(port->ring->memory);
  uint32_t last = most < nic->max_frames - nic->frames ? nic->frames + most : nic->max_frames, broken = 0;
  size_t stop = nic->batch_bytes - nic->bytes < most_bytes ? nic->batch_bytes : nic->bytes + most_bytes;
  while (nic->frames < last && nic->bytes < stop && room_left(nic)) {
    bool is_full;
    struct group group = choose(nic, port, last - nic->frames, stop - nic->bytes, &is_full);
    if (!group.slots) return is_full ? FULL : DRAINED;
    uint32_t behind = (group.place + group.slots) % OT_RING_SLOTS;
    record->place = group.place;
    record->until = behind;
    uint32_t lost = take_group(nic, index, port, &group);
    record->place = behind;
    port->ring->taken += group.slots;
    if (lost) __atomic_fetch_add(&record->cut, lost, __ATOMIC_RELAXED);
    if ((broken += lost) >= MAX_BROKEN) return FULL;
    /* What has come meanwhile is for the next turn: superframes are to be sent while they are in the cache. */
    if (!is_full) return DRAINED;
  }
  return FULL;
}
