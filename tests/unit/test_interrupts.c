/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Interrupts of a passed-through function: MSI, MSI-X, and which vectors of the host they take. KVM and
 * the device are played by the test (the linker's --wrap); the library lets all of config space pass.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

/* The doubles have a vm.h too. */
#include "../../monitor/vm.h"
#include "device.h"
#include "test.h"

#define VECTORS 32

static struct {
	struct vm_config config;
	struct vm vm;
	struct device device;
	uint8_t space[256];  /* config space of the device */
	uint8_t bar[0x2000]; /* BAR 0 */
	uint32_t flags;      /* of interrupt info */
	unsigned int spare;  /* vectors that the host has */
	char journal[1024];  /* calls, one a line */
	bool refuses;        /* every write */
	char warning[128];   /* the last */
	unsigned int n_warnings;
	uint64_t sent[VECTORS]; /* message that KVM has: address << 32 | data; 0 for none */
	int eventfds[VECTORS];
} rig;

static void note(const char *format, ...) CXLVM_PRINTF(1, 2);

static void note(const char *format, ...)
{
	size_t n = strlen(rig.journal);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(rig.journal + n, sizeof(rig.journal) - n, format, arguments);
	va_end(arguments);
}

static void expect(const char *calls)
{
	assert_string_equal(rig.journal, calls);
	rig.journal[0] = 0;
}

/* Names that the linker gives: NOLINTBEGIN(bugprone-reserved-identifier) */
int __wrap_msi_attach(struct msi *msi, unsigned int vector, const struct msi_message *message,
		      int eventfd);
void __wrap_msi_detach(struct msi *msi, unsigned int vector, int eventfd);
int __wrap_msi_reserve(struct msi *msi, unsigned int n, struct cxlvm_error *err);
void __wrap_device_warn(struct device *device, int code, const char *text);
uint32_t __wrap_cxlvm_endpoint_config_read(const struct cxlvm_endpoint *ep, uint32_t offset,
					   unsigned int length, uint32_t value);
bool __wrap_cxlvm_endpoint_config_write_begin(struct cxlvm_endpoint *ep, uint32_t offset,
					      unsigned int length, uint32_t value,
					      uint32_t *device_value, enum cxlvm_reset_kind *kind);
void __wrap_cxlvm_endpoint_config_write_end(struct cxlvm_endpoint *ep);
void __wrap_map_begin(struct map *map);
void __wrap_map_move(struct map *map, struct map_range *range, bool enabled, struct cxlvm_gpa base);
void __wrap_map_commit(struct map *map);
/* NOLINTEND(bugprone-reserved-identifier) */

int __wrap_msi_attach(struct msi *msi, unsigned int vector, const struct msi_message *message,
		      int eventfd)
{
	(void)msi;
	assert_in_range(vector, 7, 7 + VECTORS - 1);
	assert_int_equal(rig.sent[vector - 7], 0);
	rig.sent[vector - 7] = message->address << 32 | message->data;
	rig.eventfds[vector - 7] = eventfd;
	return 0;
}

void __wrap_msi_detach(struct msi *msi, unsigned int vector, int eventfd)
{
	(void)msi;
	assert_int_not_equal(rig.sent[vector - 7], 0);
	assert_int_equal(rig.eventfds[vector - 7], eventfd);
	rig.sent[vector - 7] = 0;
}

int __wrap_msi_reserve(struct msi *msi, unsigned int n, struct cxlvm_error *err)
{
	(void)msi;
	(void)err;
	note("reserve %u\n", n);
	return 7;
}

void __wrap_device_warn(struct device *device, int code, const char *text)
{
	(void)device;
	(void)code;
	snprintf(rig.warning, sizeof(rig.warning), "%s", text);
	rig.n_warnings++;
}

uint32_t __wrap_cxlvm_endpoint_config_read(const struct cxlvm_endpoint *ep, uint32_t offset,
					   unsigned int length, uint32_t value)
{
	(void)ep;
	(void)offset;
	(void)length;
	return value;
}

bool __wrap_cxlvm_endpoint_config_write_begin(struct cxlvm_endpoint *ep, uint32_t offset,
					      unsigned int length, uint32_t value,
					      uint32_t *device_value, enum cxlvm_reset_kind *kind)
{
	(void)ep;
	(void)offset;
	(void)length;
	(void)value;
	(void)device_value;
	(void)kind;
	return true;
}

void __wrap_cxlvm_endpoint_config_write_end(struct cxlvm_endpoint *ep)
{
	(void)ep;
}

/* Where BARs are is another test's. */
void __wrap_map_begin(struct map *map)
{
	(void)map;
}

void __wrap_map_move(struct map *map, struct map_range *range, bool enabled, struct cxlvm_gpa base)
{
	(void)map;
	(void)range;
	(void)enabled;
	(void)base;
}

void __wrap_map_commit(struct map *map)
{
	(void)map;
}

static int region_info(void *device, uint32_t index, void *buf, size_t len, size_t *needed)
{
	uint64_t size = index ? 0 : sizeof(rig.bar);

	(void)device;
	memset(buf, 0, len);
	memcpy((char *)buf + 16, &size, sizeof(size));
	*needed = 32;
	return 0;
}

static int read_region(void *device, uint32_t region, uint64_t offset, void *buf, size_t len)
{
	bool config = region == CXLVM_REGION_CONFIG;

	(void)device;
	assert_true(offset + len <= (config ? sizeof(rig.space) : sizeof(rig.bar)));
	memcpy(buf, (config ? rig.space : rig.bar) + offset, len);
	return 0;
}

static int write_region(void *device, uint32_t region, uint64_t offset, const void *buf, size_t len)
{
	(void)device;
	(void)buf;
	note("write %u 0x%x+%u\n", region, (unsigned int)offset, (unsigned int)len);
	return rig.refuses ? -EIO : 0;
}

static int irq_set(void *device, uint32_t index, uint32_t start, uint32_t count,
		   const int *eventfds)
{
	(void)device;
	note("irq %u: %u+%u", index, start, count);
	for (uint32_t i = 0; i < count && i < 4; i++)
		note(" %s", eventfds[i] < 0 ? "none" : "fd");
	note("\n");
	return start + count > rig.spare ? -ENOSPC : 0;
}

static int irq_disable(void *device, uint32_t index)
{
	(void)device;
	note("irq %u: off\n", index);
	return 0;
}

static int irq_info(void *device, uint32_t index, uint32_t *flags, uint32_t *count)
{
	(void)device;
	note("info %u\n", index);
	*flags = rig.flags;
	*count = VECTORS;
	return rig.flags ? 0 : -EIO;
}

static const struct cxlvm_device_ops device_ops = {
	.size = sizeof(device_ops),
	.region_info = region_info,
	.read = read_region,
	.write = write_region,
};

static const struct cxlvm_transport_ops transport_ops = {
	.size = sizeof(transport_ops),
	.irq_set = irq_set,
	.irq_disable = irq_disable,
	.irq_info = irq_info,
};

#define EVENTFD  0x1u
#define NORESIZE 0x8u
#define MSI_AT   0x50u
#define MSIX_AT  0x70u

static void put(uint32_t at, uint64_t value, unsigned int length)
{
	for (unsigned int i = 0; i < length; i++)
		rig.space[at + i] = (uint8_t)(value >> (8 * i));
}

/* A function with power management and these interrupts; control of 0: not that kind. */
static void prepare(uint16_t msi, uint16_t msix)
{
	memset(&rig, 0, sizeof(rig));
	rig.spare = VECTORS;
	rig.flags = EVENTFD | NORESIZE;
	rig.vm.config = &rig.config;
	rig.device.vm = &rig.vm;
	rig.device.real = true;
	rig.device.transport.ops = &device_ops;
	rig.device.transport.transport = &transport_ops;
	pthread_mutex_init(&rig.device.lock, NULL);
	put(0x34, 0x40, 1);
	put(0x3d, 1, 1);
	put(0x40, 0x01 | (msi ? MSI_AT : msix ? MSIX_AT : 0) << 8, 2);
	if (msi)
		put(MSI_AT, 0x05 | (uint32_t)(msix ? MSIX_AT : 0) << 8 | (uint32_t)msi << 16, 4);
	if (msix) {
		put(MSIX_AT, 0x11 | (uint32_t)msix << 16, 4);
		put(MSIX_AT + 4, 0, 4);
		put(MSIX_AT + 8, 0x1000, 4);
	}
}

static struct device *plug(uint16_t msi, uint16_t msix)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	prepare(msi, msix);
	assert_int_equal(endpoint_open(&rig.device, &err), 0);
	pci_msi_reset(&rig.device);
	pci_msix_reset(&rig.device);
	rig.journal[0] = 0;
	return &rig.device;
}

