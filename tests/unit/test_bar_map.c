/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Parts of BARs as memory slots: where a guest may put them, and what happens when they do not
 * answer. KVM, the device and the vCPUs are played by the test (the linker's --wrap).
 */
#include <errno.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

/* The doubles have a vm.h too. */
#include "../../monitor/vm.h"
#include "device.h"
#include "pci/host_bridge.h"
#include "test.h"

#define VCPUS       2
#define BAR_SIZE    0x10000u
#define MMIO32      0xc0000000u
#define MMIO64      0x8000000000u
#define MMIO_SIZE   0x1000000u
#define WINDOW      0x240000000u
/* Never looked into. */
#define ENDPOINT(n) ((struct cxlvm_endpoint *)(void *)&rig.devices[n])
/* What cpus.c allows before it takes something away. */
#define FAULTS      100

static struct {
	struct vm vm;
	struct device devices[2]; /* the second has memory alone */
	struct pci_host_bridge bridge;
	struct kvm_run run[VCPUS];
	struct vcpu vcpus[VCPUS];
	uint8_t memory[BAR_SIZE];

	/* What KVM has. */
	_Atomic uint64_t slot_base, slot_size;
	unsigned int n_dma;
	uint32_t flags;   /* of the BAR: what region info says */
	uint8_t caps[64]; /* behind its header */
	int slot_refused; /* KVM takes none: this errno */

	/* What does not answer. */
	atomic_bool bar_broken, memory_broken;
	bool tells; /* KVM does, which memory it is: that of the first device */
	unsigned int n_given_up;
	atomic_uint n_faults[VCPUS];
	atomic_uint n_went_on;
	pthread_barrier_t together;
} rig;

/* Names that the linker gives: NOLINTBEGIN(bugprone-reserved-identifier) */
int __wrap_kvm_slot_set(const struct kvm *kvm, unsigned int slot, struct cxlvm_gpa base,
			uint64_t size, void *address);
int __wrap_cxlvm_endpoint_recheck(struct cxlvm_endpoint *ep);
size_t __wrap_cxlvm_endpoint_memory_areas(const struct cxlvm_endpoint *ep,
					  struct cxlvm_memory_area *areas, size_t n);
int __wrap_cxlvm_endpoint_memory_error(struct cxlvm_endpoint *ep, const void *address,
				       struct cxlvm_gpa *guest);
void __wrap_device_warn(struct device *device, int code, const char *text);
bool __wrap_vcpu_sees_fault(const struct vcpu *vcpu, struct cxlvm_gpa guest);
enum vcpu_exit __wrap_vcpu_enter(struct vcpu *vcpu, struct cxlvm_error *err);
void __wrap_arch_settle(struct arch *arch);
/* NOLINTEND(bugprone-reserved-identifier) */

int __wrap_kvm_slot_set(const struct kvm *kvm, unsigned int slot, struct cxlvm_gpa base,
			uint64_t size, void *address)
{
	(void)kvm;
	(void)slot;
	(void)address;
	if (size && rig.slot_refused)
		return rig.slot_refused;
	/* DMA-5: before the CPU. */
	assert_int_equal(rig.n_dma, 1);
	rig.slot_base = base.value;
	rig.slot_size = size;
	return 0;
}

int __wrap_cxlvm_endpoint_recheck(struct cxlvm_endpoint *ep)
{
	(void)ep;
	return 0;
}

size_t __wrap_cxlvm_endpoint_memory_areas(const struct cxlvm_endpoint *ep,
					  struct cxlvm_memory_area *areas, size_t n)
{
	assert_int_equal(n, 1);
	areas[0] = (struct cxlvm_memory_area){
		.address = rig.memory,
		.guest.value = ep == ENDPOINT(0) ? WINDOW : 2 * WINDOW,
	};
	return 1;
}

int __wrap_cxlvm_endpoint_memory_error(struct cxlvm_endpoint *ep, const void *address,
				       struct cxlvm_gpa *guest)
{
	(void)address;
	/* KVM does not say where. */
	assert_null(guest);
	rig.devices[ep == ENDPOINT(0) ? 0 : 1].mapped = false;
	return 1;
}

/* There is no serial port. */
void __wrap_arch_settle(struct arch *arch)
{
	(void)arch;
}

bool __wrap_vcpu_sees_fault(const struct vcpu *vcpu, struct cxlvm_gpa guest)
{
	(void)vcpu;
	return rig.tells && guest.value == WINDOW;
}

void __wrap_device_warn(struct device *device, int code, const char *text)
{
	(void)device;
	(void)code;
	(void)text;
	rig.n_given_up++;
}

/* The last fault that is allowed comes to all vCPUs at once: none has taken anything away yet. */
enum vcpu_exit __wrap_vcpu_enter(struct vcpu *vcpu, struct cxlvm_error *err)
{
	(void)err;
	if (atomic_load(&rig.vm.cpus.pause))
		return VCPU_INTERRUPTED;
	if ((rig.bar_broken && rig.slot_size) || (rig.memory_broken && rig.devices[0].mapped)) {
		if (++rig.n_faults[vcpu->id] == FAULTS)
			pthread_barrier_wait(&rig.together);
		return VCPU_FAULT;
	}
	rig.n_went_on++;
	usleep(100);
	return VCPU_INTERRUPTED;
}

static int region_info(void *device, uint32_t index, void *buf, size_t len, size_t *needed)
{
	uint32_t flags = rig.flags, caps = 32;

	(void)device;
	(void)index;
	assert_true(len >= caps + sizeof(rig.caps));
	memset(buf, 0, len);
	memcpy((char *)buf + 4, &flags, sizeof(flags));
	memcpy((char *)buf + 12, &caps, sizeof(caps));
	memcpy((char *)buf + 32, rig.caps, sizeof(rig.caps));
	*needed = caps + sizeof(rig.caps);
	return 0;
}

static int map_memory(void *device, const struct cxlvm_map_request *map, void **address)
{
	(void)device;
	*address = rig.memory + map->offset;
	return 0;
}

static void unmap_memory(void *device, void *address, uint64_t size)
{
	(void)device;
	(void)address;
	(void)size;
}

static int no_dma_buf(void *device, uint32_t region, uint64_t offset, uint64_t size)
{
	(void)device;
	(void)region;
	(void)offset;
	(void)size;
	return -ENOTTY;
}

static int dma_map(void *device, const struct cxlvm_memory_area *areas, size_t n,
		   struct cxlvm_error *err)
{
	(void)device;
	(void)areas;
	(void)n;
	(void)err;
	rig.n_dma++;
	return 0;
}

static void dma_unmap(void *device, const struct cxlvm_memory_area *areas, size_t n)
{
	(void)device;
	(void)areas;
	(void)n;
	/* The CPU cannot get there any more. */
	assert_int_equal(rig.slot_size, 0);
	rig.n_dma--;
}

static const struct cxlvm_device_ops device_ops = {
	.size = sizeof(device_ops),
	.region_info = region_info,
	.map = map_memory,
	.unmap = unmap_memory,
	.dma_buf = no_dma_buf,
};

static const struct cxlvm_transport_ops transport_ops = {
	.size = sizeof(transport_ops),
	.memory_map = dma_map,
	.memory_unmap = dma_unmap,
};

/* A device with one BAR, behind a bridge with memory below and above 4 GiB. */
static struct device *plug(void)
{
	memset(&rig, 0, sizeof(rig));
	rig.flags = 7;
	rig.vm.kvm.n_slots = 4;
	rig.vm.devices = rig.devices;
	rig.vm.n_devices = 1;
	rig.vm.phys_bits = 46;
	rig.bridge = (struct pci_host_bridge){
		.mmio32 = { MMIO32 },
		.mmio32_size = MMIO_SIZE,
		.mmio64 = { MMIO64 },
		.mmio64_size = MMIO_SIZE,
	};
	rig.devices[0].vm = &rig.vm;
	rig.devices[0].endpoint = ENDPOINT(0);
	rig.devices[0].bridge = &rig.bridge;
	rig.devices[0].real = true;
	rig.devices[0].transport.ops = &device_ops;
	rig.devices[0].transport.transport = &transport_ops;
	rig.devices[0].pci.bars[0] =
		(struct pci_bar){ .device = &rig.devices[0], .size = BAR_SIZE };
	pthread_mutex_init(&rig.devices[0].lock, NULL);
	assert_int_equal(bar_maps_init(&rig.devices[0], NULL), 0);
	return &rig.devices[0];
}

static void unplug(void)
{
	bar_maps_finish(&rig.devices[0]);
	assert_int_equal(rig.n_dma, 0);
	pthread_mutex_destroy(&rig.devices[0].lock);
}

static bool has_slot_at(uint64_t guest)
{
	rig.devices[0].pci.bars[0].guest = guest;
	rig.devices[0].pci.memory_space = true;
	bar_maps_follow(&rig.devices[0]);
	assert_int_equal(rig.n_dma, rig.slot_size != 0);
	if (!rig.slot_size)
		return false;
	assert_true(rig.slot_base == guest && rig.slot_size == BAR_SIZE);
	return true;
}

static void p8_a_bar_has_a_slot_in_the_memory_of_its_bridge_alone(void **state)
{
	struct device *device = plug();

	(void)state;
	assert_int_equal(device->pci.n_maps, 1);
	assert_true(has_slot_at(MMIO32));
	assert_true(has_slot_at(MMIO64 + MMIO_SIZE - BAR_SIZE));
	/* RAM, a window, another bridge, the end of all addresses */
	assert_false(has_slot_at(0));
	assert_true(has_slot_at(MMIO32 + MMIO_SIZE - BAR_SIZE));
	assert_false(has_slot_at(0x240000000));
	assert_false(has_slot_at(MMIO32 + MMIO_SIZE));
	assert_false(has_slot_at(MMIO32 - BAR_SIZE));
	assert_false(has_slot_at(MMIO64 + MMIO_SIZE - BAR_SIZE / 2));
	assert_false(has_slot_at(UINT64_MAX - BAR_SIZE + 1));
	assert_true(has_slot_at(MMIO64));
	/* memory space off */
	device->pci.memory_space = false;
	bar_maps_follow(device);
	assert_int_equal(rig.slot_size, 0);
	unplug();
}

/* Two areas that the kernel lets be mapped: what of them is. */
static void expect_areas(uint64_t offset, uint64_t size, uint64_t other, uint64_t other_size,
			 const char *wanted)
{
	/* capability 1, version 1, the last one; how many areas */
	const uint32_t head[] = { 0x00010001, 0, 2, 0 };
	const uint64_t areas[] = { offset, size, other, other_size };
	struct device *device = plug();
	char got[64] = "";

	bar_maps_finish(device);
	rig.flags = 0xf;
	memcpy(rig.caps, head, sizeof(head));
	memcpy(rig.caps + sizeof(head), areas, sizeof(areas));
	assert_int_equal(bar_maps_init(device, NULL), 0);
	for (size_t i = 0; i < device->pci.n_maps; i++) {
		const struct bar_map *map = &device->pci.maps[i];
		size_t n = strlen(got);

		snprintf(got + n, sizeof(got) - n, "0x%llx+0x%llx ",
			 (unsigned long long)map->offset, (unsigned long long)map->size);
	}
	assert_string_equal(got, wanted);
	unplug();
}

/* Whole pages inside the BAR; the kernel's numbers are not trusted. */
static void p8_areas_that_are_not_inside_their_bar_are_not_mapped(void **state)
{
	(void)state;
	expect_areas(0, BAR_SIZE, 0, 0, "0x0+0x10000 ");
	expect_areas(0x1000, 0x2000, 0x8000, 0x8000, "0x1000+0x2000 0x8000+0x8000 ");
	expect_areas(0x1800, 0x2000, 0x8000, 0x800, "0x2000+0x1000 ");
	expect_areas(0x8000, 0x9000, 0x1000, 0x1000, "0x1000+0x1000 ");
	expect_areas(BAR_SIZE, 0x1000, BAR_SIZE + 0x1000, 0x1000, "");
	expect_areas(0x1000, UINT64_MAX - 0xfff, UINT64_MAX - 0xfff, 0x2000, "");
	expect_areas(0, UINT64_MAX, 0xf000, 0x1000, "0xf000+0x1000 ");
}

/* P4: what KVM does not take is not left in the device's address space. */
static void dma5_a_slot_that_is_refused_leaves_no_dma(void **state)
{
	struct device *device = plug();

	(void)state;
	rig.slot_refused = -EEXIST;
	assert_false(has_slot_at(MMIO32));
	assert_int_equal(rig.n_dma, 0);
	assert_false(device->pci.maps[0].enabled);
	rig.slot_refused = 0;
	assert_true(has_slot_at(MMIO32));
	unplug();
}

static void without_a_free_slot_a_bar_is_forwarded(void **state)
{
	(void)state;
	plug();
	unplug();
	rig.vm.kvm.n_slots = 0;
	assert_int_equal(bar_maps_init(&rig.devices[0], NULL), 0);
	assert_int_equal(rig.devices[0].pci.n_maps, 0);
	bar_maps_finish(&rig.devices[0]);
}

/* Both vCPUs run until they went on. The request that they made, if any. */
static enum vcpu_exit run(void)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	struct cpu_request request;

	rig.vm.vcpus = rig.vcpus;
	rig.vm.n_vcpus = VCPUS;
	for (unsigned int i = 0; i < VCPUS; i++)
		rig.vcpus[i] = (struct vcpu){ .vm = &rig.vm, .id = i, .run = &rig.run[i] };
	pthread_barrier_init(&rig.together, NULL, VCPUS);
	assert_int_equal(cpus_init(&rig.vm.cpus, &err), 0);
	assert_int_equal(cpus_start(&rig.vm, &err), 0);
	cpus_resume(&rig.vm);
	while (!cpus_take_request(&rig.vm, &request) && rig.n_went_on < 20)
		usleep(1000);
	cpus_stop(&rig.vm);
	if (request.why == VCPU_CONTINUE)
		(void)cpus_take_request(&rig.vm, &request);
	cpus_finish(&rig.vm.cpus);
	pthread_barrier_destroy(&rig.together);
	return request.why;
}

