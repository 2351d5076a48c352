/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Target: the guest physical address space. Ranges, host bridges and windows in any order and of
 * any size, reservations, freeze, what comes after it. Whatever was accepted does not overlap, is
 * aligned and below the address width.
 */
#include <stdio.h>
#include <string.h>

#include "base/math.h"
#include "fuzz.h"
#include "window/machine.h"

#define STEPS_MAX 128

struct taken {
	uint64_t base, size;
};

struct scene {
	struct cxlvm_machine *machine;
	unsigned int n_holds;
	struct window_hold holds[CXLVM_WINDOWS_MAX];
	unsigned int n_taken;
	struct taken taken[STEPS_MAX + CXLVM_WINDOWS_MAX + CXLVM_BRIDGES_MAX];
};

/* Small numbers of granules mostly, anything sometimes. */
static uint64_t number(struct fuzz_input *input)
{
	unsigned int choice = fuzz_u8(input);

	if (choice < 16)
		return fuzz_u64(input);
	if (choice < 32)
		return UINT64_MAX - fuzz_u16(input);
	return (uint64_t)fuzz_u8(input) << (12 + choice % 36);
}

/* What the machine accepted has to be free and possible. */
static void take(struct scene *scene, uint64_t base, uint64_t size, uint64_t align)
{
	uint64_t last = (1ull << cxlvm_machine_phys_bits(scene->machine)) - 1;

	FUZZ_CHECK(range_is_valid(base, size) && is_aligned(base, align));
	FUZZ_CHECK(align == 1 || base + (size - 1) <= last);
	for (unsigned int i = 0; i < scene->n_taken; i++)
		FUZZ_CHECK(!ranges_overlap(base, size, scene->taken[i].base, scene->taken[i].size));
	scene->taken[scene->n_taken++] = (struct taken){ base, size };
}

static void add_window(struct scene *scene, struct fuzz_input *input)
{
	struct cxlvm_window window = {
		.name = "fmw",
		.has_base = true,
		.base = { number(input) },
		.size = number(input),
		.n_targets = fuzz_u8(input) & 15,
		.targets = { fuzz_u8(input) },
	};

	if (!cxlvm_machine_add_window(scene->machine, &window, NULL))
		take(scene, window.base.value, window.size, CXLVM_HDM_GRANULE);
}

static void add_bridge(struct scene *scene, struct fuzz_input *input)
{
	struct cxlvm_gpa base = { number(input) };
	bool placed = fuzz_u8(input) & 1;

	if (!cxlvm_machine_add_bridge(scene->machine, "cxl", fuzz_u8(input), placed ? &base : NULL,
				      NULL) &&
	    placed && base.value)
		take(scene, base.value, CXLVM_COMPONENT_BLOCK_SIZE, CXLVM_COMPONENT_BLOCK_SIZE);
}

static void hold_window(struct scene *scene, struct fuzz_input *input)
{
	struct cxlvm_gpa base = { number(input) };
	struct window_request request = {
		.owner = "accel",
		.bridge_uid = fuzz_u8(input),
		.size = number(input) & ~(CXLVM_HDM_GRANULE - 1),
		.base = fuzz_u8(input) & 1 ? &base : NULL,
		.name = "",
	};
	struct window_hold *hold = &scene->holds[scene->n_holds];
	int ret;

	if (scene->n_holds == CXLVM_WINDOWS_MAX || !request.size)
		return;
	memset(hold, 0, sizeof(*hold));
	if (cxlvm_machine_is_frozen(scene->machine)) {
		ret = window_match(scene->machine, &request, hold, NULL);
		if (!ret)
			ret = window_claim(scene->machine, hold, "accel", NULL);
	} else {
		ret = window_reserve(scene->machine, &request, hold, NULL);
	}
	if (!ret)
		scene->n_holds++;
	else
		window_release(scene->machine, hold);
}

/* All that freeze placed: those not taken yet. */
static void freeze(struct scene *scene)
{
	bool bridges[CXLVM_BRIDGES_MAX] = { false };
	bool windows[CXLVM_WINDOWS_MAX] = { false };
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	const struct cxlvm_bridge_place *bridge;
	const struct cxlvm_window *window;

	for (unsigned int i = 0; (bridge = cxlvm_machine_bridge(scene->machine, i)); i++)
		bridges[i] = bridge->has_base;
	for (unsigned int i = 0; (window = cxlvm_machine_window(scene->machine, i)); i++)
		windows[i] = window->has_base;
	if (cxlvm_machine_freeze(scene->machine, &err)) {
		FUZZ_CHECK(err.message[0]);
		return;
	}
	for (unsigned int i = 0; (bridge = cxlvm_machine_bridge(scene->machine, i)); i++)
		/* without a base: the host keeps the block to itself */
		if (!bridges[i] && bridge->has_base)
			take(scene, bridge->base.value, CXLVM_COMPONENT_BLOCK_SIZE,
			     CXLVM_COMPONENT_BLOCK_SIZE);
	for (unsigned int i = 0; (window = cxlvm_machine_window(scene->machine, i)); i++)
		if (!windows[i])
			take(scene, window->base.value, window->size, CXLVM_HDM_GRANULE);
}

static void place_range(struct scene *scene, struct fuzz_input *input)
{
	uint64_t size = number(input), align = 1ull << (fuzz_u8(input) & 63);
	struct cxlvm_gpa base;

	if (!cxlvm_machine_place_range(scene->machine, "PCI", size, align, &base, NULL))
		take(scene, base.value, size, align);
}

static void step(struct scene *scene, struct fuzz_input *input)
{
	struct cxlvm_gpa base;
	uint64_t size;

	switch (fuzz_u8(input) % 8) {
	case 0:
	case 1:
		base.value = number(input);
		size = number(input);
		if (!cxlvm_machine_add_range(scene->machine, "RAM", base, size, NULL))
			take(scene, base.value, size, 1);
		break;
	case 2:
		add_bridge(scene, input);
		break;
	case 3:
		add_window(scene, input);
		break;
	case 4:
		hold_window(scene, input);
		break;
	case 5:
		if (scene->n_holds)
			window_release(scene->machine, &scene->holds[--scene->n_holds]);
		break;
	case 6:
		place_range(scene, input);
		break;
	default:
		freeze(scene);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t cedt[32768];
	struct fuzz_input input = { data, size };
	struct cxlvm_machine_config config = { .size = sizeof(config) };
	struct scene scene = { 0 };
	size_t needed;

	config.phys_bits = 32 + fuzz_u8(&input) % 21;
	config.place_from.value = number(&input);
	if (cxlvm_machine_create(&config, &scene.machine, NULL))
		return 0;
	for (unsigned int i = 0; i < STEPS_MAX && input.left; i++)
		step(&scene, &input);
	if (!cxlvm_cedt_build(scene.machine, NULL, cedt, sizeof(cedt), &needed, NULL))
		FUZZ_CHECK(needed <= sizeof(cedt));
	while (scene.n_holds)
		window_release(scene.machine, &scene.holds[--scene.n_holds]);
	cxlvm_machine_destroy(scene.machine);
	return 0;
}
