/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the monitor costs: from its start to the first KVM_RUN, what it keeps in memory, an access to
 * a trapped register beside an empty exit, a reset, loads from device memory. Each pass starts
 * machines with the guest of tests/guest, so it needs /dev/kvm, and is run in the repository's root.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../tests/guest/loads.h"
#include "bench.h"
#include "scene.h"

#define GUEST       "/tmp/cxlvm-bench-guest"
#define ACCESSES    20000
#define MEMORY      "/dev/shm/cxlvm-bench-memory"
#define SIZE        ((size_t)256 << 20)
#define LOADS       32 /* of all of the memory */
#define IMAGES      "/tmp/cxlvm-bench-images"
/* As much as a distribution's kernel and the initramfs of the lab: 14.5 MB and 1.3 MB. */
#define IMAGES_SIZE 15800000

struct context {
	char cxlvm[4096]; /* beside this program, as is what is preloaded into it */
	char first_run[4200];
	const char *device;
	const char *cpus;
	const char *initrd;
	int first_run_fd; /* open only where that is measured, else 0 */
};

struct machine {
	pid_t pid;
	FILE *console;
	uint64_t started;
};

static void fail(const char *what)
{
	fprintf(stderr, "bench: %s\n", what);
	exit(1);
}

static void start(const struct context *context, struct machine *machine, const char *append,
		  const char *control)
{
	char fd[16];
	int fds[2];

	if (pipe(fds))
		fail("no pipe");
	machine->started = bench_now();
	machine->pid = fork();
	if (machine->pid < 0)
		fail("no process");
	if (machine->pid == 0) {
		dup2(fds[1], STDOUT_FILENO);
		/* What it says about resets and its end is nothing new. */
		if (!freopen("/dev/null", "w", stderr))
			_exit(127);
		close(fds[0]);
		close(fds[1]);
		if (context->first_run_fd) {
			snprintf(fd, sizeof(fd), "%d", context->first_run_fd);
			setenv("FIRST_RUN_FD", fd, 1);
			setenv("LD_PRELOAD", context->first_run, 1);
		}
		execl(context->cxlvm, "cxlvm", "run", "--kernel", GUEST, "--memory", "256M",
		      "--device", context->device, "--cpus", context->cpus, "--append", append,
		      "--time-limit", "60",
		      context->initrd ? "--initrd"
		      : control       ? "--control"
				      : NULL,
		      context->initrd ? context->initrd : control, NULL);
		_exit(127);
	}
	close(fds[1]);
	machine->console = fdopen(fds[0], "r");
}

/* When the guest says so: the time. */
static uint64_t await(struct machine *machine, const char *word)
{
	char line[256];

	while (fgets(line, sizeof(line), machine->console))
		if (!strncmp(line, word, strlen(word)))
			return bench_now();
	fail("the guest did not say what it should; is there a /dev/kvm?");
	return 0;
}

static void stop(struct machine *machine, struct rusage *usage)
{
	struct rusage own;

	kill(machine->pid, SIGTERM);
	wait4(machine->pid, NULL, 0, usage ? usage : &own);
	fclose(machine->console);
}

static double start_once(const struct context *given, unsigned int argument, const char *initrd)
{
	struct context context = *given;
	struct machine machine;
	uint64_t times[2];
	int fds[2];

	if (pipe(fds))
		fail("no pipe");
	context.first_run_fd = fds[1];
	context.initrd = initrd;
	context.cpus = "1";
	start(&context, &machine, "test=halt", NULL);
	close(fds[1]);
	if (read(fds[0], times, sizeof(times)) != sizeof(times))
		fail("the machine did not start; is there a /dev/kvm?");
	close(fds[0]);
	stop(&machine, NULL);
	return (double)(argument ? times[1] : times[0] - machine.started) / 1000;
}

/*
 * From exec to the first KVM_RUN, us; with argument 1 CPU time of the process. The second of two starts,
 * so that the kernel has memory at hand: in a virtual machine that tells its host which memory is
 * free, to get it back costs ten times what is measured.
 */
static double start_of(const struct context *context, unsigned int argument, const char *initrd)
{
	(void)start_once(context, argument, initrd);
	return start_once(context, argument, initrd);
}

static double start_bare(void *context, unsigned int argument)
{
	return start_of(context, argument, NULL);
}

static double start_with_images(void *context, unsigned int argument)
{
	return start_of(context, argument, IMAGES);
}

