/* SPDX-License-Identifier: BSD-3-Clause */
/* The vfio-user server: clients one after another, the files it makes, faults on request. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vu_rig.h"

static struct rig rig;

static void vu_server15_second_client_is_refused(void **state)
{
	int second;

	(void)state;
	rig_start(&rig);
	second = rig_connect(&rig);
	assert_true(rig_is_closed(&rig, second));
	close(second);
	assert_int_equal(rig.refused, 1);
	/* The first does not notice. */
	assert_int_equal(rig_call(&rig, RIG_RESET, NULL, 0), 0);
	assert_int_equal(rig.left, 0);
	rig_finish(&rig);
}

/* Each in another state: nothing said, half a header, half a message, agreed, with everything. */
static void vu_server15_next_client_starts_anew_after_any_disconnect(void **state)
{
	uint8_t bytes[64], map[32] = { 32, 0, 0, 0, 3 };
	int fd, irq;

	(void)state;
	rig_init(&rig);
	for (unsigned int phase = 0; phase < 6; phase++) {
		struct cxlvm_server_stats stats;
		size_t n;

		rig_agree(&rig, "");
		/* What the one before left would be seen here. */
		cxlvm_server_get_stats(rig.server, &stats, sizeof(stats));
		assert_int_equal(stats.dma_ranges, 0);
		assert_int_equal(rig_read(&rig, 2, 0x20, 4), 0);
		assert_int_equal(rig_read(&rig, 7, 4, 2) & 7, 2);
		rig_put(map + 24, 8, 0x1000);
		n = rig_message(&rig, bytes, RIG_DMA_MAP, 0, map, sizeof(map));
		fd = memfd_create("ram", MFD_CLOEXEC);
		irq = eventfd(0, EFD_CLOEXEC);
		assert_int_equal(ftruncate(fd, 0x1000), 0);
		switch (phase) {
		case 0:
			break;
		case 1:
			rig_send(rig.fd, bytes, 7, NULL, 0);
			break;
		case 2:
			rig_send(rig.fd, bytes, 30, &fd, 1);
			break;
		case 3:
			rig_leave(&rig);
			rig.fd = rig_connect(&rig);
			break;
		case 4:
			rig_leave(&rig);
			rig.fd = rig_connect(&rig);
			rig_send(rig.fd, bytes, 20, NULL, 0);
			break;
		default:
			assert_int_equal(rig_map(&rig, 3, 0, 0x1000, 0x1000, fd), 0);
			assert_int_equal(rig_set_irqs(&rig, 0x24, 2, 0, 1, &irq, 1), 0);
			rig_write(&rig, 2, 0x20, 4, 0x99);
			rig_write(&rig, 7, 4, 2, 6);
			/* An answer is under way to nobody. */
			rig_send(rig.fd, bytes, n, NULL, 0);
			break;
		}
		if (phase < 4)
			rig_settle(&rig);
		close(fd);
		close(irq);
		rig_leave(&rig);
	}
	rig_agree(&rig, "");
	assert_int_equal(rig_read(&rig, 2, 0x20, 4), 0);
	rig_finish(&rig);
}

/* Memory stays: it is the device's, and a restarted client finds its data. */
static void vu_server_memory_stays_over_clients(void **state)
{
	(void)state;
	rig_start(&rig);
	rig_write(&rig, 10, 0x123450, 8, 0x0123456789abcdef);
	rig_leave(&rig);
	rig_agree(&rig, "");
	assert_int_equal(rig_read(&rig, 10, 0x123450, 8), 0x0123456789abcdef);
	rig_finish(&rig);
}

