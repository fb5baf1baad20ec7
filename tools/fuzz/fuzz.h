/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a harness offers: libFuzzer's main(), or replay.c's, calls it.
 */
#ifndef TOOLS_FUZZ_FUZZ_H
#define TOOLS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif /* TOOLS_FUZZ_FUZZ_H */
