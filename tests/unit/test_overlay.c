/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The overlay in each generation: what is trapped with pages of 4 and 64 KiB and MSI-X in them, which
 * lists of mappable areas go with it; and the config-space filters of contract 12 that belong to it.
 */
#include <errno.h>

#include "test.h"
#include "vm.h"

static struct vm *with_pages(void **state, uint64_t page_size)
{
	struct vm *vm = vm_create(*state, 1);

	vm->devices[0].config.page_size = page_size;
	vm->devices[0].recorder.page_size = page_size;
	fake_set_page_size(vm->devices[0].below.fake, page_size);
	return vm;
}

/* Is this byte of the component BAR trapped? */
static bool trapped(const struct vm *vm, uint64_t offset)
{
	struct cxlvm_bar_range spans[8];
	size_t n = cxlvm_endpoint_spans(vm->devices[0].endpoint, spans, 8);

	assert_true(n <= 8);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(spans[i].bar, FAKE_BAR);
		assert_true(spans[i].size > 0);
		if (offset >= spans[i].offset && offset - spans[i].offset < spans[i].size)
			return true;
	}
	return false;
}

/* OVL-2, OVL-4: MSI-X at the edges of the page, within it, twice, and over one another. */
static void ovl2_ovl4_msix_in_the_same_page(void **state)
{
	static const uint64_t pages[] = { 0x1000, 0x10000 };
	/* of generations 2 and 4 to 6 with small pages: all lie in the page of the HDM block */
	static const struct cxlvm_bar_range cases[][3] = {
		{ { FAKE_BAR, 0x10000, 0x100 } },                               /* block's start */
		{ { FAKE_BAR, 0x11f00, 0x100 } },                               /* end */
		{ { FAKE_BAR, 0x11800, 0x10 }, { FAKE_BAR, 0x11400, 0x10 } },   /* unsorted */
		{ { FAKE_BAR, 0x11400, 0x100 }, { FAKE_BAR, 0x11500, 0x100 } }, /* adjacent */
		{ { FAKE_BAR, 0x11400, 0x200 }, { FAKE_BAR, 0x11500, 0x80 } },  /* nested */
		{ { FAKE_BAR, 0x11400, 0x200 }, { FAKE_BAR, 0x11500, 0x200 } }, /* overlap */
		{ { FAKE_BAR, 0x11130, 0x8 }, { FAKE_BAR, 0x110f8, 0x8 } },     /* touch HDM */
		{ { FAKE_BAR, 0x10f00, 0x100 }, { FAKE_BAR, 0x11ff0, 0x20 } },  /* across */
		{ { FAKE_BAR, 0, 0x800 },
		  { 0, 0x11100, 0x100 },
		  { 4, 0x11100, 8 } }, /* elsewhere */
	};

	for (size_t p = 0; p < ARRAY_SIZE(pages); p++) {
		for (size_t c = 0; c < ARRAY_SIZE(cases); c++) {
			struct vm *vm = with_pages(state, pages[p]);
			bool whole = vm->variant->generation == 3 || pages[p] == 0x10000;
			uint64_t first = whole ? 0x10000 : 0x11000, end = whole ? 0x20000 : 0x12000;
			struct cxlvm_endpoint_config *config = &vm->devices[0].config;

			config->exclude = cases[c];
			while (config->n_exclude < 3 && cases[c][config->n_exclude].size)
				config->n_exclude++;
			assert_int_equal(vm_start(vm, NULL), 0);
			for (uint64_t at = 0; at < 0x20000; at += 4) {
				bool cut = false;

				for (size_t i = 0; i < config->n_exclude; i++)
					cut = cut || (cases[c][i].bar == FAKE_BAR &&
						      at >= cases[c][i].offset &&
						      at - cases[c][i].offset < cases[c][i].size);
				if (trapped(vm, at) != (at >= first && at < end && !cut))
					fail_msg("case %zu, pages of 0x%x: byte 0x%x is %strapped",
						 c, (unsigned int)pages[p], (unsigned int)at,
						 trapped(vm, at) ? "" : "not ");
			}
			/* the decoder is there, whatever is cut out around it */
			assert_int_equal(vm_hdm(vm, 0, 0x20), 0x700);
			vm_check_running(vm);
			vm_stop(vm);
		}
	}
}

/* OVL-4: a true overlap, by one byte at either end, with both page sizes. */
static void ovl4_msix_over_the_decoder_is_refused(void **state)
{
	static const struct cxlvm_bar_range bad[] = { { FAKE_BAR, 0x1112f, 1 },
						      { FAKE_BAR, 0x110ff, 2 },
						      { FAKE_BAR, 0x10000, 0x2000 },
						      { FAKE_BAR, 0x1fff8, 16 } };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct vm *vm = with_pages(state, i % 2 ? 0x10000 : 0x1000);
		struct cxlvm_error err = CXLVM_ERROR_INIT;

		vm->devices[0].config.exclude = &bad[i];
		vm->devices[0].config.n_exclude = 1;
		assert_true(vm_start(vm, &err) < 0);
		assert_message_has(&err, bad[i].offset);
		vm_stop(vm);
	}
}