/* Low power is one of the guest's own makings, and must not end its machine. */
static void map5_p8_a_bar_that_does_not_answer_is_forwarded(void **state)
{
	struct device *device = plug();

	(void)state;
	assert_true(has_slot_at(MMIO32));
	device->mapped = true;
	rig.bar_broken = true;
	assert_int_equal(run(), VCPU_CONTINUE);
	assert_int_equal(rig.slot_size, 0);
	/* device memory had nothing to do with it */
	assert_true(device->mapped);
	assert_int_equal(rig.n_given_up, 0);
	/* it is tried again with the next write to configuration space */
	rig.bar_broken = false;
	assert_true(has_slot_at(MMIO32));
	unplug();
}

static void map5_two_vcpus_give_up_the_same_memory_once(void **state)
{
	struct device *device = plug();

	(void)state;
	assert_true(has_slot_at(MMIO32));
	device->mapped = true;
	rig.memory_broken = true;
	assert_int_equal(run(), VCPU_CONTINUE);
	assert_false(device->mapped);
	/* which had been suspected first */
	assert_int_equal(rig.slot_size, BAR_SIZE);
	assert_int_equal(rig.n_given_up, 1);
	unplug();
}

/* A second device, whose memory is all right. */
static void plug_another(void)
{
	rig.vm.n_devices = 2;
	rig.devices[1].vm = &rig.vm;
	rig.devices[1].endpoint = ENDPOINT(1);
	rig.devices[1].real = true;
	rig.devices[1].mapped = true;
	pthread_mutex_init(&rig.devices[1].lock, NULL);
}

