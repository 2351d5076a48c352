/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The test pattern in a file, page by page: the other side of the guest driver's fill and check.
 * The file is read and written as a whole, and its size has to be a multiple of the page size.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "../pattern.h"

static const char usage[] =
	"usage: pattern fill FILE SEED    write the pattern of SEED into FILE\n"
	"       pattern check FILE SEED [WORDS]\n"
	"                                 compare, of each page the first WORDS words if that is\n"
	"                                 given; exit status 1 if a page differs\n"
	"       pattern seed              print a random seed\n"
	"SEED is a 64-bit number in hex.\n";

static int fail(const char *what)
{
	fprintf(stderr, "pattern: %s: %s\n", what, strerror(errno));
	return 1;
}

static bool parse_seed(const char *text, uint64_t *seed)
{
	const char *digits = strncmp(text, "0x", 2) ? text : text + 2;
	size_t length = strspn(digits, "0123456789abcdefABCDEF");

	if (!length || length > 16 || digits[length])
		return false;
	*seed = strtoull(digits, NULL, 16);
	return true;
}

/* 1 to a page of them. */
static bool parse_words(const char *text, uint64_t *words)
{
	char *end;

	*words = strtoull(text, &end, 10);
	return *text >= '1' && *text <= '9' && !*end && *words <= PATTERN_PAGE_WORDS;
}

static void make_page(uint64_t *page, uint64_t number, uint64_t seed)
{
	for (uint64_t i = 0; i < PATTERN_PAGE_WORDS; i++)
		page[i] = pattern_word(seed, number * PATTERN_PAGE_WORDS + i);
}

/* Reads or writes one page, or its first bytes; a file that ends early is an I/O error. */
static int transfer_page(int fd, uint64_t *page, uint64_t number, size_t size, bool write_it)
{
	char *bytes = (char *)page;
	size_t done = 0;

	while (done < size) {
		off_t at = (off_t)(number * PATTERN_PAGE_SIZE + done);
		size_t left = size - done;
		ssize_t n = write_it ? pwrite(fd, bytes + done, left, at)
				     : pread(fd, bytes + done, left, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (!n)
			errno = EIO;
		if (n <= 0)
			return -1;
		done += (size_t)n;
	}
	return 0;
}

static int count_pages(int fd, uint64_t *pages)
{
	off_t size = lseek(fd, 0, SEEK_END);

	if (size < 0)
		return -1;
	if (!size || size % PATTERN_PAGE_SIZE) {
		errno = EINVAL;
		return -1;
	}
	*pages = (uint64_t)size / PATTERN_PAGE_SIZE;
	return 0;
}

static int fill(int fd, const char *file, uint64_t pages, uint64_t seed)
{
	uint64_t page[PATTERN_PAGE_WORDS];

	for (uint64_t number = 0; number < pages; number++) {
		make_page(page, number, seed);
		if (transfer_page(fd, page, number, sizeof(page), true))
			return fail(file);
	}
	return 0;
}

/* The first words of each page. */
static int check(int fd, const char *file, uint64_t pages, uint64_t seed, uint64_t words)
{
	uint64_t wanted[PATTERN_PAGE_WORDS], found[PATTERN_PAGE_WORDS];
	uint64_t bad = 0, first_bad = 0;
	size_t size = words * sizeof(uint64_t);

	for (uint64_t number = 0; number < pages; number++) {
		make_page(wanted, number, seed);
		if (transfer_page(fd, found, number, size, false))
			return fail(file);
		if (memcmp(wanted, found, size) && !bad++)
			first_bad = number;
	}
	printf("pages %" PRIu64 " bad %" PRIu64 " first_bad ", pages, bad);
	if (bad)
		printf("%" PRIu64 "\n", first_bad);
	else
		printf("none\n");
	return bad > 0;
}

static int fill_or_check(bool fill_it, const char *file, uint64_t seed, uint64_t words)
{
	int fd = open(file, (fill_it ? O_WRONLY : O_RDONLY) | O_CLOEXEC);
	uint64_t pages;
	int status;

	if (fd < 0)
		return fail(file);
	if (count_pages(fd, &pages))
		status = fail(file);
	else
		status =
			fill_it ? fill(fd, file, pages, seed) : check(fd, file, pages, seed, words);
	if (close(fd) && !status)
		status = fail(file);
	return status;
}

static int print_seed(void)
{
	uint64_t seed;

	if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		return fail("getrandom");
	printf("%016" PRIx64 "\n", seed);
	return 0;
}

int main(int argc, char **argv)
{
	uint64_t seed = 0, words = PATTERN_PAGE_WORDS;
	bool to_check = argc > 1 && !strcmp(argv[1], "check");
	int status;

	if (argc == 2 && !strcmp(argv[1], "seed")) {
		status = print_seed();
	} else if ((argc == 4 && (to_check || !strcmp(argv[1], "fill")) &&
		    parse_seed(argv[3], &seed)) ||
		   (argc == 5 && to_check && parse_seed(argv[3], &seed) &&
		    parse_words(argv[4], &words))) {
		status = fill_or_check(!to_check, argv[2], seed, words);
	} else {
		fputs(usage, stderr);
		return 2;
	}
	if (fflush(stdout))
		return fail("standard output");
	return status;
}
