/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The functions that a preloaded library stands before.  REAL_FUNCTION(connect) once in a
 * file, and REAL(connect)(...) is what the program would have called.
 */
#ifndef TLS_HANDOFF_REAL_H
#define TLS_HANDOFF_REAL_H

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdlib.h>

/* A function with the program's name that is seen by the program */
#define INTERPOSED __attribute__((visibility("default")))

#define REAL(function) ((__typeof__(&function))real_function(&real_##function, #function))

/* Looked up at the start for what a signal handler may call, earlier if another library's
 * constructor does. */
#define REAL_FUNCTION(function)                                        \
	static _Atomic(void *) real_##function;                        \
	__attribute__((constructor)) static void find_##function(void) \
	{                                                              \
		real_function(&real_##function, #function);            \
	}

static inline void (*real_function(_Atomic(void *) *found, const char *name))(void)
{
	union {
		void *object;
		void (*code)(void);
	} address;

	address.object = atomic_load_explicit(found, memory_order_relaxed);
	if (!address.object) {
		address.object = dlsym(RTLD_NEXT, name);
		if (!address.object)
			abort(); /* libc has them all */
		atomic_store_explicit(found, address.object, memory_order_relaxed);
	}
	return address.code;
}

#endif /* TLS_HANDOFF_REAL_H */
