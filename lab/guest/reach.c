/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reach physical addresses from user space of the test guest, through /dev/mem (kernel parameter
 * iomem=relaxed). All numbers are hex, without 0x.
 *
 *   reach do STEP...        each STEP is an access; the values read are printed on one line
 *                             rW ADDRESS           read W bytes, 1, 2, 4 or 8
 *                             wW ADDRESS VALUE     write
 *                             wW*N ADDRESS VALUE   write N (decimal) times
 *                             RW, WW               the same where the memory is mapped write-back
 *   reach dump ADDRESS LENGTH
 *                           32-bit words, four a line, with the offset; lines of zeros are left out
 *   reach find FROM TO      look for numbers from FROM up to, not including, TO in what standard
 *                           input lists, a line each: "memory ADDRESS LENGTH" (registers: each
 *                           word is read once, uncached), "ram ADDRESS LENGTH", "ports FIRST COUNT" or
 *                           a file. Numbers are pairs of 32-bit words in either order (but in
 *                           registers at any byte), and in files also text in hex or decimal.
 *                           Prints "HIT place offset", then "SEARCHED places bytes hits", in
 *                           decimal; what cannot be opened is "CLOSED place" and no place.
 *   reach pass LENGTH       fill that much ordinary memory with a pattern; after a line on standard
 *                           input compare it: "PASSED words bad"
 */
#include <ctype.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pattern.h"

#define PAGE       4096u
#define FILE_MAX   (1u << 20)
#define DIGITS_MAX 20
#define PORTS_MAX  65536u

/* Of /dev/mem: mapped uncached, and write-back. */
static int memory_fd[2] = { -1, -1 };

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t number(const char *text)
{
	char *end;
	uint64_t value = strtoull(text, &end, 16);

	if (end == text || (*end && *end != '\n')) {
		fprintf(stderr, "reach: '%s' is no number in hex\n", text);
		exit(2);
	}
	return value;
}

/* The pages around address; they stay mapped until unmap. */
static volatile uint8_t *map(uint64_t address, uint64_t length, bool cached, void **pages,
			     size_t *size)
{
	uint64_t first = address & ~(uint64_t)(PAGE - 1);

	if (memory_fd[cached] < 0)
		memory_fd[cached] = open("/dev/mem", O_RDWR | O_CLOEXEC | (cached ? 0 : O_SYNC));
	if (memory_fd[cached] < 0)
		fail("/dev/mem");
	*size = (size_t)((address + length + PAGE - 1 - first) & ~(uint64_t)(PAGE - 1));
	*pages = mmap(NULL, *size, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd[cached],
		      (off_t)first);
	if (*pages == MAP_FAILED)
		fail("mmap of /dev/mem");
	return (volatile uint8_t *)*pages + (address - first);
}

/*
 * An instruction that always exits. Without it an exception of the guest right before an access to a device
 * looks to KVM, on the emulated processor of the lab, like an event that is being delivered, with
 * which KVM cannot emulate the access (internal error 3).
 */
static void exit_first(void)
{
	uint32_t a = 0, b, c = 0, d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d) : : "memory");
}

static uint64_t load(volatile uint8_t *at, unsigned int width)
{
	exit_first();
	switch (width) {
	case 1:
		return *at;
	case 2:
		return *(volatile uint16_t *)at;
	case 4:
		return *(volatile uint32_t *)at;
	default:
		return *(volatile uint64_t *)at;
	}
}

static void store(volatile uint8_t *at, unsigned int width, uint64_t value)
{
	exit_first();
	switch (width) {
	case 1:
		*at = (uint8_t)value;
		break;
	case 2:
		*(volatile uint16_t *)at = (uint16_t)value;
		break;
	case 4:
		*(volatile uint32_t *)at = (uint32_t)value;
		break;
	default:
		*(volatile uint64_t *)at = value;
	}
}

/* One access; returns how many arguments it took. */
static int step(char **argv, int argc)
{
	const char *what = argv[0];
	unsigned int width = (unsigned int)(what[0] ? what[1] - '0' : 0);
	bool write_it = what[0] == 'w' || what[0] == 'W';
	bool cached = what[0] == 'R' || what[0] == 'W';
	unsigned long times = 1;
	volatile uint8_t *at;
	void *pages;
	size_t size;

	if ((!write_it && what[0] != 'r' && what[0] != 'R') || argc < 2 + write_it ||
	    (width != 1 && width != 2 && width != 4 && width != 8)) {
		fprintf(stderr, "reach: '%s' is no step\n", what);
		exit(2);
	}
	if (what[2] == '*')
		times = strtoul(what + 3, NULL, 10);
	at = map(number(argv[1]), width, cached, &pages, &size);
	if (!write_it)
		printf(" %" PRIx64, load(at, width));
	for (; write_it && times; times--)
		store(at, width, number(argv[2]));
	munmap(pages, size);
	return 2 + write_it;
}

static void dump(uint64_t address, uint64_t length)
{
	void *pages;
	size_t size;
	volatile uint8_t *at = map(address, length, false, &pages, &size);

	for (uint64_t offset = 0; offset + 16 <= length; offset += 16) {
		uint32_t words[4], any = 0;

		for (unsigned int i = 0; i < 4; i++)
			any |= words[i] = (uint32_t)load(at + offset + 4 * i, 4);
		if (any)
			printf("%03" PRIx64 " %08x %08x %08x %08x\n", offset, words[0], words[1],
			       words[2], words[3]);
	}
	munmap(pages, size);
}

struct search {
	uint64_t from, to;
	uint64_t places, bytes, hits;
	const char *place;
};

static void look_at(struct search *search, uint64_t value, uint64_t offset)
{
	if (value < search->from || value >= search->to)
		return;
	search->hits++;
	printf("HIT %s %" PRIx64 "\n", search->place, offset);
}

