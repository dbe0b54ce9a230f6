/*
 * Open TAPs, followed by their descriptor, which tells the present name and namespace of a renamed or moved device.
 * Owns changes of their NICs and queries of their state.
 */
#include "../overtap.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#ifndef TUNGETDEVNETNS
#define TUNGETDEVNETNS _IO('T', 227)
#endif

/* Bounds following a device that is renamed or moved again and again. */
#define MOST_TRIES 5

/* Where a device is. */
struct place {
  char ifname[OT_NAME];
  int netns; /* a descriptor of its namespace */
};

static int name_of(int fd, char ifname[OT_NAME]) {
  int flags;
  return ot_tun_flags(fd, ifname, &flags);
}

/* Failures that are no refusal: the device is gone, or resources are short for a moment. */
static bool passes(int number) { return number == EBADFD || number == EMFILE || number == ENFILE || number == ENOMEM; }

/*
 * `netns` is where the TAP was opened, for kernels that do not tell (before 5.2) or refuse to (EPERM without
 * CAP_NET_ADMIN there). Returns 0 or an errno; EBADFD: the device is gone.
 */
static int find(int fd, const char *netns, struct place *place, struct ot_fault *fault) {
  int number = name_of(fd, place->ifname);
  if (number) return ot_fail(fault, number, "TUNGETIFF", "looking for a TAP"), number;
  place->netns = ioctl(fd, TUNGETDEVNETNS, 0);
  if (place->netns < 0 && passes(errno))
    ot_fail(fault, errno, "TUNGETDEVNETNS", "looking for the network namespace of %s", place->ifname);
  else if (place->netns < 0) place->netns = ot_netns_open(netns[0] ? netns : "/proc/thread-self/ns/net", fault);
  return place->netns < 0 ? fault->number : 0;
}

/* Work done in the device's namespace. Returns 0, -1, or ENODEV when the device has moved away. */
typedef int work(int fd, const struct place *place, void *with, struct ot_fault *fault);

/* Whether the device still has this name: another one may have got it meanwhile. */
static bool has_stayed(int fd, const struct place *place) {
  char ifname[OT_NAME];
  return name_of(fd, ifname) == 0 && !strcmp(ifname, place->ifname);
}

static int do_there(int fd, const struct place *place, work *action, void *with, struct ot_fault *fault) {
  int home;
  if (ot_netns_visit(place->netns, &home, fault) < 0) return -1;
  int result = action(fd, place, with, fault);
  ot_netns_leave(home);
  return result;
}

/*
 * Does the work in the device's namespace, again when it has moved meanwhile. Returns 0, or -1; EBADFD: the device is
 * gone.
 */
static int follow(int fd, const char *netns, work *action, void *with, struct ot_fault *fault) {
  for (int i = 0; i < MOST_TRIES; i++) {
    struct place place;
    if (find(fd, netns, &place, fault)) return -1;
    int result = do_there(fd, &place, action, with, fault);
    close(place.netns);
    if (result != ENODEV) return result;
  }
  return ot_fail(fault, EAGAIN, "TUNGETIFF", "following a TAP that is renamed or moved without end");
}

/* ---- Its state ---- */

static int look(int fd, const struct place *place, void *with, struct ot_fault *fault) {
  struct ot_tap_state *state = with;
  int number = ot_link_look(place->ifname, &state->link);
  if (number == ENODEV || (number == 0 && !has_stayed(fd, place))) return ENODEV;
  if (number) return ot_fail(fault, number, "ioctl", "reading the state of %s", place->ifname);
  memcpy(state->ifname, place->ifname, OT_NAME);
  state->netns = ot_netns_number(place->netns);
  return 0;
}

/*
 * Whether name, namespace and index are as last seen: a device keeps its index within a namespace, and another one with
 * its name has another index. Asks the namespace and not the descriptor, whose ioctl waits for the rtnl lock.
 */
static bool is_as_seen(const char *netns, struct ot_tap_state *state) {
  struct ot_fault fault;
  struct ot_link link;
  int home;
  if (ot_netns_enter(netns, &home, &fault) < 0) return false;
  bool same =
      ot_netns_number(-1) == state->netns && ot_link_look(state->ifname, &link) == 0 && link.index == state->link.index;
  ot_netns_leave(home);
  if (same) state->link = link;
  return same;
}

/*
 * What the descriptor tells where the namespace may not be entered. A TAP takes frames while it is set up
 * (tun_chr_poll): then it is writable.
 */
static int look_from_outside(int fd, const char *netns, struct ot_tap_state *state, struct ot_fault *fault) {
  struct place place;
  struct pollfd wait = {.fd = fd, .events = POLLOUT};
  if (find(fd, netns, &place, fault)) return -1;
  memset(state, 0, sizeof *state);
  memcpy(state->ifname, place.ifname, OT_NAME);
  state->netns = ot_netns_number(place.netns);
  state->link.flags = poll(&wait, 1, 0) == 1 && (wait.revents & POLLOUT) ? IFF_UP : 0;
  close(place.netns);
  return 0;
}

int ot_tap_state(int fd, const char *netns, struct ot_tap_state *state, struct ot_fault *fault) {
  if (state->link.index > 0 && is_as_seen(netns, state)) return 1;
  if (follow(fd, netns, look, state, fault) == 0) return 1;
  /* EAGAIN: it is not where it was opened, and the kernel does not tell this process where it is. */
  bool is_unseen = ot_netns_is_closed(fault) || fault->number == EAGAIN;
  if (is_unseen && look_from_outside(fd, netns, state, fault) == 0) return 1;
  return fault->number == EBADFD ? 0 : -1;
}

/* ---- Its queues, and its end ---- */

struct queue {
  bool vnet_header;
  int fd;
};

