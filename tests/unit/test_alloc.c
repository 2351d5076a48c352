/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every allocation of the library fails once, in turn. Linked against the static library with
 * malloc, calloc, realloc and free wrapped; only allocations made while armed count.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "test.h"
#include "vm.h"
#include "vu_rig.h"

#define ROOT_PORT(n)                                                                            \
	(&(const struct cxlvm_root_port_config){ .size = sizeof(struct cxlvm_root_port_config), \
						 .bar = (n) })

static bool armed;
static unsigned int calls, fail_at;
static bool fired;

/* Names that the linker gives: NOLINTBEGIN(bugprone-reserved-identifier) */
void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
/* NOLINTEND(bugprone-reserved-identifier) */

static bool due(void)
{
	if (!armed || ++calls != fail_at)
		return false;
	fired = true;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return due() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return due() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	return due() ? NULL : __real_realloc(p, size);
}

/* The doubles do not allocate in their operations, so what is counted is the library. */
static void arm(unsigned int n)
{
	calls = 0;
	fail_at = n;
	fired = false;
	armed = true;
}

static void life1_every_allocation_of_start_fails_in_turn(void **state)
{
	unsigned int points = 0;

	for (unsigned int n = 1;; n++) {
		struct vm *vm = vm_create(*state, 2);
		struct cxlvm_error err = CXLVM_ERROR_INIT;
		int ret;

		arm(n);
		ret = vm_start(vm, &err);
		armed = false;
		if (fired) {
			points++;
			assert_int_equal(ret, -ENOMEM);
			assert_true(err.message[0]);
			assert_int_equal(vm_start(vm, NULL), 0);
		}
		vm_check_running(vm);
		vm_stop(vm);
		if (!fired)
			break;
	}
	print_message("# %u allocations failed in turn\n", points);
	assert_true(points >= 2);
}

/*
 * P8, DESIGN rule 6: reads and getters allocate nothing; neither does a reset of any kind, nor does
 * the end. So there is none to fail in them, but for dma-buf descriptors, which are calls.
 */
static void reads_resets_and_the_end_allocate_nothing(void **state)
{
	static const enum cxlvm_reset_kind kinds[] = { CXLVM_RESET_LOW_POWER, CXLVM_RESET_FUNCTION,
						       CXLVM_RESET_CXL,       CXLVM_RESET_HOT,
						       CXLVM_RESET_BUS,       CXLVM_RESET_WAKEUP };
	struct vm *vm = vm_create(*state, 2);

	assert_int_equal(vm_start(vm, NULL), 0);
	arm(0);
	for (unsigned int at = 0; at < 0x30; at++)
		vm_read(vm, 0, vm->devices[0].hdm + at, 4);
	vm_check_running(vm);
	assert_int_equal(calls, 0);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		assert_int_equal(vm_reset_prepare(vm, 0, kinds[i], NULL), 0);
		if (kinds[i] == CXLVM_RESET_WAKEUP)
			board_reset_bridges(&vm->board);
		assert_int_equal(vm_reset_done(vm, 0, kinds[i], 0, NULL), 0);
		assert_int_equal(calls, 0);
	}
	vm_config_write(vm, 0, vm->devices[0].dvsec + 0x0c, 2, 2);
	vm_config_write(vm, 0, vm->devices[0].dvsec + 0x0c, 2, 6);
	assert_int_equal(vm_recheck(vm, 0), 0);
	assert_int_equal(vm_system_reset(vm, NULL), 0);
	assert_int_equal(calls, 0);
	vm_unrealize(vm, 0);
	assert_int_equal(calls, 0);
	armed = false;
	vm_stop(vm);
}

