/* SPDX-License-Identifier: BSD-3-Clause */
/* loads.h - the loop that ./dev bench monitor compares: the same instructions in a guest and outside */
#ifndef CXLVM_GUEST_LOADS_H
#define CXLVM_GUEST_LOADS_H

/* Sum of the 64-bit words from begin to end, which are multiples of 64. */
static inline unsigned long load_all_words(unsigned long begin, unsigned long end)
{
	unsigned long sum = 0;

	__asm__ volatile(".p2align 6\n"
			 "1:\n\t"
			 "add (%[at]), %[sum]\n\t"
			 "add 8(%[at]), %[sum]\n\t"
			 "add 16(%[at]), %[sum]\n\t"
			 "add 24(%[at]), %[sum]\n\t"
			 "add 32(%[at]), %[sum]\n\t"
			 "add 40(%[at]), %[sum]\n\t"
			 "add 48(%[at]), %[sum]\n\t"
			 "add 56(%[at]), %[sum]\n\t"
			 "add $64, %[at]\n\t"
			 "cmp %[end], %[at]\n\t"
			 "jb 1b"
			 : [at] "+r"(begin), [sum] "+r"(sum)
			 : [end] "r"(end)
			 : "cc", "memory");
	return sum;
}

#endif