static void unplug(void)
{
	pci_msix_finish(&rig.device);
	pci_msi_finish(&rig.device);
	for (unsigned int i = 0; i < VECTORS; i++)
		assert_int_equal(rig.sent[i], 0);
	pthread_mutex_destroy(&rig.device.lock);
}

static uint32_t read_config(uint32_t at, unsigned int length)
{
	return endpoint_config_read(&rig.device, at, length);
}

static void write_config(uint32_t at, unsigned int length, uint32_t value)
{
	endpoint_config_write(&rig.device, at, length, value);
}

static void signal_vector(int eventfd)
{
	uint64_t one = 1;

	assert_int_equal(write(eventfd, &one, sizeof(one)), sizeof(one));
}

/* The device has a pin, the guest finds none, and is told once, however often it looks or resets. */
static void intx_is_refused_with_one_message(void **state)
{
	static const struct {
		uint16_t msi, msix;
		const char *text;
	} rows[] = {
		{ 0, 0x0003, "INTx of the device is not given to the guest, MSI-X is" },
		{ 0x0001, 0, "INTx of the device is not given to the guest, MSI is" },
		{ 0, 0,
		  "INTx of the device is not given to the guest, and it has no other interrupts" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		for (uint8_t pin = 0; pin <= 4; pin++) {
			struct cxlvm_error err = CXLVM_ERROR_INIT;

			prepare(rows[i].msi, rows[i].msix);
			put(0x3c, 0x0b | (uint32_t)pin << 8, 2);
			assert_int_equal(endpoint_open(&rig.device, &err), 0);
			assert_int_equal(rig.n_warnings, pin != 0);
			assert_string_equal(rig.warning, pin ? rows[i].text : "");
			for (unsigned int n = 0; n < 3; n++) {
				assert_int_equal(read_config(0x3d, 1), 0);
				assert_int_equal(read_config(0x3c, 2), 0x000b);
				assert_int_equal(read_config(0x3c, 4), 0x000b);
				write_config(0x3c, 1, 0x0c);
				pci_msi_reset(&rig.device);
				pci_msix_reset(&rig.device);
			}
			assert_int_equal(rig.n_warnings, pin != 0);
			unplug();
		}
	}
}

/* 32-bit addresses, one vector: what QEMU's and many real disks have. */
static void msi_alone_is_given_to_the_guest(void **state)
{
	(void)state;
	plug(0x0001, 0);
	assert_string_equal(rig.warning, "INTx of the device is not given to the guest, MSI is");
	assert_int_equal(read_config(0x40, 2), 0x5001);
	assert_int_equal(read_config(0x3d, 1), 0);
	/* What can be written, and by which width it ever is. */
	assert_int_equal(read_config(MSI_AT, 4), 0x00000005);
	write_config(MSI_AT + 4, 4, 0xfee01003);
	write_config(MSI_AT + 8, 2, 0x4021);
	assert_int_equal(read_config(MSI_AT + 4, 4), 0xfee01000);
	assert_int_equal(read_config(MSI_AT + 9, 1), 0x40);
	expect("");
	assert_int_equal(rig.sent[0], 0);
	write_config(MSI_AT + 2, 2, 0x0001);
	expect("irq 1: 0+1 fd\n");
	assert_true(rig.sent[0] == ((uint64_t)0xfee01000 << 32 | 0x4021));
	assert_int_equal(read_config(MSI_AT, 4), 0x00010005);
	/* Another CPU: the message moves, the device notices nothing. */
	write_config(MSI_AT + 8, 2, 0x4022);
	assert_true(rig.sent[0] == ((uint64_t)0xfee01000 << 32 | 0x4022));
	expect("");
	/* A reset that the guest has not asked for, and one that it has. */
	pci_msi_renew(&rig.device);
	expect("irq 1: off\nirq 1: 0+1 fd\n");
	pci_msi_reset(&rig.device);
	expect("irq 1: off\n");
	assert_int_equal(read_config(MSI_AT, 4), 0x00000005);
	assert_int_equal(read_config(MSI_AT + 4, 4), 0);
	/* Beside it the device answers. */
	write_config(MSI_AT + 12, 4, 0);
	expect("write 7 0x5c+4\n");
	unplug();
}

/* 64-bit addresses, four vectors, each with a mask and a pending bit. */
static void msi_vectors_are_masked_and_pending(void **state)
{
	(void)state;
	plug(0x0184, 0);
	write_config(MSI_AT + 4, 4, 0xfee01000);
	write_config(MSI_AT + 8, 4, 0x1);
	write_config(MSI_AT + 12, 4, 0xffff4033);
	assert_int_equal(read_config(MSI_AT + 12, 4), 0x4033);
	write_config(MSI_AT + 16, 4, UINT32_MAX);
	assert_int_equal(read_config(MSI_AT + 16, 4), 0xf);
	/* Two of four. */
	write_config(MSI_AT, 4, 0x00110000);
	expect("irq 1: 0+2 fd fd\n");
	assert_int_equal(rig.sent[0], 0);
	signal_vector(rig.device.pci.msi.vectors.each[1].eventfd);
	assert_int_equal(read_config(MSI_AT + 20, 4), 0x2);
	assert_int_equal(read_config(MSI_AT + 20, 1), 0x2);
	write_config(MSI_AT + 20, 4, 0);
	assert_int_equal(read_config(MSI_AT + 20, 4), 0x2);
	write_config(MSI_AT + 16, 4, 0x1);
	assert_int_equal(rig.sent[0], 0);
	assert_true((uint32_t)rig.sent[1] == 0x4033);
	assert_int_equal(read_config(MSI_AT + 20, 4), 0);
	write_config(MSI_AT + 16, 4, 0x2);
	assert_true((uint32_t)rig.sent[0] == 0x4032);
	assert_int_equal(rig.sent[1], 0);
	/* Another number while they are on; more than there are. */
	write_config(MSI_AT + 2, 2, 0x0051);
	expect("irq 1: off\nirq 1: 0+4 fd fd fd fd\n");
	assert_true((uint32_t)rig.sent[3] == 0x4033);
	/* All off: nothing is pending. */
	write_config(MSI_AT + 2, 2, 0x0050);
	expect("irq 1: off\n");
	assert_int_equal(read_config(MSI_AT + 20, 4), 0);
	unplug();
}

static void msi_and_msix_the_guest_has_msix(void **state)
{
	(void)state;
	plug(0x0001, 0x001f);
	assert_string_equal(rig.warning, "INTx of the device is not given to the guest, MSI-X is");
	assert_int_equal(read_config(0x40, 2), 0x7001);
	assert_int_equal(rig.device.pci.msi.at, 0);
	unplug();
	/* Neither: nothing is emulated. */
	plug(0, 0);
	assert_string_equal(rig.warning, "INTx of the device is not given to the guest, and it has "
					 "no other interrupts");
	unplug();
}

static void msi_capabilities_that_lie_are_refused(void **state)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	(void)state;
	/* Number of vectors code 6. */
	prepare(0x000c, 0);
	assert_int_equal(endpoint_open(&rig.device, &err), -EPROTO);
	assert_non_null(strstr(err.message, "code 6"));
	assert_true(err.hint[0]);
	unplug();
	/* Behind the end of config space. */
	prepare(0x0180, 0);
	put(0x41, 0xf0, 1);
	put(0xf0, 0x01800005, 4);
	err = (struct cxlvm_error)CXLVM_ERROR_INIT;
	assert_int_equal(endpoint_open(&rig.device, &err), -EPROTO);
	assert_non_null(strstr(err.message, "0xf0 of 24 bytes"));
	unplug();
	/* A list that is a loop. */
	prepare(0x0001, 0);
	put(MSI_AT + 1, MSI_AT, 1);
	assert_int_equal(endpoint_open(&rig.device, NULL), 0);
	unplug();
}