static void vu_server_socket_file_is_private_and_replaced_when_dead(void **state)
{
	struct cxlvm_server_config config = { .size = sizeof(config),
					      .memory_size = RIG_MEMORY_SIZE };
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	struct cxlvm_server *server;
	mode_t mask = umask(0);
	struct stat st;
	char old[80];

	(void)state;
	rig_init(&rig);
	umask(mask);
	assert_int_equal(stat(rig.path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	/* A living one is refused, also while a client has it. */
	config.socket_path = rig.path;
	for (unsigned int i = 0; i < 2; i++) {
		err = (struct cxlvm_error)CXLVM_ERROR_INIT;
		assert_int_equal(cxlvm_server_create(&config, &server, &err), -EADDRINUSE);
		assert_non_null(strstr(err.message, rig.path));
		assert_true(err.hint[0]);
		rig_settle(&rig);
		if (!i)
			rig_agree(&rig, "");
	}
	/* A dead one is replaced: the file stays when its server does not end it. */
	snprintf(old, sizeof(old), "%s.old", rig.path);
	assert_int_equal(rename(rig.path, old), 0);
	rig_leave(&rig);
	cxlvm_server_destroy(rig.server);
	assert_int_equal(rename(old, rig.path), 0);
	assert_int_equal(cxlvm_server_create(&config, &rig.server, NULL), 0);
	rig_agree(&rig, "");
	rig_finish(&rig);
}

static void vu_server_refuses_bad_socket_paths(void **state)
{
	char file[] = "/tmp/cxlvm-file-XXXXXX", path[200];
	struct cxlvm_server_config config = { .size = sizeof(config),
					      .memory_size = RIG_MEMORY_SIZE };
	struct {
		const char *path;
		int error;
	} bad[] = {
		{ "", -EINVAL },
		{ path, -ENAMETOOLONG },
		{ file, -EINVAL },
		{ "/tmp", -EINVAL },
		{ "/nonexistent/folder/socket", -ENOENT },
	};
	unsigned int open_before = rig_open_files();
	int fd = mkstemp(file);

	(void)state;
	close(fd);
	memset(path, 'x', sizeof(path) - 1);
	memcpy(path, "/tmp/", 5);
	path[sizeof(path) - 1] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct cxlvm_error err = CXLVM_ERROR_INIT;
		struct cxlvm_server *server;

		config.socket_path = bad[i].path;
		assert_int_equal(cxlvm_server_create(&config, &server, &err), bad[i].error);
		assert_true(err.message[0] && err.hint[0]);
	}
	/* The file is as it was. */
	assert_int_equal(access(file, F_OK), 0);
	unlink(file);
	assert_int_equal(rig_open_files(), open_before);
}

static void vu_server_refuses_bad_memory(void **state)
{
	char folder[] = "/tmp/cxlvm-memory-XXXXXX", path[64], file[64];
	static const uint64_t sizes[] = { 0, 1, 128 << 20, (256 << 20) + 4096, UINT64_MAX };
	struct cxlvm_server_config config = { .size = sizeof(config) };
	unsigned int open_before = rig_open_files();
	struct cxlvm_server *server;
	struct stat st;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/socket", folder);
	snprintf(file, sizeof(file), "%s/memory", folder);
	config.socket_path = path;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct cxlvm_error err = CXLVM_ERROR_INIT;

		config.memory_size = sizes[i];
		assert_int_equal(cxlvm_server_create(&config, &server, &err), -EINVAL);
		assert_true(err.hint[0]);
	}
	config.memory_size = RIG_MEMORY_SIZE;
	config.memory_file = folder;
	assert_int_equal(cxlvm_server_create(&config, &server, NULL), -EISDIR);
	config.memory_file = "/dev/null";
	assert_int_equal(cxlvm_server_create(&config, &server, NULL), -EINVAL);
	config.memory_file = "/nonexistent/memory";
	assert_int_equal(cxlvm_server_create(&config, &server, NULL), -ENOENT);
	/* Too small: neither grown nor removed. */
	config.memory_file = file;
	fd = open(file, O_RDWR | O_CREAT, 0600);
	assert_int_equal(ftruncate(fd, RIG_MEMORY_SIZE - 1), 0);
	assert_int_equal(cxlvm_server_create(&config, &server, NULL), -EINVAL);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, RIG_MEMORY_SIZE - 1);
	close(fd);
	unlink(file);
	/* More than there can be room for: what was made for it is gone again. */
	config.memory_size = (uint64_t)1 << 50;
	assert_true(cxlvm_server_create(&config, &server, NULL) < 0);
	assert_int_equal(access(file, F_OK), -1);
	/* No socket is left either. */
	assert_int_equal(rmdir(folder), 0);
	assert_int_equal(rig_open_files(), open_before);
}

static char folder[32], file[64];

