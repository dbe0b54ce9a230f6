/*
 * The addon of overtap: the work of a network card, and no decision of a switch.
 *
 * It opens devices (tap.c, tap-adopt.c, tap-change.c, netdev.c, packet-ring.c, udp.c, packet.c, with netns.c,
 * rtnetlink.c, link-plain.c and link-state.c), passes them on to another process (rights.c) and tests what the kernel
 * can do (self-test.c). A Nic (nic.h) waits for devices, receives batches and executes lists of commands. Only addon.c
 * and bind-*.c call Node's API. There are no mutable globals: any number of threads may load the addon.
 */
#ifndef OVERTAP_H
#define OVERTAP_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "fault.h"
#include "layout.h"

/* ---- Bounds of the addon's own ---- */

#define OT_PATH 4096
#define OT_NAME 16
#define OT_MAX_ADDRESSES 64
#define OT_MAX_QUEUES 64

/* Descriptors in one message; the kernel's limit is 253 (SCM_MAX_FD). */
#define OT_MAX_RIGHTS 250

/* ---- checksum.c ---- */

/* Folded ones' complement sum of the bytes, in the byte order in which it is stored. */
uint16_t ot_sum(const uint8_t *bytes, size_t length);
/* Folds a sum of 16-bit words. Sums of parts can be added when each part but the last has an even length. */
uint16_t ot_fold(uint64_t sum);
/*
 * Completes the checksum at start + offset over [start, length); the field holds the pseudo-header's sum. The caller
 * checks bounds.
 */
void ot_complete(uint8_t *frame, size_t length, size_t start, size_t offset);

/* ---- netns.c ---- */

/* Opens a namespace's file without opening files of other kinds (EINVAL of `setns`). Returns a descriptor, or -1. */
int ot_netns_open(const char *path, struct ot_fault *fault);
/* The inode number that identifies a namespace. `fd` -1: the thread's own. Returns 0 when unknown. */
ino_t ot_netns_number(int fd);
/*
 * Whether another user namespace than the thread's owns a network namespace: its root is not root here. False where the
 * kernel does not say (before 4.9), or the path is no namespace.
 */
bool ot_netns_is_foreign(const char *path);
/*
 * Moves this thread into a namespace; -1 or an empty path: it stays. Sets *home for ot_netns_leave. Returns 0, or -1.
 */
int ot_netns_visit(int target, int *home, struct ot_fault *fault);
int ot_netns_enter(const char *path, int *home, struct ot_fault *fault);
/* Returns to `home` and closes it. Ends the process on failure: a thread in the wrong namespace must not go on. */
void ot_netns_leave(int home);
/* Whether a visit failed for want of a right: a sandbox forbids setns, or the process lacks CAP_SYS_ADMIN. */
bool ot_netns_is_closed(const struct ot_fault *fault);
/* Moves this thread for good. */
int ot_netns_move(const char *path, struct ot_fault *fault);

/* ---- rtnetlink.c: links, addresses and routes of the namespace the thread is in ---- */

struct ot_link {
  int index;
  unsigned flags;
  unsigned mtu;
  unsigned gso_segments; /* gso_max_segs; 0: not reported by the kernel */
  uint8_t mac[6];
  unsigned short type; /* ARPHRD_*; 0: not asked */
  bool carrier;
  bool promotes;  /* see ot_link_set_promotion */
  bool is_marked; /* see ot_link_mark */
  int master;     /* index; 0: none, or not known */
  bool is_vrf;
};

struct ot_address {
  int family;
  uint8_t bytes[16];
  int prefix;
  char text[64];
};

int ot_netlink_open(struct ot_fault *fault);
/*
 * A socket for the functions below; *netlink is -1 where a sandbox refuses netlink, and they do without. Returns 0, or
 * -1 when resources are short.
 */
int ot_links_open(int *netlink, struct ot_fault *fault);
/* A socket that receives link notifications. */
int ot_netlink_listen(struct ot_fault *fault);
/*
 * The index of a changed link from the next notification; 0: no notification is waiting, -1: notifications were lost.
 */
int ot_link_changed(int listener);
/*
 * Each returns 0 or an errno. `netlink` -1: a sandbox refuses netlink, and link-plain.c does what it can; EOPNOTSUPP
 * where it cannot.
 */
int ot_link_set_gso_segments(int netlink, int index, unsigned segments);
int ot_link_get(int netlink, const char *ifname, struct ot_link *link);
/*
 * The VRF that a device is, or is in, also through a bond, bridge or VLAN device above it: the name of its device, or
 * "" where there is none or no netlink. Returns 0 or an errno: ENODEV.
 */
