/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cxlvm/vfio.h - the device-access interface: how the engine reaches a VFIO device
 *
 * One of the two seams of the library. The engine never sees a device's file descriptor, a socket
 * or an ioctl: it calls this table (P7). A host that owns its VFIO devices (QEMU does) implements the
 * table itself; a host that does not uses one of the transports of the library, which fill in
 * struct cxlvm_transport. Answers are the raw bytes of the VFIO interface, little endian, so that
 * every generation of the kernel interface is parsed in one place (docs: kernel generations).
 * Nothing that comes back is trusted.
 *
 * Calls for one device are made one at a time and from within a verb of cxlvm/passthrough.h,
 * except read, which cxlvm_endpoint_reg_read may call at any time from any thread. A register read
 * that is under way when an endpoint is unrealized may still arrive here: close the device after
 * cxlvm_endpoint_free.
 */
#ifndef CXLVM_VFIO_H
#define CXLVM_VFIO_H

#include <cxlvm/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Region indices that PCI devices always have. */
#define CXLVM_REGION_BAR0    0
#define CXLVM_REGION_CONFIG  7
#define CXLVM_REGION_DYNAMIC 9 /* the first index that is not fixed */

/*
 * What map is asked for. The address returned must be a multiple of the host page size and
 * congruent to guest modulo alignment, so that the second-level page tables can use large pages
 * (MAP-2); alignment is a power of two, at least one host page. A transport that cannot keep the
 * congruence falls back to the host page size.
 */
struct cxlvm_map_request {
	uint32_t region;        /* region index */
	uint64_t offset;        /* in the region, multiple of the host page size */
	uint64_t size;          /* bytes, multiple of the host page size, not 0 */
	struct cxlvm_gpa guest; /* where the guest will see the first byte */
	uint64_t alignment;
};

struct cxlvm_device_ops {
	/* sizeof(struct cxlvm_device_ops) as the implementer compiled it. */
	size_t size;

	/*
	 * VFIO device info: copy at most len bytes of the answer to buf and store in *needed the
	 * size of the whole answer (its argsz). len below the needed size is not an error: as from
	 * the kernel, the answer then carries no capability chain. 0 or negative errno.
	 */
	int (*info)(void *device, void *buf, size_t len, size_t *needed);

	/* The same for the info of one region. -EINVAL for an index that does not exist. */
	int (*region_info)(void *device, uint32_t index, void *buf, size_t len, size_t *needed);

	/*
	 * Read or write exactly len bytes at offset of a region. 0 when all of it was transferred,
	 * else negative errno; a short transfer is -EIO. Data is in device order (little endian).
	 */
	int (*read)(void *device, uint32_t region, uint64_t offset, void *buf, size_t len);
	int (*write)(void *device, uint32_t region, uint64_t offset, const void *buf, size_t len);

	/*
	 * Map a part of a region, shared, readable and writable, without touching it (MAP-1).
	 * Nothing in the library reads or writes the memory (P6). 0 with *address, or negative
	 * errno. unmap takes what map returned, exactly once, and cannot fail.
	 */
	int (*map)(void *device, const struct cxlvm_map_request *request, void **address);
	void (*unmap)(void *device, void *address, uint64_t size);

	/*
	 * Optional. Export a part of a region as dma-buf: the file descriptor (the caller closes
	 * it) or negative errno; -ENOTTY when the kernel cannot (DMA-1).
	 */
	int (*dma_buf)(void *device, uint32_t region, uint64_t offset, uint64_t size);

	/*
	 * Optional. Can the device memory be accessed now? 1 yes, 0 no, negative errno unknown.
	 * Without it the library derives the answer from the real decoder.
	 */
	int (*usable)(void *device);

	/*
	 * Optional. Why usable says 0: one error with message (and hint), else nothing. For the
	 * event that tells of it.
	 */
	void (*why_unusable)(void *device, struct cxlvm_error *err);
};

/* Memory of the host that a device may reach by DMA. */
struct cxlvm_dma_range {
	struct cxlvm_iova base; /* multiple of the host page size */
	uint64_t size;          /* bytes, multiple of the host page size, not 0 */
	void *address;          /* of the first byte in this process; valid until unmapped */
	int fd;                 /* file of the memory, for a peer to map; -1: none. The caller's. */
	uint64_t offset;        /* of the first byte in that file */
	bool writable;          /* by the device */
};