/* A rig whose memory is in a file. */
static void start_with_file(void)
{
	struct cxlvm_server_config config = { .size = sizeof(config),
					      .memory_size = RIG_MEMORY_SIZE };

	strcpy(folder, "/tmp/cxlvm-memory-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(file, sizeof(file), "%s/memory", folder);
	rig_init(&rig);
	rig_restart(&rig, file);
	rig_agree(&rig, "{\"capabilities\":{\"max_msg_fds\":16}}");
}

static void finish_with_file(void)
{
	rig_finish(&rig);
	unlink(file);
	assert_int_equal(rmdir(folder), 0);
}

/* The descriptor of device memory, the caller's. */
static int memory_fd(void)
{
	uint8_t info[32] = { 128, 0, 0, 0, 0, 0, 0, 0, 10 };

	assert_int_equal(rig_call(&rig, RIG_GET_REGION_INFO, info, 32), 0);
	assert_int_equal(rig.n_reply_fds, 1);
	rig.n_reply_fds = 0;
	return rig.reply_fds[0];
}

static void vu_server_memory_file_is_the_memory(void **state)
{
	uint8_t byte = 0;
	int fd;

	(void)state;
	start_with_file();
	rig_write(&rig, 10, 0x1000, 1, 0x42);
	fd = open(file, O_RDWR);
	assert_int_equal(pread(fd, &byte, 1, 0x1000), 1);
	assert_int_equal(byte, 0x42);
	/* Somebody cuts it: an error, and the server lives. */
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(rig_try_read(&rig, 10, 0x1000, 4), EIO);
	assert_int_equal(rig_call(&rig, RIG_RESET, NULL, 0), 0);
	close(fd);
	finish_with_file();
}

/* What a client does to the file that it was given is over when the next one comes. */
static void vu_server_memory_file_is_whole_for_the_next_client(void **state)
{
	struct stat st;
	int fd;

	(void)state;
	start_with_file();
	rig_write(&rig, 10, 0x1000, 1, 0x42);
	fd = memory_fd();
	assert_int_equal(fcntl(fd, F_SETFL, O_APPEND), 0);
	rig_leave(&rig);
	rig_agree(&rig, "{\"capabilities\":{\"max_msg_fds\":16}}");
	rig_write(&rig, 10, 0x2000, 1, 0x43);
	assert_int_equal(rig_read(&rig, 10, 0x2000, 1), 0x43);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, RIG_MEMORY_SIZE);
	/* cut: whole again, with its blocks, and with what was not cut off */
	assert_int_equal(ftruncate(fd, 0x2000), 0);
	rig_leave(&rig);
	rig_agree(&rig, "");
	assert_int_equal(rig_read(&rig, 10, 0x1000, 1), 0x42);
	assert_int_equal(rig_read(&rig, 10, 0x2000, 1), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, RIG_MEMORY_SIZE);
	assert_true(st.st_blocks >= (blkcnt_t)(RIG_MEMORY_SIZE / 512));
	/* a hole: on a full file system the next one would be killed where it is */
	assert_int_equal(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 1 << 20), 0);
	rig_leave(&rig);
	rig_agree(&rig, "");
	assert_int_equal(fstat(fd, &st), 0);
	assert_true(st.st_blocks >= (blkcnt_t)(RIG_MEMORY_SIZE / 512));
	close(fd);
	finish_with_file();
}

/* Two devices with one memory are none; and no client can open that lock. */
static void vu_server_memory_file_has_one_server(void **state)
{
	char path[80];
	struct cxlvm_server_config config = { .size = sizeof(config),
					      .memory_size = RIG_MEMORY_SIZE,
					      .memory_file = file,
					      .socket_path = path };
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	struct flock unlock = { .l_type = F_UNLCK, .l_whence = SEEK_SET };
	struct cxlvm_server *second;
	int fd;

	(void)state;
	start_with_file();
	fd = memory_fd();
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &unlock), 0);
	close(fd);
	snprintf(path, sizeof(path), "%s/second", folder);
	assert_int_equal(cxlvm_server_create(&config, &second, &err), -EBUSY);
	assert_non_null(strstr(err.message, file));
	assert_true(err.hint[0]);
	assert_int_equal(access(file, F_OK), 0);
	rig_leave(&rig);
	cxlvm_server_destroy(rig.server);
	assert_int_equal(cxlvm_server_create(&config, &rig.server, &err), 0);
	finish_with_file();
}