/* Policy guest: nor does what the guest does with its decoder. */
static void guest_commits_allocate_nothing(void **state)
{
	struct vm *vm = vm_create_guest(*state, 1);

	assert_int_equal(vm_start(vm, NULL), 0);
	arm(0);
	for (unsigned int round = 0; round < 3; round++) {
		vm_bridge_commit(vm, 0, VM_WINDOW(0), FAKE_MEMORY_SIZE);
		assert_int_equal(vm_commit(vm, 0, VM_WINDOW(0), FAKE_MEMORY_SIZE, 0), 0x600);
		vm_check_mapped(vm, 0, VM_WINDOW(0), FAKE_MEMORY_SIZE);
		vm_hdm_write(vm, 0, 0x20, 0);
		/* one that is refused */
		assert_int_equal(vm_commit(vm, 0, 0, FAKE_MEMORY_SIZE, 0), 0xa00);
		vm_hdm_write(vm, 0, 0x20, 0);
		vm_bridge_write(vm, 0, 0x20, 0);
	}
	assert_int_equal(calls, 0);
	armed = false;
	vm_stop(vm);
}

static void every_other_constructor_fails_in_turn(void **state)
{
	struct cxlvm_machine_config config = { .size = sizeof(config), .phys_bits = 46 };
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	struct cxlvm_root_port *port = NULL;
	struct cxlvm_machine *machine = NULL;
	struct cxlvm_bridge *bridge = NULL;

	(void)state;
	arm(1);
	assert_int_equal(cxlvm_machine_create(&config, &machine, &err), -ENOMEM);
	assert_true(fired && !machine && err.code == -ENOMEM);
	err = (struct cxlvm_error)CXLVM_ERROR_INIT;
	arm(1);
	assert_int_equal(cxlvm_bridge_create(NULL, &bridge, &err), -ENOMEM);
	assert_true(fired && !bridge && err.code == -ENOMEM);
	err = (struct cxlvm_error)CXLVM_ERROR_INIT;
	arm(1);
	assert_int_equal(cxlvm_root_port_create(ROOT_PORT(0), &port, &err), -ENOMEM);
	assert_true(fired && !port && err.code == -ENOMEM);
	for (unsigned int n = 1;; n++) {
		struct cxlvm_sim_config sim = { .size = sizeof(sim),
						.memory_size = FAKE_MEMORY_SIZE };
		struct cxlvm_transport transport;
		int ret;

		err = (struct cxlvm_error)CXLVM_ERROR_INIT;
		arm(n);
		ret = cxlvm_sim_open(&sim, &transport, &err);
		armed = false;
		if (!fired) {
			assert_int_equal(ret, 0);
			transport.transport->close(transport.device);
			break;
		}
		assert_int_equal(ret, -ENOMEM);
		assert_int_equal(err.code, -ENOMEM);
	}
	armed = false;
}

static void every_allocation_of_a_server_fails_in_turn(void **state)
{
	static struct rig rig;
	struct cxlvm_server_config config = { .size = sizeof(config),
					      .memory_size = RIG_MEMORY_SIZE };
	struct cxlvm_server *server;
	char path[80];
	unsigned int points = 0;

	(void)state;
	rig_init(&rig);
	snprintf(path, sizeof(path), "%s.more", rig.path);
	config.socket_path = path;
	for (unsigned int n = 1;; n++) {
		struct cxlvm_error err = CXLVM_ERROR_INIT;
		int ret;

		arm(n);
		ret = cxlvm_server_create(&config, &server, &err);
		armed = false;
		if (!fired) {
			assert_int_equal(ret, 0);
			cxlvm_server_destroy(server);
			break;
		}
		points++;
		assert_int_equal(ret, -ENOMEM);
		assert_int_equal(err.code, -ENOMEM);
		assert_int_equal(access(path, F_OK), -1);
	}
	assert_true(points >= 2);
	/* A client for which there is no memory is sent away, and the next one is served. */
	for (unsigned int n = 1;; n++) {
		int fd = rig_connect(&rig);

		arm(n);
		rig_settle(&rig);
		armed = false;
		assert_int_equal(rig_is_closed(&rig, fd), fired);
		close(fd);
		rig_settle(&rig);
		if (!fired)
			break;
	}
	rig_agree(&rig, "");
	rig_finish(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_ALL(life1_every_allocation_of_start_fails_in_turn),
		TEST_ALL(reads_resets_and_the_end_allocate_nothing),
		TEST_ALL(guest_commits_allocate_nothing),
		cmocka_unit_test(every_other_constructor_fails_in_turn),
		cmocka_unit_test(every_allocation_of_a_server_fails_in_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