struct cxlvm_memory_area; /* cxlvm/host.h */

#define CXLVM_IRQ_NORESIZE (1u << 3) /* VFIO_IRQ_INFO_NORESIZE */

/*
 * What a transport of the library offers to its host beyond device access. The engine never
 * calls these: resets are the host's (host operation device_reset).
 */
struct cxlvm_transport_ops {
	size_t size;

	/* VFIO_DEVICE_RESET. 0, -EAGAIN (ask again) or another negative errno. */
	int (*reset)(void *device);

	/*
	 * Optional both, for devices with interrupts. Connect count eventfds, one per vector from
	 * start, to interrupt type index (2 is MSI-X); a descriptor of -1 disconnects. The
	 * descriptors stay the caller's.
	 */
	int (*irq_set)(void *device, uint32_t index, uint32_t start, uint32_t count,
		       const int *eventfds);
	int (*irq_disable)(void *device, uint32_t index);

	/* Release the device. Nothing of it may be in use any more. */
	void (*close)(void *device);

	/*
	 * Optional both: memory of the host (guest RAM) that the device may reach by DMA. dma_map
	 * makes one range reachable, or nothing: -EEXIST when it overlaps another one, -ENOSPC,
	 * -EINVAL, or what the IOMMU or the peer answered. dma_unmap takes away exactly one range
	 * that was mapped, -ENOENT for another; when it returns no access is under way any more.
	 */
	int (*dma_map)(void *device, const struct cxlvm_dma_range *range, struct cxlvm_error *err);
	int (*dma_unmap)(void *device, struct cxlvm_iova base, uint64_t size);

	/*
	 * Optional both, for devices behind a socket. poll_fd is the transport's, stays the same
	 * until close, and polls readable (POLLIN) when service has something to do, which is also
	 * to look from time to time whether the peer is still there. service never waits for the
	 * peer: 0, or -ENODEV when the device is gone - the host then calls cxlvm_endpoint_recheck.
	 * It may be called at any time from any thread.
	 */
	int (*poll_fd)(void *device);
	int (*service)(void *device);

	/*
	 * Optional all three, for devices behind an IOMMU. iova_ranges: the I/O addresses that can
	 * be mapped, ascending, for cxlvm_endpoint_realize (WIN-3): at most n are copied, the
	 * number of all is returned; 0: no limit is known. memory_map and memory_unmap are what
	 * host operations dma_map and dma_unmap are to do: the device's own memory into its own
	 * I/O address space at its guest addresses, as dma-buf where an area has one, else by
	 * address; all or nothing. -EFAULT when the kernel cannot map such memory by address
	 * (DMA-8), -ERANGE outside the usable addresses, -EEXIST.
	 */
	size_t (*iova_ranges)(void *device, struct cxlvm_iova_range *ranges, size_t n);
	int (*memory_map)(void *device, const struct cxlvm_memory_area *areas, size_t n,
			  struct cxlvm_error *err);
	void (*memory_unmap)(void *device, const struct cxlvm_memory_area *areas, size_t n);

	/*
	 * Optional. What VFIO_DEVICE_GET_IRQ_INFO says of interrupt type index: its flags, and how
	 * many vectors it has. With CXLVM_IRQ_NORESIZE all vectors have to be connected by the
	 * first irq_set; without, and where there is irq_info, each can be by one of its own.
	 */
	int (*irq_info)(void *device, uint32_t index, uint32_t *flags, uint32_t *count);

	/*
	 * Optional, for devices behind a socket. on: from now on a thread of the host calls service
	 * whenever poll_fd is readable, and does not wait for other calls for the device before
	 * service said -ENODEV. off: not any more; called before that thread ends. Meanwhile calls
	 * wait for the peer without a time limit of the socket's, which is cheaper, and service ends
	 * those that take too long. Waits for a call that is under way.
	 */
	void (*polled)(void *device, bool on);
};

/* An opened device: copied by value, valid until transport->close. */
struct cxlvm_transport {
	void *device;
	const struct cxlvm_device_ops *ops;
	const struct cxlvm_transport_ops *transport;
};