static void entry_write(unsigned int vector, unsigned int word, uint32_t value)
{
	pci_msix_table_ops.write(&rig.device, 16ull * vector + 4ull * word, 4, value);
}

static void unmask(unsigned int vector)
{
	entry_write(vector, 0, 0xfee00000);
	entry_write(vector, 2, 0x40 + vector);
	entry_write(vector, 3, 0);
}

static struct device *plug_msix(uint32_t flags)
{
	prepare(0, 0x001f);
	rig.flags = flags;
	assert_int_equal(endpoint_open(&rig.device, NULL), 0);
	expect("info 2\nreserve 32\n");
	pci_msix_reset(&rig.device);
	return &rig.device;
}

static uint64_t table_read(uint64_t offset, unsigned int length)
{
	return pci_msix_table_ops.read(&rig.device, offset, length);
}

static void table_write(uint64_t offset, unsigned int length, uint64_t value)
{
	pci_msix_table_ops.write(&rig.device, offset, length, value);
}

/* Dwords and pairs of them (7.7.2.2), read back as registers are; all else changes nothing. */
static void msix_table_takes_dwords_and_keeps_no_reserved_bits(void **state)
{
	struct device *device = plug_msix(EVENTFD);

	(void)state;
	table_write(0x30, 4, 0xfee00fff);
	table_write(0x34, 4, 0x12345678);
	table_write(0x38, 4, 0x9abcdef0);
	table_write(0x3c, 4, 0xfffffffe);
	assert_int_equal(table_read(0x30, 4), 0xfee00ffc);
	assert_true(table_read(0x30, 8) == 0x12345678fee00ffc);
	assert_true(table_read(0x38, 8) == 0x9abcdef0);
	table_write(0x3c, 4, 0xffffffff);
	assert_int_equal(table_read(0x3c, 4), 1);
	table_write(0x30, 8, 0xfedcba9876543213);
	assert_true(table_read(0x30, 8) == 0xfedcba9876543210);
	for (unsigned int length = 1; length < 4; length++) {
		table_write(0x30, length, 0);
		table_write(0x3c, length, 0);
	}
	table_write(0x32, 4, 0);
	table_write(0x34, 8, 0);
	table_write(0x30, 3, 0);
	assert_true(table_read(0x30, 8) == 0xfedcba9876543210);
	assert_int_equal(table_read(0x3c, 4), 1);
	/* Bytes can be read, and what crosses registers is nothing. */
	assert_int_equal(table_read(0x31, 1) & 0xff, 0x32);
	assert_int_equal(table_read(0x32, 2) & 0xffff, 0x7654);
	assert_int_equal(table_read(0x32, 4) & 0xffffffff, 0xffffffff);
	/* A reset masks all of them. */
	pci_msix_reset(device);
	assert_int_equal(table_read(0x30, 8), 0);
	assert_int_equal(table_read(0x3c, 4), 1);
	unplug();
}

