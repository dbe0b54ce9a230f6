/*
 * Questions to the kernel by netlink(7), and its answers.
 *
 *   netlink.c     sockets that the kernel alone is heard on, and messages whose lengths hold
 *   rtnetlink.c   links, addresses and routes                 gso-tap-guard.c   firewalls and IPsec
 *
 * Every message of a netlink socket is looked upon as hostile: in a guest's namespace the guest may send to any socket
 * there.
 */
#ifndef OVERTAP_NETLINK_H
#define OVERTAP_NETLINK_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As a rule the answer is there when the question has been sent. One that got lost is not to be waited for for ever. */
#define OT_NETLINK_MS 5000

/* Milliseconds of a clock that never goes back. */
int64_t ot_netlink_now(void);

/*
 * A socket of this netlink protocol in the namespace of the thread. It is connected to the kernel, which then refuses
 * what any other process sends to it, so that its queue cannot be filled from outside. -1: errno tells why.
 */
int ot_netlink_socket(int protocol);

/*
 * The next datagram that the kernel has sent, in memory of its own; those of other senders are thrown away. Returns its
 * length, or -1 with ETIMEDOUT when `until_ms` is over, ENOBUFS when something got lost. `multicast`: whether notices
 * to groups are wanted, or answers.
 */
long ot_netlink_receive(int fd, int64_t until_ms, bool multicast, uint8_t **datagram);

/* What is left to read of a datagram. */
struct ot_datagram {
  const uint8_t *at;
  size_t left;
};

/* The next message of a datagram, which lies wholly inside of it; NULL when there is no further one. */
const struct nlmsghdr *ot_netlink_next(struct ot_datagram *rest);
/* Bytes of a message behind its header. */
static inline size_t ot_netlink_payload(const struct nlmsghdr *message) { return message->nlmsg_len - NLMSG_HDRLEN; }
/* The number that an NLMSG_ERROR or NLMSG_DONE message holds, as an errno; 0: none. */
int ot_netlink_error(const struct nlmsghdr *message);

/* Reads one message into `answer`. Returns 0, or EPROTO: it is shorter than it has to be. */
typedef int ot_netlink_reader(const struct nlmsghdr *message, void *answer);
/*
 * Sends the request and waits for its answer: an acknowledgement, or with `read` one message of that type. Every
 * request may be sent twice: when its answer got lost, it is. All of it has an end after OT_NETLINK_MS. Returns 0 or an
 * errno.
 */
int ot_netlink_ask(int fd, struct nlmsghdr *request, int type, ot_netlink_reader *read, void *answer);

#endif
