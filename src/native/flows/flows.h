/*
 * Known flows carried by the kernel: maps and programs. TypeScript decides which flows, and writes rows
 * (dataplane/flow); here a row is looked up and carried out, as the table of a network card would.
 *
 * A frame meets two programs of its device. The first is the filter of its packet socket. It makes the one look-up:
 * with a row in force it leaves a note for this CPU, and the socket does not get the frame; without one the socket gets
 * it. The second, at the ingress of the device (tcx), comes right behind, for the same frame on the same CPU. It
 * carries out what the note says, or lets the frame pass.
 *
 * A row is in force while the stamps that it was written with are those of the table: one for all rows, and one for
 * each of the two FDB entries that it follows from. Who changes an entry changes its stamp, in shared memory, and with
 * that every row that follows from it is out of force, without a system call.
 */
#ifndef OVERTAP_FLOWS_H
#define OVERTAP_FLOWS_H

#include "../overtap.h"

/* Stamps of FDB entries, which share them by a hash. */
#define OT_FLOW_STAMPS 4096
/* Rows of one engine, each with counts of its own. */
#define OT_FLOW_SLOTS 1024

/* Words of a row as it is given: its key, and what is done with its frames. */
#define OT_FLOW_KEY_WORDS 6
#define OT_FLOW_ROW_WORDS 12
#define OT_FLOW_WORDS (OT_FLOW_KEY_WORDS + OT_FLOW_ROW_WORDS)

enum { OT_FLOW_TAG_KEEP, OT_FLOW_TAG_POP, OT_FLOW_TAG_PUSH };
/* Beside it: the frame gets the outer header of its slot. */
#define OT_FLOW_ENCAPSULATE_IPV4 4
#define OT_FLOW_ENCAPSULATE_IPV6 8

/* Of a frame that comes out of a tunnel: what its datagram and its inner header have. */
struct ot_flow_far {
  uint32_t vni;
  uint16_t port, family; /* UDP destination port as on the wire; 4 or 6 */
  uint8_t to[6], from[6];
  uint8_t source[16], destination[16]; /* IPv4 in the first four bytes */
};
#define OT_FLOW_FAR_WORDS 13

#define OT_FLOW_PORTS 16
/* Ethernet, IP, UDP and VXLAN. */
#define OT_FLOW_OUTER_IPV4 50
#define OT_FLOW_OUTER_IPV6 70
#define OT_FLOW_TOS_INHERIT 0x100

/* The outer headers of a flow, as the sending socket makes them. */
struct ot_flow_outer {
  uint32_t serial; /* that of the row; written first, read last */
  uint32_t sum;    /* of the IPv4 header, as stored, without its length, TOS and ID */
  uint32_t tos, df;
  uint8_t header[72];
  uint16_t ports[OT_FLOW_PORTS]; /* source ports, as on the wire */
  uint32_t spare[2];
};

struct ot_flow_key {
  uint32_t device;        /* number of the device where the frame comes in */
  uint32_t tag;           /* 0: none; OT_FLOW_TAGGED and the VID */
  uint8_t to[6], from[6]; /* MACs */
  uint32_t zero;
};

#define OT_FLOW_TAGGED 0x10000

struct ot_flow_row {
  uint32_t stamp;              /* of all rows */
  uint32_t place[2], entry[2]; /* places and stamps of the FDB entries of source and destination */
  uint32_t slot;               /* of its counts */
  uint32_t longest;            /* bytes of a frame, its outermost tag not counted; superframes may be longer */
  uint32_t operation;          /* OT_FLOW_TAG_* */
  uint32_t tci;                /* of a tag that is pushed */
  uint32_t device;             /* where the frame leaves, by its index */
  uint32_t own;                /* UDP destination port of the switch's own datagrams, which enter no tunnel */
  uint32_t serial;             /* of the outer headers of its slot */
};

/*
 * A row as a map holds it. A map gives the memory of a removed row to the next one at once, also under the hands of a
 * program that has found it. So the key is written first, and what was read is true if the key is read after it, and is
 * that of the frame.
 */
struct ot_flow_known {
  struct ot_flow_key key;
  struct ot_flow_row row;
};

/* The same of a flow out of a tunnel. */
struct ot_flow_known_far {
  struct ot_flow_far key;
  uint32_t zero;
  struct ot_flow_row row;
};

/* Counts of one row. They only increase, and wrap. */
struct ot_flow_counts {
  uint32_t noted; /* frames that the socket left to the second program */
  uint32_t frames, bytes;
  uint32_t large; /* superframes and trains that were left to the engine */
};

/* What engines and programs share. Behind it are the counts, OT_FLOW_SLOTS for each engine. */
struct ot_flow_shared {
  uint32_t stamp;
  uint32_t went_in, came_out; /* frames of the decapsulator (decap.h), which may join some */
  uint32_t spare;
  uint32_t entries[OT_FLOW_STAMPS];
};

struct ot_flow_note {
  uint32_t device; /* number of the device that the frame came in by; 0: there is no note */
  uint32_t length, slot, operation, tci, out, serial;
};

/* Descriptors of the maps of a switch. */
struct ot_flow_maps {
  int rows, notes, shared, far, outers;
  uint32_t slots;
  uint32_t decap; /* index of the device for superframes out of tunnels (decap.h); 0: there is none */
};

/* ---- maps.c ---- */

/* `engines`: how many write rows. Returns 0, or -1. */
int ot_flow_maps_open(uint32_t engines, struct ot_flow_maps *maps, struct ot_fault *fault);
void ot_flow_maps_close(struct ot_flow_maps *maps);
/* Returns NULL on failure. */
struct ot_flow_shared *ot_flow_map(int shared, uint32_t slots, struct ot_fault *fault);
void ot_flow_unmap(struct ot_flow_shared *shared, uint32_t slots);
/* Each returns 0 or an errno. `value`: as the map holds it. */
int ot_flow_set(int map, const void *key, const void *value);
int ot_flow_remove(int map, const void *key);
/* Returns when no program runs any more that ran when it was called. Returns 0 or an errno. */
int ot_flow_settle(void);

static inline struct ot_flow_counts *ot_flow_counts(struct ot_flow_shared *shared) {
  return (struct ot_flow_counts *)(shared + 1);
}

/* ---- outer.c ---- */

/*
 * The outer headers of datagrams that a sending socket sends to an address (four words, IPv4 mapped), with the TTL, DF
 * and addresses that it would have. Returns the index of the device that the route leads to, 0: this cannot be done
 * here, as with a UDP checksum. `asks`: only the device matters.
 */
uint32_t ot_flow_outer(int sender, const uint32_t address[4], uint16_t port, uint32_t vni, bool asks,
                       struct ot_flow_outer *outer);
/* Whether something of the host looks at datagrams (netfilter, IPsec), which carried ones would pass by. */
bool ot_flow_watched(void);

/* ---- under.c ---- */

/* Links the program that takes known flows out of tunnels to a device of the thread's namespace; 0: only loads it. */
int ot_flow_under(const struct ot_flow_maps *maps, int interface, struct ot_fault *fault);

/* ---- program.c ---- */

/* The filter of a device with that number. Returns a descriptor, or -1. */
int ot_flow_filter(const struct ot_flow_maps *maps, uint32_t device, struct ot_fault *fault);
/* Links the second program to the interface, which is of the thread's namespace. Returns the link, or -1. */
int ot_flow_link(const struct ot_flow_maps *maps, uint32_t device, int interface, struct ot_fault *fault);

#endif
