/* Rights of the process, and its replacement by another program. */
#ifndef OVERTAP_PRIVILEGE_H
#define OVERTAP_PRIVILEGE_H

#include "../overtap.h"

/*
 * Takes all capabilities but these (a bit for each, of linux/capability.h) from every thread, out of all sets, and sets
 * no_new_privs. A capability that the process lacks is not gained. On failure some threads may have kept theirs.
 */
int ot_keep_capabilities(uint64_t keep, struct ot_fault *fault);

/* Replaces this process, whose number, standard descriptors and `more` stay. Returns only on failure. */
int ot_execute(const char *path, char *const words[], char *const environment[], const int *more, size_t count,
               struct ot_fault *fault);

#endif