/* Of 32 vectors the guest uses two: the host is asked for two. */
static void msix_vectors_are_connected_when_they_are_used(void **state)
{
	struct device *device = plug_msix(EVENTFD);

	(void)state;
	unmask(5);
	expect("");
	/* The device is to see that they are on. */
	pci_msix_control_write(device, 0xc000);
	expect("irq 2: 0+1 none\n");
	pci_msix_control_write(device, 0x8000);
	expect("irq 2: 5+1 fd\n");
	assert_true(rig.sent[5] == ((uint64_t)0xfee00000 << 32 | 0x45));
	unmask(31);
	expect("irq 2: 31+1 fd\n");
	/* Once it is connected, masks are kept here. */
	entry_write(5, 3, 1);
	assert_int_equal(rig.sent[5], 0);
	signal_vector(device->pci.msix.vectors.each[5].eventfd);
	entry_write(5, 3, 0);
	expect("");
	/* A reset that the guest has not asked for: those that may send, the others when they may. */
	entry_write(31, 3, 1);
	pci_msix_renew(device);
	expect("irq 2: off\nirq 2: 0+1 none\nirq 2: 5+1 fd\n");
	entry_write(31, 3, 0);
	expect("irq 2: 31+1 fd\n");
	pci_msix_control_write(device, 0);
	expect("irq 2: off\n");
	assert_int_equal(rig.sent[5], 0);
	unplug();
}

