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

/* P8, DESIGN rule 6: reads and getters allocate nothing; neither does a reset once it ran. */
static void reads_and_resets_allocate_nothing(void **state)
{
	struct vm *vm = vm_create(*state, 2);

	assert_int_equal(vm_start(vm, NULL), 0);
	arm(0);
	for (unsigned int at = 0; at < 0x30; at++)
		vm_read(vm, 0, vm->devices[0].hdm + at, 4);
	vm_check_running(vm);
	assert_int_equal(calls, 0);
	assert_int_equal(vm_system_reset(vm, NULL), 0);
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
		TEST_ALL(reads_and_resets_allocate_nothing),
		cmocka_unit_test(every_other_constructor_fails_in_turn),
		cmocka_unit_test(every_allocation_of_a_server_fails_in_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