/* Nobody unpacks it: only its size matters. */
static void make_images(void)
{
	int fd = open(IMAGES, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	static uint8_t block[100000];

	memset(block, 0xa5, sizeof(block));
	if (fd < 0)
		fail("no file " IMAGES);
	for (unsigned int i = 0; i < IMAGES_SIZE / sizeof(block); i++)
		if (write(fd, block, sizeof(block)) != (ssize_t)sizeof(block))
			fail("cannot write " IMAGES);
	close(fd);
}

/* Besides guest RAM and device memory: mappings as large as these do not count. */
static unsigned long resident_in(FILE *smaps)
{
	unsigned long sum = 0, size = 0, kib;
	char line[256];

	while (fgets(line, sizeof(line), smaps)) {
		/* The kernel writes what a long holds: NOLINTBEGIN(cert-err34-c) */
		if (sscanf(line, "Size: %lu", &kib) == 1)
			size = kib;
		else if (sscanf(line, "Rss: %lu", &kib) == 1 && size < SIZE >> 10)
			sum += kib;
		/* NOLINTEND(cert-err34-c) */
	}
	return sum;
}

static double resident(void *context, unsigned int argument)
{
	struct machine machine;
	unsigned long sum;
	char path[64];
	FILE *smaps;

	(void)argument;
	start(context, &machine, "test=halt", NULL);
	await(&machine, "guest: waiting");
	snprintf(path, sizeof(path), "/proc/%d/smaps", (int)machine.pid);
	smaps = fopen(path, "r");
	if (!smaps)
		fail("no look into the memory of the machine");
	sum = resident_in(smaps);
	fclose(smaps);
	stop(&machine, NULL);
	return (double)sum;
}

/* Between two words of the guest lie so many accesses. */
static double accesses(const struct context *context, const char *what)
{
	struct machine machine;
	char append[64];
	uint64_t begin, end;

	snprintf(append, sizeof(append), "test=%s count=%x", what, ACCESSES);
	start(context, &machine, append, NULL);
	begin = await(&machine, "guest: begin");
	end = await(&machine, "guest: end");
	stop(&machine, NULL);
	return (double)(end - begin) / ACCESSES;
}

static double register_reads(void *context, unsigned int argument)
{
	(void)argument;
	return accesses(context, "register-reads");
}

static double empty_exits(void *context, unsigned int argument)
{
	(void)argument;
	return accesses(context, "empty-exits");
}

/* CPU time of a process in ns: who else has the processor meanwhile does not count. */
static uint64_t cpu_time(pid_t pid)
{
	struct timespec time;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &time))
		fail("no CPU time of a process");
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/*
 * GB/s between two words of the guest. It is in ring 3, where a software KVM does not emulate it; its
 * pages are there before; its other CPU sleeps.
 */
static double guest_loads(void *opaque, unsigned int argument)
{
	struct context context = *(const struct context *)opaque;
	struct machine machine;
	char append[64];
	uint64_t begin, end;

	(void)argument;
	context.device = "sim,size=256M,memory-file=" MEMORY;
	snprintf(append, sizeof(append), "test=loads user=1 count=%x", LOADS);
	start(&context, &machine, append, NULL);
	await(&machine, "guest: begin");
	begin = cpu_time(machine.pid);
	await(&machine, "guest: end");
	end = cpu_time(machine.pid);
	stop(&machine, NULL);
	return (double)LOADS * (double)SIZE / (double)(end - begin);
}

/* The same file, the same instructions, in this process. */
static double host_loads(void *context, unsigned int argument)
{
	int fd = open(MEMORY, O_RDWR | O_CLOEXEC);
	uint64_t begin, end;
	void *memory;

	(void)context;
	(void)argument;
	if (fd < 0)
		fail("no device memory in " MEMORY);
	memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (memory == MAP_FAILED)
		fail("the device memory cannot be mapped");
	bench_use(load_all_words((uintptr_t)memory, (uintptr_t)memory + SIZE));
	begin = cpu_time(getpid());
	for (unsigned int i = 0; i < LOADS; i++)
		bench_use(load_all_words((uintptr_t)memory, (uintptr_t)memory + SIZE));
	end = cpu_time(getpid());
	munmap(memory, SIZE);
	return (double)LOADS * (double)SIZE / (double)(end - begin);
}

/* Opened for each pass: the processes that are started meanwhile are to be copies of a small one. */
static double lookups(void *context, unsigned int readers)
{
	static struct scene scene;
	double time;

	(void)context;
	memset(&scene, 0, sizeof(scene));
	scene_open(&scene, 32, true);
	time = scene_run(&scene, ACCESS_LOOKUP, readers);
	scene_close(&scene);
	return time;
}

