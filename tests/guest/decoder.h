/* SPDX-License-Identifier: BSD-3-Clause */
/* decoder.h - the test of decoder policy guest */
#ifndef GUEST_DECODER_H
#define GUEST_DECODER_H

void test_decoder(void);

#endif
