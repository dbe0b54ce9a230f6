/*
 * The state of a Nic: its memory, the tables of what is attached, the batch being taken in and the list of commands
 * being carried out.
 *
 * Every part of the data path works on it (offload.h, gso-tap.h); nic.h is how the outside uses it.
 */
#ifndef OVERTAP_DEVICE_H
#define OVERTAP_DEVICE_H

#include <sys/un.h>
#include <time.h>

#include "../overtap.h"

/* Room for the largest datagram or coalesced train, and for the largest frame of a TAP with its tags. */
#define OT_ROOM 65600
/* Datagrams received by one recvmmsg, messages sent by one sendmmsg. */
#define OT_RECEIVE_MESSAGES 32
#define OT_SEND_MESSAGES 64
/* Segments of a received train: UDP_MAX_SEGMENTS of Linux 6.9 and later; older kernels have 64. */
#define OT_TRAIN_IN 128
/*
 * Segments of a superframe. Without this bound one write of a guest, with a segment size of 1, would become 65,000
 * segments.
 */
#define OT_MAX_SEGMENTS 4096
/* Bytes of the headers that are copied and stamped for each segment, encapsulation included. */
#define OT_MAX_HEADERS 1024
/* Upper bounds of the indexes in each table of devices, and in the table of remotes. */
#define OT_MAX_PORTS 65536
#define OT_MAX_REMOTES 1048576
/* Merges open at a time: to one TAP, and in all. */
#define OT_TAP_MERGES 8
#define OT_MERGES 64
#define OT_MERGE_MEMBERS 64
/* Commands to a packet socket sent by one sendmmsg. */
#define OT_PACKET_MESSAGES 64
/* Lists of at least this many commands are timed (STATUS_SENDING). */
#define OT_MEASURED 256

#define OT_ETHERNET 14
#define OT_TCP 6
#define OT_UDP_PROTOCOL 17

/* virtio-net header in host byte order, the default of a TAP. */
struct ot_vnet {
  uint8_t flags, gso_type;
  uint16_t hdr_len, gso_size, csum_start, csum_offset, num_buffers;
};

/*
 * How frames go through the descriptor of a local port: one with each read and write, as a stream, as datagrams, or by
 * the packet socket of an existing interface.
 */
enum ot_way { OT_WHOLE, OT_STREAM, OT_DATAGRAMS, OT_PACKETS };

struct ot_port {
  int fd; /* -1: not attached */
  enum ot_way way;
  bool reads;               /* but for OT_WHOLE: received here */
  struct ot_stream *stream; /* streams: stream.c */
  struct sockaddr_un *peer; /* datagrams: where they go; NULL: the socket is connected */
  int family;
  uint32_t vnet_size; /* TAPs: bytes of the virtio-net header, 0: none */
  uint32_t lacks;     /* bytes of the Ethernet header: those of a TUN, which has IP packets only; else 0 */
  uint32_t reserve;   /* receiving sockets: descriptors that one datagram may take */
  uint32_t typical;   /* bytes of a recent datagram, or frame of a TAP */
  uint32_t expected;  /* TAPs: frames that it may have (tap-read.c) */
  bool trains;        /* senders: UDP_SEGMENT may be tried */
  uint8_t local[16];  /* senders: local address, zeros: not bound */
  uint32_t bound_to;  /* senders: index of the device that they are bound to, 0: none */
  uint16_t source_port;
  uint8_t ttl;
  bool df, checksum;   /* senders: DF and UDP checksum of their datagrams */
  uint32_t flow_label; /* IPv6 senders: the label, in network byte order, as in sin6_flowinfo */
  int32_t first,
      last;      /* within one call: list of the commands of a sender, stream or datagram port, or of open merges */
  int32_t next;  /* the next one with commands, or TAP with open merges */
  uint32_t open; /* TAPs: number of open merges */
  bool listed;   /* TAPs: in the list of TAPs with merges */
  struct ot_packet_queue *packets; /* packet sockets: netdev-write.c */
  struct ot_ring *ring;            /* packet sockets: ring-read.c; NULL: frames come through the socket's queue */
};

struct ot_table {
  struct ot_port *ports;
  uint32_t size;
};

/* Cached route to a remote for unsegmented superframes, valid for senders with the same binding. */
struct ot_path {
  bool asked;
  uint32_t asked_ms, news, bound_to;
  uint8_t local[16], ttl;
  bool checksum;
  uint32_t device;   /* 0: none */
  uint32_t mtu;      /* path MTU, 0: the device's */
  uint32_t segments; /* gso_max_segs of the device */
  uint8_t source[16];
  uint32_t hop_family; /* next hop: the gateway, or the remote itself */
  uint8_t hop[16];
};

struct ot_remote {
  struct sockaddr_in6 v6;
  struct sockaddr_in v4; /* sin_family 0: not an IPv4 address */
  struct ot_path path;
};

/* Buffers of one recvmmsg. */
struct ot_inbox {
  struct mmsghdr messages[OT_RECEIVE_MESSAGES];
  struct iovec vectors[OT_RECEIVE_MESSAGES];
  struct sockaddr_in6 sources[OT_RECEIVE_MESSAGES];
  _Alignas(struct cmsghdr) uint8_t control[OT_RECEIVE_MESSAGES][128];
};

