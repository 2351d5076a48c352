/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A device as the bytes of the VFIO interface: found by hand-typed offsets (vfio-cxl-uapi.md 1 to
 * 3), without any code of src/. For tests of what a kernel of some generation does.
 */
#ifndef TESTS_RAW_H
#define TESTS_RAW_H

#include "vm.h"

struct raw {
	struct test_device device;
	unsigned int generation; /* 2 to 5: what can be seen */
	unsigned int kernel;     /* 2, 0x2e, 3 to 6 */
	uint8_t info[1024];
	size_t info_len;
	uint32_t memory, registers; /* region indices, found by type */
	uint64_t registers_size, memory_size;
	uint32_t hdm; /* offset of the HDM block in the register region */
	uint32_t bar; /* of the component block */
	uint64_t hdm_in_bar;
	uint32_t dvsec; /* CXL Device DVSEC in config space */
};

/* One at a time; state is that of a cmocka test with a variant. */
struct raw *raw_open(void **state);
void raw_close(struct raw *raw);

/* A capability of an answer with this id, or NULL; field is where the chain begins. */
const uint8_t *raw_capability(const uint8_t *answer, unsigned int field, size_t len, unsigned id);
size_t raw_region(struct raw *raw, uint32_t index, uint8_t *bytes, size_t max);

/* Any access: 0 or the error. */
int raw_read(struct raw *raw, uint32_t region, uint64_t offset, void *bytes, size_t len);
int raw_write(struct raw *raw, uint32_t region, uint64_t offset, uint64_t value, size_t len);

/* A register of the HDM block; the access has to succeed. */
uint32_t raw_get(struct raw *raw, uint32_t offset);
void raw_put(struct raw *raw, uint32_t offset, uint32_t value);
/* Put, and expect what is read then. */
#define raw_check(raw, offset, value, want)                     \
	do {                                                    \
		raw_put(raw, offset, value);                    \
		assert_int_equal(raw_get(raw, offset), (want)); \
	} while (0)

/* Config space, 1, 2 or 4 bytes; the access has to succeed. */
uint32_t raw_config(struct raw *raw, uint32_t offset, unsigned int len);
void raw_set_config(struct raw *raw, uint32_t offset, unsigned int len, uint32_t value);
/* The same in the CXL Device DVSEC. */
#define raw_dvsec(raw, at, len)            raw_config(raw, (raw)->dvsec + (at), len)
#define raw_set_dvsec(raw, at, len, value) raw_set_config(raw, (raw)->dvsec + (at), len, value)

/* A test with the fake and the sim of one kernel, of all kernels. */
#define TEST_KERNEL_ON(f, k) \
	TEST_ON(f, OWN_FAKE_##k, "[fake " #k "]"), TEST_ON(f, OWN_SIM_##k, "[sim " #k "]")
#define TEST_KERNEL(f)                                                                           \
	TEST_KERNEL_ON(f, 2), TEST_KERNEL_ON(f, 2N), TEST_KERNEL_ON(f, 3), TEST_KERNEL_ON(f, 4), \
		TEST_KERNEL_ON(f, 5), TEST_KERNEL_ON(f, 6)

#endif