/*
 * The vfio-user transport: a device that a server process offers on a UNIX socket.
 *
 * Waiting. The server has timeout_ms for the answer to a message, and once more for the rest of
 * an answer that has begun; for the whole of open, or of a reconnect, twice that. With polled, up to
 * a second more may go by before that is noticed. A server that takes longer, breaks the framing or closes is given up: its socket is shut down and not used
 * again, since a late answer could be mistaken for another one.
 *
 * Threads. All calls for one device may come from any thread. They take turns on the socket (a
 * mutex of this device, held for one message and its answer), so that a register read waits at
 * most for the messages before it, and no longer than for one server that does not answer.
 *
 * Loss. A server that was given up or has gone: every call fails with -ENODEV (a guest's register
 * reads then answer all ones), usable says 0, poll_fd gets readable: at once when a call noticed it,
 * else within half a second. Memory mapped from it stays
 * mapped in this process, and is not taken away from under a guest, but nobody serves it: the
 * engine makes it dark in cxlvm_endpoint_recheck. reset connects again, re-reads device and region
 * info, announces memory and eventfds again, and maps the new memory at the old addresses. A
 * server that then has regions of another kind or size, or other interrupts, is refused (-ESTALE)
 * and the device stays lost.
 *
 * Memory. A descriptor for a region must be a regular file that covers the region's mappable
 * areas; it is sealed against shrinking where the file can be sealed. Where it cannot, a file cut
 * short later makes a vCPU's access fail, and usable says 0 from then on.
 *
 * DMA. Ranges with fd are mapped by the server. Ranges without are read and written by messages of
 * the server, which are answered while a call waits, and in service: a host with such ranges has
 * to poll. eventfds given to irq_set are kept (duplicated) until replaced.
 */
struct cxlvm_user_config {
	size_t size;             /* sizeof(struct cxlvm_user_config) */
	const char *path;        /* of the socket, at most 107 bytes; copied */
	unsigned int timeout_ms; /* 1 to 600000; 0 means 5000 */
	uint64_t page_size;      /* of the host; 0 means the one of this machine */
};

/*
 * Connect to a server and read all about its device. On success *out is filled and belongs to the
 * caller, as from cxlvm_sim_open. Errors: -EINVAL (configuration), -ENOENT, -ECONNREFUSED, -EACCES
 * (socket), -EPROTONOSUPPORT (version), -ETIMEDOUT, -EPROTO (what the server says cannot be),
 * -ENODEV (it went away), -ENOMEM, -EMFILE, or what the server answered.
 */
CXLVM_PUBLIC int cxlvm_user_open(const struct cxlvm_user_config *config,
				 struct cxlvm_transport *out, struct cxlvm_error *err);

/*
 * Generation "2n" for the sim: the interface of generation 2 as some kernels ship it, which keep
 * the decoder over a reset.
 */
#define CXLVM_SIM_GENERATION_2N 0x2eu

/*
 * Quirks of a sim: what kernels of one interface have done differently, or wrong, and what a broken
 * one could do; docs/device.md has what the library makes of each. The number is the position of
 * its bit in cxlvm_sim_config. In brackets: the generations that have it anyway.
 */
enum cxlvm_sim_quirk {
	CXLVM_SIM_QUIRK_NO_MMAP, /* device memory cannot be mapped */
	/* The register region shows base 0 (2, 2n), or the host's base (3 to 6): one of the two. */
	CXLVM_SIM_QUIRK_BASE_ZERO,
	CXLVM_SIM_QUIRK_BASE_HOST,
	/* The kernel's decoder takes every write, none once locked (4), none (5, 6): one. */
	CXLVM_SIM_QUIRK_WRITES_KEPT,
	CXLVM_SIM_QUIRK_WRITES_FROZEN,
	CXLVM_SIM_QUIRK_WRITES_ABSORBED,
	/* A reset undoes what was written to it (2, 4), or does not (2n, 3): one. */
	CXLVM_SIM_QUIRK_SHADOW_LOST,
	CXLVM_SIM_QUIRK_SHADOW_KEPT,
	/* While Memory Space is off register reads fail with EIO (6), or give ones (5): one. */
	CXLVM_SIM_QUIRK_SPACE_OFF_ERROR,
	CXLVM_SIM_QUIRK_SPACE_OFF_ONES,
	CXLVM_SIM_QUIRK_REGISTER_LIES, /* the size of decoder 0 reads 256 MiB too large */
	/* The last capability of a chain points to the first, or is cut short: one. */
	CXLVM_SIM_QUIRK_CHAIN_LOOPS,
	CXLVM_SIM_QUIRK_CHAIN_SHORT,
	CXLVM_SIM_QUIRK_RESET_AGAIN, /* each reset is -EAGAIN quirk_times before it happens */
	CXLVM_SIM_QUIRK_RESET_FAILS, /* each reset is -EIO, and takes the memory away */
	/*
	 * After a reset the real decoder is 256 MiB larger, or is not committed until it was asked
	 * for quirk_times, or is never committed: one.
	 */
	CXLVM_SIM_QUIRK_SIZE_CHANGES,
	CXLVM_SIM_QUIRK_DECODER_LATE,
	CXLVM_SIM_QUIRK_DECODER_LOST,
};