static int open_queue(int fd, const struct place *place, void *with, struct ot_fault *fault) {
  struct queue *queue = with;
  struct ot_link link;
  /* TUNSETIFF would create a missing device. */
  int number = ot_link_look(place->ifname, &link);
  if (number == ENODEV) return ENODEV;
  if (number) return ot_fail(fault, number, "ioctl", "looking for %s", place->ifname);
  char ifname[OT_NAME];
  int flags;
  if (ot_tun_flags(fd, ifname, &flags)) return ENODEV;
  queue->fd = ot_tun_attach(place->ifname, flags & IFF_TUN, true, &queue->vnet_header, fault);
  if (queue->fd < 0) return -1;
  if (has_stayed(fd, place)) return 0;
  close(queue->fd);
  return ENODEV;
}

/* Offloads and header size belong to the device, so a further queue has them already. */
int ot_tap_open_queue(int fd, const char *netns, bool vnet_header, struct ot_fault *fault) {
  struct queue queue = {.vnet_header = vnet_header};
  return follow(fd, netns, open_queue, &queue, fault) == 0 ? queue.fd : -1;
}

int ot_tap_set_persist(int fd, bool on, struct ot_fault *fault) {
  /* Where the kernel knows no persistent TAPs, as gVisor, this one ends with its descriptors: the self-test says so. */
  if (ioctl(fd, TUNSETPERSIST, on ? 1ul : 0ul) == 0 || errno != EBADFD) return 0;
  return ot_fail(fault, errno, "TUNSETPERSIST", "making the TAP %s", on ? "persistent" : "non-persistent");
}

void ot_tap_leave(int fd, int vnet_size) {
  /*
   * The next user may not use a virtio-net header, and then must not get partial checksums; one that does sets offloads
   * itself.
   */
  if (ioctl(fd, TUNSETOFFLOAD, 0ul) == 0 && vnet_size) (void)!ioctl(fd, TUNSETVNETHDRSZ, &vnet_size);
}

/* ---- Its NIC ---- */

int ot_tap_add_addresses(const struct ot_address *addresses, int count, int netlink, const char *name, int index,
                         struct ot_fault *fault) {
  for (int i = 0; i < count; i++) {
    int number = ot_address_set(netlink, index, &addresses[i]);
    if (number)
      return ot_fail(fault, number, "RTM_NEWADDR", "adding the address %s/%d to %s", addresses[i].text,
                     addresses[i].prefix, name);
  }
  return 0;
}

/*
 * Removing the first address of an IPv4 subnet removes the others too, unless promote_secondaries is set. The guest's
 * setting is restored afterwards.
 */
static int remove_addresses(const struct ot_tap_changes *changes, int netlink, const char *name,
                            const struct ot_link *link, struct ot_fault *fault) {
  int number = 0;
  bool promote = false;
  for (int i = 0; i < changes->removed_count; i++)
    if (changes->removed[i].family == AF_INET && !link->promotes) promote = true;
  if (promote && (number = ot_link_set_promotion(netlink, link->index, true)))
    return ot_fail(fault, number, "RTM_SETLINK", "keeping the other addresses of %s", name);
  for (int i = 0; i < changes->removed_count && !number; i++) {
    const struct ot_address *address = &changes->removed[i];
    if ((number = ot_address_remove(netlink, link->index, address)))
      ot_fail(fault, number, "RTM_DELADDR", "removing the address %s/%d from %s", address->text, address->prefix, name);
  }
  if (promote) ot_link_set_promotion(netlink, link->index, false);
  return number ? -1 : 0;
}

static int change_link(const struct ot_tap_changes *changes, int netlink, const char *name, const struct ot_link *link,
                       struct ot_fault *fault) {
  int number = 0;
  if (changes->mtu && (number = ot_link_set_mtu(netlink, link->index, changes->mtu)))
    return ot_fail(fault, number, "RTM_SETLINK", "setting the MTU of %s to %u", name, changes->mtu);
  /* Only for speed: superframes then fit one send. A kernel may refuse. */
  if (changes->gso_segments) ot_link_set_gso_segments(netlink, link->index, changes->gso_segments);
  if (changes->up && (number = ot_link_set_up(netlink, link->index)))
    return ot_fail(fault, number, "RTM_SETLINK", "setting %s up", name);
  if (changes->mark) ot_link_mark(netlink, link->index);
  /* A TAP allows this while it is up (IFF_LIVE_ADDR_CHANGE). */
  if (changes->has_mac && (number = ot_link_set_mac(netlink, link->index, changes->mac)))
    return ot_fail(fault, number, "RTM_SETLINK", "setting the MAC address of %s", name);
  /* Removals first: IPv6 keeps one prefix length per address, and would ignore a new one on an existing address. */
  if (remove_addresses(changes, netlink, name, link, fault) < 0) return -1;
  return ot_tap_add_addresses(changes->addresses, changes->address_count, netlink, name, link->index, fault);
}

static int change(int fd, const struct place *place, void *with, struct ot_fault *fault) {
  struct ot_link link;
  int netlink;
  if (ot_links_open(&netlink, fault) < 0) return -1;
  int result, number = ot_link_get(netlink, place->ifname, &link);
  if (number == ENODEV || (number == 0 && !has_stayed(fd, place))) result = ENODEV;
  else if (number) result = ot_fail(fault, number, "RTM_GETLINK", "looking for %s", place->ifname);
  else result = change_link(with, netlink, place->ifname, &link, fault);
  if (netlink >= 0) close(netlink);
  /* ENODEV: the device has moved away. All steps may be repeated. */
  return result < 0 && fault->number == ENODEV ? ENODEV : result;
}

int ot_tap_change(int fd, const char *netns, struct ot_tap_changes *changes, struct ot_fault *fault) {
  return follow(fd, netns, change, changes, fault);
}