static void vu_server_faults_reach_the_client(void **state)
{
	struct cxlvm_dpa at = { 0x10000 };
	uint8_t data[0x2000] = { 0 };

	(void)state;
	rig_start(&rig);
	/* Resets that fail do nothing. */
	rig_write(&rig, 2, 0x20, 4, 0x55);
	cxlvm_server_fail_resets(rig.server, 1);
	assert_int_equal(rig_call(&rig, RIG_RESET, NULL, 0), EIO);
	assert_int_equal(rig_read(&rig, 2, 0x20, 4), 0x55);
	assert_int_equal(rig_call(&rig, RIG_RESET, NULL, 0), 0);
	/* Poison, byte-exact, until it is written as a whole or taken away. */
	assert_int_equal(cxlvm_server_poison(rig.server, at, 0x1000, true), 0);
	assert_int_equal(rig_try_read(&rig, 10, 0xfffc, 4), 0);
	assert_int_equal(rig_try_read(&rig, 10, 0xfffc, 5), EIO);
	assert_int_equal(rig_try_read(&rig, 10, 0x10fff, 1), EIO);
	assert_int_equal(rig_try_read(&rig, 10, 0x11000, 4), 0);
	assert_int_equal(rig_try_write(&rig, 10, 0x10000, 0xfff, data, 0xfff), 0);
	assert_int_equal(rig_try_read(&rig, 10, 0x10000, 4), EIO);
	assert_int_equal(rig_try_write(&rig, 10, 0xf800, 0x2000, data, 0x2000), 0);
	assert_int_equal(rig_try_read(&rig, 10, 0x10000, 4), 0);
	/* Twice is once. */
	assert_int_equal(cxlvm_server_poison(rig.server, at, 0x1000, true), 0);
	assert_int_equal(cxlvm_server_poison(rig.server, at, 0x1000, true), 0);
	assert_int_equal(cxlvm_server_poison(rig.server, at, 0x2000, false), -ENOENT);
	assert_int_equal(cxlvm_server_poison(rig.server, at, 0x1000, false), 0);
	assert_int_equal(rig_try_read(&rig, 10, 0x10000, 4), 0);
	assert_int_equal(cxlvm_server_poison(rig.server, at, 0, true), -EINVAL);
	assert_int_equal(cxlvm_server_poison(rig.server, at, RIG_MEMORY_SIZE, true), -EINVAL);
	at.value = UINT64_MAX;
	assert_int_equal(cxlvm_server_poison(rig.server, at, 2, true), -EINVAL);
	at.value = 0;
	for (; at.value < CXLVM_SERVER_POISON_MAX; at.value++)
		assert_int_equal(cxlvm_server_poison(rig.server, at, 1, true), 0);
	assert_int_equal(cxlvm_server_poison(rig.server, at, 1, true), -ENOSPC);
	assert_int_equal(cxlvm_server_poison(rig.server, at, 0, false), 0);
	assert_int_equal(rig_try_read(&rig, 10, 0, 4), 0);
	/* Memory not ready: Memory_Active of range 1 in the CXL Device DVSEC, over a reset too. */
	assert_int_equal(rig_read(&rig, 7, 0x110 + 0x1c, 4) & 3, 3);
	cxlvm_server_memory_ready(rig.server, false);
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(rig_read(&rig, 7, 0x110 + 0x1c, 4) & 3, 1);
		assert_int_equal(rig_try_read(&rig, 10, 0, 4), EIO);
		assert_int_equal(rig_try_write(&rig, 10, 0, 4, data, 4), EIO);
		if (i)
			rig_write(&rig, 7, 0x48, 2, 0x8000);
		else
			assert_int_equal(rig_call(&rig, RIG_RESET, NULL, 0), 0);
	}
	assert_int_equal(rig_read(&rig, 7, 0x110 + 0x1c, 4) & 3, 1);
	cxlvm_server_memory_ready(rig.server, true);
	assert_int_equal(rig_read(&rig, 7, 0x110 + 0x1c, 4) & 3, 3);
	assert_int_equal(rig_try_read(&rig, 10, 0, 4), 0);
	rig_finish(&rig);
}

