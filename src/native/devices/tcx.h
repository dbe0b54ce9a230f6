/* BPF programs at the ingress of a device, by a link (tcx, Linux 6.6): it goes with the last descriptor of the link. */
#ifndef OVERTAP_TCX_H
#define OVERTAP_TCX_H

#include <linux/bpf.h>

#include "../overtap.h"

/* bpf(2). Returns a descriptor or 0, or -1 with errno. */
int ot_bpf(int command, void *attributes, size_t size);
/* Loads a program of a type. `what`: it, in messages. Returns its descriptor, or -1. */
int ot_bpf_load(int type, const struct bpf_insn *text, int count, const char *name, const char *what,
                struct ot_fault *fault);
/* Loads a classifier. `what`: it, in messages. Returns its descriptor, or -1. */
int ot_tcx_load(const struct bpf_insn *text, int count, const char *name, const char *what, struct ot_fault *fault);
/* Links a program before all others of the device, which is of the thread's namespace. Returns the link, or -1. */
int ot_tcx_link(int program, int device, const char *what, struct ot_fault *fault);
/*
 * Loads a classifier and links it before all others of a device of the thread's namespace; 0: only loads it. Returns
 * the link, or the program, or -1.
 */
int ot_tcx_attach(const struct bpf_insn *text, int count, const char *name, const char *what, int device,
                  const char *where, struct ot_fault *fault);
/*
 * Keeps what a device receives from the host's stack, its bridges and bonds included; packet sockets still see it.
 * Returns the descriptor of the link that holds it, or -1.
 */
int ot_tcx_silence(int device, struct ot_fault *fault);

#endif