struct ot_nic {
  uint8_t *arena;
  size_t arena_bytes, header_bytes;
  int32_t *rx, *tx, *status;
  size_t tx_capacity;
  size_t batch_bytes;
  uint32_t max_frames;
  uint32_t vnet_size;
  bool udp_segment, merge;
  uint64_t spin_ns; /* how long `receive` polls before it sleeps */
  bool spin_adapts; /* only while that succeeds often enough: wait.c */
  int32_t spin_credit;
  uint32_t spin_waits;
  struct ot_uring *uring;         /* calls made together: uring.c; NULL: one by one */
  struct ot_uring *failed_uring;  /* one that is not used any more */
  struct ot_tap_queue *tap_queue; /* tap-queue.c */
  int32_t latched;                /* LATCHED_* bits that `receive` has not reported yet */
  int epoll, event;               /* -1: closed, none */
  struct ot_table taps, sockets, senders;
  struct ot_remote *remotes;
  uint32_t remote_count;

  /* The batch being taken in; `prompt`: its frames were there before the last one was done. */
  bool prompt;
  uint32_t frames, turn;
  size_t bytes, next;
  size_t spill;  /* free part of the arena behind the messages of one recvmmsg, for segments */
  uint32_t owed; /* those of the messages that need a descriptor yet */
  struct ot_inbox inbox;
  struct ot_stream *waiting; /* streams with frames that were read already */
  uint32_t rings;            /* packet sockets with a ring */
  struct ot_ring *polled;    /* those that are not in epoll while they are busy: ring-poll.c */
  uint32_t polled_count;
  uint32_t rings_seen_ms; /* when they were looked at last */

  /* The command list being executed: links of the lists by sender, and the set of checksum fields completed so far. */
  uint32_t failed;
  int32_t *links;
  uint32_t *done_at, *done_in;
  uint32_t done_mask, done_count, round;
  /* More commands on the same frames follow in the next call, so the set of completed checksum fields stays valid. */
  bool mid_batch;
  struct ot_outbox *outbox;
  struct ot_parcel *parcel;
  struct ot_gso_tap *gso_tap; /* NULL: none */
  uint32_t tunnelled;
  struct ot_merge *merges;
  int32_t free_merge, merging_tap;
  int32_t sending_packets; /* first of the packet sockets with queued commands, or -1 */
};

enum ot_kind { OT_TAP = KIND_FRAME, OT_UDP = KIND_UDP, OT_EVENT = 3 };

/* The port attached at an index, or NULL. */
static inline struct ot_port *ot_port_at(struct ot_table *table, int32_t index) {
  if (index < 0 || (uint32_t)index >= table->size || table->ports[index].fd < 0) return NULL;
  return &table->ports[index];
}

/* Monotonic clock. */
static inline uint64_t ot_nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static inline int32_t *ot_command(const struct ot_nic *nic, int32_t at) { return nic->tx + (size_t)at * TX_STRIDE; }

/* The flow label of a command's datagram, in network byte order: its own, or that of its sender. */
static inline uint32_t ot_flow_label(const struct ot_port *sender, int32_t tos) {
  return tos & TX_LABELLED ? htonl((uint32_t)tos >> TX_LABEL_SHIFT & 0xfffff) : sender->flow_label;
}

static inline bool ot_inside(const struct ot_nic *nic, int32_t offset, int32_t length) {
  return offset >= 0 && length >= 0 && (size_t)offset + (size_t)length <= nic->arena_bytes;
}

/* Stores an errno as the command's status. The first failure of a command is kept. */
static inline void ot_command_failed(struct ot_nic *nic, int32_t at, int number) {
  int32_t *tx = ot_command(nic, at);
  if (tx[TX_STATUS]) return;
  tx[TX_STATUS] = number;
  nic->failed++;
}

/* ---- The words of a command ---- */

static inline uint32_t ot_gso_type(const int32_t *tx) {
  return (uint32_t)tx[TX_VNET] >> 8 & 0xff & ~(uint32_t)VNET_GSO_ECN;
}
static inline uint32_t ot_csum_start(const int32_t *tx) { return (uint32_t)tx[TX_CSUM] & 0xffff; }
static inline uint32_t ot_csum_offset(const int32_t *tx) { return (uint32_t)tx[TX_CSUM] >> 16; }

/* Bytes by which the tag operation moves the rest of the frame behind the MAC addresses. */
static inline int32_t ot_tag_shift(const int32_t *tx) {
  int32_t operation = tx[TX_TAG] & TAG_REPLACE;
  return operation == TAG_PUSH ? 4 : operation == TAG_POP ? -4 : 0;
}

/* An offset of the virtio-net header, in a frame that gets a header or a tag in front. */
static inline uint32_t ot_moved(uint16_t offset, uint32_t by) { return offset > 0xffff - by ? 0xffff : offset + by; }

/* In network byte order; the bytes need not be aligned. */
static inline void ot_put_word(uint8_t *bytes, uint32_t value) {
  bytes[0] = (uint8_t)(value >> 8);
  bytes[1] = (uint8_t)value;
}

#endif