static void map5_only_the_memory_that_does_not_answer_is_given_up(void **state)
{
	struct device *device = plug();

	(void)state;
	plug_another();
	for (int tells = 1; tells >= 0; tells--) {
		device->mapped = true;
		rig.devices[1].mapped = true;
		rig.memory_broken = true;
		rig.tells = tells;
		rig.n_given_up = 0;
		rig.n_went_on = 0;
		for (unsigned int i = 0; i < VCPUS; i++)
			rig.n_faults[i] = 0;
		assert_int_equal(run(), VCPU_CONTINUE);
		assert_false(device->mapped);
		/* A KVM that does not tell leaves no choice. */
		assert_int_equal(rig.devices[1].mapped, tells);
		assert_int_equal(rig.n_given_up, tells ? 1 : 2);
	}
	pthread_mutex_destroy(&rig.devices[1].lock);
	unplug();
}

/* Behind the last BAR and the last memory there is nothing that could be taken away. */
static void map5_a_fault_without_a_cause_ends_the_run(void **state)
{
	(void)state;
	plug();
	assert_true(has_slot_at(MMIO32));
	rig.devices[0].real = false;
	rig.devices[0].mapped = true;
	rig.memory_broken = true;
	assert_int_equal(run(), VCPU_ERROR);
	assert_int_equal(rig.n_given_up, 0);
	unplug();
}

