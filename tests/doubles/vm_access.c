/* SPDX-License-Identifier: BSD-3-Clause */
/* Guest accesses to the component BAR as a memory map delivers them. */
#include "vm.h"

#include "test.h"

/* How many bytes from offset on go to one place, and whether that is a span. */
static unsigned int piece(struct vm *vm, unsigned int i, uint64_t offset, unsigned int length,
			  bool *trapped)
{
	struct cxlvm_bar_range spans[8];
	size_t n = cxlvm_endpoint_spans(vm->devices[i].endpoint, spans, 8);

	*trapped = false;
	for (size_t s = 0; s < n; s++) {
		uint64_t to_start = spans[s].offset - offset;
		uint64_t to_end = spans[s].offset + spans[s].size - offset;

		if (offset >= spans[s].offset && to_end && to_end <= spans[s].size) {
			*trapped = true;
			return to_end < length ? (unsigned int)to_end : length;
		}
		if (offset < spans[s].offset && to_start < length)
			length = (unsigned int)to_start;
	}
	return length;
}

static uint64_t ones(unsigned int length)
{
	return length < 8 ? (1ull << (8 * length)) - 1 : UINT64_MAX;
}

uint64_t vm_guest_read(struct vm *vm, unsigned int i, uint64_t offset, unsigned int length)
{
	const struct test_device *below = &vm->devices[i].below;
	uint64_t value = 0;

	for (unsigned int done = 0, n; done < length; done += n) {
		uint8_t bytes[8];
		bool trapped;

		n = piece(vm, i, offset + done, length - done, &trapped);
		if (trapped)
			fake_put(bytes, n, vm_read(vm, i, offset + done, n));
		else if (below->ops->read(below->device, vm->devices[i].bar, offset + done, bytes,
					  n))
			memset(bytes, 0xff, n);
		value |= fake_get(bytes, n) << (8 * done);
	}
	return value;
}

void vm_guest_write(struct vm *vm, unsigned int i, uint64_t offset, unsigned int length,
		    uint64_t value)
{
	for (unsigned int done = 0, n; done < length; done += n) {
		bool trapped;

		n = piece(vm, i, offset + done, length - done, &trapped);
		if (trapped)
			vm_write(vm, i, offset + done, n, value >> (8 * done) & ones(n));
	}
}
