/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Checks of the kernel's CXL interface from user space, as the kernel's own selftests make them:
 * what a user of /dev/vfio sees and may do. Numbers of the CXL specification stand here anew, so that
 * a wrong one in the library is not also wrong here.
 */
#ifndef CXLVM_LAB_SELFTEST_H
#define CXLVM_LAB_SELFTEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GENERATION_2N 20u

/* PCI configuration space and the CXL Device DVSEC (CXL 3.1, 8.1.3). */
#define PCI_COMMAND_AT      0x04u
#define COMMAND_SPACE       0x2u
#define COMMAND_MASTER      0x4u
#define DVSEC_CXL_VENDOR    0x1e98u
#define DVSEC_DEVICE        0u
#define DVSEC_LOCATOR       8u
#define DVSEC_CAPABILITY_AT 0x0au
#define DVSEC_CONTROL_AT    0x0cu
#define DVSEC_CONTROL2_AT   0x10u
#define DVSEC_STATUS2_AT    0x12u
#define DVSEC_LOCK_AT       0x14u
#define CONTROL2_RESET      0x4u
#define STATUS2_COMPLETE    0x2u
#define STATUS2_ERROR       0x4u

/* Component registers (8.2.4): the CM area, and the decoder, relative to its capability. */
#define CM_IN_BLOCK   0x1000u
#define CM_ID_HDM     5u
#define HDM_GLOBAL    0x04u
#define HDM_BASE_LOW  0x10u
#define HDM_BASE_HIGH 0x14u
#define HDM_SIZE_LOW  0x18u
#define HDM_SIZE_HIGH 0x1cu
#define HDM_CONTROL   0x20u
#define HDM_LOCK      0x100u
#define HDM_COMMIT    0x200u
#define HDM_COMMITTED 0x400u

struct region {
	uint64_t size, offset;
	uint32_t index, flags;
	uint32_t type, subtype;
	uint32_t n_areas; /* of the sparse map; has_sparse says whether there is one */
	bool has_sparse;
	struct {
		uint64_t offset, size;
	} areas[8];
	bool has_geometry;
	uint32_t geometry_bar;
	uint64_t geometry_offset;
};

struct session {
	const char *path;  /* of the device in sysfs */
	const char *debug; /* its folder in debugfs; NULL: it is not the lab's */
	unsigned int generation;
	bool wants_iommufd;
	int container, group; /* without iommufd */
	int iommufd;          /* with it */
	uint32_t ioas;
	int device;
	bool is_function;   /* a real PCI function, not the software device alone */
	bool memory_is_bar; /* its device memory is one of its BARs */
	uint32_t flags, n_regions, n_irqs;
	uint32_t cap_size; /* of device capability 6, 0: there is none */
	uint8_t cap[64];
	struct region bar, regs, memory, config;
	uint32_t hdm;       /* where the HDM decoder capability is in the register region */
	unsigned int dvsec; /* the CXL Device DVSEC in config space */
};

/* session.c. Those that fail say so and end the program; the others give errno values. */
void session_open(struct session *session);
/* The device's descriptor only: the group and its container stay. */
void session_close_device(struct session *session);
void session_open_device(struct session *session);
/* 0 or errno; -1: fewer bytes than asked for. */
int region_read(const struct session *session, const struct region *region, uint64_t at, void *buf,
		size_t len);
int region_write(const struct session *session, const struct region *region, uint64_t at,
		 const void *buf, size_t len);
/* The same, for what has to succeed. */
uint32_t read_number(const struct session *session, const struct region *region, uint64_t at,
		     unsigned int len);
void write_number(const struct session *session, const struct region *region, uint64_t at,
		  unsigned int len, uint32_t value);
/* NULL with errno set when it is refused. */
void *region_map(const struct session *session, const struct region *region, uint64_t at,
		 uint64_t len, void *where);
/* A dword of the decoder. */
uint32_t hdm_read(const struct session *session, uint32_t at);
void hdm_write(const struct session *session, uint32_t at, uint32_t value);
/* Where an extended capability of CXL's is in config space; 0: nowhere. */
unsigned int find_dvsec(const struct session *session, unsigned int id);
/* Does reading a byte there end with SIGBUS? */
bool is_unreachable(const volatile uint8_t *address);
/* The real Memory Space bit, by the command register. */
void set_space(const struct session *session, bool on);
/* A file of the device in debugfs. */
void debug_write(const struct session *session, const char *file, const char *text);
void debug_memory(const struct session *session, uint64_t at, void *buf, size_t len, bool write);
long debug_counter(const struct session *session, const char *name);

/* space.c. 0 or errno. Opening ends the program when it fails. */
void space_open(struct session *session);
int space_open_device(const struct session *session);
int space_map(const struct session *session, const void *address, uint64_t iova, uint64_t size);
int space_unmap(const struct session *session, uint64_t iova, uint64_t size);
int space_map_dma_buf(const struct session *session, int fd, uint64_t iova, uint64_t size);
/* The first bytes of a region as dma-buf. */
int device_dma_buf(const struct session *session, uint32_t region, uint64_t size, int *fd);

/* checks.c, device_checks.c: the groups of checks. */
void check_discovery(struct session *session);
void check_memory(struct session *session);
void check_registers(struct session *session);
void check_config(struct session *session);
void check_power(struct session *session);
void check_device(struct session *session);

/* torture.c: calls that make no sense, and several at once; the device answers afterwards. */
void check_torture(struct session *session);

/* tap.c */
/* What each name begins with. */
void tests_are_about(const char *text);
/* The result of a check; the text is shown when it failed, and says what was found. */
bool result(bool passed, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void skip(const char *name, const char *reason);
void bail_out(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
int finish(void);

/* Is the device's generation one of those in the list, of characters: 2, n (2n), 3, 4, 5, 6? */
bool of_generation(const struct session *session, const char *list);

#endif
