/*
 * The inside of the tunnel TAP.
 *
 *   gso-tap.c           its life, and superframes that leave by it
 *   gso-tap-path.c      which remotes can be reached by it
 *   gso-tap-program.c   what the kernel does with them
 *   gso-tap-guard.c     who wants to see them by the ordinary way
 */
#ifndef OVERTAP_GSO_TAP_H
#define OVERTAP_GSO_TAP_H

#include "offload.h"

enum { OT_VERDICT_NONE, OT_VERDICT_REFUSED, OT_VERDICT_TAKEN };

/* Shared with the program, for one frame at a time. */
struct ot_gso_tap_shared {
  uint32_t verdict;    /* what became of the frame: entered by the program, and there when write returns */
  uint32_t hop_family; /* the next hop; if the routes name another one, the frame is refused */
  uint8_t hop[16];
};

/*
 * The Ethernet header of a frame that is written: what the writer asks for, in place of addresses that the kernel will
 * write. Byte order of the host.
 */
struct ot_gso_tap_ethernet {
  uint8_t local;       /* 02: locally administered */
  uint8_t open_source; /* not 0: the routes are to be asked without the source address, as for a socket that is bound to
                          none */
  uint8_t zeros[4];
  uint32_t device;  /* by which the frame is to leave; any other refuses it */
  uint16_t largest; /* bytes of the longest IP packet that it will become; a path with a smaller MTU refuses it */
  uint16_t type;    /* network byte order */
} __attribute__((packed));

/* What a device can do, asked for now and then. */
struct ot_gso_tap_device {
  uint32_t index;
  bool segments, segments_checksum; /* frames in UDP tunnels: without, and with, a checksum of the outer datagram */
  unsigned most_segments;
  int hop_limit, usual_hop_limit; /* of IPv6: by this device, and where none is known of a device */
  uint32_t asked_ms, needed_ms;   /* when it was, last */
};

#define OT_GSO_TAP_DEVICES 8

/* A subsystem that the kernel did not have when it was asked last. */
struct ot_gso_tap_absence {
  bool known;
  uint32_t since_ms;
};

enum { OT_GSO_TAP_NFTABLES, OT_GSO_TAP_XFRM, OT_GSO_TAP_SUBSYSTEMS };

struct ot_gso_tap {
  int fd, program; /* the TAP's descriptor, -1 as long as none is needed, and that of the program's link to it */
  int netlink, ioctl, listener;
  uint32_t news; /* counts the changes of devices that have been asked for */
  volatile struct ot_gso_tap_shared *shared;
  int feature, feature_checksum; /* numbers of what ethtool knows by name, or -1 */
  struct ot_gso_tap_device devices[OT_GSO_TAP_DEVICES];
  uint32_t next_device;
  bool guarded;        /* not to be used while somebody looks at what this host sends */
  bool asked, watched; /* whether somebody did, when it was asked last */
  uint32_t watched_ms;
  struct ot_gso_tap_absence absences[OT_GSO_TAP_SUBSYSTEMS];
  uint16_t id;
};

/* By the Nic's clock. */
static inline bool ot_expired(uint32_t now_ms, uint32_t since_ms, uint32_t after_ms) {
  return ((now_ms - since_ms) & 0x7fffffff) >= after_ms;
}

/* ---- gso-tap.c ---- */

/* Makes no TAP yet. `guarded`: not to be used while somebody looks at what this host sends (gso-tap-guard.c). */
struct ot_gso_tap *ot_gso_tap_open(bool guarded, struct ot_fault *fault);
void ot_gso_tap_close(struct ot_gso_tap *gso_tap);
/* Makes the TAP. -1: this kernel cannot, or will not. */
int ot_gso_tap_start(struct ot_gso_tap *gso_tap, struct ot_fault *fault);
/* Whether a superframe may leave whole, as far as can be told before it is tried. The first one has the TAP made. */
bool ot_gso_tap_ready(struct ot_nic *nic, const struct ot_port *sender, const int32_t *tx,
                      const struct ot_split *split);
/* False: it has not left. Whatever was sent before must be on its way. */
bool ot_gso_tap_send(struct ot_nic *nic, const struct ot_port *sender, const int32_t *tx, const struct ot_split *split);

/* ---- gso-tap-program.c ---- */

/* Loads the program and links it to the TAP. Returns the link's descriptor and maps what is shared with it, or -1. */
int ot_gso_tap_program(int device, volatile struct ot_gso_tap_shared **shared, struct ot_fault *fault);
void ot_gso_tap_unmap(volatile struct ot_gso_tap_shared *shared);

/* ---- gso-tap-path.c ---- */

/* Whether a sender has an address of its own. */
bool ot_is_bound(const struct ot_port *sender);

/* Finds out what ethtool(8) calls the features that are asked for. */
void ot_gso_tap_name_features(struct ot_gso_tap *gso_tap);
/* Brings the remote's path up to date. False: a superframe of so many segments goes by the socket. */
bool ot_gso_tap_judge(struct ot_nic *nic, const struct ot_port *sender, struct ot_remote *remote, uint32_t segments);

/* ---- gso-tap-guard.c ---- */

/* Whether somebody looks at what this host sends, whom frames of the tunnel TAP would pass by. */
bool ot_gso_tap_watched(struct ot_gso_tap_absence absences[OT_GSO_TAP_SUBSYSTEMS], uint32_t now_ms);

#endif