static void vu_server_memory_as_a_bar(void **state)
{
	uint8_t info[32] = { 32 };

	(void)state;
	rig_init_exposed(&rig, true);
	rig_agree(&rig, "");
	/* Config space: BARs 2 and 3 of 32 bits, 4 of 64 bits and prefetchable; sizes. */
	rig_write(&rig, 7, 0x10, 4, UINT32_MAX);
	for (unsigned int at = 0x18; at < 0x28; at++)
		rig_write(&rig, 7, at, 1, 0xff);
	assert_int_equal(rig_read(&rig, 7, 0x18, 4), 0xfffff000);
	assert_int_equal(rig_read(&rig, 7, 0x1c, 4), 0xffffe000);
	assert_int_equal(rig_read(&rig, 7, 0x20, 8), 0xfffffffff000000c);
	rig_write(&rig, 7, 0x18, 8, 0xfe10200012345000);
	rig_write(&rig, 7, 0x20, 8, 0x1234567890abcdef);
	assert_int_equal(rig_read(&rig, 7, 0x10, 4), 0xfffe0004);
	assert_int_equal(rig_read(&rig, 7, 0x18, 8), 0xfe10200012345000);
	assert_int_equal(rig_read(&rig, 7, 0x20, 8), 0x123456789000000c);
	/* In one piece, and from its middle. */
	assert_int_equal(rig_try_read(&rig, 7, 0, 4096), 0);
	assert_int_equal(rig_get(rig.reply + 16 + 0x1f, 2), 0x0cfe);
	assert_int_equal(rig_read(&rig, 7, 0x1f, 2), 0x0cfe);
	/* MSI-X names BAR 3 for both, with the offsets of before. */
	assert_int_equal(rig_read(&rig, 7, 0x84, 8), 0x0000100300000003);
	/* Regions: MSI-X, memory with its descriptor, the typed one as ever. */
	info[8] = 3;
	assert_int_equal(rig_call(&rig, RIG_GET_REGION_INFO, info, 32), 0);
	assert_int_equal(rig_get(rig.reply + 4, 8), 0x300000003);
	assert_int_equal(rig_get(rig.reply + 16, 8), 0x2000);
	info[8] = 4;
	assert_int_equal(rig_call(&rig, RIG_GET_REGION_INFO, info, 32), 0);
	assert_int_equal(rig.reply_size, 32);
	assert_int_equal(rig_get(rig.reply, 4), 32);
	assert_int_equal(rig_get(rig.reply + 4, 8), 0x400000007);
	assert_int_equal(rig_get(rig.reply + 16, 8), RIG_MEMORY_SIZE);
	assert_int_equal(rig.n_reply_fds, 1);
	/* The same memory by both. */
	rig_write(&rig, 4, 0x1230, 8, 0x0123456789abcdef);
	assert_int_equal(rig_read(&rig, 10, 0x1230, 8), 0x0123456789abcdef);
	/* The pending bits are behind region 3. */
	assert_int_equal(rig_read(&rig, 3, 0x1000, 8), 0);
	/* The next client finds BARs without addresses. */
	rig_leave(&rig);
	rig_agree(&rig, "");
	assert_int_equal(rig_read(&rig, 7, 0x18, 8), 0);
	assert_int_equal(rig_read(&rig, 7, 0x20, 8), 0xc);
	rig_finish(&rig);
}

static void vu_server_refuses_a_bar_that_is_no_power_of_two(void **state)
{
	struct cxlvm_server_config config = { .size = sizeof(config),
					      .socket_path = "/tmp/cxlvm-never",
					      .memory_size = 3 * RIG_MEMORY_SIZE,
					      .expose_memory_bar = true };
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	struct cxlvm_server *server;

	(void)state;
	assert_int_equal(cxlvm_server_create(&config, &server, &err), -EINVAL);
	assert_non_null(strstr(err.message, "power of two"));
	assert_true(err.hint[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vu_server15_second_client_is_refused),
		cmocka_unit_test(vu_server15_next_client_starts_anew_after_any_disconnect),
		cmocka_unit_test(vu_server_memory_stays_over_clients),
		cmocka_unit_test(vu_server_socket_file_is_private_and_replaced_when_dead),
		cmocka_unit_test(vu_server_refuses_bad_socket_paths),
		cmocka_unit_test(vu_server_refuses_bad_memory),
		cmocka_unit_test(vu_server_memory_file_is_the_memory),
		cmocka_unit_test(vu_server_memory_file_is_whole_for_the_next_client),
		cmocka_unit_test(vu_server_memory_file_has_one_server),
		cmocka_unit_test(vu_server_faults_reach_the_client),
		cmocka_unit_test(vu_server_memory_as_a_bar),
		cmocka_unit_test(vu_server_refuses_a_bar_that_is_no_power_of_two),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
