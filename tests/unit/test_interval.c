/* SPDX-License-Identifier: BSD-3-Clause */
/* Sets of ranges: what is at the end of all addresses. */
#include "base/interval.h"
#include "test.h"

/* Nothing is behind a range that ends with the last address, not even address 0. */
static void win2_w37_nothing_is_behind_the_last_address(void **state)
{
	struct interval_set set = { 0 };
	uint64_t at = 0;

	(void)state;
	assert_int_equal(interval_add(&set, "low", 0, 0x1000, NULL), 0);
	assert_true(interval_end(&set, 0) == 0x1000);
	assert_true(interval_end(&set, 1) == 1);
	assert_int_equal(interval_add(&set, "last", UINT64_MAX - 0xfff, 0x1000, NULL), 0);
	assert_true(interval_end(&set, 0) == UINT64_MAX);
	assert_false(interval_find_gap(&set, interval_end(&set, 0), 1, 1, UINT64_MAX, &at));
	assert_true(interval_find_gap(&set, 0, 0x1000, 0x1000, UINT64_MAX, &at));
	assert_int_equal(at, 0x1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(win2_w37_nothing_is_behind_the_last_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
