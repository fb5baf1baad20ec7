/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process between the key holder and the software TPM: counts signatures where they
 * are made, and makes the TPM as slow as a real one.
 */
#ifndef BENCH_TPM_PROXY_H
#define BENCH_TPM_PROXY_H

/* Listens at the UNIX socket "proxy" of the current folder, passes commands to the one at "tpm",
 * and sets TCTI.  Ends with us. */
void tpm_proxy_start(void);
void tpm_proxy_stop(void);
/* Each answer to TPM2_Sign comes so much later from now on. */
void tpm_proxy_delay(unsigned int milliseconds);
/* TPM2_Sign commands that went by, ever */
unsigned long tpm_proxy_signatures(void);

#endif /* BENCH_TPM_PROXY_H */