/* From the command to the answer, which comes when the guest runs again. */
static double reset(void *opaque, unsigned int argument)
{
	const struct context *context = opaque;
	char socket[64], command[4400];
	struct machine machine;
	uint64_t begin;

	(void)argument;
	snprintf(socket, sizeof(socket), "/tmp/cxlvm-bench-%d", (int)getpid());
	start(context, &machine, "test=halt", socket);
	await(&machine, "guest: waiting");
	snprintf(command, sizeof(command), "%s ctl %s reset", context->cxlvm, socket);
	begin = bench_now();
	/* NOLINTNEXTLINE(cert-env33-c): what a user would type, with the time it takes */
	if (system(command))
		fail("the machine could not be reset");
	begin = bench_now() - begin;
	stop(&machine, NULL);
	return (double)begin / 1000;
}

int main(int argc, char **argv)
{
	static struct bench_case cases[] = {
		{ .name = "start to first KVM_RUN, CPU time",
		  .unit = "us",
		  .run = start_bare,
		  .argument = 1,
		  .at_most = 3000 },
		{ .name = "start to first KVM_RUN", .unit = "us", .run = start_bare },
		{ .name = "the same and 15.8 MB of images, CPU time",
		  .unit = "us",
		  .run = start_with_images,
		  .argument = 1,
		  .at_most = 8000 },
		{ .name = "the same and 15.8 MB of images",
		  .unit = "us",
		  .run = start_with_images },
		{ .name = "resident memory", .unit = "KiB", .run = resident, .at_most = 3072 },
		{ .name = "trapped register read", .unit = "ns", .run = register_reads },
		{ .name = "empty exit", .unit = "ns", .run = empty_exits },
		{ .name = "look-up, 64 regions",
		  .unit = "ns",
		  .run = lookups,
		  .argument = 1,
		  .at_most = 50 },
		{ .name = "look-up, 64 regions, each of 2 readers",
		  .unit = "ns",
		  .run = lookups,
		  .argument = 2 },
		{ .name = "reset to running", .unit = "us", .run = reset },
		{ .name = "loads from device memory, guest", .unit = "GB/s", .run = guest_loads },
		{ .name = "loads from device memory, host", .unit = "GB/s", .run = host_loads },
	};
	static const struct bench_ratio ratios[] = {
		{ .name = "register read over empty exit",
		  .over = "trapped register read",
		  .under = "empty exit",
		  .factor = 1,
		  .at_most = 1.2 },
		{ .name = "look-up, 2 readers over 1",
		  .over = "look-up, 64 regions",
		  .under = "look-up, 64 regions, each of 2 readers",
		  .factor = 2,
		  .at_least = 1.8 },
		{ .name = "loads, guest over host",
		  .over = "loads from device memory, guest",
		  .under = "loads from device memory, host",
		  .factor = 1,
		  .at_least = 0.98 },
	};
	static struct context context = { .device = "sim,size=256M", .cpus = "2" };
	struct bench bench = {
		.name = "monitor",
		.cases = cases,
		.n_cases = sizeof(cases) / sizeof(cases[0]),
		.ratios = ratios,
		.n_ratios = sizeof(ratios) / sizeof(ratios[0]),
		.context = &context,
		.notes =
			"256 MiB of RAM, a sim device, 1 CPU for the start and 2 for all else; the guest is that of tests/guest. Images: an "
			"initramfs of\nthe size of a distribution's kernel and a small initramfs.\n"
			"Loads are of 8 bytes, from a file of tmpfs, the same instructions on both sides, in "
			"ring 3, which\na software KVM does not emulate; per CPU time of the process.\nResident memory is that besides guest RAM and device memory. "
			"Look-ups are in the table of trapped ranges, of 32 devices with 2 each.\n",
	};
	ssize_t n = readlink("/proc/self/exe", context.cxlvm, sizeof(context.cxlvm) - 32);
	char *folder;

	/* BUILD/bench/bench_monitor, BUILD/cli/cxlvm */
	if (n <= 0)
		fail("where is this program?");
	for (int i = 0; i < 2; i++) {
		folder = strrchr(context.cxlvm, '/');
		*folder = 0;
	}
	snprintf(context.first_run, sizeof(context.first_run), "%s/bench/libfirst_run.so",
		 context.cxlvm);
	snprintf(folder, sizeof(context.cxlvm) - strlen(context.cxlvm), "/cli/cxlvm");
	/* NOLINTNEXTLINE(cert-env33-c): who runs a benchmark has the same shell */
	if (system("sh tests/guest/payload.sh tests " GUEST))
		fail("the guest could not be made");
	make_images();
	bench_run(&bench);
	bench_print(&bench, argc > 1 && !strcmp(argv[1], "--json"));
	unlink(IMAGES);
	unlink(MEMORY);
	unlink(GUEST);
	unlink(GUEST ".elf");
	return 0;
}