/* One list of mappable areas of the component BAR; all in 4 KiB pages. */
struct list {
	const char *name;
	unsigned int n;
	uint64_t areas[3][2]; /* offset, size */
	bool with_block;      /* fine where the whole block is kept out (2, 3) */
	bool with_page;       /* fine where only the page of the HDM block is */
};

/* OVL-3: zero, one, unsorted, overlapping areas: none of them over what is trapped. */
static void ovl3_lists_of_mappable_areas(void **state)
{
	static const struct list lists[] = {
		{ "none", 0, { { 0 } }, true, true },
		{ "one below", 1, { { 0, 0x10000 } }, true, true },
		{ "one above", 1, { { 0x12000, 0xe000 } }, false, true },
		{ "up to the page", 1, { { 0, 0x11000 } }, false, true },
		{ "unsorted", 2, { { 0x12000, 0xe000 }, { 0, 0x11000 } }, false, true },
		{ "three",
		  3,
		  { { 0x8000, 0x1000 }, { 0, 0x1000 }, { 0x4000, 0x1000 } },
		  true,
		  true },
		{ "over one another", 2, { { 0, 0x9000 }, { 0x8000, 0x2000 } }, true, true },
		{ "the same twice", 2, { { 0, 0x1000 }, { 0, 0x1000 } }, true, true },
		{ "over the page", 1, { { 0x11000, 0x1000 } }, false, false },
		{ "last one over the page",
		  2,
		  { { 0, 0x1000 }, { 0x10000, 0x10000 } },
		  false,
		  false },
		{ "first one over the page",
		  2,
		  { { 0x11000, 0x1000 }, { 0, 0x1000 } },
		  false,
		  false },
		/* in the page, beside the registers: the page is trapped as a whole (OVL-2) */
		{ "in the page", 1, { { 0x11800, 0x800 } }, false, false },
		{ "empty", 2, { { 0, 0x1000 }, { 0x4000, 0 } }, false, false },
		{ "outside", 1, { { 0x20000, 0x1000 } }, false, false },
		{ "across the end", 1, { { 0x1f000, 0x2000 } }, false, false },
		{ "wraps around", 1, { { 0xfffffffffffff000, 0x2000 } }, false, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		struct vm *vm = vm_create(*state, 1);
		struct fake *fake = vm->devices[0].below.fake;
		struct fake_answer *answer = &fake->regions[FAKE_BAR];
		struct cxlvm_error err = CXLVM_ERROR_INIT;
		bool good = fake->generation < 4 ? lists[i].with_block : lists[i].with_page;
		int ret;

		fake_put(answer->bytes + 0x28, 8, lists[i].n);
		answer->len = 0x30 + 16 * lists[i].n;
		fake_put(answer->bytes, 4, answer->len);
		for (unsigned int a = 0; a < lists[i].n; a++) {
			fake_put(answer->bytes + 0x30 + 16 * a, 8, lists[i].areas[a][0]);
			fake_put(answer->bytes + 0x38 + 16 * a, 8, lists[i].areas[a][1]);
		}
		ret = vm_start(vm, &err);
		if (good != !ret)
			fail_msg("list \"%s\": %d (%s)", lists[i].name, ret, err.message);
		if (good)
			vm_check_running(vm);
		else
			assert_message_says(&err, "BAR 2");
		vm_stop(vm);
	}
}

/* Contract 12: what the Register Locator says leads a guest to the decoder behind the overlay. */
static void ovl1_locator_leads_to_the_overlay(void **state)
{
	struct vm *vm = vm_create(*state, 1);
	struct vm_device *device = &vm->devices[0];
	uint32_t at = 0x100, locator = 0, bar = 0xff;
	uint64_t block = 0, hdm = 0;

	assert_int_equal(vm_start(vm, NULL), 0);
	for (unsigned int i = 0; at && i < 64; i++) {
		uint32_t header = vm_config_read(vm, 0, at, 4);

		if ((header & 0xffff) == 0x23 && vm_config_read(vm, 0, at + 4, 2) == 0x1e98 &&
		    vm_config_read(vm, 0, at + 8, 2) == 8)
			locator = at;
		at = header >> 20;
	}
	assert_true(locator);
	for (at = locator + 0xc; at < locator + (vm_config_read(vm, 0, locator + 4, 4) >> 20);
	     at += 8) {
		uint32_t low = vm_config_read(vm, 0, at, 4);

		if ((low >> 8 & 0xff) != 1)
			continue;
		bar = low & 7;
		block = (uint64_t)vm_config_read(vm, 0, at + 4, 4) << 32 | (low & 0xffff0000);
	}
	assert_true(bar < 6);
	assert_int_equal(bar, device->bar);
	/* a memory BAR that is there */
	assert_int_equal(vm_config_read(vm, 0, 0x10 + 4 * bar, 4) & 1, 0);
	assert_int_equal(vm_read(vm, 0, block + 0x1000, 4) & 0xffff, 1);
	for (unsigned int i = 1; i <= vm_read(vm, 0, block + 0x1000, 4) >> 24; i++) {
		uint64_t entry = vm_read(vm, 0, block + 0x1000 + 4 * i, 4);

		if ((entry & 0xffff) == 5)
			hdm = block + 0x1000 + (entry >> 20);
	}
	assert_int_equal(hdm, device->hdm);
	assert_int_equal(vm_read(vm, 0, hdm + 0x20, 4), 0x700);
	vm_stop(vm);
}

/* Contract 12: CONFIG_LOCK is write-once until reset, and freezes CXL Control with it. */
static void dvsec_lock_is_write_once_until_reset(void **state)
{
	struct vm *vm = vm_create(*state, 1);
	uint32_t lock, control;

	assert_int_equal(vm_start(vm, NULL), 0);
	lock = vm->devices[0].dvsec + 0x14;
	control = vm->devices[0].dvsec + 0x0c;
	for (unsigned int round = 0; round < 2; round++) {
		assert_int_equal(vm_config_read(vm, 0, lock, 2), 0);
		/* not locked: control can be written */
		vm_config_write(vm, 0, control, 2, 0x0002);
		assert_int_equal(vm_config_read(vm, 0, control, 2) & 4, 0);
		vm_config_write(vm, 0, control, 2, 0x0006);
		vm_config_write(vm, 0, lock, 2, 1);
		assert_int_equal(vm_config_read(vm, 0, lock, 2), 1);
		vm_config_write(vm, 0, lock, 2, 0);
		vm_config_write(vm, 0, lock, 1, 0);
		vm_config_write(vm, 0, lock, 4, 0);
		assert_int_equal(vm_config_read(vm, 0, lock, 2), 1);
		/* by every width */
		vm_config_write(vm, 0, control, 1, 0);
		vm_config_write(vm, 0, control, 2, 0);
		vm_config_write(vm, 0, control, 4, 0);
		assert_int_equal(vm_config_read(vm, 0, control, 2) & 6, 6);
		assert_true(vm->devices[0].recorder.enabled);
		/* a function-level reset is none for it */
		assert_int_equal(vm_reset_prepare(vm, 0, CXLVM_RESET_FUNCTION, NULL), 0);
		assert_int_equal(vm_reset_done(vm, 0, CXLVM_RESET_FUNCTION, 0, NULL), 0);
		assert_int_equal(vm_config_read(vm, 0, lock, 2), 1);
		assert_int_equal(vm_system_reset(vm, NULL), 0);
	}
	vm_stop(vm);
}

/* What a kernel of generation 3 does with one write over two registers: the first, only. */
static void config_write_over_two_registers_reaches_both(void **state)
{
	static const struct {
		uint32_t at;
		unsigned int length;
		bool second; /* of 16 bits */
	} cases[] = { { 0x08, 4, true },  { 0x0c, 4, true },  { 0x10, 4, true },
		      { 0x14, 4, true },  { 0x18, 4, false }, { 0x0c, 2, false },
		      { 0x0e, 2, false }, { 0x0f, 1, false }, { 0x00, 4, false } };
	struct vm *vm = vm_create(*state, 1);
	struct journal *journal = &vm->board.journal;
	uint32_t dvsec;

	assert_int_equal(vm_start(vm, NULL), 0);
	dvsec = vm->devices[0].dvsec;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		bool again = vm->variant->generation == 3 && cases[i].second;
		size_t writes = 0;

		journal_clear(journal);
		/* control keeps Mem_Enable; nothing is started in control 2 */
		vm_config_write(vm, 0, dvsec + cases[i].at, cases[i].length, 0x40010006 & ~0x6u);
		for (size_t e = 0; e < journal->n; e++) {
			if (journal->entries[e].call != CALL_WRITE)
				continue;
			writes++;
			assert_int_equal(journal->entries[e].region, CXLVM_REGION_CONFIG);
			assert_int_equal(journal->entries[e].offset, dvsec + cases[i].at + 2);
			assert_int_equal(journal->entries[e].length, 2);
			assert_int_equal(fake_get(journal->entries[e].data, 2), 0x4001);
		}
		if (writes != (again ? 1 : 0))
			fail_msg("write of %u bytes at 0x%x: %zu more", cases[i].length,
				 cases[i].at, writes);
	}
	/* the next registers of the host are not ours */
	journal_clear(journal);
	vm_config_write(vm, 0, dvsec + 0x3c, 4, 0xffffffff);
	vm_config_write(vm, 0, 0x3c, 4, 0);
	assert_int_equal(journal_count(journal, CALL_WRITE), 0);
	vm_stop(vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_FAKE(ovl2_ovl4_msix_in_the_same_page),
		TEST_FAKE(ovl4_msix_over_the_decoder_is_refused),
		TEST_FAKE(ovl3_lists_of_mappable_areas),
		TEST_ALL(ovl1_locator_leads_to_the_overlay),
		TEST_ALL(dvsec_lock_is_write_once_until_reset),
		TEST_ALL(config_write_over_two_registers_reaches_both),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
