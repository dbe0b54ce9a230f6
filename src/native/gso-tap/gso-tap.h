/*
 * The GSO TAP: a TAP of the switch's own that takes VXLAN superframes unsegmented, for a device that segments them.
 *
 * gso-tap.c makes it and writes superframes to it, gso-tap/path.c knows which remotes can be reached by it,
 * gso-tap/program.c is the BPF program that redirects them, gso-tap/guard.c looks for firewalls and IPsec policies that
 * they would bypass.
 */
#ifndef OVERTAP_GSO_TAP_H
#define OVERTAP_GSO_TAP_H

#include "../frames/offload.h"

enum { OT_VERDICT_NONE, OT_VERDICT_REFUSED, OT_VERDICT_TAKEN };

/* Memory shared with the BPF program, for one frame at a time. */
struct ot_gso_tap_shared {
  uint32_t verdict;    /* OT_VERDICT_*: written by the program before write(2) returns */
  uint32_t hop_family; /* expected next hop; the program refuses the frame when the routes name another one */
  uint8_t hop[16];
};

/*
 * The Ethernet header of a written frame. In place of the MAC addresses, which the kernel fills in later, it holds
 * parameters of the program, in host byte order.
 */
struct ot_gso_tap_ethernet {
  uint8_t local;       /* 02: locally administered */
  uint8_t open_source; /* not 0: look the route up without a source address, as for an unbound socket */
  uint8_t zeros[4];
  uint32_t device;  /* required output device */
  uint16_t largest; /* bytes of the longest IP packet after segmentation; must fit the path MTU */
  uint16_t type;    /* network byte order */
} __attribute__((packed));

/* Cached abilities of a device. */
struct ot_gso_tap_device {
  uint32_t index;
  bool segments, segments_checksum; /* tx-udp_tnl-segmentation and tx-udp_tnl-csum-segmentation */
  unsigned most_segments;
  int hop_limit, usual_hop_limit; /* IPv6: of this device, and of the namespace (`all`) */
  uint32_t asked_ms, needed_ms;   /* last query, last use */
};

#define OT_GSO_TAP_DEVICES 8

/* A subsystem that the kernel did not have at the last query. */
struct ot_gso_tap_absence {
  bool known;
  uint32_t since_ms;
};

enum { OT_GSO_TAP_NFTABLES, OT_GSO_TAP_XFRM, OT_GSO_TAP_SUBSYSTEMS };

struct ot_gso_tap {
  int fd, program; /* descriptors of the TAP (-1 until the first superframe) and of the program's link */
  int netlink, ioctl, listener;
  uint32_t news;        /* incremented on each change of a cached device */
  uint32_t heard_round; /* the list of commands for which news were read last */
  volatile struct ot_gso_tap_shared *shared;
  int feature, feature_checksum; /* ethtool feature numbers, or -1 */
  struct ot_gso_tap_device devices[OT_GSO_TAP_DEVICES];
  uint32_t next_device;
  bool guarded;        /* do not use while a firewall or IPsec policy is present */
  bool asked, watched; /* result of the last query */
  uint32_t watched_ms;
  struct ot_gso_tap_absence absences[OT_GSO_TAP_SUBSYSTEMS];
  uint16_t id;
};

/* `now_ms` and `since_ms` are STATUS_NOW values, which wrap at 31 bits. */
static inline bool ot_expired(uint32_t now_ms, uint32_t since_ms, uint32_t after_ms) {
  return ((now_ms - since_ms) & 0x7fffffff) >= after_ms;
}

/* ---- gso-tap.c ---- */

/*
 * Prepares the sockets; the TAP is made later. `guarded`: do not use it while a firewall or IPsec policy is present
 * (gso-tap/guard.c).
 */
struct ot_gso_tap *ot_gso_tap_open(bool guarded, struct ot_fault *fault);
void ot_gso_tap_close(struct ot_gso_tap *gso_tap);
/* Makes the TAP. Returns 0, or -1 when this kernel does not support it. */
int ot_gso_tap_start(struct ot_gso_tap *gso_tap, struct ot_fault *fault);
/*
 * Whether a superframe may be sent unsegmented, as far as is known before the attempt. Makes the TAP for the first one.
 */
bool ot_gso_tap_ready(struct ot_nic *nic, const struct ot_port *sender, const int32_t *tx,
                      const struct ot_split *split);
/*
 * Sends a superframe unsegmented. Returns false when it was not sent. The caller has flushed earlier datagrams, to keep
 * the order.
 */
bool ot_gso_tap_send(struct ot_nic *nic, const struct ot_port *sender, const int32_t *tx, const struct ot_split *split);

/* ---- gso-tap/program.c ---- */

/* Loads the program, attaches it to the TAP and maps the shared memory. Returns the link's descriptor, or -1. */
int ot_gso_tap_program(int device, volatile struct ot_gso_tap_shared **shared, struct ot_fault *fault);
void ot_gso_tap_unmap(volatile struct ot_gso_tap_shared *shared);

/* ---- gso-tap/path.c ---- */

/* Whether a sender is bound to a local address. */
bool ot_is_bound(const struct ot_port *sender);

/* Looks up the numbers of the ethtool features by name. */
void ot_gso_tap_name_features(struct ot_gso_tap *gso_tap);
/*
 * Updates the cached path of a remote. Returns false when a superframe of so many segments has to go through the
 * socket.
 */
bool ot_gso_tap_judge(struct ot_nic *nic, const struct ot_port *sender, struct ot_remote *remote, uint32_t segments);

/* ---- gso-tap/guard.c ---- */

/* Whether a firewall or an IPsec policy is present that frames of the GSO TAP would bypass. */
bool ot_gso_tap_watched(struct ot_gso_tap_absence absences[OT_GSO_TAP_SUBSYSTEMS], uint32_t now_ms);
/* The same, of what this host receives too. */
bool ot_gso_tap_watched_both(struct ot_gso_tap_absence absences[OT_GSO_TAP_SUBSYSTEMS], uint32_t now_ms);

#endif
