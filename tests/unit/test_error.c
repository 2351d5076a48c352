/* SPDX-License-Identifier: BSD-3-Clause */
/* The error object, the version, the names of trace points. */
#include <cxlvm/cxlvm.h>

#include <errno.h>

#include "test.h"

static void reg11_w25_first_error_wins(void **state)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	(void)state;
	assert_int_equal(cxlvm_error_set(&err, -EINVAL, "first %d", 1), -EINVAL);
	assert_int_equal(cxlvm_error_set(&err, -ENOMEM, "second"), -ENOMEM);
	assert_int_equal(err.code, -EINVAL);
	assert_string_equal(err.message, "first 1");
}

static void error_without_an_object_returns_the_code(void **state)
{
	(void)state;
	assert_int_equal(cxlvm_error_set(NULL, -EBUSY, "%s", "x"), -EBUSY);
	cxlvm_error_hint(NULL, "x");
}

static void error_hint_belongs_to_the_first_error(void **state)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	(void)state;
	cxlvm_error_hint(&err, "too early");
	assert_string_equal(err.hint, "");
	cxlvm_error_set(&err, -EINVAL, "message");
	assert_string_equal(err.hint, "");
	cxlvm_error_hint(&err, "do %s", "this");
	cxlvm_error_hint(&err, "do that");
	assert_string_equal(err.hint, "do this");
}

static void error_texts_are_terminated_when_cut(void **state)
{
	struct cxlvm_error err;
	char text[1024];

	(void)state;
	memset(&err, 0x55, sizeof(err));
	err.code = 0;
	memset(text, 'y', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	cxlvm_error_set(&err, -EINVAL, "%s", text);
	cxlvm_error_hint(&err, "%s", text);
	assert_int_equal(strnlen(err.message, sizeof(err.message)), CXLVM_ERROR_MESSAGE_MAX - 1);
	assert_int_equal(strnlen(err.hint, sizeof(err.hint)), CXLVM_ERROR_HINT_MAX - 1);
}

/* The text of a device or a user may hold anything; the message may not. */
static void error_texts_hold_no_newline(void **state)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	(void)state;
	cxlvm_error_set(&err, -EINVAL, "name %s", "a\nb");
	cxlvm_error_hint(&err, "name %s", "a\nb");
	assert_null(strchr(err.message, '\n'));
	assert_null(strchr(err.hint, '\n'));
}

static void version_has_three_numbers(void **state)
{
	unsigned int major, minor, patch;
	char rest;

	(void)state;
	/* NOLINTNEXTLINE(cert-err34-c): the numbers themselves do not matter */
	assert_int_equal(sscanf(cxlvm_version(), "%u.%u.%u%c", &major, &minor, &patch, &rest), 3);
}

/* Names that scripts for the QEMU proposal know (contract 16), less their prefix. */
static void trace_names_are_those_of_the_proposal(void **state)
{
	(void)state;
	assert_string_equal(cxlvm_trace_name(CXLVM_TRACE_LOCKED_HDM), "cxl_locked_hdm");
	assert_string_equal(cxlvm_trace_arg_name(CXLVM_TRACE_LOCKED_HDM, 0), "base");
	assert_string_equal(cxlvm_trace_arg_name(CXLVM_TRACE_LOCKED_HDM, 1), "base_low");
	assert_string_equal(cxlvm_trace_arg_name(CXLVM_TRACE_LOCKED_HDM, 2), "base_high");
	assert_string_equal(cxlvm_trace_arg_name(CXLVM_TRACE_LOCKED_HDM, 3), "control");
	assert_null(cxlvm_trace_arg_name(CXLVM_TRACE_LOCKED_HDM, 4));
	assert_null(cxlvm_trace_arg_name(CXLVM_TRACE_LOCKED_HDM, 5));
	assert_null(cxlvm_trace_arg_name(CXLVM_TRACE_LOCKED_HDM, 1000));
	assert_string_equal(cxlvm_trace_name(CXLVM_TRACE_SETUP_PARAMS), "cxl_setup_params");
	assert_string_equal(cxlvm_trace_name(CXLVM_TRACE_BAR_SUBREGION), "cxl_bar_subregion");
	assert_string_equal(cxlvm_trace_name(CXLVM_TRACE_PUT_DEVICE), "cxl_put_device");
	assert_string_equal(cxlvm_trace_name(CXLVM_TRACE_COUNT), "?");
	assert_string_equal(cxlvm_trace_name((enum cxlvm_trace_id)1000), "?");
	assert_null(cxlvm_trace_arg_name((enum cxlvm_trace_id)1000, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reg11_w25_first_error_wins),
		cmocka_unit_test(error_without_an_object_returns_the_code),
		cmocka_unit_test(error_hint_belongs_to_the_first_error),
		cmocka_unit_test(error_texts_are_terminated_when_cut),
		cmocka_unit_test(error_texts_hold_no_newline),
		cmocka_unit_test(version_has_three_numbers),
		cmocka_unit_test(trace_names_are_those_of_the_proposal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