#define ROUNDS 2000

static struct {
	struct kvm kvm;
	atomic_uint arrived; /* threads, in all rounds */
	atomic_int slots[ROUNDS][2];
} race = { .kvm = { .n_slots = KVM_SLOTS_MAX } };

/* Both at the same moment, as near as it gets. */
static void meet(unsigned int round)
{
	race.arrived++;
	for (unsigned int i = 1; race.arrived < 2 * (round + 1); i++)
		if (i % 1024 == 0)
			sched_yield();
}

/* Each on a processor of its own, where there are two. */
static void spread(unsigned int id)
{
	cpu_set_t allowed, own;
	unsigned int n = 0;

	CPU_ZERO(&own);
	if (sched_getaffinity(0, sizeof(allowed), &allowed))
		return;
	for (unsigned int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &allowed) && n++ == id)
			CPU_SET(cpu, &own);
	(void)sched_setaffinity(0, sizeof(own), &own);
}

static void *reserver(void *argument)
{
	const unsigned int *id = argument;

	spread(*id);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		meet(2 * i);
		race.slots[i][*id] = kvm_slot_alloc(&race.kvm, NULL);
		meet(2 * i + 1);
		kvm_slot_free(&race.kvm, (unsigned int)race.slots[i][*id]);
	}
	return NULL;
}

static void a_slot_is_reserved_by_one_thread(void **state)
{
	static unsigned int ids[2] = { 0, 1 };
	pthread_t threads[2];

	(void)state;
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, reserver, &ids[i]), 0);
	for (unsigned int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	for (unsigned int i = 0; i < ROUNDS; i++)
		assert_int_not_equal(race.slots[i][0], race.slots[i][1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p8_a_bar_has_a_slot_in_the_memory_of_its_bridge_alone),
		cmocka_unit_test(p8_areas_that_are_not_inside_their_bar_are_not_mapped),
		cmocka_unit_test(dma5_a_slot_that_is_refused_leaves_no_dma),
		cmocka_unit_test(without_a_free_slot_a_bar_is_forwarded),
		cmocka_unit_test(map5_p8_a_bar_that_does_not_answer_is_forwarded),
		cmocka_unit_test(map5_two_vcpus_give_up_the_same_memory_once),
		cmocka_unit_test(map5_only_the_memory_that_does_not_answer_is_given_up),
		cmocka_unit_test(map5_a_fault_without_a_cause_ends_the_run),
		cmocka_unit_test(a_slot_is_reserved_by_one_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