/* Its name for people ("no-mmap"), NULL for a number behind the last. Any thread. */
CXLVM_PUBLIC const char *cxlvm_sim_quirk_name(unsigned int quirk);

/*
 * The sim transport: a software CXL Type-2 device in this process, which answers with the raw
 * bytes that the kernel of a chosen generation would send.
 */
struct cxlvm_sim_config {
	size_t size;             /* sizeof(struct cxlvm_sim_config) */
	uint64_t memory_size;    /* bytes of device memory, multiple of 256 MiB, not 0 */
	unsigned int generation; /* 2 to 6 or CXLVM_SIM_GENERATION_2N; 0 means 5 */
	/*
	 * File that holds the device memory, shared with whoever else maps it. Made if missing
	 * and given its size if empty (and removed or emptied again if the device is closed before
	 * its memory was mapped); another size than memory_size is refused, and so is a file that is
	 * another device's memory (-EBUSY). NULL: anonymous memory.
	 */
	const char *memory_file;
	uint64_t serial;          /* PCI device serial number */
	uint64_t page_size;       /* of the host; 0 means the one of this machine */
	uint64_t quirks;          /* bit n: the quirk of number n */
	unsigned int quirk_times; /* for two of them; 0 means 3 */
};

/*
 * Open a sim device. On success *out is filled and belongs to the caller, who ends it with
 * out->transport->close(out->device). Errors: -EINVAL (size, generation, quirks), -ENOSPC, -ENOMEM,
 * and what opening the memory file gave. Not thread safe for one device: calls of both tables take
 * turns, except read, which may come at any time.
 */
CXLVM_PUBLIC int cxlvm_sim_open(const struct cxlvm_sim_config *config, struct cxlvm_transport *out,
				struct cxlvm_error *err);

/*
 * What is known of the real HDM decoders of a device, as registers or the kernel's CXL core show them.
 * What is not known is as it is in a device that can be passed through: 0, but 1 interleave way.
 */
struct cxlvm_decoder_facts {
	size_t size;              /* sizeof(struct cxlvm_decoder_facts) */
	unsigned int count_code;  /* how many there are: the code in the capability register */
	unsigned int other;       /* number of another one that is committed; 0: none */
	bool committed;           /* of decoder 0, as all that follows */
	bool error;               /* a commit failed */
	bool host_only;           /* HDM-H */
	bool back_invalidate;     /* HDM-DB */
	bool has_control;         /* control is known; the message has it then */
	uint32_t control;         /* its control register */
	uint64_t interleave_ways; /* devices, 1 to 16; 0: ways_code is reserved */
	unsigned int ways_code;   /* of the control register */
	uint64_t skip;            /* bytes of device memory that it leaves out */
};

/*
 * Can a device with these decoders be passed through? The list that cxlvm_endpoint_realize refuses by
 * (REG-8, REG-9, CHK-5), for programs that look at a machine without opening anything. 0, or the first
 * thing that is wrong, with what to do: -EPROTO (number of decoders), -ENXIO (not committed, or with an
 * error), -EOPNOTSUPP (another decoder, interleaving, skip, coherency); -EINVAL, -E2BIG (facts). Calls
 * nothing; any thread.
 */
CXLVM_PUBLIC int cxlvm_decoder_check(const struct cxlvm_decoder_facts *facts,
				     struct cxlvm_error *err);

#ifdef __cplusplus
}
#endif

#endif