int ot_link_vrf(int netlink, const char *ifname, char vrf[OT_NAME]);
int ot_link_set_mtu(int netlink, int index, unsigned mtu);
int ot_link_set_mac(int netlink, int index, const uint8_t mac[6]);
int ot_link_set_name(int netlink, int index, const char *ifname);
/* `ifname`: its name there. */
int ot_link_set_netns(int netlink, int index, int netns, const char *ifname);
int ot_link_set_up(int netlink, int index);
/* Marks the device as made by overtap, so that the next switch that takes it over may delete it. */
int ot_link_mark(int netlink, int index);
/*
 * Whether the further IPv4 addresses of a subnet survive the removal of the first one
 * (net.ipv4.conf.*.promote_secondaries).
 */
int ot_link_set_promotion(int netlink, int index, bool on);
/* Packets may come in by the device whose source is an address of this host (net.ipv4.conf.*.accept_local). */
int ot_link_accept_local(int netlink, int index);
int ot_address_set(int netlink, int index, const struct ot_address *address);
/* Returns 0 also when the address does not exist. */
int ot_address_remove(int netlink, int index, const struct ot_address *address);

struct ot_route {
  uint32_t device;
  uint8_t type; /* RTN_* */
  uint8_t source[16];
  bool has_source; /* source address chosen by the kernel, if any */
  int hop_family;  /* next hop: the gateway, or the destination itself */
  uint8_t hop[16];
  uint32_t mtu, hop_limit; /* of the route or path, 0: none */
};

/* Route lookup, as `ip route get`. `source` may be NULL; `device` 0: any. */
int ot_route_get(int netlink, int family, const void *destination, const void *source, uint32_t device,
                 struct ot_route *route);

/* ---- tun.c ---- */

/*
 * Opens /dev/net/tun for a device of the thread's namespace, which is made if there is none. `layer3`: a TUN, which
 * carries IP packets, not a TAP. `vnet_header`: whether frames have one; false afterwards where the kernel refuses it.
 * Returns the descriptor, or -1.
 */
int ot_tun_attach(const char *ifname, bool layer3, bool multi_queue, bool *vnet_header, struct ot_fault *fault);
/* The present name and the IFF_* flags of an open device. Returns 0 or an errno; EBADFD: the device is gone. */
int ot_tun_flags(int fd, char ifname[OT_NAME], int *flags);
static inline const char *ot_tun_kind(bool layer3) { return layer3 ? "TUN" : "TAP"; }

/* ---- tap.c: TAPs, and TUNs, which have no MAC (`layer3`) ---- */

struct ot_tap_options {
  char netns[OT_PATH]; /* empty: the thread's own */
  char ifname[OT_NAME];
  bool has_mac, mac_if_new; /* an existing TAP keeps its MAC */
  uint8_t mac[6];
  unsigned mtu; /* 0: as it is */
  struct ot_address addresses[OT_MAX_ADDRESSES];
  int address_count;
  bool persist, multi_queue, up, vnet_header, layer3;
  unsigned offload;
  unsigned gso_segments; /* 0: as it is */
  int queues;
};

struct ot_tap {
  int fd;
  char ifname[OT_NAME];
  uint8_t mac[6];
  unsigned mtu;
  int vnet_size;
  unsigned offload;
  int more[OT_MAX_QUEUES - 1]; /* descriptors of its further queues */
  int more_count;
  bool taken_over, is_foreign; /* it existed before; and was not made by overtap */
  bool has_header;             /* a virtio-net header */
  bool is_sent;                /* its namespace may not be entered: the NIC is DOWN there, without addresses */
  bool made_inside;            /* opened in its namespace without having existed there: it keeps that one alive */
  bool is_steered;             /* of several queues: a program chooses among them */
  int found_vnet_size;
};

int ot_tap_open(const struct ot_tap_options *options, struct ot_tap *tap, struct ot_fault *fault);
/* Sets the size of its virtio-net header, where there is one, and its offloads. Returns 0, or -1. */
int ot_tap_set_offloads(struct ot_tap *tap, unsigned offload, struct ot_fault *fault);

/* ---- steer.c ---- */

/* Of several queues one gets all frames of a flow, whatever is written. Needs CAP_BPF, or a kernel that lets anybody
 * load filters. */
void ot_tap_steer(const struct ot_tap_options *options, struct ot_tap *tap);

/* ---- tap-adopt.c ---- */

/*
 * Takes a device that somebody else has opened, as its descriptor: of `options` the name, the namespace and `persist`
 * do not matter. What this process may not change stays as it is. On failure the descriptor stays open.
 */
