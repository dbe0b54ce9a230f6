/* The CNI plugin overtap-cni: carries a call to the switch, and does what the switch asks for in the runtime's place.
 * All meaning is in src/control/cni. */
#ifndef OVERTAP_CNI_H
#define OVERTAP_CNI_H

#include <stdbool.h>
#include <stddef.h>

/* Most bytes of a configuration, of an answer, and of what an IPAM plugin prints. */
#define MOST_TEXT (512 * 1024)

/* A text that grows up to MOST_TEXT, and much more while it is quoted; always ends with NUL. */
struct text {
  char *bytes;
  size_t length;
  size_t room;
};

/* False: out of memory. */
bool text_add(struct text *text, const char *bytes, size_t length);
bool text_word(struct text *text, const char *word);
/* As a JSON string, with its quotes. Bytes that are not ASCII pass unchanged. */
bool text_quote(struct text *text, const char *bytes, size_t length);
/* Reads to the end. -1: errno, EMSGSIZE for more than MOST_TEXT. */
int text_read(struct text *text, int fd);

/* The value of a member at the top of a JSON object that is a string without escapes or a number without sign. False:
 * none, or too long. */
bool json_member(const char *json, const char *key, char *value, size_t room);

/* Sends a request and takes the body of the answer. -1: errno. */
int switch_ask(const char *path, const struct text *request, struct text *answer);

/* Exit status for a plugin that was killed because it did not end, as of timeout(1). */
#define IPAM_OVERDUE 124

/* Runs a plugin of CNI_PATH with the environment of this one. @param command of CNI_COMMAND @param seconds that it has
 * @returns its exit status, -1: errno */
int ipam_run(const char *type, const char *command, const struct text *config, int seconds, struct text *output);

/* Adds a route in the network namespace of CNI_NETNS. @param words DST/LENGTH and maybe a gateway. -1: errno */
int route_add(const char *netns, const char *ifname, const char *words);

#endif