static void look_at_words(struct search *search, uint32_t first, uint32_t second, uint64_t offset)
{
	look_at(search, (uint64_t)second << 32 | first, offset);
	if (first != second)
		look_at(search, (uint64_t)first << 32 | second, offset);
}

static void find_in_memory(struct search *search, uint64_t address, uint64_t length)
{
	void *pages;
	size_t size;
	volatile uint8_t *at = map(address, length, false, &pages, &size);
	uint32_t last = 0;

	for (uint64_t offset = 0; offset + 4 <= length; offset += 4) {
		uint32_t word = (uint32_t)load(at + offset, 4);

		if (offset)
			look_at_words(search, last, word, offset - 4);
		last = word;
	}
	search->bytes += length;
	munmap(pages, size);
}

/* Runs of digits are numbers in hex, those of decimal digits only in decimal as well. */
static void find_in_text(struct search *search, const uint8_t *text, size_t length)
{
	for (size_t i = 0; i < length;) {
		char digits[DIGITS_MAX + 1];
		size_t n = 0;

		while (i + n < length && isxdigit(text[i + n]))
			n++;
		if (n >= 3 && n <= DIGITS_MAX) {
			memcpy(digits, text + i, n);
			digits[n] = '\0';
			if (n <= 16)
				look_at(search, strtoull(digits, NULL, 16), i);
			if (strspn(digits, "0123456789") == n)
				look_at(search, strtoull(digits, NULL, 10), i);
		}
		i += n ? n : 1;
	}
}

static void find_in_bytes(struct search *search, const uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i + 8 <= length; i++) {
		uint32_t words[2];

		memcpy(words, bytes + i, sizeof(words));
		look_at_words(search, words[0], words[1], i);
	}
	search->bytes += length;
}

static void find_in_ram(struct search *search, uint64_t address, uint64_t length)
{
	void *pages;
	size_t size;
	volatile uint8_t *at = map(address, length, true, &pages, &size);

	find_in_bytes(search, (const uint8_t *)at, (size_t)length);
	munmap(pages, size);
}

/* From offset on, up to the end or max. */
static size_t read_all(const char *path, uint64_t offset, uint8_t *content, size_t max)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	size_t length = 0;
	ssize_t n = 1;

	if (fd < 0) {
		printf("CLOSED %s\n", path);
		return 0;
	}
	if (offset && lseek(fd, (off_t)offset, SEEK_SET) < 0)
		fail(path);
	while (length < max && n > 0) {
		n = read(fd, content + length, max - length);
		if (n > 0)
			length += (size_t)n;
	}
	close(fd);
	return length;
}

static void find_in_ports(struct search *search, uint64_t first, uint64_t count)
{
	static uint8_t content[PORTS_MAX];
	size_t length = count > PORTS_MAX ? PORTS_MAX : (size_t)count;

	find_in_bytes(search, content, read_all("/dev/port", first, content, length));
}

static void find_in_file(struct search *search, const char *path)
{
	static uint8_t content[FILE_MAX];
	size_t length = read_all(path, 0, content, sizeof(content));

	find_in_bytes(search, content, length);
	find_in_text(search, content, length);
}

static void find_in(struct search *search, char *line)
{
	static char address[20]; /* stays the place */
	char kind[8], length[20];
	bool is_file = sscanf(line, "%7[a-z] %19s %19s", kind, address, length) != 3;

	search->place = is_file ? line : address;
	if (is_file) {
		find_in_file(search, line);
	} else if (!strcmp(kind, "memory")) {
		find_in_memory(search, number(address), number(length));
	} else if (!strcmp(kind, "ram")) {
		find_in_ram(search, number(address), number(length));
	} else if (!strcmp(kind, "ports")) {
		find_in_ports(search, number(address), number(length));
	} else {
		fprintf(stderr, "reach: '%s' is no kind of place\n", kind);
		exit(2);
	}
}

static void find(struct search *search)
{
	char line[512];

	while (fgets(line, sizeof(line), stdin)) {
		uint64_t bytes = search->bytes;

		line[strcspn(line, "\n")] = '\0';
		find_in(search, line);
		search->places += search->bytes != bytes;
	}
	search->place = NULL;
	printf("SEARCHED %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", search->places, search->bytes,
	       search->hits);
}

static void pass(uint64_t length)
{
	uint64_t words = length / 8, bad = 0;
	volatile uint64_t *memory =
		mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		fail("mmap");
	for (uint64_t i = 0; i < words; i++)
		memory[i] = pattern_word(length, i);
	puts("WAIT pass");
	fflush(stdout);
	if (getchar() == EOF)
		exit(1);
	for (uint64_t i = 0; i < words; i++)
		bad += memory[i] != pattern_word(length, i);
	printf("PASSED %" PRIu64 " %" PRIu64 "\n", words, bad);
}

int main(int argc, char **argv)
{
	if (argc > 2 && !strcmp(argv[1], "do")) {
		for (int i = 2; i < argc;)
			i += step(argv + i, argc - i);
		putchar('\n');
	} else if (argc == 4 && !strcmp(argv[1], "dump")) {
		dump(number(argv[2]), number(argv[3]));
	} else if (argc == 4 && !strcmp(argv[1], "find")) {
		struct search search = { .from = number(argv[2]), .to = number(argv[3]) };

		find(&search);
	} else if (argc == 3 && !strcmp(argv[1], "pass")) {
		pass(number(argv[2]));
	} else {
		fputs("usage: reach do STEP... | dump ADDRESS LENGTH | find FROM TO | pass LENGTH\n",
		      stderr);
		return 2;
	}
	return 0;
}