/* The pending bits of a vector that is not connected are the device's. */
static void msix_pending_bits_come_from_both_sides(void **state)
{
	struct device *device = plug_msix(EVENTFD);

	(void)state;
	rig.bar[0x1000] = 0x2c;
	assert_int_equal(pci_msix_pba_ops.read(device, 0, 4), 0);
	pci_msix_control_write(device, 0x8000);
	unmask(2);
	entry_write(2, 3, 1);
	assert_int_equal(pci_msix_pba_ops.read(device, 0, 4), 0x28);
	signal_vector(device->pci.msix.vectors.each[2].eventfd);
	assert_int_equal(pci_msix_pba_ops.read(device, 0, 8), 0x2c);
	unplug();
}

/* A kernel that cannot connect them one by one, or does not say, gets all when they are turned on. */
static void msix_vectors_are_connected_at_once_where_they_must_be(void **state)
{
	(void)state;
	for (unsigned int said = 0; said < 2; said++) {
		struct device *device = plug_msix(said ? EVENTFD | NORESIZE : 0);

		pci_msix_control_write(device, 0x8000);
		expect("irq 2: 0+32 fd fd fd fd\n");
		unmask(5);
		expect("");
		assert_int_not_equal(rig.sent[5], 0);
		pci_msix_renew(device);
		expect("irq 2: off\nirq 2: 0+32 fd fd fd fd\n");
		unplug();
	}
}