int ot_tap_adopt(int fd, const struct ot_tap_options *options, struct ot_tap *tap, struct ot_fault *fault);

/* ---- stream.c ---- */

/* Memory that the engines share which write to one stream socket (stream.h). Returns a descriptor, or -1. */
int ot_tail_open(struct ot_fault *fault);

/* ---- frame-sockets.c: sockets of local ports ---- */

/* Each returns a descriptor, or -1. Names of unix sockets are paths. */
int ot_stream_connect(const char *path, struct ot_fault *fault);
/* Its file is its owner's only. */
int ot_stream_listen(const char *path, struct ot_fault *fault);
/* 0: nobody is waiting. */
int ot_stream_accept(int fd, struct ot_fault *fault);
/* Its file is its owner's only. */
int ot_datagrams_bind(const char *path, struct ot_fault *fault);
/* A UDP socket from one address to another: what others send to it is refused. */
int ot_datagrams_connect(int family, const char *local, int local_port, const char *remote, int remote_port,
                         struct ot_fault *fault);
int ot_datagrams_reconnect(int fd, int family, const char *remote, int remote_port, struct ot_fault *fault);
/*
 * Whether a process has the unix socket of that path open. Returns 1, 0, or -1: the socket may not be asked.
 */
int ot_socket_answers(const char *path, struct ot_fault *fault);

/* ---- tcp.c: sockets that Node connects, or listens on ---- */

/* A socket, bound unless `local` is empty and `port` 0. Returns its descriptor, or -1. */
int ot_tcp_open(int family, const char *local, int port, struct ot_fault *fault);
/* Sends with TTL 255; what comes from farther away than so many hops is dropped (RFC 5082). 0: whatever comes is taken.
 */
int ot_tcp_guard(int fd, int family, int hops, struct ot_fault *fault);
/* The key for segments from and to a neighbour (RFC 2385), at most 80 bytes; none: it has no key any more. */
int ot_tcp_sign(int fd, int family, const char *remote, const char *key, size_t length, struct ot_fault *fault);

/* ---- tap-change.c: `fd` is one of the TAP's, `netns` where it was opened (empty: the thread's own) ---- */

/* A further queue. Returns its descriptor, or -1. */
int ot_tap_open_queue(int fd, const char *netns, bool vnet_header, struct ot_fault *fault);

struct ot_tap_changes {
  unsigned mtu;          /* 0: as it is */
  unsigned gso_segments; /* 0: as it is */
  bool has_mac, mark;    /* see ot_link_mark */
  bool up;
  uint8_t mac[6];
  struct ot_address addresses[OT_MAX_ADDRESSES], removed[OT_MAX_ADDRESSES];
  int address_count, removed_count;
};

/* Applies the changes one by one, removals before additions. On failure the earlier ones remain. */
int ot_tap_change(int fd, const char *netns, struct ot_tap_changes *changes, struct ot_fault *fault);
int ot_tap_add_addresses(const struct ot_address *addresses, int count, int netlink, const char *name, int index,
                         struct ot_fault *fault);
/* Whether the device outlives its descriptors, of which this is one. */
int ot_tap_set_persist(int fd, bool on, struct ot_fault *fault);
/* Resets a persistent TAP before it is closed: no offloads, and a virtio-net header of this size. */
void ot_tap_leave(int fd, int vnet_size);

struct ot_tap_state {
  char ifname[OT_NAME]; /* the name that it has now */
  ino_t netns;          /* see ot_netns_number */
  struct ot_link link;
};

/*
 * Returns 1 and fills `state` in; 0: the device is gone; -1: fault. On entry `state` holds the name, namespace and
 * index last seen; index 0: none. MTU 0: the namespace may not be entered, so MTU, MAC and index are unknown.
 */
int ot_tap_state(int fd, const char *netns, struct ot_tap_state *state, struct ot_fault *fault);

/* ---- large-receive.c ---- */

/* Turns LRO off, in the thread's namespace; others than root may not. Returns 0 or an errno. */
int ot_link_receive_plain(const char *ifname);

/* ---- link-state.c ---- */

/* Index, flags, MTU and MAC of a link of the thread's namespace. Returns 0 or an errno. */
int ot_link_look(const char *ifname, struct ot_link *link);
/* The same by a socket of the link's namespace. */
int ot_link_ask(int fd, const char *ifname, struct ot_link *link);
/* Returns 1 and fills `link` in; 0: the link or its namespace (empty: the thread's own) is gone; -1: fault. */
int ot_link_state(const char *netns, const char *ifname, struct ot_link *link, struct ot_fault *fault);

/* ---- netdev.c ---- */

