/*
 * Requests to the kernel by netlink(7), and its answers: sockets and messages (netlink.c), links, addresses and routes
 * (rtnetlink.c), firewalls and IPsec (gso-tap/guard.c).
 *
 * Every message on a netlink socket is treated as hostile: in a guest's namespace the guest can send to any socket
 * there.
 */
#ifndef OVERTAP_NETLINK_H
#define OVERTAP_NETLINK_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Limit of one request. The answer is usually there at once; a lost one must not block for ever. */
#define OT_NETLINK_MS 5000

/* Milliseconds of the monotonic clock. */
int64_t ot_netlink_now(void);

/*
 * A socket of this netlink protocol in the thread's namespace. It is connected to the kernel, which then refuses
 * messages of other processes to it, so that they cannot fill its queue. Returns -1 with errno on failure.
 */
int ot_netlink_socket(int protocol);

/*
 * The next datagram of the kernel, in allocated memory; datagrams of other senders are discarded. Returns its length,
 * or -1 with ETIMEDOUT at `until_ms`, ENOBUFS after a loss. `multicast`: take notifications to groups instead of
 * answers.
 */
long ot_netlink_receive(int fd, int64_t until_ms, bool multicast, uint8_t **datagram);

/* The unread part of a datagram. */
struct ot_datagram {
  const uint8_t *at;
  size_t left;
};

/* The next message, which lies wholly inside the datagram; NULL: none. */
const struct nlmsghdr *ot_netlink_next(struct ot_datagram *rest);
/* Bytes of a message behind its header. */
static inline size_t ot_netlink_payload(const struct nlmsghdr *message) { return message->nlmsg_len - NLMSG_HDRLEN; }
/* The errno in an NLMSG_ERROR or NLMSG_DONE message; 0: none. */
int ot_netlink_error(const struct nlmsghdr *message);

/* Reads one message into `answer`. Returns 0, or EPROTO when it is too short. */
typedef int ot_netlink_reader(const struct nlmsghdr *message, void *answer);
/*
 * Sends a request and waits for its answer: an acknowledgement, or with `read` one message of that type. When the
 * answer is lost, the request is sent again; all requests allow that. Bounded by OT_NETLINK_MS. Returns 0 or an errno.
 */
int ot_netlink_ask(int fd, struct nlmsghdr *request, int type, ot_netlink_reader *read, void *answer);

#endif