/* A host that has not enough of them. */
static void a_host_without_vectors_to_spare(void **state)
{
	struct device *device = plug_msix(EVENTFD);

	(void)state;
	rig.spare = 4;
	pci_msix_control_write(device, 0x8000);
	unmask(3);
	assert_string_equal(rig.warning, "INTx of the device is not given to the guest, MSI-X is");
	unmask(4);
	assert_string_equal(rig.warning, "the host does not connect interrupt vector 4 of 32");
	/* Whoever asks later may have it. */
	rig.spare = 5;
	rig.journal[0] = 0;
	entry_write(4, 3, 1);
	entry_write(4, 3, 0);
	expect("irq 2: 4+1 fd\n");
	unplug();
	/* At once: as many as there are. */
	device = plug_msix(EVENTFD | NORESIZE);
	rig.spare = 20;
	pci_msix_control_write(device, 0x8000);
	expect("irq 2: 0+32 fd fd fd fd\nirq 2: 0+16 fd fd fd fd\n");
	assert_string_equal(rig.warning, "the host connects 16 of 32 interrupt vectors");
	pci_msix_control_write(device, 0);
	rig.spare = 0;
	pci_msix_control_write(device, 0x8000);
	assert_string_equal(rig.warning, "the host connects 0 of 32 interrupt vectors");
	unplug();
}

/* P8: lost as on a bus, counted, and one line for all of them. */
static void writes_that_the_device_refuses_are_told_once(void **state)
{
	struct device *device = plug(0x0001, 0);

	(void)state;
	rig.refuses = true;
	for (unsigned int i = 0; i < 1000; i++) {
		write_config(0x60, 4, 0);
		rig.journal[0] = 0;
		if (i == 0)
			assert_string_equal(rig.warning,
					    "the device does not take a write to config space at "
					    "0x60; 1 writes are lost so far");
		else
			assert_string_equal(rig.warning, "");
		rig.warning[0] = 0;
	}
	assert_string_equal(rig.warning, "");
	assert_int_equal(device->writes_refused, 1000);
	unplug();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(intx_is_refused_with_one_message),
		cmocka_unit_test(msi_alone_is_given_to_the_guest),
		cmocka_unit_test(msi_vectors_are_masked_and_pending),
		cmocka_unit_test(msi_and_msix_the_guest_has_msix),
		cmocka_unit_test(msi_capabilities_that_lie_are_refused),
		cmocka_unit_test(msix_table_takes_dwords_and_keeps_no_reserved_bits),
		cmocka_unit_test(msix_vectors_are_connected_when_they_are_used),
		cmocka_unit_test(msix_pending_bits_come_from_both_sides),
		cmocka_unit_test(msix_vectors_are_connected_at_once_where_they_must_be),
		cmocka_unit_test(a_host_without_vectors_to_spare),
		cmocka_unit_test(writes_that_the_device_refuses_are_told_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