struct ot_netdev_options {
  char netns[OT_PATH]; /* empty: the thread's own */
  char ifname[OT_NAME];
  int queues;
  bool silence; /* keep what it receives from the host's stack, where the kernel can */
  bool ring;    /* receive by a ring (packet-ring.h), where the kernel can */
};

struct ot_netdev {
  int fds[OT_MAX_QUEUES]; /* packet sockets */
  int count;
  int silencer; /* the host's stack is silenced until it is closed; -1: it is not */
};

/* The sockets receive nothing yet. */
int ot_netdev_open(const struct ot_netdev_options *options, struct ot_netdev *netdev, struct ot_fault *fault);
/* Lets one of them receive. */
int ot_netdev_listen(int fd, struct ot_fault *fault);
/* Whether a descriptor is a packet socket. */
bool ot_netdev_is_packet(int fd);
/* Whether the interface of a packet socket was deleted or moved to another namespace. */
bool ot_netdev_is_gone(int fd);
bool ot_netdev_has_carrier(int fd);
/* Frames that were lost for want of room in the socket's queue since the last question. */
unsigned ot_netdev_missed(int fd);
/* Returns 1 and fills name and link in; 0: the interface is gone; -1: fault. */
int ot_netdev_state(int fd, char ifname[OT_NAME], struct ot_link *link, struct ot_fault *fault);

/* ---- udp.c ---- */

struct ot_udp_options {
  char local[64]; /* empty: any */
  int family;     /* AF_INET or AF_INET6 */
  int port;
  char dev[OT_NAME]; /* empty: any */
  int buffer;
  /* Of receivers. */
  char group[64]; /* empty: none; otherwise bound to it in place of `local`, and needs `dev` */
  bool gro, reuse_port;
  /* Of senders. */
  int ttl; /* of unicast datagrams; 0: the route's */
  bool df, checksum;
  bool labels;                 /* the flow label is that of the address sent to, else none; IPv6 */
  char multicast_dev[OT_NAME]; /* empty: sends to no group */
  int multicast_ttl;
};

int ot_udp_receiver(const struct ot_udp_options *options, int *port, bool *gro, struct ot_fault *fault);
int ot_udp_sender(const struct ot_udp_options *options, int *port, struct ot_fault *fault);
/* Sets a receiving socket up for sending as well. `dev` restricts where it sends, not where it receives. */
/* Binds a receiver to another device, or with "" to none: a VRF, for one. */
int ot_udp_rebind(int fd, const char *dev, struct ot_fault *fault);
int ot_udp_send_by_receiver(int fd, const struct ot_udp_options *options, struct ot_fault *fault);
/* For a group: the MTU of `dev`. */
int ot_path_mtu(const char *remote, const char *local, const char *dev, struct ot_fault *fault);

/* ---- messages.c ---- */

struct mmsghdr;

/* As recvmmsg(2) and sendmmsg(2), without waiting. Where these are refused, at most one message is moved. */
int ot_receive_messages(int fd, struct mmsghdr *messages, unsigned count);
int ot_send_messages(int fd, struct mmsghdr *messages, unsigned count, int flags);

/* ---- self-test.c ---- */

struct ot_trial {
  const char *name;
  bool works;
  char reason[160]; /* why it does not work, or why it is assumed to work untested; empty otherwise */
};

enum {
  OT_TRIAL_UDP_SEGMENT,
  OT_TRIAL_UDP_GRO,
  OT_TRIAL_VNET_HEADER,
  OT_TRIAL_TSO,
  OT_TRIAL_USO,
  OT_TRIAL_TUNNEL_GSO,
  OT_TRIAL_TAP,
  OT_TRIAL_MULTI_QUEUE,
  OT_TRIAL_PERSIST,
  OT_TRIAL_HEADER_SIZE,
  OT_TRIAL_DEVICE_NETNS,
  OT_TRIAL_BUFFERS,
  OT_TRIAL_IPV6,
  OT_TRIAL_NETLINK,
  OT_TRIAL_SETNS,
  OT_TRIAL_RECV_TOS,
  OT_TRIAL_RECV_TCLASS,
  OT_TRIAL_NO_CHECK6_RX,
  OT_TRIAL_MULTICAST_ALL,
  OT_TRIAL_SOCKET_FILTER,
  OT_TRIAL_MTU_DISCOVER,
  OT_TRIAL_MTU_DISCOVER6,
  OT_TRIAL_PATH_MTU,
  OT_TRIAL_REUSE_PORT,
  OT_TRIAL_BIND_TO_DEVICE,
  OT_TRIAL_TTL,
  OT_TRIAL_NO_CHECKSUM,
  OT_TRIAL_MESSAGES,
  OT_TRIAL_TCX,
  OT_TRIAL_PACKET_RING,
  OT_TRIAL_IO_URING,
  OT_TRIAL_FLOWS,
  OT_TRIALS
};

/* Tries each in the thread's namespace; leaves nothing behind. */
void ot_self_test(struct ot_trial trials[OT_TRIALS]);

/* ---- self-test/udp.c ---- */

void ot_self_test_udp(struct ot_trial trials[OT_TRIALS]);

/* ---- self-test/uring.c ---- */

/* `tap`: a TAP that is down, -1: there is none, and only the calls themselves are tried. */
void ot_self_test_uring(int tap, struct ot_trial *trial);

/* ---- packet.c ---- */

int ot_packet_open(const char *netns, const char *ifname, bool promiscuous, struct ot_fault *fault);
/* Returns the length of one frame, 802.1Q tag included; 0: none is waiting. */
int ot_packet_read(int fd, uint8_t *buffer, size_t length, struct ot_fault *fault);
int ot_packet_write(int fd, const uint8_t *frame, size_t length, struct ot_fault *fault);
/* Returns 1 when readable or in error, 0 on timeout. */
int ot_wait_readable(int fd, int timeout_ms, struct ot_fault *fault);

/* ---- start-heap.c ---- */

/* Has malloc() map large memory from now on, so that a page of a table is resident once it is written. */
void ot_spare_memory(void);
/* Collects all garbage of the calling thread's isolate, and shrinks its heap. Returns 0 if this Node cannot. */
int ot_collect_garbage(void);

/* ---- start-pages.c ---- */

/* Gives back the pages of Node's program file that only the start needed. Returns the bytes given back. */
size_t ot_release_start_pages(void);

/* ---- rights.c ---- */

/* A connected stream socket. Waits at most five seconds. Returns its descriptor, or -1. */
int ot_unix_connect(const char *path, struct ot_fault *fault);
/*
 * Sends bytes, and descriptors with the first of them. Never waits. Returns how many bytes were sent, or -1.
 */
ssize_t ot_rights_send(int fd, const uint8_t *bytes, size_t length, const int *fds, size_t count,
                       struct ot_fault *fault);
/*
 * Waits for bytes; descriptors that come with them are the caller's then. Returns the number of bytes; 0: the peer has
 * closed; -1: fault.
 */
ssize_t ot_rights_receive(int fd, uint8_t *buffer, size_t length, int fds[OT_MAX_RIGHTS], size_t *count,
                          struct ot_fault *fault);

/* ---- icmp.c ---- */

/* Bytes of an address as text, with a zone. */
#define OT_ADDRESS 64

struct ot_icmp_options {
  int family; /* AF_INET or AF_INET6 */
  char dev[OT_NAME];
  const uint8_t *filter; /* of linux/icmp.h or linux/icmpv6.h: a bit for each type that is kept out */
  size_t filter_length;
};

int ot_icmp_open(const struct ot_icmp_options *options, struct ot_fault *fault);
/* `packet` begins with its IP header. `address` is numeric. */
int ot_icmp_send(int fd, const uint8_t *packet, size_t length, const char *address, struct ot_fault *fault);
/* Returns the length of one packet, over IPv4 with its IP header; 0: none is waiting. */
int ot_icmp_read(int fd, uint8_t *buffer, size_t length, char source[OT_ADDRESS], struct ot_fault *fault);

/* ---- liveness.c ---- */

/* Words about one datagram: its source address, as PacketIo has it, source port, TTL (-1: not known), length, 0. */
#define OT_DATAGRAM_WORDS 8

/* Received datagrams come with their TTL from now on. */
int ot_tell_ttl(int fd, int family, struct ot_fault *fault);
/* Datagrams whose TTL is not 255 are dropped before they are queued from now on. */
int ot_only_one_hop(int fd, struct ot_fault *fault);
/* Datagrams that the socket has dropped: by its filter, and for want of room. 0: the kernel does not say. */
uint32_t ot_dropped_at(int fd);
/* Reads at most `count` datagrams that wait, each into an equal part of `bytes`, cut to it. Returns how many. */
int ot_read_datagrams(int fd, uint8_t *bytes, size_t size, int32_t *facts, size_t count);
/* Sends to an address, as PacketIo has it. Never waits. Returns an errno; 0: sent. */
int ot_send_datagram(int fd, const uint8_t *bytes, size_t length, const uint32_t words[4], int port);
/* Waits until a descriptor is readable or in error. Returns how many are; `ready` has a byte for each. */
int ot_await_any(const int32_t *fds, size_t count, uint8_t *ready, int64_t microseconds);

#endif
